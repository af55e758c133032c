"""From a data set's name to its audio and its index: present, fetched or made, and checked.

<data_root>/<name>/              the data set, as unpacked; may be read-only once it is there
<data_root>/archives/<name>/     downloads, and archives and lists placed by hand
<cache_root>/<name>/index.csv    the tracks: id, path, label, group, tempo, a column for each split
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import data_prep
from data_prep.declare import DataSet, as_data_errors
from data_prep.fetch import provide
from data_prep.fetch.counts import check_counts, with_own_counts
from data_prep.sets import folder
from mirkeras.system.files import write_text
from mirkeras.system.tables import csv_text


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


def prepare(
    name: str,
    *,
    data_root: Path,
    cache_root: Path,
    mirror: str | None = None,
    offline: bool = False,
) -> Prepared:
    """Make a data set usable, doing only what is not done yet.

    Parameters
    ----------
    name : str
        A declared name, `NAME:CLASS,CLASS` or `folder:PATH`.
    data_root, cache_root : Path
        Where data sets and what is derived from them live.
    mirror : str or None
        Folder or http(s) address tried before the published addresses.

    Raises
    ------
    DataError
        The set is absent and cannot be had, or does not hold the tracks it must.
    """
    dataset = data_prep.get(name)
    if name.startswith(folder.PREFIX):
        root, how = folder.root_of(name), "present"
    else:
        root = Path(data_root).expanduser().absolute() / (dataset.folder or dataset.name)
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
    return prepared


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
    print(
        f"{dataset.name}: {len(index)} tracks in {len(prepared.classes)} {kind}, {how} at "
        f"{prepared.root}; index {'written to' if written else 'up to date in'} {prepared.home}",
        flush=True,
    )
    if prepared.stand_in:
        print(
            f"{dataset.name}: NOT the published archive but a stand-in from a mirror; results "
            "on it count as different data.",
            flush=True,
        )
    if dataset.own_audio:
        _report_missing(dataset, index)
    if dataset.archives or dataset.make is not None:
        return
    if ignored := folder.left_out(prepared.root):
        what = ", ".join(f"{n} × {kind}" for kind, n in ignored.most_common(5))
        print(f"{dataset.name}: {sum(ignored.values())} files left out ({what})", flush=True)


def _report_missing(dataset: DataSet, index: pd.DataFrame) -> None:
    """Say how many tracks of the published lists have no audio here."""
    for split, parts in dataset.splits.items():
        missing = {part: n - int((index[split] == part).sum()) for part, n in parts.items()}
        if any(missing.values()):
            what = ", ".join(f"{n:,} of {parts[part]:,} in {part}" for part, n in missing.items())
            print(
                f"{dataset.name}: no audio for {what} of the split {split}; results count as "
                "different data.",
                flush=True,
            )
