"""Input, convolutions, dense layers, outputs and counts that most networks share."""

import math

from mirkeras.system.backend import keras

import numpy as np


def image(frames: int | None, bands: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Open a network on a spectrogram; `frames` None is any length.

    Returns
    -------
    (input, image)
        Input of shape (batch, frames, bands) and the same with one channel,
        (batch, frames, bands, 1).
    """
    spectrogram = keras.Input((frames, bands), name="spectrogram")
    shape = (frames or -1, bands, 1)
    return spectrogram, keras.layers.Reshape(shape, name="channel")(spectrogram)


def conv(
    filters: int,
    kernel: tuple[int, int],
    name: str,
    *,
    padding: str = "valid",
    activation: str | None = "relu",
    penalty: float = 0.0,
    use_bias: bool = True,
) -> keras.layers.Layer:
    """Make a convolution, `kernel` in (bands, frames), Glorot-uniform weights.

    Parameters
    ----------
    penalty : float
        L1 penalty on kernel and bias.
    """
    bands, frames = kernel
    return keras.layers.Conv2D(
        filters,
        (frames, bands),
        padding=padding,
        activation=activation,
        use_bias=use_bias,
        kernel_initializer="glorot_uniform",
        name=name,
        **_penalised(penalty),
    )


def dense(
    units: int, name: str, *, activation: str | None = None, penalty: float = 0.0
) -> keras.layers.Layer:
    """Make a fully connected layer, Glorot-uniform weights; `penalty` as for `conv`."""
    return keras.layers.Dense(units, activation=activation, name=name, **_penalised(penalty))


def leaky(name: str) -> keras.layers.Layer:
    """Make the leaky rectifier of Lidy and Schindler's networks: 0.3 x below 0."""
    return keras.layers.LeakyReLU(negative_slope=0.3, name=name)


def _penalised(penalty: float) -> dict:
    if not penalty:
        return {}
    rule = keras.regularizers.L1(penalty)
    return {"kernel_regularizer": rule, "bias_regularizer": rule}


def max_pool(pool: tuple[int, int], name: str) -> keras.layers.Layer:
    """Make a max-pool with stride = pool, an incomplete edge dropped; `pool` in (bands, frames)."""
    bands, frames = pool
    return keras.layers.MaxPooling2D((frames, bands), name=name)


def scores(
    outputs: int, activation: str, name: str = "scores", penalty: float = 0.0
) -> keras.layers.Layer:
    """Make the output layer; its activation stays in float32 under mixed precision."""
    return keras.layers.Dense(
        outputs, activation=activation, dtype="float32", name=name, **_penalised(penalty)
    )


def standardised(
    network: keras.Model, mean: float | np.ndarray, std: float | np.ndarray
) -> keras.Model:
    """Put the z-score in front of a network: the saved model takes plain features.

    It stays in float32 under mixed precision: features far from zero would lose what tells them
    apart, or be infinite, before their mean is taken away.

    Parameters
    ----------
    mean, std : float, or float (frames, bands)
        One of all values, or one per cell of a segment.
    """
    if np.ndim(mean):
        z_score = keras.layers.Normalization(
            axis=(1, 2), mean=mean, variance=np.square(std), name="z_score", dtype="float32"
        )
    else:
        z_score = keras.layers.Rescaling(1 / std, -mean / std, name="z_score", dtype="float32")
    layers = [keras.Input(network.input_shape[1:]), z_score, network]
    return keras.Sequential(layers, name=f"standardised_{network.name}")


def count_trainable(network: keras.Model) -> int:
    """Count parameters as the papers do: without the moving averages of batch normalisation."""
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)


def hidden_stages(network: keras.Model) -> list[keras.layers.Layer]:
    """Return the last layer of every hidden stage, from input to output.

    A stage begins with a convolution or dense layer and holds what follows it (normalisation,
    rectification, pooling) up to the next; the output layer is none. Reshaping and dropout between
    stages change no feature and are left out.
    """
    stages: list[keras.layers.Layer] = []
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            stages.append(layer)
        elif stages and not isinstance(layer, keras.layers.Dropout | keras.layers.Flatten):
            stages[-1] = layer
    return stages[:-1]
