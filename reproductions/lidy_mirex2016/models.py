"""The networks of Lidy & Schindler (MIREX 2016), Figures 2 to 4, and their predecessor of 2015.

Kernel and pool shapes are frequency × time, as in the paper. Every network takes a segment of
(frames, bands) log-mel values and gives class probabilities. Convolutions are 'valid', pools have
stride = pool; convolutions are followed by LeakyReLU 0.3, the dense layer of 200 units is sigmoid
with 20 % dropout after it, weights start Glorot-uniform (section 2.3).

The paper prints no parameter counts. Those in the docstrings are arithmetic from its layers, for
10 classes and 40 bands × 80 frames.
"""

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import conv, dense, image, leaky, max_pool, scores

BANDS, FRAMES = 40, 80  # section 2.1
UNITS = 200  # section 2.2.2; of model 1 in Figure 2 only
DROPOUT = 0.2  # section 2.3


def model_1(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = FRAMES,
    bands: int = BANDS,
    filters: int = 30,
    hidden: bool = True,
) -> keras.Model:
    """Model 1: one layer of filters, pooled hard in time (Figure 2). 563,840 parameters.

    2,790 values (31 bands × 3 × 30 filters) enter the dense layer, which the text does not name
    and Figure 2 shows. Without it (`hidden` False) the network has 31,540 parameters.
    """
    spectrogram, x = image(frames, bands)
    x = pipeline(x, filters, kernel=(10, 12), pool=(1, 20), name="frequency")
    if hidden:
        x = feed_forward(x)
    return keras.Model(spectrogram, scores(classes, activation)(x), name="model_1")


def model_2(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = FRAMES,
    bands: int = BANDS,
    filters: int = 32,
) -> keras.Model:
    """Model 2: filters for frequency and filters for time, in parallel (Figure 3).

    1,462,818 parameters, 7,264 values enter the dense layer. The shapes printed in section 2.2.2
    (67×68, 67×4, 5×75) are those of 80 bands × 82 frames: 4,125,218 parameters. Section 2.2.3
    gives this model 30 filters instead of 32: 1,371,530 parameters.
    """
    spectrogram, x = image(frames, bands)
    upper = pipeline(x, filters, kernel=(14, 15), pool=(1, 17), name="frequency")
    lower = pipeline(x, filters, kernel=(4, 8), pool=(15, 1), name="time")
    x = feed_forward(layers.Concatenate(name="frequency_and_time")([upper, lower]))
    return keras.Model(spectrogram, scores(classes, activation)(x), name="model_2")


def model_3(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = FRAMES,
    bands: int = BANDS,
    filters: int = 30,
) -> keras.Model:
    """Model 3: short and long filters for frequency, in parallel (Figure 4). 946,070 parameters.

    4,650 values enter the dense layer: 31 bands × 3 and 31 bands × 2, times 30 filters.
    """
    spectrogram, x = image(frames, bands)
    short = pipeline(x, filters, kernel=(10, 12), pool=(1, 20), name="short")
    long = pipeline(x, filters, kernel=(10, 34), pool=(1, 20), name="long")
    x = feed_forward(layers.Concatenate(name="short_and_long")([short, long]))
    return keras.Model(spectrogram, scores(classes, activation)(x), name="model_3")


def music_speech(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = FRAMES,
    bands: int = BANDS,
    filters: int = 15,
) -> keras.Model:
    """The network of MIREX 2015, music or speech: 3,068,057 parameters for these two classes.

    Known from the blog post on Pons, Lidy & Serra (CBMI 2016), whose Black-box grew from it: 15
    filters of 12×8, a 2×1 pool, 200 units, softmax. Input, activations, dropout and training are
    not published; those of 2016 stand in for them.
    """
    spectrogram, x = image(frames, bands)
    x = feed_forward(pipeline(x, filters, kernel=(12, 8), pool=(2, 1), name="frequency"))
    return keras.Model(spectrogram, scores(classes, activation)(x), name="music_speech")


def pipeline(
    x: keras.KerasTensor, filters: int, *, kernel: tuple[int, int], pool: tuple[int, int], name: str
) -> keras.KerasTensor:
    """Convolve, pool, LeakyReLU; give the flat feature maps."""
    x = conv(filters, kernel, name=f"{name}_conv", activation=None)(x)
    # The paper rectifies first. A maximum and a rising function can change places: same values,
    # same gradients, fewer values to rectify.
    x = leaky(f"{name}_leaky")(max_pool(pool, f"{name}_pool")(x))
    return layers.Flatten(name=f"{name}_features")(x)


def feed_forward(x: keras.KerasTensor) -> keras.KerasTensor:
    """200 sigmoid units, 20 % dropout."""
    return layers.Dropout(DROPOUT)(dense(UNITS, "dense", activation="sigmoid")(x))
