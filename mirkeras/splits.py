"""Folds and validation parts: drawn by track or by group from a seed, or as a data set names them.

A named split is a column of the index. Its values are `PARTS` (a track outside the split has "")
or fold numbers "1" to "k".
"""

import numpy as np
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, ShuffleSplit

#: A split made here from a seed, as opposed to one that comes with the data set.
DRAWN = "drawn"
PARTS = ("train", "validation", "test")


def named_folds(column: np.ndarray) -> int:
    """Count the folds of a named split; 1 for a split into `PARTS`.

    Raises
    ------
    ValueError
        The column holds neither fold numbers nor all three parts.
    """
    values = set(column) - {""}
    if values and all(value.isdigit() for value in values):
        return len(values)
    if values != set(PARTS):
        raise ValueError(f"a split has folds 1, 2, … or {', '.join(PARTS)}; found {sorted(values)}")
    return 1


def named_parts(column: np.ndarray, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the training, validation and test tracks of one fold from a named split.

    With official folds the one after the test fold validates, and the others train.

    Parameters
    ----------
    column : str (tracks,)
    fold : int
        Counts from 0; 0 for a split into `PARTS`.
    """
    folds = named_folds(column)
    if folds == 1:
        return tuple(np.flatnonzero(column == part) for part in PARTS)
    numbers = sorted(set(column) - {""}, key=int)
    test, validation = column == numbers[fold], column == numbers[(fold + 1) % folds]
    rest = ~test & ~validation & (column != "")
    return tuple(np.flatnonzero(part) for part in (rest, validation, test))


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
