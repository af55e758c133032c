"""Means and deviations over the frames of a cache."""

from collections.abc import Sequence

import numpy as np
from sklearn.preprocessing import StandardScaler

from mirkeras.cache.file import FeatureCache

_SCALED_AT_ONCE = 512  # segments


def statistics(cache: FeatureCache, tracks: Sequence[str] | None = None) -> tuple[float, float]:
    """Compute the scalar mean and standard deviation (population) of all values of some tracks.

    Parameters
    ----------
    tracks
        Track ids; all tracks by default. Only one track at a time is in memory.

    Returns
    -------
    tuple[float, float]
        Mean and standard deviation, accumulated in float64.
    """
    count, mean, squares = 0, 0.0, 0.0
    for name in cache.tracks if tracks is None else tracks:
        values = cache.track(name).astype(np.float64)
        # Chan, Golub & LeVeque (1983): merging centred sums loses no digits, unlike E[x²] - E[x]².
        difference, total = values.mean() - mean, count + values.size
        squares += values.var() * values.size + difference**2 * count * values.size / total
        mean += difference * values.size / total
        count = total
    if not count:
        raise ValueError("statistics need at least one track")
    return float(mean), float(np.sqrt(squares / count))


def cell_statistics(
    cache: FeatureCache, first: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean and standard deviation of each cell over segments.

    As scikit-learn's StandardScaler on flattened segments: a cell that never varies gets 1.

    Parameters
    ----------
    first : int64 (segments,)
        First frame of each segment, counted from the start of the cache.
    length : int
        Frames per segment.

    Returns
    -------
    (mean, std)
        float32 (length, bands) each. Only a few segments at a time are in memory.
    """
    scaler = StandardScaler()
    for some in np.array_split(np.sort(first), max(1, len(first) // _SCALED_AT_ONCE)):
        segments = cache.segments(some, length)
        scaler.partial_fit(segments.reshape(len(some), -1).astype(np.float64))
    shape = (length, cache.bands)
    return tuple(
        values.reshape(shape).astype(np.float32) for values in (scaler.mean_, scaler.scale_)
    )
