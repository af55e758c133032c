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

from keras import layers

from mirkeras.layers import image, max_pool, scores

FRAMES, BANDS = 250, 40
SUB_BAND = 4  # bands that a pool covers
#: Frames of a filter; the longest of O is one beat at 60 BPM, the longest of P 1 + 5 · 43.
ONSETS = tuple(range(6, 42, 5))
PATTERNS = tuple(range(46, 217, 5))
#: Filters of each length.
ONSET_FILTERS, PATTERN_FILTERS = 5, 1
DROPOUT = 0.5


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
    x = layers.Conv2D(
        filters,
        (n, 1),
        activation="relu",
        kernel_initializer="lecun_uniform",
        name=f"conv_1x{n}",
    )(x)
    return max_pool((SUB_BAND, FRAMES + 1 - n), name=f"pool_1x{n}")(x)
