"""What does a filter of SampleCNN answer to? Gradient ascent on the input (section 7.1).

From weak noise, the input is moved along the gradient of a filter's mean activation, and what it
becomes is taken for what the filter looks for. Layer 1 is the strided convolution, layer 2 the
first module, and so on; a filter's activation is that after the ReLU, before the pooling.

The settings are those of the authors' code, where batch norm works as in training on a batch of
one: it normalises every input by its own mean and variance over time. One input per filter, all
filters of a layer at once, need the same, which `keras` has no mode for; hence a forward pass here.
"""

from collections.abc import Callable
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
from keras import ops

from mirkeras.system.errors import UsageError
from mirkeras.transfer.networks import load_network

SAMPLES = 729  # length of the input (section 7.1)
AMPLITUDE = 0.03  # of the noise to start from, peak to peak
STEPS = 18
LEAST_FRAMES = 3  # what the paper's deepest layer (6) sees; batch norm needs more than one
TOGETHER = 64  # filters computed at a time, fewer where inputs are longer: some 100 MB


def plain_network(path: Path) -> keras.Model:
    """Load a SampleCNN without the layers that prepare its input (nothing in the file is executed).

    Raises
    ------
    UsageError
        The file holds no network, another one, or one that takes spectrograms.
    """
    model = load_network(path)
    inner = model.layers[-1]
    network = inner if isinstance(inner, keras.Model) else model
    if not {"conv0", "bn0", "conv1", "bn1"} <= {layer.name for layer in network.layers}:
        raise UsageError(f"{path} is no SampleCNN on waveforms (layers conv0, bn0, conv1, bn1 …)")
    return network


def step_of(network: keras.Model, layer: int) -> int:
    """Samples from one frame of a layer's output to the next.

    Raises
    ------
    UsageError
        The network has no such layer.
    """
    names = {part.name for part in network.layers}
    if layer < 1 or f"conv{layer - 1}" not in names:
        last = sum(f"conv{number}" in names for number in range(len(names)))
        raise UsageError(f"{network.name} has no layer {layer}; its layers are 1 to {last}")
    pools = [network.get_layer(f"pool{number}").pool_size[0] for number in range(1, layer - 1)]
    return network.get_layer("conv0").strides[0] * int(np.prod(pools))


def input_length(network: keras.Model, layer: int) -> int:
    """Return the length nearest to `SAMPLES` that the strides up to a layer divide.

    It gives the layer at least `LEAST_FRAMES` frames; 729 samples do in the first six layers of
    3^9. Between two equally near lengths it is the shorter.
    """
    step = step_of(network, layer)
    return step * max(LEAST_FRAMES, int(np.ceil(SAMPLES / step - 0.5)))


def activations(network: keras.Model, layer: int, x: keras.KerasTensor) -> keras.KerasTensor:
    """Compute a layer's output, every input as if it were a batch of one in training.

    Parameters
    ----------
    x : float (batch, samples, 1)

    Returns
    -------
    float (batch, frames, filters)
    """
    for number in range(layer):
        x = ops.cast(network.get_layer(f"conv{number}")(x), "float32")
        x = ops.relu(_normalised(network.get_layer(f"bn{number}"), x))
        if 1 <= number < layer - 1:
            x = network.get_layer(f"pool{number}")(x)
    return x


def _normalised(norm: keras.layers.BatchNormalization, x: keras.KerasTensor) -> keras.KerasTensor:
    mean, variance = ops.moments(x, axes=1, keepdims=True)
    return (x - mean) * ops.rsqrt(variance + norm.epsilon) * norm.gamma + norm.beta


def favourites(network: keras.Model, layer: int, seed: int = 0) -> np.ndarray:
    """Find what each filter of a layer answers to.

    Parameters
    ----------
    layer : int
        From 1, the strided convolution.
    seed : int
        Seed of the noise to start from.

    Returns
    -------
    float32 (filters, samples)
        Waveforms without their mean, `input_length` samples each.
    """
    samples = input_length(network, layer)
    filters = network.get_layer(f"conv{layer - 1}").filters
    noise = np.random.RandomState([seed, layer]).uniform(size=(filters, samples, 1)) - 0.5
    waves, climb = (AMPLITUDE * noise).astype(np.float32), _climber(network, layer)
    together = max(1, TOGETHER * SAMPLES // samples)
    for first in range(0, filters, together):
        numbers = np.arange(first, min(first + together, filters))
        x = waves[numbers]
        for _ in range(STEPS):
            x = climb(x, numbers)
        waves[numbers] = x
    return waves[:, :, 0] - waves.mean(axis=1)


def _climber(network: keras.Model, layer: int) -> Callable:
    """Return a step of gradient ascent: (inputs, number of each one's filter) → inputs."""
    import tensorflow as tf  # the one thing here that Keras has no common way for: a gradient

    filters = network.get_layer(f"conv{layer - 1}").filters

    @tf.function(reduce_retracing=True)
    def climb(x: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            means = ops.mean(activations(network, layer, x), axis=1)
            # no input touches another's activation, so one gradient of the sum serves for all
            gain = ops.sum(means * ops.one_hot(numbers, filters))
        gradient = tape.gradient(gain, x)
        size = ops.sqrt(ops.mean(ops.square(gradient), axis=(1, 2), keepdims=True))
        return x + gradient / (size + 1e-9)

    return lambda x, numbers: climb(tf.constant(x), tf.constant(numbers)).numpy()
