"""Files that are kept as published (tables, split lists): where they lie, what they say.

    <root>/<file>                               beside the audio: put there by hand, or with it
    <data root>/archives/<set>/<file>           downloads, and files placed there by hand

`data_prep.fetch.provide` sees to it that they are in one of the two before an index is made.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.download import STAND_IN

if TYPE_CHECKING:
    import pandas as pd


def published_list(
    filename: str, *folders: str, max_bytes: int, sha256: str | None = None, split: str = ""
) -> Archive:
    """Declare a file to keep, to be had in any of `folders` (addresses).

    The list of a `split` is optional: the set can be used without the split.
    """
    return Archive(
        filename,
        urls=tuple(f"{folder}/{filename}" for folder in folders),
        checksum=f"sha256:{sha256}" if sha256 else None,
        size=None,
        max_unpacked=max_bytes,
        optional=bool(split),
        keep=True,
        split=split,
    )


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


def add_split(
    index: "pd.DataFrame", split: str, parts: Mapping[str, Iterable[str]]
) -> "pd.DataFrame":
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


def add_splits(
    index: "pd.DataFrame",
    root: Path,
    dataset: DataSet,
    readers: Mapping[str, Callable[[Mapping[str, Path]], Mapping[str, Iterable[str]]]],
) -> "pd.DataFrame":
    """Add a column for each split whose lists are all at hand.

    `readers` make the parts of a split (see `add_split`) from its lists by file name.
    """
    for split, read in readers.items():
        names = [archive.filename for archive in dataset.archives if archive.split == split]
        lists = {name: kept_file(root, name) for name in names}
        if None not in lists.values():
            index = add_split(index, split, read(lists))
    return index
