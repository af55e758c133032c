"""Building blocks of the papers' networks; `keras` only, so every Keras backend runs them.

Arrays are (batch, time, band, channel). Kernel and pool shapes are written as the papers write
them, frequency × time, and turned into the arrays' order here, once.
"""

import keras


def image(frames: int, bands: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Open a network on a spectrogram.

    Returns
    -------
    (input, image)
        Input of shape (batch, frames, bands) and the same with one channel,
        (batch, frames, bands, 1).
    """
    spectrogram = keras.Input((frames, bands), name="spectrogram")
    return spectrogram, keras.layers.Reshape((frames, bands, 1), name="channel")(spectrogram)


def conv(filters: int, kernel: tuple[int, int], name: str) -> keras.layers.Layer:
    """Make a 'valid' rectified convolution, `kernel` in (bands, frames), Glorot-uniform weights."""
    bands, frames = kernel
    return keras.layers.Conv2D(
        filters,
        (frames, bands),
        activation="relu",
        kernel_initializer="glorot_uniform",
        name=name,
    )


def max_pool(pool: tuple[int, int], name: str) -> keras.layers.Layer:
    """Make a max-pool with stride = pool, an incomplete edge dropped; `pool` in (bands, frames)."""
    bands, frames = pool
    return keras.layers.MaxPooling2D((frames, bands), name=name)


def softmax(classes: int, name: str = "softmax") -> keras.layers.Layer:
    """Make the output layer; its activation stays in float32 under mixed precision."""
    return keras.layers.Dense(classes, activation="softmax", dtype="float32", name=name)
