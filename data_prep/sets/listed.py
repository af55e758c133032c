"""Anybody's own audio as a list: `csv:FILE`, a table with a line per track.

    path,label,group,split,tempo
    live/one.wav,rock|loud,The Band,train,120
    /music/two.flac,jazz,Her Trio,test,

`path` counts from the file's folder unless it is absolute. `label` is a class; where any line has
several, divided by `|`, all are tags. Columns that may be missing: `group` (an artist, an album:
never divided between training and test), `split` (train, validation and test, or fold numbers from
1; empty: not used in it), `tempo` in BPM. Others are left alone. The set is called
`csv-<name of FILE>-<8 hexadecimal digits of its path's hash>`.
"""

import csv
import hashlib
import io
import os
from functools import partial
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.index import TAG_SEPARATOR, WHOLE, make_index
from data_prep.sets.folder import MAX_BAD, part_of
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import copies

PREFIX = "csv:"
#: The split that the column of this name makes.
SPLIT = "split"
NEEDED = ("path", "label")
LAYOUT = "a text file (UTF-8, commas) whose first line names the columns: path,label[,group,split]"


def declare(name: str) -> DataSet:
    """Declaration for `csv:FILE`; classes or tags are what its lines name.

    Raises
    ------
    DataError
        The file cannot serve as a data set; the message names its line.
    """
    file = file_of(name)
    lines = _read(file)
    labels = [_labels(line) for line in lines.values()]
    tags = tuple(sorted({tag for found in labels for tag in found}))
    if len(tags) < 2:
        raise DataError(f"{file} has only the label {', '.join(tags)!r}; at least two are needed")
    several = any(len(found) != 1 for found in labels)
    digest = hashlib.sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return DataSet(
        name=f"csv-{file.stem[:40]}-{digest}",
        description=f"Audio of the user's own, listed in {file}.",
        licence="the user's own",
        layout=LAYOUT,
        tags=tags if several else (),
        tracks=len(lines) if several else None,
        index=partial(index, file),
        splits={SPLIT: {}} if SPLIT in next(iter(lines.values())) else {},
        max_bad=MAX_BAD,
    )


def file_of(name: str) -> Path:
    """The file that a name `csv:FILE` stands for, absolute.

    Raises
    ------
    DataError
        There is no such file.
    """
    given = name.removeprefix(PREFIX)
    file = Path(given).expanduser()
    if not given or not file.is_file():
        what = f"{given!r} is no file" if given else "no file follows the colon"
        raise DataError(f"{name}: {what}. Give {LAYOUT}")
    return file.absolute()


def root_of(name: str) -> Path:
    """The folder that holds all tracks of `csv:FILE`.

    Raises
    ------
    DataError
        As `declare`.
    """
    file = file_of(name)
    return Path(os.path.commonpath([path.parent for path in _paths(file, _read(file)).values()]))


def index(file: Path, root: Path) -> pd.DataFrame:
    """List the tracks of a file.

    Returns
    -------
    pandas.DataFrame
        See `data_prep.index.make_index`: ids are paths below `root`. With a column `WHOLE` where
        the file names groups, else byte-identical copies share one; with a column `SPLIT` where it
        has that.

    Raises
    ------
    DataError
        A line names a missing file, one that is no audio, one of another line, no label, a tempo
        that is no number or an unknown part; or a group's tracks are of several parts.
    """
    lines, numbers = _read(file), {}
    paths = _paths(file, lines)
    named = "group" in next(iter(lines.values()))
    tracks = {place: path.relative_to(root).as_posix() for place, path in paths.items()}
    for place, track in tracks.items():
        if track in numbers:
            raise _fault(file, place, f"{track} is already on line {numbers[track]}")
        numbers[track] = place
    rows = [
        (tracks[place], paths[place], TAG_SEPARATOR.join(_labels(line)), _tempo(file, place, line))
        for place, line in lines.items()
    ]
    track_of = {path: tracks[place] for place, path in paths.items()}
    same = () if named else tuple(tuple(track_of[p] for p in c) for c in copies(track_of))
    table = make_index(rows, root, same)
    by_track = {tracks[place]: line for place, line in lines.items()}
    if named:
        groups = [by_track[track]["group"] or track for track in table["track"]]
        table = table.assign(group=groups, **{WHOLE: "yes"})
    if SPLIT in next(iter(lines.values())):
        _check_split(file, lines)
        table[SPLIT] = [_part(by_track[track]) for track in table["track"]]
    return table


