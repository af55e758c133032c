"""Folds and validation parts: drawn by track or by group from a seed, or as a data set names them.

Drawn folds may keep every class's share (`STRATIFIED`); one fold is a single division.

A named split is a column of the index. Its values are `PARTS` (a track outside the split has ""),
perhaps without "validation", or fold numbers "1" to "k".
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

#: Splits made here from a seed, as opposed to those that come with a data set; the second keeps
#: the classes' shares in every fold.
DRAWN = "drawn"
STRATIFIED = "stratified"
SEEDED = (DRAWN, STRATIFIED)
#: Not to be asked for: nothing is held out, see `mirkeras.training.command.waves.train_final`.
FINAL = "final"
#: Tested where a stratified split has one fold only.
ONE_FOLD_SHARE = 0.25
#: Official folds from which one can be spared for validation: of three, only a third would train.
FOLDS_TO_SPARE = 4
PARTS = ("train", "validation", "test")


def named_folds(column: np.ndarray) -> int:
    """Count the folds of a named split; 1 for a split into `PARTS`.

    Raises
    ------
    ValueError
        The column holds neither fold numbers nor all parts (validation may be missing).
    """
    values = set(column) - {""}
    if values and all(value.isdigit() for value in values):
        return len(values)
    if values not in (set(PARTS), {"train", "test"}):
        raise ValueError(f"a split has folds 1, 2, … or {', '.join(PARTS)}; found {sorted(values)}")
    return 1


def named_parts(
    column: np.ndarray, fold: int, *, validates: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the training, validation and test tracks of one fold from a named split.

    With official folds the one after the test fold validates, and the others train; of fewer than
    `FOLDS_TO_SPARE` all others train, and the validation part is empty: to be drawn from them. If
    nothing is held out (`validates` False), all others train and the validation part is the test
    part. In a split into `PARTS` every part stays what it is; without one for validation, that is
    empty, or the test part if nothing is held out.

    Parameters
    ----------
    column : str (tracks,)
    fold : int
        Counts from 0; 0 for a split into `PARTS`.
    """
    folds = named_folds(column)
    if folds == 1:
        rest, validation, test = (np.flatnonzero(column == part) for part in PARTS)
        return rest, validation if validates or len(validation) else test, test
    numbers = sorted(set(column) - {""}, key=int)
    test = column == numbers[fold]
    validation = column == numbers[(fold + 1) % folds] if validates else test
    if validates and folds < FOLDS_TO_SPARE:
        validation = np.zeros_like(test)
    rest = ~test & ~validation & (column != "")
    return tuple(np.flatnonzero(part) for part in (rest, validation, test))


def numbered(names: np.ndarray | pd.Series) -> np.ndarray:
    """Number names from 0 in their order, as `np.unique` does in ten times the time."""
    return pd.factorize(names, sort=True)[0]


def cut_folds(
    tracks: int,
    folds: int,
    seed: int,
    *,
    groups: np.ndarray | pd.Series | None = None,
    classes: np.ndarray | pd.Series | None = None,
) -> list[np.ndarray]:
    """Cut tracks into test folds.

    Parameters
    ----------
    folds : int
        At least 2; with `classes` also 1: a single division that tests `ONE_FOLD_SHARE`.
    groups : (tracks,), optional
        Tracks of one group (replicas, an artist) always share a fold.
    classes : (tracks,), optional
        Every fold gets each class's share, as nearly as its size (and its groups) allow.

    Returns
    -------
    list of int64 arrays
        Per fold, the sorted numbers of its test tracks, read-only; of at least two folds, each
        track once.

    Raises
    ------
    ValueError
        If there are fewer tracks (or groups, or tracks of a class) than folds.
    """
    if classes is not None and (folds > 1 or groups is None):
        _refuse_small(classes, max(2, folds))
    # numbers in the order of the names cut alike, and their bytes can be compared with earlier ones
    named = (None if of is None else numbered(of).tobytes() for of in (groups, classes))
    return list(_cut(tracks, folds, seed, *named))


@lru_cache(maxsize=1)  # every fold is asked for in turn, and a million tracks take ten seconds
def _cut(
    tracks: int, folds: int, seed: int, groups: bytes | None, classes: bytes | None
) -> tuple[np.ndarray, ...]:
    groups, classes = (of if of is None else np.frombuffer(of, np.intp) for of in (groups, classes))
    if folds == 1 and groups is None:
        cut = StratifiedShuffleSplit(1, test_size=ONE_FOLD_SHARE, random_state=seed)
    elif folds == 1:
        cut = _SoonStratified(round(1 / ONE_FOLD_SHARE), shuffle=True, random_state=seed)
    elif classes is None:
        splitter = KFold if groups is None else GroupKFold
        cut = splitter(n_splits=folds, shuffle=True, random_state=seed)
    else:
        splitter = StratifiedKFold if groups is None else _SoonStratified
        cut = splitter(n_splits=folds, shuffle=True, random_state=seed)
    parts = [np.sort(test) for _, test in cut.split(np.zeros(tracks), classes, groups)][:folds]
    for part in parts:
        part.flags.writeable = False
    return tuple(parts)


