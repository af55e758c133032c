"""Trained networks as fast functions: the same numbers, in another order of work."""

from collections import Counter
from collections.abc import Callable, Iterator

from mirkeras.system.backend import keras

import numpy as np
from keras import layers, ops

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
    # no Python flow of control is in it: looking for that takes longer than a song
    graph = tf.function(
        lambda segments: network(segments, training=False), signature, autograph=False
    )
    return lambda segments: [output.numpy() for output in keras.tree.flatten(graph(segments))]


def pool_first(network: keras.Model) -> keras.Model:
    """Take maxima before ReLU and batch norm, where a network has them behind.

    ReLU and, at inference, batch norm treat each channel by one monotonic function: the maximum of
    the results is the result of the maximum; where gamma is negative, of the minimum, which is the
    maximum of the convolution with the other sign. In Pons' networks the maximum leaves one value
    of up to 96, so that two passes over the largest arrays go. Tall convolutions whose maximum over
    all bands is wanted go by way of a Fourier transform, see `TallMaximum`.

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
    if pays(conv, pool):
        return TallMaximum(kernel, bias, conv.input.shape[2], f"{conv.name}_maximum")
    made = layers.Conv2D.from_config({**conv.get_config(), "activation": None})
    made.build(conv.input.shape)
    made.set_weights([kernel, bias])
    return lambda image: pool(made(image))


# The transform must save at least this much of the multiplications: it moves more memory.
GAIN = 1.5


def pays(conv: layers.Conv2D, pool: layers.MaxPooling2D) -> bool:
    """Say whether `TallMaximum` can do a convolution and the pool behind it, and sooner.

    It can where one channel comes in, the kernel stays inside the bands, and the pool leaves one
    maximum of them.
    """
    bands, channels = conv.input.shape[2:]
    taps, height = conv.kernel_size
    places = bands - height + 1
    plain = conv.padding == "valid" and set(conv.strides + conv.dilation_rate) == {1}
    if channels != 1 or not plain or pool.pool_size != (1, places):
        return False
    values = 2 * (bands // 2 + 1)
    return GAIN * values * (2 * taps + places) < taps * height * places


class TallMaximum(layers.Layer):
    """Convolve a spectrogram and keep each frame's maximum over the bands.

    Shifts along the bands become products after a Fourier transform of each frame, as long as
    there are bands: the places that a kernel fits are those that the circle does not reach. The
    work falls to two matrix products, over the taps in time and back from the transform. For the
    (67 and 38 bands × 7 frames) of musicnn these are a third and less than half of the
    multiplications. In float32 the maxima agree to about 1e-6 of the largest.

    Parameters
    ----------
    kernel : float32 (taps, height, 1, filters)
        As a `Conv2D` over (frames, bands) has it.
    bias : float32 (filters,)
    bands : int
        Bands of the spectrogram.

    Takes (batch, frames, bands, 1), gives (batch, frames - taps + 1, 1, filters).
    """

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, bands: int, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self.taps, self.filters = kernel.shape[0], kernel.shape[-1]
        self.there = _transform(bands)
        self.filter = _transformed(kernel[:, :, 0], bands)
        self.back = _inverse(bands, bands - kernel.shape[1] + 1)
        self.bias = bias

    def call(self, image: keras.KerasTensor) -> keras.KerasTensor:
        spectrum = ops.matmul(image[..., 0], self.there)  # (batch, frames, 2 × bins)
        frames = ops.shape(image)[1] - self.taps + 1
        taps = [spectrum[:, tap : tap + frames] for tap in range(self.taps)]
        # real parts of all taps, then imaginary ones, for each bin: (bins, 1, frames, 2 × taps)
        halves = ops.reshape(ops.stack(taps, axis=2), (-1, self.taps, 2, self.filter.shape[0]))
        seen = ops.reshape(
            ops.transpose(halves, (3, 0, 2, 1)), (self.filter.shape[0], 1, -1, 2 * self.taps)
        )
        found = ops.matmul(seen, self.filter)  # (bins, 2, frames, filters)
        placed = ops.matmul(self.back, ops.reshape(found, (self.back.shape[1], -1)))
        highest = ops.reshape(ops.max(placed, axis=0), (-1, frames, 1, self.filters))
        return highest + self.bias

    def compute_output_shape(self, shape: tuple) -> tuple:
        frames = None if shape[1] is None else shape[1] - self.taps + 1
        return (shape[0], frames, 1, self.filters)


def _angles(bands: int, places: int) -> np.ndarray:
    """Turns of every bin at every place: (places, bins)."""
    return 2 * np.pi * np.outer(np.arange(places), np.arange(bands // 2 + 1)) / bands


def _transform(bands: int) -> np.ndarray:
    """Make the matrix of the transform, real parts first: float32 (bands, 2 × bins)."""
    angles = _angles(bands, bands)
    return np.concatenate([np.cos(angles), -np.sin(angles)], axis=1).astype(np.float32)


def _transformed(kernel: np.ndarray, bands: int) -> np.ndarray:
    """Transform kernels (taps, height, filters): float32 (bins, 2, 2 × taps, filters).

    What takes real and imaginary parts of the taps to those of their sum of products with the
    conjugate, since networks correlate.
    """
    spectrum = np.conj(np.fft.rfft(kernel, n=bands, axis=1))  # (taps, bins, filters)
    real = np.concatenate([spectrum.real, -spectrum.imag])
    imaginary = np.concatenate([spectrum.imag, spectrum.real])
    return np.stack([real, imaginary]).transpose(2, 0, 1, 3).astype(np.float32)


def _inverse(bands: int, places: int) -> np.ndarray:
    """Make the matrix back to the first places: float32 (places, 2 × bins), a bin's two together.

    Bins between the first and the Nyquist frequency stand for two.
    """
    angles, bins = _angles(bands, places), np.arange(bands // 2 + 1)
    share = np.where((bins == 0) | (2 * bins == bands), 1, 2) / bands
    both = np.stack([np.cos(angles) * share, -np.sin(angles) * share], axis=2)
    return both.reshape(places, -1).astype(np.float32)