def _read(file: Path) -> dict[int, dict[str, str]]:
    """Number of a line → its cells by column, stripped."""
    try:
        text = file.read_bytes().decode("utf-8-sig")  # Excel begins a file with a mark
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 ({error.reason}); save it as such") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found = {}
    try:
        head = [name.strip() for name in reader.fieldnames or ()]
        if lost := [name for name in NEEDED if name not in head]:
            raise _fault(file, 1, f"no column {' and no column '.join(lost)}; it must be {LAYOUT}")
        if len({*head}) < len(head):
            raise _fault(file, 1, "a column is there twice")
        reader.fieldnames = head
        for cells in reader:
            if None in cells or None in cells.values():
                raise _fault(file, reader.line_num, f"it has not {len(head)} cells as line 1 has")
            found[reader.line_num] = {name: cell.strip() for name, cell in cells.items()}
    except csv.Error as error:
        raise _fault(file, reader.reader.line_num, str(error)) from error
    if not found:
        raise DataError(f"{file} lists no track; it must be {LAYOUT}")
    for place, line in found.items():
        if not line["label"].strip(TAG_SEPARATOR):
            raise _fault(file, place, "no label")
    return found


def _paths(file: Path, lines: dict[int, dict[str, str]]) -> dict[int, Path]:
    """Number of a line → its audio file."""
    found, endings = {}, audio_extensions()
    for place, line in lines.items():
        path = Path(os.path.abspath(file.parent / Path(line["path"]).expanduser()))
        if not path.is_file():
            raise _fault(file, place, f"there is no file {path}")
        if path.suffix.lower() not in endings:
            raise _fault(file, place, f"{path} is no audio that can be decoded")
        found[place] = path
    return found


def _labels(line: dict[str, str]) -> list[str]:
    return list(dict.fromkeys(t.strip() for t in line["label"].split(TAG_SEPARATOR) if t.strip()))


def _tempo(file: Path, place: int, line: dict[str, str]) -> float:
    try:
        return float(line.get("tempo") or "nan")
    except ValueError:
        raise _fault(file, place, f"the tempo {line['tempo']!r} is no number") from None


def _part(line: dict[str, str]) -> str:
    """The part as splits name it: a fold's number, or train, validation, test."""
    given = line[SPLIT]
    return given if given.isdigit() else part_of(given) or given


def _check_split(file: Path, lines: dict[int, dict[str, str]]) -> None:
    parts = {_part(line) for line in lines.values()} - {""}
    folds = bool(parts) and all(part.isdigit() for part in parts)
    group_of: dict[str, tuple[int, str]] = {}
    for place, line in lines.items():
        part, group = _part(line), line.get("group")
        if part and not folds and part not in ("train", "validation", "test"):
            wanted = "train, validation, test, or numbers of folds in all lines"
            raise _fault(file, place, f"unknown part {line[SPLIT]!r} of a split; known: {wanted}")
        first, other = group_of.setdefault(group, (place, part)) if group and part else (0, part)
        if other != part:
            why = f"group {group!r} is in {part} here and in {other} on line {first}"
            raise _fault(file, place, f"{why}: a group is never divided")
    if not folds and not {"train", "test"} <= parts:
        raise DataError(f"{file}: the split needs train and test; it has {', '.join(parts)}")


def _fault(file: Path, place: int, what: str) -> DataError:
    return DataError(f"{file}, line {place}: {what}")
