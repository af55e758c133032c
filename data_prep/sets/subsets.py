"""Some classes of a declared set as a set of its own: `NAME:CLASS,CLASS`.

The audio stays where the whole set's is; index, caches and results go by the subset's name
(`gtzan:rock,jazz` is `gtzan-jazz-rock`).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet


def subset(dataset: DataSet, classes: str) -> DataSet:
    """Declaration of a subset.

    Parameters
    ----------
    classes : str
        At least two of its classes, separated by commas, in any order.

    Raises
    ------
    DataError
        The set has tags, or these are not at least two different classes of it.
    """
    chosen = sorted(name.strip() for name in classes.split(","))
    if dataset.tags:
        raise DataError(
            f"{dataset.name} has tags, no classes; there is no {dataset.name}:{classes}."
        )
    unknown = [name for name in chosen if name not in dataset.counts]
    if unknown or len({*chosen}) != len(chosen) or len(chosen) < 2:
        raise DataError(
            f"{dataset.name}:{classes}: give at least two different classes of "
            f"{', '.join(dataset.classes)}."
        )
    return replace(
        dataset,
        name="-".join((dataset.name, *chosen)),
        folder=dataset.folder or dataset.name,
        description=f"The classes {', '.join(chosen)} of: {dataset.description}",
        counts={name: dataset.counts[name] for name in chosen},
        known_bad=tuple(t for t in dataset.known_bad if t.partition("/")[0] in chosen),
        replicas=_within(dataset.replicas, chosen),
        splits={
            split: {part: sum(counts[name] for name in chosen) for part, counts in parts.items()}
            for split, parts in dataset.class_splits.items()
        },
        index=partial(_index, dataset.index, chosen),
    )


def _within(
    replicas: tuple[tuple[str, ...], ...], chosen: list[str]
) -> tuple[tuple[str, ...], ...]:
    """Sets of replicas of which at least two tracks remain."""
    kept = (tuple(t for t in same if t.partition("/")[0] in chosen) for same in replicas)
    return tuple(same for same in kept if len(same) > 1)


def _index(whole: Callable[[Path], pd.DataFrame], chosen: list[str], root: Path) -> pd.DataFrame:
    index = whole(root)
    return index[index["label"].isin(chosen)].reset_index(drop=True)
