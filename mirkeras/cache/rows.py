"""Rows of numbers that did not come from a recipe, read like a cache."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.cache.file import FeatureCache


def rows_as_cache(
    path: Path,
    *,
    tracks: Sequence[str],
    counts: Sequence[int],
    bands: int,
    identity: dict,
    fingerprint: str,
    rejected: pd.DataFrame,
    position: int = 0,
) -> FeatureCache:
    """Describe a file of float32 rows, the tracks one after another, as a cache.

    Parameters
    ----------
    path
        Raw float32 from byte `position` on, shape (sum of counts, bands).
    tracks, counts
        Track ids, and the rows of each.
    identity, fingerprint, rejected
        As of `FeatureCache`.
    """
    return FeatureCache(
        path=path,
        tracks=tuple(tracks),
        offsets=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        bands=bands,
        dtype="float32",
        identity=identity,
        fingerprint=fingerprint,
        rejected=rejected,
        _position_in_file=position,
    )
