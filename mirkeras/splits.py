"""Folds and validation parts, by track or by group, from a seed."""

import numpy as np
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, ShuffleSplit


def cut_folds(
    tracks: int, folds: int, seed: int, groups: np.ndarray | None = None
) -> list[np.ndarray]:
    """Cut tracks into test folds.

    Parameters
    ----------
    tracks : int
        Number of tracks.
    groups : (tracks,), optional
        Tracks of one group (replicas, an artist) always share a fold.

    Returns
    -------
    list of int64 arrays
        Per fold, the sorted numbers of its test tracks; together each track once.

    Raises
    ------
    ValueError
        If there are fewer tracks (or groups) than folds.
    """
    splitter = KFold if groups is None else GroupKFold
    cut = splitter(n_splits=folds, shuffle=True, random_state=seed)
    return [np.sort(test) for _, test in cut.split(np.zeros(tracks), groups=groups)]


def hold_out(
    items: np.ndarray, share: float, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a share of items for validation.

    Items may be track or segment numbers; `groups`, one per item, are never divided.

    Returns
    -------
    (kept, held)
        Kept items sorted; held ones in the order drawn, so that cutting an incomplete batch off
        their end takes no class more than another.

    Raises
    ------
    ValueError
        If a part would be empty.
    """
    splitter = ShuffleSplit if groups is None else GroupShuffleSplit
    cut = splitter(n_splits=1, test_size=share, random_state=seed)
    kept, held = next(cut.split(items, groups=groups))
    return np.sort(items[kept]), items[held]
