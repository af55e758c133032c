"""Sung phonemes (jingju): the networks, their rows, and what their protocols are.

Fact by fact from ronggong/EUSIPCO2017, `pretrainedDLModels/`: `keras_cnn_jordi_danAll.py` and
`…_laosheng.py` (proposed), `keras_cnn_square_…_choi.py` (Choi-like), `keras_dnn_….py` (after Maas
et al.). Kernel and pool shapes are frequency × time, as there. A network takes log-mel frames
(batch, frames, 80) and says the class of the one in the middle.

"All" of 21 frames and pairs of bands are pooled, what the search over networks ended with; a search
of our own is not made.
"""

from functools import partial

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.experiment import Row, Staged
from mirkeras.layers import image, max_pool, scores
from reproductions.pons_eusipco2017.sung import VARIANT, Annotated

FRAMES, NEIGHBOURS, BANDS = 21, 5, 80
RECIPE = "jingju2017"
#: (bands, frames) → filters for a density of 1.
SHAPES = {
    **{(50, 1): 32, (50, 5): 16, (50, 10): 8},
    **{(70, 1): 32, (70, 5): 16, (70, 10): 8},
}
BATCH = 64
PENALTY = 1e-5  # L2, on kernels
CHOI = ((60, (2, 2)), (84, (2, 1)), (84, (2, 1)), (84, (2, 1)), (60, None))  # filters, pool


def proposed(
    classes: int, activation: str = "softmax", *, density: int, dropout: float
) -> keras.Model:
    """Proposed: 166,925 parameters at density 3, 222,557 at 4, for 29 classes.

    The convolutions alone: 23,152 at density 1, 69,456 at 3, 92,608 at 4. Filters of 50 and 70
    bands slide over frequency, so that they find a timbre at any pitch.
    """
    spectrogram, x = image(FRAMES, BANDS)
    found = [_filtered(x, shape, density * filters, dropout) for shape, filters in SHAPES.items()]
    features = layers.Concatenate(name="features")(found)
    return keras.Model(spectrogram, scores(classes, activation)(features), name="proposed")


def _filtered(
    x: keras.KerasTensor, shape: tuple[int, int], filters: int, dropout: float
) -> keras.KerasTensor:
    """Convolve, ELU, keep the largest of two bands and of all frames: (batch, values)."""
    bands, frames = shape
    name = f"f{bands}x{frames}"
    x = layers.Conv2D(
        filters,
        (frames, bands),
        kernel_initializer="he_uniform",
        kernel_regularizer=keras.regularizers.L2(PENALTY),
        name=f"{name}_conv",
    )(x)
    x = max_pool((2, FRAMES - frames + 1), f"{name}_pool")(layers.ELU(name=f"{name}_elu")(x))
    return layers.Flatten(name=name)(layers.Dropout(dropout, name=f"{name}_dropout")(x))


def choi_like(classes: int, activation: str = "softmax") -> keras.Model:
    """Choi-like, small square filters: 221,153 trainable parameters for 29 classes."""
    spectrogram, x = image(FRAMES, BANDS)
    for number, (filters, pool) in enumerate(CHOI, 1):
        x = layers.Conv2D(filters, 3, name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"bn{number}")(x)
        x = layers.ELU(name=f"elu{number}")(x)
        x = max_pool(pool, f"pool{number}")(x) if pool else x
    features = layers.Flatten(name="features")(x)
    return keras.Model(spectrogram, scores(classes, activation)(features), name="choi_like")


def maas_like(
    classes: int, activation: str = "softmax", *, units: int, dropout: float
) -> keras.Model:
    """Maas-like, five frames, two rectified layers: 481,391 parameters (511 units, 29 classes)."""
    frames = keras.Input((NEIGHBOURS, BANDS), name="spectrogram")
    x = layers.Flatten(name="values")(frames)
    for number in (1, 2):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    return keras.Model(frames, scores(classes, activation)(x), name="maas_like")


MAAS = "phonemes-maas"  # variant of the protocols


def _row(name: str, model: str, build, frames: int = FRAMES, variant: str = VARIANT) -> Row:
    return Row(
        f"phonemes/{name}", model, build, frames, RECIPE, learner="phonemes", variant=variant,
        batch=BATCH,
    )  # fmt: skip


def _maas(units: int, dropout: float) -> Row:
    build = partial(maas_like, units=units, dropout=dropout)
    return _row(f"maas-{units}", f"Maas-like MLP, 2 × {units}", build, NEIGHBOURS, MAAS)


ROWS = (
    # the script of dan, and that of laosheng; of a density of 1 the dropout is not noted
    *(
        _row(
            f"proposed-{density}",
            f"Proposed, density {density}",
            partial(proposed, density=density, dropout=dropout),
        )
        for density, dropout in ((1, 0.3044), (3, 0.3044), (4, 0.32))
    ),
    _row("choi", "Choi-like CNN", choi_like),
    _maas(511, 0.251),
    _maas(475, 0.291),
)

_CODE = {
    # Keras 1 stopped at the first epoch after more than `patience` bad ones
    "rule": Staged(stages=1, patience=10),
    "max_epochs": 500,
    "optimizer": partial(keras.optimizers.Adam, 0.001, epsilon=1e-8),  # Keras 1's
    "select_by": "val_loss",
    "validate_by": "segment",
    "held_out": 0.2,
    "keep_groups": False,
    "normalise_on": "training tracks",
    "drop_incomplete": False,
    "network": {},
    "cut": Annotated(leaking=True, tested_on="ln(10000x+1)"),
    "z_score": "cell",
    "aggregate": "majority",
}
_PAPER = _CODE | {"cut": Annotated()}
_CLEAN = _PAPER | {"validate_by": "track", "keep_groups": True}
#: Protocol → fields of its variant "phonemes".
VARIANTS = {"paper": _PAPER, "code": _CODE, "clean": _CLEAN}
_PATIENCE = {"rule": Staged(stages=1, patience=5)}
#: Protocol → fields of its variant "phonemes-maas".
MAAS_VARIANTS = {
    "paper": _PAPER | _PATIENCE,
    "code": _CODE | _PATIENCE | {"cut": Annotated(leaking=True, tested_on="x")},
    "clean": _CLEAN | _PATIENCE,
}
