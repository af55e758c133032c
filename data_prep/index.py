"""The table of tracks: how it is made, written columns and read back."""

import os
from collections.abc import Container, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.declare import DataError
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below, is_leftover
from mirkeras.storage.tables import TableError, read_csv

if TYPE_CHECKING:
    import pandas as pd

#: Columns of every index, in this order; one column for each split at hand follows.
COLUMNS = ("track", "path", "label", "group", "tempo")

#: A further column of a set whose groups (artists) are never divided, whatever the protocol says.
WHOLE = "whole_groups"

#: Between the tags of a track in the column `label`.
TAG_SEPARATOR = "|"

#: How many folders below its root the class folders of a data set may lie.
DEEPEST = 2


def find_layout(
    root: Path, folders: Iterable[str], endings: Container[str] | None = None
) -> Path | None:
    """Where the class folders lie: `root` itself or up to two folders deeper, as archives differ.

    Parameters
    ----------
    endings : container of str, optional
        Of the audio, lower case with the dot; by default all that are decoded.

    Returns
    -------
    Path or None
        The folder that has most of `folders` with audio in them (Kaggle's GTZAN has pictures in
        others), else most of them; None when there is none of them.
    """
    wanted, audio = tuple(folders), endings or audio_extensions()
    best, found = (0, 0), None
    places = [root] if root.is_dir() else []
    for _ in range(DEEPEST + 1):
        for place in places:
            inner = [place / folder for folder in wanted if (place / folder).is_dir()]
            held = sum(_holds_audio(folder, audio) for folder in inner), len(inner)
            if held > best:
                best, found = held, place
        if best[0] == len(wanted):
            break
        places = [inner for place in places for inner in _folders_in(place)]
    return found


def _holds_audio(folder: Path, endings: Container[str]) -> bool:
    return any(file.suffix.lower() in endings for file in files_below(folder))


def _folders_in(place: Path) -> list[Path]:
    with os.scandir(place) as entries:
        found = [entry.name for entry in entries if entry.is_dir()]
    return [place / name for name in sorted(found) if name[0] != "." and not is_leftover(name)]


def from_class_folders(
    root: Path,
    folders: Mapping[str, str],
    endings: Container[str],
    tempi: Mapping[str, float] | None = None,
    replicas: tuple[tuple[str, ...], ...] = (),
) -> "pd.DataFrame":
    """Table of the tracks in class folders: ids `<class>/<stem>`; see `make_index`.

    Parameters
    ----------
    folders : mapping
        Name of a folder, see `find_layout`, to its class.
    endings : container of str
        File endings of the audio, lower case with the dot.
    tempi : mapping
        Stem to tempo in BPM, where it is known.
    """
    place = find_layout(root, folders, endings)
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
) -> "pd.DataFrame":
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
    import pandas as pd  # costs half a second; tagging needs no table

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


def read_index(path: Path) -> "pd.DataFrame":
    """Read an index that `data_prep.prepare` wrote.

    Names stay text: a class may well be called 01 or NA.

    Raises
    ------
    TableError
        The file is damaged.
    """
    remedy = "delete it, the command that reads the data set writes it anew"
    content = path.read_bytes()
    try:
        content.decode()  # `make_index` takes no other names
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path}, line {line}: it is not UTF-8; {remedy}") from error
    return read_csv(path, COLUMNS, remedy, numbers=["tempo"])
