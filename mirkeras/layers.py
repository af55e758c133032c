"""Building blocks of the papers' networks; `keras` only, so every Keras backend runs them.

Arrays are (batch, time, band, channel). Kernel and pool shapes are written as the papers write
them, frequency × time, and turned into the arrays' order here, once.
"""

import math

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


def scores(outputs: int, activation: str, name: str = "scores") -> keras.layers.Layer:
    """Make the output layer; its activation stays in float32 under mixed precision."""
    return keras.layers.Dense(outputs, activation=activation, dtype="float32", name=name)


def standardised(network: keras.Model, mean: float, std: float) -> keras.Model:
    """Put the scalar z-score in front of a network: the saved model takes plain features."""
    z_score = keras.layers.Rescaling(1 / std, -mean / std, name="z_score")
    layers = [keras.Input(network.input_shape[1:]), z_score, network]
    return keras.Sequential(layers, name=f"standardised_{network.name}")


def count_trainable(network: keras.Model) -> int:
    """Count parameters as the papers do: without the moving averages of batch normalisation."""
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)
