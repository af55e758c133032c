"""Files that are kept as published (tables, split lists): where they lie, what they say.

    <root>/<file>                               beside the audio: put there by hand, or with it
    <data root>/archives/<set>/<file>           downloads, and files placed there by hand

`data_prep.fetch.provide` sees to it that they are in one of the two before an index is made.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.fetch.download import STAND_IN


def archive_folder(root: Path) -> Path:
    """Where downloads for the data set at `root` are kept."""
    return root.parent / "archives" / root.name


def kept_file(root: Path, filename: str) -> Path | None:
    """A kept file of the data set at `root`, None if it is in neither place."""
    # the published lists in the archive folder say nothing about a stand-in
    places = (root,) if (root / STAND_IN).is_file() else (root, archive_folder(root))
    for place in places:
        if (place / filename).is_file():
            return place / filename
    return None


def needed_file(root: Path, filename: str) -> Path:
    """A kept file without which there is no index.

    Raises
    ------
    DataError
        It is in neither place; the message names both.
    """
    found = kept_file(root, filename)
    if found is None:
        raise DataError(
            f"{filename} is missing: put it at {root / filename} or at "
            f"{archive_folder(root) / filename}, or run again with a network."
        )
    return found


def split_files(root: Path, dataset: DataSet, split: str) -> dict[str, Path] | None:
    """The lists of a split by file name, None unless all of them are at hand."""
    names = [archive.filename for archive in dataset.archives if archive.split == split]
    found = {name: kept_file(root, name) for name in names}
    return None if None in found.values() else {name: p for name, p in found.items() if p}


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 list, without those that are blank.

    Raises
    ------
    DataError
        The file is not UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not the text it should be ({error}).") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def add_split(index: pd.DataFrame, split: str, parts: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """Index with a column for a split.

    Parameters
    ----------
    split : str
        Name of the split and of its column.
    parts : mapping of str to iterable of str
        Part (`train`, …) to ids of its tracks. Tracks of the index in no part get an empty text;
        ids of a part that are not in the index are passed over (the counts tell).
    """
    part_of: dict[str, str] = {}
    for part, tracks in parts.items():
        for track in tracks:
            if track in part_of:
                raise DataError(
                    f"split {split}: {track!r} is listed twice ({part_of[track]}, {part})."
                )
            part_of[track] = part
    return index.assign(**{split: [part_of.get(track, "") for track in index["track"]]})