class _SoonStratified(StratifiedGroupKFold):
    """The same folds: where scikit-learn tries one after another, for each group, all are tried at
    once. If it no longer calls this method, it is only as slow as it was.
    """

    def _find_best_fold(
        self, y_counts_per_fold: np.ndarray, y_cnt: np.ndarray, group_y_counts: np.ndarray
    ) -> int:
        tried = y_counts_per_fold + np.eye(self.n_splits)[:, :, None] * group_y_counts
        uneven = np.std(tried / y_cnt, axis=1).mean(axis=1).tolist()
        filled, best = y_counts_per_fold.sum(axis=1).tolist(), 0
        for fold in range(1, self.n_splits):
            even = abs(uneven[fold] - uneven[best]) <= 1e-8 + 1e-5 * uneven[best]  # `np.isclose`
            if uneven[fold] < uneven[best] or (even and filled[fold] < filled[best]):
                best = fold
        return best


def _refuse_small(classes: np.ndarray | pd.Series, folds: int) -> None:
    """scikit-learn only warns."""
    counts = pd.Series(classes).value_counts().sort_index()
    if counts.min() < folds:
        raise ValueError(f"{counts.idxmin()} has {counts.min()} track(s)")


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


def hold_out_by_class(
    items: np.ndarray,
    most: int,
    seed: int,
    classes: np.ndarray,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw at most so many items for validation, each class's share; else as `hold_out`.

    Every class keeps an item. Without groups what is held of a class lies within one of its share;
    with groups it comes as near as they allow, and if all are larger than `most`, one is held.

    Parameters
    ----------
    classes, groups
        One per item.

    Raises
    ------
    ValueError
        If nothing can be held without taking the last items of a class.
    """
    random = np.random.default_rng(seed)
    label = numbered(classes)
    present = np.bincount(label)
    if groups is None:
        group, kind, kinds = np.arange(len(items)), label, np.eye(len(present), dtype=int)
    else:
        group = numbered(groups)
        kinds, kind = _kinds(group, label)
    counts = _nearest_to_shares(kinds, np.bincount(kind), present, most, random)
    order = random.permutation(len(kind))
    drawn = [order[kind[order] == number][:count] for number, count in enumerate(counts)]
    held = np.isin(group, np.concatenate(drawn))
    if not held.any():
        raise ValueError("no class has a track to spare for validation")
    return np.sort(items[~held]), random.permutation(items[held])


def _kinds(group: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the make-ups that groups have, sorted, int (kinds, classes), and which each has."""
    # sparse, since there may be as many groups as items
    makeup = csr_array((np.ones(len(group), int), (group, label)))
    makeup.sum_duplicates()
    cells = np.stack([makeup.indices, makeup.data], axis=1)
    named = [cells[start:end].tobytes() for start, end in pairwise(makeup.indptr)]
    number = pd.factorize(np.array(named, object))[0]
    first = np.unique(number, return_index=True)[1]
    kinds, place = np.unique(makeup[first].toarray(), axis=0, return_inverse=True)
    return kinds, place[number]


def _nearest_to_shares(
    kinds: np.ndarray,
    there: np.ndarray,
    present: np.ndarray,
    most: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Say how many groups of each kind to hold out.

    Parameters
    ----------
    kinds : int (kinds, classes)
        Items of each class in a group: groups of one make-up are as good as one another.
    there : int (kinds,)
        Groups of each kind.
    present : int (classes,)
        Items of each class.
    """
    total, sizes = present.sum(), kinds.sum(axis=1)
    held, counts = np.zeros_like(present), np.zeros_like(there)
    while True:
        # a class that has its share gets no more, and none is emptied
        open_ = (held * total < present * most) & (held + kinds < present)
        fits = (counts < there) & (open_ | (kinds == 0)).all(axis=1)
        if fits.any() and not held.any():
            most = max(most, sizes[fits].min())
        fits &= held.sum() + sizes <= most
        if not fits.any():
            return counts
        # the squared distance to the shares as whole numbers, but for what all kinds have in common
        far = (kinds * (kinds * total + 2 * (held * total - present * most))).sum(axis=1)
        best = random.choice(np.flatnonzero(fits & (far == far[fits].min())))
        held, counts[best] = held + kinds[best], counts[best] + 1
