"""The table of tracks: how it is made, written columns and read back."""

from collections.abc import Container, Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError
from mirkeras.system.files import files_below, is_hidden
from mirkeras.system.tables import read_csv

#: Columns of every index, in this order; one column for each split at hand follows.
COLUMNS = ("track", "path", "label", "group", "tempo")


#: Between the tags of a track in the column `label`.
TAG_SEPARATOR = "|"


def find_layout(root: Path, folders: Iterable[str]) -> Path | None:
    """Where the class folders lie: `root` itself or one folder deeper (archives bring their own).

    Returns
    -------
    Path or None
        The folder holding most of `folders`, None when there is none of them.
    """
    if not root.is_dir():
        return None
    wanted = tuple(folders)
    deeper = sorted(p for p in root.iterdir() if p.is_dir() and not is_hidden(p.name))
    places = [root, *deeper]
    held = [sum((place / folder).is_dir() for folder in wanted) for place in places]
    return places[held.index(max(held))] if max(held) else None


def from_class_folders(
    root: Path,
    folders: Mapping[str, str],
    endings: Container[str],
    tempi: Mapping[str, float] | None = None,
    replicas: tuple[tuple[str, ...], ...] = (),
) -> pd.DataFrame:
    """Table of the tracks in class folders: ids `<class>/<stem>`; see `make_index`.

    Parameters
    ----------
    folders : mapping
        Name of a folder, in `root` or one deeper, to its class.
    endings : container of str
        File endings of the audio, lower case with the dot.
    tempi : mapping
        Stem to tempo in BPM, where it is known.
    """
    place = find_layout(root, folders)
    if place is None:
        return make_index((), root)
    known = tempi or {}
    tracks = (
        (f"{label}/{file.stem}", file, label, known.get(file.stem, float("nan")))
        for folder, label in folders.items()
        if (place / folder).is_dir()
        for file in files_below(place / folder)
        if file.suffix.lower() in endings
    )
    return make_index(tracks, root, replicas)


def make_index(
    tracks: Iterable[tuple[str, Path, str, float]],
    root: Path,
    replicas: tuple[tuple[str, ...], ...] = (),
) -> pd.DataFrame:
    """Table of tracks in the form that everything behind reads.

    Parameters
    ----------
    tracks : iterable of (track, path, label, tempo)
        `path` lies under `root`; `tempo` in BPM, NaN where unknown.
    root : Path
        Root of the data set; the table's paths are relative to it, with forward slashes.
    replicas : tuple of tuple of str
        Tracks of one tuple get one group, the alphabetically first id of the tuple; any other
        track is a group of its own.

    Raises
    ------
    DataError
        Two files stand for the same track, or a file name is not valid Unicode.
    """
    group = {track: min(same) for same in replicas for track in same}
    rows = [
        (track, path.relative_to(root).as_posix(), label, group.get(track, track), float(tempo))
        for track, path, label, tempo in sorted(tracks, key=lambda row: (row[0], str(row[1])))
    ]
    for first, second in pairwise(rows):
        if first[0] == second[0]:
            raise DataError(
                f"{root}: two files stand for track {first[0]!r}: {first[1]} and {second[1]}. "
                "Keep one of them."
            )
    for _, path, *_ in rows:
        try:
            path.encode()  # the index is a UTF-8 file: a name it cannot hold is found here
        except UnicodeEncodeError:
            raise DataError(
                f"{root}: the file name {path!r} is not valid Unicode; rename the file."
            ) from None
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"tempo": "float64"})


def read_index(path: Path) -> pd.DataFrame:
    """Read an index that `data_prep.prepare` wrote.

    Names stay text: a class may well be called 01 or NA.

    Raises
    ------
    TableError
        The file is damaged.
    """
    remedy = "delete it, the command that reads the data set writes it anew"
    return read_csv(path, COLUMNS, remedy, numbers=["tempo"])
