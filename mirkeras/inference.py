"""Trained networks as fast functions: the same numbers, in another order of work."""

from collections import Counter
from collections.abc import Callable, Iterator

from mirkeras.system.backend import keras

import numpy as np
from keras import layers

from mirkeras import spectral

Block = tuple[layers.Conv2D, layers.BatchNormalization, layers.MaxPooling2D]
Score = Callable[[np.ndarray], list[np.ndarray]]


def scorer(network: keras.Model, frames: int, bands: int) -> Score:
    """Make a function of a network: float32 (segments, frames, bands) → all its outputs.

    Any number of segments will do: one graph is for all, so that the last batch needs neither
    padding nor a new trace. (Other backends than TensorFlow trace once for every number.)
    """
    network = pool_first(network)
    if keras.backend.backend() != "tensorflow":
        return lambda segments: keras.tree.flatten(network.predict_on_batch(segments))
    import tensorflow as tf

    signature = [tf.TensorSpec((None, frames, bands), tf.float32)]
    graph = tf.function(lambda segments: network(segments, training=False), signature)
    return lambda segments: [output.numpy() for output in keras.tree.flatten(graph(segments))]


def pool_first(network: keras.Model) -> keras.Model:
    """Take maxima before ReLU and batch norm, where a network has them behind.

    ReLU and, at inference, batch norm treat each channel by one monotonic function: the maximum of
    the results is the result of the maximum; where gamma is negative, of the minimum, which is the
    maximum of the convolution with the other sign. In Pons' networks the maximum leaves one value
    of up to 96, so that two passes over the largest arrays go. Tall convolutions whose maximum over
    all bands is wanted go by way of a Fourier transform, see `mirkeras.spectral`.

    Parameters
    ----------
    network
        A functional network, for inference; it stays as it is.

    Returns
    -------
    keras.Model
        The same function, to the rounding of float32; the network itself where there is nothing to
        gain.
    """
    blocks = {pool.name: block for block in _blocks(network) for pool in block[2:]}
    if not blocks:
        return network
    convolutions = {block[0].name: block for block in blocks.values()}
    passed = {norm.name for _, norm, _ in blocks.values()}

    def call(layer: layers.Layer, *arguments, **options):
        if layer.name in convolutions:
            return _maxima(*convolutions[layer.name])(*arguments)
        if layer.name in passed:
            return arguments[0]
        if layer.name in blocks:
            norm = blocks[layer.name][1]
            return norm(keras.ops.relu(arguments[0] * _signs(norm)), training=False)
        return layer(*arguments, **options)

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)


def _blocks(network: keras.Model) -> Iterator[Block]:
    """Find convolution, ReLU, batch norm and maximum, where nobody else sees what lies between."""
    inner = [layer for layer in network.layers if not isinstance(layer, layers.InputLayer)]
    makers = {id(layer.output): layer for layer in inner}
    seen = [tensor for layer in inner for tensor in keras.tree.flatten(layer.input)]
    uses = Counter(map(id, [*seen, *network.outputs]))
    for pool in inner:
        norm = makers.get(id(pool.input))
        conv = makers.get(id(norm.input)) if isinstance(norm, layers.BatchNormalization) else None
        if (
            isinstance(pool, layers.MaxPooling2D)
            and isinstance(conv, layers.Conv2D)
            and conv.activation is keras.activations.relu
            and conv.use_bias
            and norm.scale
            and uses[id(norm.output)] == uses[id(conv.output)] == 1
        ):
            yield conv, norm, pool


def _signs(norm: layers.BatchNormalization) -> np.ndarray:
    """Return -1 for channels that batch norm turns upside down, else 1: float32 (channels,)."""
    gamma = keras.ops.convert_to_numpy(norm.gamma)
    return np.where(gamma < 0, np.float32(-1), np.float32(1))


def _maxima(
    conv: layers.Conv2D, norm: layers.BatchNormalization, pool: layers.MaxPooling2D
) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """Make convolution and pool without ReLU, channels multiplied by their signs."""
    kernel, bias = (weights * _signs(norm) for weights in conv.get_weights())
    if spectral.pays(conv, pool):
        return spectral.TallMaximum(kernel, bias, conv.input.shape[2], f"{conv.name}_maximum")
    made = layers.Conv2D.from_config({**conv.get_config(), "activation": None})
    made.build(conv.input.shape)
    made.set_weights([kernel, bias])
    return lambda image: pool(made(image))
