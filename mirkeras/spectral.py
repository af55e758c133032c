"""Tall convolutions by way of the Fourier transform of each frame: the same maxima, sooner."""

from mirkeras.system.backend import keras

import numpy as np
from keras import layers, ops

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
        Of the spectrogram.

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
