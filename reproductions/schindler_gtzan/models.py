"""The networks of Schindler, Lidy & Rauber (FMT 2016), Figures 1 and 2.

Both look at a segment of a log-mel spectrogram through two branches: one pools time away and keeps
frequency, the other pools frequency away and keeps time. Kernel and pool shapes are frequency ×
time, as in the paper. Every network takes (frames, bands) values and gives class probabilities;
convolutions are 'same' (the 80×4 and 4×80 of Figure 1 need it), pools have stride = pool, weights
start Glorot-uniform, biases zero, and an L1 penalty lies on every trained weight, biases too.

Two authors wrote them down:

`paper`
    LeakyReLU with slope 0.3 throughout, also after the 200 units.
`student`
    The code of the reproduction by Wyborn, Butt & Klas: ReLU in its place, convolutions without
    bias, no activation at all after the 200 units of the shallow network, and the dropout on the
    values of both branches, in front of the 200 units, as the figures draw it (`paper`: behind
    them, as the text says).

Parameters for 10 classes, with biases (`paper`) and without (`student`): shallow 2,060,642 and
2,060,610, deep 1,280,002 and 1,279,522. The paper prints none.
"""

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import conv, dense, image, leaky, max_pool, scores

BANDS = FRAMES = 80
UNITS = 200
PENALTY = 1e-4
AUTHORS = ("paper", "student")

# A layer of a branch: filters, kernel, pool.
Block = tuple[int, tuple[int, int], tuple[int, int]]

SHALLOW = {
    "frequency": [(16, (10, 23), (1, 20))],
    "temporal": [(16, (21, 20), (20, 1))],
}
DEEP = {
    "frequency": [
        (16, (10, 23), (2, 2)),
        (32, (5, 11), (2, 2)),
        (64, (3, 5), (2, 2)),
        (128, (2, 4), (1, 5)),
    ],
    "temporal": [
        (16, (21, 10), (2, 2)),
        (32, (10, 5), (2, 2)),
        (64, (5, 3), (2, 2)),
        (128, (4, 2), (5, 1)),
    ],
}
# The first kernel of the deep network's temporal branch is handed down in three ways. The first is
# that of the student's code and the one that the next three halve.
KERNELS_B1 = {"21x10": (21, 10), "21x20": (21, 20), "10x23": (10, 23)}


def shallow(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = FRAMES,
    bands: int = BANDS,
    author: str = "paper",
    penalty: float = PENALTY,
) -> keras.Model:
    """Build Figure 1: 5,120 values of each branch meet in 200 units.

    Parameters
    ----------
    classes : int
        Number of classes (10 in GTZAN).
    activation : str
        Activation of the output: ``softmax`` for classes, ``sigmoid`` for tags.
    frames, bands : int
        Shape of a segment.
    author : str
        ``paper`` or ``student``, see the module's text.
    penalty : float
        Penalty on every weight's absolute value (L1); 0 for none.

    Returns
    -------
    keras.Model
        Takes (batch, frames, bands), gives (batch, classes).
    """
    spectrogram, segment = image(frames, bands)
    x = branches(segment, SHALLOW, author, penalty)
    dropout = layers.Dropout(0.1, name="dropout")
    if author == "paper":
        x = dense(UNITS, "dense", penalty=penalty)(x)
        x = dropout(leaky("dense_activation")(x))
    else:  # no activation
        x = dense(UNITS, "dense", penalty=penalty)(dropout(x))
    output = scores(classes, activation, penalty=penalty)(x)
    return keras.Model(spectrogram, output, name="shallow")


def deep(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = FRAMES,
    bands: int = BANDS,
    kernel_b1: str = "21x10",
    author: str = "paper",
    penalty: float = PENALTY,
) -> keras.Model:
    """Build Figure 2: 2,560 values of each branch meet in 200 units.

    Parameters
    ----------
    kernel_b1 : str
        First kernel of the temporal branch, a key of `KERNELS_B1`.
    classes, activation, frames, bands, author, penalty
        As for `shallow`; so are the input and the output.

    Raises
    ------
    ValueError
        For an unknown author or kernel.
    """
    if kernel_b1 not in KERNELS_B1:
        raise ValueError(f"unknown kernel {kernel_b1!r}; known: {', '.join(KERNELS_B1)}")
    filters, _, pool = DEEP["temporal"][0]
    first = (filters, KERNELS_B1[kernel_b1], pool)
    spectrogram, segment = image(frames, bands)
    chosen = DEEP | {"temporal": [first, *DEEP["temporal"][1:]]}
    x = branches(segment, chosen, author, penalty)
    dropout = layers.Dropout(0.25, name="dropout")
    if author != "paper":
        x = dropout(x)
    x = dense(UNITS, "dense", penalty=penalty)(x)
    x = rectified("dense_activation", author)(x)
    if author == "paper":
        x = dropout(x)
    output = scores(classes, activation, penalty=penalty)(x)
    return keras.Model(spectrogram, output, name="deep")


def branches(
    segment: keras.KerasTensor, figure: dict[str, list[Block]], author: str, penalty: float
) -> keras.KerasTensor:
    """Send a segment through both branches of a figure: → (batch, values of both).

    Layers are frequency_conv1, frequency_pool1, frequency_activation1 …, then temporal_….
    """
    features = []
    for name, blocks in figure.items():
        x = segment
        for number, (filters, kernel, pool) in enumerate(blocks, start=1):
            x = conv(
                filters,
                kernel,
                f"{name}_conv{number}",
                padding="same",
                activation=None,
                penalty=penalty,
                use_bias=author == "paper",
            )(x)
            # The figures rectify, then pool. The strongest value stays the strongest when it is
            # rectified: the other way round is the same function and has fewer values to rectify.
            x = max_pool(pool, f"{name}_pool{number}")(x)
            x = rectified(f"{name}_activation{number}", author)(x)
        features.append(layers.Flatten(name=f"{name}_features")(x))
    return layers.Concatenate(name="features")(features)


def rectified(name: str, author: str) -> keras.layers.Layer:
    """Make an author's rectifier."""
    if author not in AUTHORS:
        raise ValueError(f"unknown author {author!r}; known: {', '.join(AUTHORS)}")
    return leaky(name) if author == "paper" else layers.ReLU(name=name)
