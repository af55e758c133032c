"""The networks of Pons & Serra (ICASSP 2017), from the authors' `buildArchitecture.py`.

Kernel and pool shapes are frequency × time. A network takes a segment of (250 frames, 40 bands)
log-mel values and gives class probabilities. It is one layer deep: temporal filters 1×n of many
lengths, each rectified and pooled over the whole segment and four neighbouring bands, so that ten
values remain of a filter, one per sub-band; all are joined, half are dropped in training, and a
softmax decides.

Two sets of lengths, one for onsets and one for patterns up to five beats at 60 BPM, can be taken
several times: O, P, 2O, O+P … Copies of a set are as many more filters of each of its lengths.

Lasagne's ``HeUniform`` has gain 1, which is Keras' ``lecun_uniform``: ±√(3 / taps).
"""

from mirkeras.system.backend import keras

import numpy as np
from keras import layers, ops

from mirkeras.layers import image, max_pool, scores

FRAMES, BANDS = 250, 40
SUB_BAND = 4  # bands that a pool covers
#: Frames of a filter; the longest of O is one beat at 60 BPM, the longest of P 1 + 5 · 43.
ONSETS = tuple(range(6, 42, 5))
PATTERNS = tuple(range(46, 217, 5))
#: Filters of each length.
ONSET_FILTERS, PATTERN_FILTERS = 5, 1
DROPOUT = 0.5
#: Filters of a length up to which a matrix product beats a convolution on a processor.
FEW = 2


def temporal(
    classes: int, activation: str = "softmax", *, onsets: int = 0, patterns: int = 0
) -> keras.Model:
    """Build a network of so many O and P sets.

    For 8 classes: O 4,188 parameters, P 7,428, 2O 8,368, O+P 11,608, 2P 14,848, 2O+2P 23,208,
    4O+4P 46,408, 8O+8P 92,808.
    """
    spectrogram, x = image(FRAMES, BANDS)
    sets = [(onsets * ONSET_FILTERS, ONSETS), (patterns * PATTERN_FILTERS, PATTERNS)]
    found = [sub_bands(x, n, filters) for filters, lengths in sets if filters for n in lengths]
    x = layers.Flatten()(layers.Concatenate(name="maps")(found) if len(found) > 1 else found[0])
    x = layers.Dropout(DROPOUT)(x)
    return keras.Model(spectrogram, scores(classes, activation)(x), name="temporal")


def sub_bands(x: keras.KerasTensor, n: int, filters: int) -> keras.KerasTensor:
    """Find how well filters 1×n match anywhere in each sub-band: (batch, 1, 10, filters)."""
    convolve = layers.Conv2D(
        filters,
        (n, 1),
        activation="relu",
        kernel_initializer="lecun_uniform",
        name=f"conv_1x{n}",
    )
    if filters <= FEW and n in PATTERNS:
        # long filters are slow as a convolution; saved and loaded, the layer is a plain one
        convolve.convolution_op = as_product
    return max_pool((SUB_BAND, FRAMES + 1 - n), name=f"pool_1x{n}")(convolve(x))


def as_product(segments: keras.KerasTensor, kernel: keras.KerasTensor) -> keras.KerasTensor:
    """Convolve along time by one matrix product: the same numbers, sooner on a processor.

    Parameters
    ----------
    segments : tensor
        (batch, frames, bands, 1).
    kernel : tensor
        (n, 1, 1, filters).

    Returns
    -------
    tensor
        (batch, frames + 1 - n, bands, filters).
    """
    n, filters = kernel.shape[0], kernel.shape[-1]
    tap = np.arange(FRAMES)[:, None] - np.arange(FRAMES + 1 - n)  # of each frame at each position
    inside = (tap >= 0) & (tap < n)
    taps = ops.take(kernel[:, 0, 0], np.where(inside, tap, 0), axis=0)
    moved = ops.where(inside[..., None], taps, ops.zeros_like(taps))  # (frames, positions, filters)
    bands = ops.transpose(segments[..., 0], (0, 2, 1))
    found = ops.matmul(bands, ops.reshape(moved, (FRAMES, -1)))
    return ops.transpose(ops.reshape(found, (-1, BANDS, FRAMES + 1 - n, filters)), (0, 2, 1, 3))
