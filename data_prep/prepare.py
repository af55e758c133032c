"""From a data set's name to its audio and its index: present, fetched or made, and checked.

<data_root>/<name>/              the data set, as unpacked; may be read-only once it is there
<data_root>/archives/<name>/     downloads, and archives and lists placed by hand
<cache_root>/<name>/index.csv    the tracks: id, path, label, group, tempo, a column for each split
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

import data_prep
from data_prep.declare import DataError, DataSet, as_data_errors
from data_prep.fetch import provide
from data_prep.fetch.counts import check_counts, with_own_counts
from data_prep.index import TAG_SEPARATOR, WHOLE
from data_prep.sets import folder, listed, loaders
from mirkeras.audio.formats import BROKEN_LINK, tell_left_out, undecoded
from mirkeras.storage.files import write_text
from mirkeras.storage.tables import csv_text
from mirkeras.system.errors import shown


@dataclass(frozen=True)
class Prepared:
    """A data set ready for feature extraction.

    Parameters
    ----------
    root : Path
        Folder the index's paths start from.
    index : pandas.DataFrame
        Tracks, see `data_prep.index.make_index`.
    home : Path
        `<cache_root>/<name>`, where what is derived from the set belongs; its last part is the
        name results go by (a stand-in has its own).
    stand_in : bool
        True if it was unpacked from an archive other than the published one (vouched for by the
        user's mirror): numbers measured on it are not the paper's data.
    """

    dataset: DataSet
    root: Path
    index: pd.DataFrame
    home: Path
    stand_in: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """What a network's outputs stand for, in their order.

        Class names in alphabetical order (declared, or found for `folder:PATH`), or the tags of
        the vocabulary in its order.
        """
        declared = self.dataset.tags or self.dataset.classes
        return declared or tuple(sorted(self.index["label"].unique()))

    @property
    def members(self) -> dict[str, list[str]]:
        """The tracks of each class, or of each tag that any track has."""
        table = self.index[self.index["label"] != ""]
        if self.dataset.tags:
            table = table.assign(label=table["label"].str.split(TAG_SEPARATOR)).explode("label")
        return table.groupby("label")["track"].apply(list).to_dict()


def prepare(
    name: str,
    *,
    data_root: Path,
    cache_root: Path,
    mirror: str | None = None,
    offline: bool = False,
    layout: str | None = None,
    allow_bad: float | None = None,
    strict: bool = False,
) -> Prepared:
    """Make a data set usable, doing only what is not done yet.

    Parameters
    ----------
    name : str
        A declared name, `NAME:CLASS,CLASS`, `folder:PATH`, `csv:FILE` or `mirdata:NAME`.
    data_root, cache_root : Path
        Where data sets and what is derived from them live.
    mirror : str or None
        Folder or http(s) address tried before the published addresses.
    layout : str or None
        See `data_prep.get`.
    allow_bad : float or None
        Largest share of tracks that may be unusable; None: as declared.
    strict : bool
        Whether music that is left out is an error.

    Raises
    ------
    DataError
        The set is absent and cannot be had, or does not hold the tracks it must.
    """
    dataset = data_prep.get(name, layout)
    if allow_bad is not None:
        dataset = replace(dataset, max_bad=allow_bad)
    kinds = (folder, listed, loaders)
    if own := next((kind for kind in kinds if name.startswith(kind.PREFIX)), None):
        root, how = own.root_of(name), "present"
    else:
        root = root_of(dataset, data_root)
        how = provide.audio(dataset, root, mirror, offline)
        provide.kept_files(dataset, root, mirror, offline)
    stand_in = provide.is_stand_in(dataset, root)
    if stand_in:
        dataset = with_own_counts(dataset, root)
    index = dataset.index(root)
    check_counts(dataset, root, index)
    # what is derived from a stand-in never carries the name of the published set
    home = Path(cache_root).expanduser().absolute() / (
        f"{dataset.name}-stand-in" if stand_in else dataset.name
    )
    written = _write_index(index, home / "index.csv")
    prepared = Prepared(dataset, root, index, home, stand_in)
    _report(prepared, how, written)
    if own is folder:
        _report_left_out(prepared, strict)
    if own:
        _report_copies(prepared)
    return prepared


def root_of(dataset: DataSet, data_root: Path) -> Path:
    """Where a declared data set is, or would be."""
    return Path(data_root).expanduser().absolute() / (dataset.folder or dataset.name)


def _write_index(index: pd.DataFrame, path: Path) -> bool:
    """Write the index unless the file holds just that; tell whether it was written."""
    text = csv_text(index)
    if path.is_file() and path.read_bytes() == text.encode():
        return False
    with as_data_errors(path.parent):
        write_text(path, text)
    return True


def _report(prepared: Prepared, how: str, written: bool) -> None:
    """One line on what is there, and one on anything a reader must not miss."""
    dataset, index = prepared.dataset, prepared.index
    kind = "tags" if dataset.tags else "classes"
    inside = os.path.commonpath(map(os.path.dirname, index["path"])) if len(index) else ""
    place = f"{prepared.root} (audio in {inside})" if inside else f"{prepared.root}"
    state = "written to" if written else "up to date in"
    _tell(
        f"{dataset.name}: {len(index)} tracks in {len(prepared.classes)} {kind}, {how} at "
        f"{place}; index {state} {prepared.home}"
    )
    if prepared.stand_in:
        _tell(
            f"{dataset.name}: NOT the published archive but a stand-in from a mirror; results "
            "on it count as different data."
        )
    if not dataset.tags:
        sizes = index["label"].value_counts().sort_index().items()
        _tell(f"classes: {', '.join(f'{name} ({n})' for name, n in sizes)}")
    if dataset.own_audio:
        _report_missing(dataset, index)


def _report_left_out(prepared: Prepared, strict: bool) -> None:
    """Count what lies in a folder of one's own and is no track; `strict`: refuse music."""
    name = prepared.dataset.name
    passed = folder.left_out(prepared.root, folder.FOLDERS in prepared.dataset.splits)
    music = undecoded() | {folder.OUTSIDE, BROKEN_LINK}
    if strict and music & {*passed.values()}:
        raise DataError(f"{name}: {tell_left_out(passed)}; without --strict, the others are used")
    if passed:
        _tell(f"{name}: {tell_left_out(passed)}")


def _report_copies(prepared: Prepared) -> None:
    """Say which files of one's own are the same, and whether classes or parts share them."""
    index = prepared.index
    shared = index[index["group"].duplicated(keep=False)]
    if shared.empty or WHOLE in index:  # the user has named them
        return
    said = f"{len(shared)} files are copies of one another; protocol clean keeps them in one part"
    for column in ("label", *prepared.dataset.splits):
        mixed = shared.groupby("group")[column].nunique() > 1
        if mixed.any():
            same = shared.loc[shared["group"] == mixed.idxmax(), "path"]
            what = "class" if column == "label" else "part of the split"
            said += f"; {mixed.sum()} of them lie in more than one {what} ({' = '.join(same[:3])})"
    _tell(f"{prepared.dataset.name}: {said}")


def _report_missing(dataset: DataSet, index: pd.DataFrame) -> None:
    """Say how many tracks of the published lists have no audio here."""
    for split, parts in dataset.splits.items():
        missing = {part: n - int((index[split] == part).sum()) for part, n in parts.items()}
        if any(missing.values()):
            what = ", ".join(f"{n:,} of {parts[part]:,} in {part}" for part, n in missing.items())
            _tell(
                f"{dataset.name}: no audio for {what} of the split {split}; results count as "
                "different data."
            )


def _tell(line: str) -> None:
    print(shown(line), flush=True)
