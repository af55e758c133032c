"""A data set that is not here, as its declaration has it: for estimates, before it is fetched."""

from pathlib import Path

import numpy as np
import pandas as pd

import data_prep
from data_prep.declare import DataError, DataSet
from data_prep.index import COLUMNS
from data_prep.prepare import Prepared, root_of
from data_prep.sets import folder, listed, loaders
from mirkeras.system.estimate import in_bytes


def is_absent(name: str, data_root: Path) -> bool:
    """Whether a declared data set has no file below the data root; audio of one's own never."""
    if name.startswith((folder.PREFIX, listed.PREFIX, loaders.PREFIX)):
        return False
    root = root_of(data_prep.get(name), data_root)
    return not (root.is_dir() and any(root.iterdir()))


def expect(name: str, data_root: Path, cache_root: Path) -> Prepared:
    """Make up the index that a declared data set will have: as many tracks, classes and parts.

    Raises
    ------
    DataError
        Its declaration does not say enough.
    """
    dataset = data_prep.get(name)
    labels = _labels(dataset)
    if not labels or not dataset.seconds:
        raise DataError(
            f"{dataset.name} is not here, and how much audio it holds is not declared: get it "
            f"first, with mirkeras data get {name}"
        )
    tracks = [f"{number:07d}" for number in range(len(labels))]
    index = pd.DataFrame(
        {"track": tracks, "path": tracks, "label": labels, "group": tracks, "tempo": np.nan},
        columns=COLUMNS,
    )
    order = np.random.default_rng(0).permutation(len(labels))  # each class in every part
    for split, parts in dataset.splits.items():
        if 0 < sum(parts.values()) <= len(labels):
            column = np.full(len(labels), "", object)
            named = np.repeat(np.array([*parts], object), [*parts.values()])
            column[order[: len(named)]] = named
            index[split] = column
    home = Path(cache_root).expanduser().absolute() / dataset.name
    return Prepared(dataset, root_of(dataset, data_root), index, home)


def said(prepared: Prepared) -> str:
    """Say what stands for a data set that is not here."""
    dataset = prepared.dataset
    known = [archive.size for archive in dataset.archives if archive.size and not archive.optional]
    fetched = f"; {in_bytes(sum(known))} to fetch" if known else ""
    return (
        f"{dataset.name}: not in {prepared.root}{fetched}. What follows is for its "
        f"{len(prepared.index):,} declared tracks of about {dataset.seconds:g} s"
    )


def _labels(dataset: DataSet) -> list[str]:
    """A label per declared track; none where their number is not declared."""
    if dataset.tags:
        return [dataset.tags[0]] * (dataset.tracks or 0)
    if dataset.counts and None not in dataset.counts.values():
        return [label for label, count in dataset.counts.items() for _ in range(count)]
    parts = next(iter(dataset.splits.values()), {})
    return [dataset.classes[n % len(dataset.classes)] for n in range(sum(parts.values()))]
