"""The networks of Pons, Lidy & Serra (CBMI 2016), Table I and Figures 1 to 4.

Kernel and pool shapes are frequency × time, as in the paper. Every network takes a segment of
(frames, bands) log-mel values and gives class probabilities; convolutions are 'valid', pools have
stride = pool, units are rectified, weights start Glorot-uniform, biases zero. The figures show
50 % dropout at the feed-forward layers only; the authors' code also drops half of what enters the
softmax of Time and Frequency, and that is what produced the numbers.

Parameter counts in the docstrings are the published ones, for 8 classes.
"""

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import conv, image, max_pool, scores

BANDS = 40
FILTERS = 32
UNITS = 200
DROPOUT = 0.5


def black_box(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = 80,
    kernel: tuple[int, int] = (12, 8),
) -> keras.Model:
    """Black-box: 3,275,312 parameters (12×8, 80 frames), 2,363,440 (12×200, 250 frames)."""
    spectrogram, x = image(frames, BANDS)
    x = conv(FILTERS, kernel, name="conv")(x)
    x = max_pool((4, 1), name="pool")(x)
    x = feed_forward(layers.Flatten()(x))
    return keras.Model(spectrogram, scores(classes, activation)(x), name="black_box")


def time(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = 80,
    kernel: tuple[int, int] = (1, 60),
) -> keras.Model:
    """Time: 7,336 parameters (1×60, 80 frames), 19,496 (1×200, 250 frames)."""
    spectrogram, x = image(frames, BANDS)
    x = layers.Dropout(DROPOUT)(time_branch(x, kernel))
    return keras.Model(spectrogram, scores(classes, activation)(x), name="time")


def frequency(
    classes: int,
    activation: str = "softmax",
    *,
    frames: int = 80,
    kernel: tuple[int, int] = (32, 1),
) -> keras.Model:
    """Frequency: 3,816, 3,368, 2,920, 2,472, 2,024, 1,576 for 30, 32, 34, 36, 38, 40×1."""
    spectrogram, x = image(frames, BANDS)
    x = layers.Dropout(DROPOUT)(frequency_branch(x, kernel, frames))
    return keras.Model(spectrogram, scores(classes, activation)(x), name="frequency")


def time_frequency(classes: int, activation: str = "softmax", *, frames: int = 80) -> keras.Model:
    """Time-Frequency (and -Init): 196,816 parameters; 32·21 + 32·9 = 960 values meet in a dense."""
    spectrogram, x = image(frames, BANDS)
    both = layers.Concatenate(name="time_and_frequency")(
        [time_branch(x, (1, 60)), frequency_branch(x, (32, 1), frames)]
    )
    return keras.Model(
        spectrogram, scores(classes, activation)(feed_forward(both)), name="time_frequency"
    )


def time_branch(x: keras.KerasTensor, kernel: tuple[int, int]) -> keras.KerasTensor:
    """Temporal filters on every band; per frame the strongest of the 40 bands remains."""
    x = conv(FILTERS, kernel, name="time_conv")(x)
    return layers.Flatten(name="time_features")(max_pool((BANDS, 1), name="time_pool")(x))


def frequency_branch(
    x: keras.KerasTensor, kernel: tuple[int, int], frames: int
) -> keras.KerasTensor:
    """Spectral filters on every frame; per position the strongest of the frames remains."""
    x = conv(FILTERS, kernel, name="frequency_conv")(x)
    pooled = max_pool((1, frames), name="frequency_pool")(x)
    return layers.Flatten(name="frequency_features")(pooled)


def feed_forward(x: keras.KerasTensor) -> keras.KerasTensor:
    """Dropout, 200 rectified units, dropout."""
    x = layers.Dropout(DROPOUT)(x)
    x = layers.Dense(UNITS, activation="relu", name="dense")(x)
    return layers.Dropout(DROPOUT)(x)


def start_from(network: keras.Model, time: keras.Model, frequency: keras.Model) -> None:
    """Turn Time-Frequency into Time-FrequencyInit: both convolutions start from trained ones."""
    for name, source in (("time_conv", time), ("frequency_conv", frequency)):
        network.get_layer(name).set_weights(source.get_layer(name).get_weights())
