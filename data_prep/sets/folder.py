"""Anybody's own audio as a data set: `folder:PATH`, one sub-folder per class.

    PATH/                                           PATH/               --layout split
        <class A>/ any.wav, or/deeper/still.mp3         train/ <class A>/ … <class B>/ …
        <class B>/ …                                    test/  <class A>/ … <class B>/ …

Every file libsndfile can decode is a track, its class the first folder under PATH (or under train,
valid and test). What is no music is passed over and counted; a folder that cannot be read is an
error. Byte-identical copies share a group. The set is called `folder-<last part of PATH>-<8
hexadecimal digits of PATH's hash>`, so that two folders of the same name do not share a cache; a
long last part is cut, what cannot be seen of it written as Python does.
"""

import hashlib
import os
import re
from collections import Counter
from functools import partial
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.index import make_index
from mirkeras.audio.formats import BROKEN_LINK, audio_among, tell_left_out, undecoded
from mirkeras.storage.files import LEFTOVER, UNREADABLE, copies, files_below, is_leftover
from mirkeras.system.errors import shown

PREFIX = "folder:"

#: What the folders under PATH are: classes, or parts of a split that hold classes.
CLASSES, SPLIT = LAYOUTS = ("classes", "split")

#: The split that folders make.
FOLDERS = "folders"

OUTSIDE = "outside any class folder"

#: Largest share of a set of one's own that may be unusable.
MAX_BAD = 0.5

LAYOUT = """\
PATH/
    <class A>/  audio files, also in folders of their own
    <class B>/  audio files"""

_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_LONGEST = 96  # bytes of a folder's name in that of its set
_HELD_OUT = 0.1  # share of the training part that validates where there is no folder for it


def root_of(name: str) -> Path:
    """The folder a name `folder:PATH` stands for, resolved (absolute, links followed).

    Raises
    ------
    DataError
        No path is given or it is not a folder.
    """
    given = name.removeprefix(PREFIX)
    path = Path(given).expanduser()
    if not given or not path.is_dir():
        state = "is a file" if path.is_file() else "does not exist"
        what = f"{given!r} {state}" if given else "no path follows the colon"
        raise DataError(f"{name}: {what}. Give a folder with one sub-folder per class:\n{LAYOUT}")
    return path.resolve()


def declare(name: str, layout: str | None = None) -> DataSet:
    """Declaration for `folder:PATH`; the classes are whatever the folder holds.

    Parameters
    ----------
    layout : str or None
        One of `LAYOUTS`; None: classes, unless they are called like parts of a split.
    """
    root = root_of(name)
    digest = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    # it becomes part of further names, which must be text of one line and not too long
    text = shown(os.fsencode(root.name).decode("utf-8", "replace"))
    called = text.encode()[:_LONGEST].decode("utf-8", "ignore")
    parts = layout == SPLIT
    return DataSet(
        name=f"folder-{called}-{digest}" + f"-{SPLIT}" * parts,
        description=f"Audio of the user's own, from {root}.",
        licence="the user's own",
        layout=LAYOUT,
        index=index_of_parts if parts else partial(index, sure=layout == CLASSES),
        splits={FOLDERS: {}} if parts else {},
        max_bad=MAX_BAD,
    )


def index(root: Path, sure: bool = True) -> pd.DataFrame:
    """List the tracks of a class-per-folder tree.

    Parameters
    ----------
    root : Path
        Folder with at least two class folders, each with at least one decodable file.
    sure : bool
        Whether folders called `train` and `test` are classes.

    Returns
    -------
    pandas.DataFrame
        See `data_prep.index.make_index`. A track's id is its path relative to `root` without
        the suffix; files that differ in the suffix only keep it. Tempi are unknown (NaN), copies
        share a group.

    Raises
    ------
    DataError
        There are fewer than two classes, a class holds no audio, a folder cannot be read, or the
        class folders are called like parts of a split.
    """
    files = _classes_in(root)
    if not sure and len({part_of(name) for name in files} - {None}) > 1:
        raise DataError(
            f"{root}: the class folders are {', '.join(files)}. Are they the parts of a split, and "
            "the class folders inside? Then add --layout split. If they are the classes: --layout "
            "classes."
        )
    _check_classes(root, files)
    return _table(root, [(file, label) for label, found in files.items() for file in found])


def index_of_parts(root: Path) -> pd.DataFrame:
    """List the tracks of a tree of parts (`train`, `test`, perhaps `valid`), then classes.

    Returns
    -------
    pandas.DataFrame
        As `index`, with a column `FOLDERS`: train, validation or test. Where no folder is for
        validation, a tenth of every class's training tracks is, always the same.

    Raises
    ------
    DataError
        As `index`; or there is no part to train or to test on, two folders are the same part, or
        a class of another part is not trained on.
    """
    folders = {f.name: part_of(f.name) for f in _folders(root) if part_of(f.name)}
    if len({*folders.values()}) < len(folders) or not {"train", "test"} <= {*folders.values()}:
        found = ", ".join(folders) or "none of them"
        raise DataError(
            f"{root}: --layout split needs one folder train, one test and at most one valid, each "
            f"with a sub-folder per class; found: {found}"
        )
    classes = {name: _classes_in(root / name) for name in folders}
    for name, files in classes.items():
        _check_classes(root / name, files)
    (trained,) = (files for name, files in classes.items() if folders[name] == "train")
    for name, files in classes.items():
        if unknown := sorted(files.keys() - trained.keys()):
            raise DataError(
                f"{root / name}: no training folder for {', '.join(unknown)}; add it, or move "
                "this one away"
            )
    pairs = [(f, c) for files in classes.values() for c, found in files.items() for f in found]
    table = _table(root, pairs)
    table[FOLDERS] = table["path"].str.partition("/")[0].map(folders)
    return table if "validation" in folders.values() else _with_validation(table)


def left_out(root: Path, in_parts: bool = False) -> dict[Path, str]:
    """What is under `root` and no track: path to reason, see `mirkeras.audio.formats`."""
    if not in_parts:
        return _sorted_out(root)[1]
    parts = [folder for folder in _folders(root) if part_of(folder.name)]
    passed = {
        path: OUTSIDE for path in root.iterdir() if path not in parts and not is_leftover(path.name)
    }
    for folder in parts:
        passed |= _sorted_out(folder)[1]
    return passed


def _table(root: Path, files: list[tuple[Path, str]]) -> pd.DataFrame:
    bare = Counter(_bare(file, root) for file, _ in files)
    track = {
        file: file.relative_to(root).as_posix()
        if bare[_bare(file, root)] > 1
        else _bare(file, root)
        for file, _ in files
    }
    replicas = tuple(tuple(track[file] for file in same) for same in copies(track))
    return make_index(((track[f], f, label, float("nan")) for f, label in files), root, replicas)


def _bare(file: Path, root: Path) -> str:
    return file.relative_to(root).with_suffix("").as_posix()


def _with_validation(table: pd.DataFrame) -> pd.DataFrame:
    """Hold out a tenth of every class's training groups, by a hash: the same whatever is added."""
    table = table.copy()
    for label, tracks in table[table[FOLDERS] == "train"].groupby("label"):
        groups = sorted({*tracks["group"]}, key=lambda g: hashlib.sha256(g.encode()).digest())
        if len(groups) < 2:
            raise DataError(
                f"class {label!r} has one training track: none is left to validate on; add tracks, "
                "or a folder valid"
            )
        held = groups[: max(1, round(_HELD_OUT * len(groups)))]
        table.loc[tracks.index[tracks["group"].isin(held)], FOLDERS] = "validation"
    return table


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_leftover(path.name))


def part_of(name: str) -> str | None:
    """The part of a split that a name speaks of: `Train`, `test_clips`; None: of none."""
    found = {_PARTS[word] for word in re.split("[^a-z]+", name.lower()) if word in _PARTS}
    return found.pop() if len(found) == 1 else None


def _classes_in(root: Path) -> dict[str, list[Path]]:
    """Class to audio files; a class that cannot be seen whole is refused."""
    classes, passed = _sorted_out(root)
    for path, reason in passed.items():
        if reason == UNREADABLE or (reason == BROKEN_LINK and path.parent == root):
            raise DataError(f"{path}: {reason}; make it readable, or move it away")
    return classes


def _sorted_out(root: Path) -> tuple[dict[str, list[Path]], dict[Path, str]]:
    """Audio files by class, and what is none of them, with the reason."""
    classes: dict[str, list[Path]] = {}
    loose = [path for path in sorted(root.iterdir()) if not path.is_dir()]
    passed = {path: LEFTOVER for path in root.iterdir() if path.is_dir() and is_leftover(path.name)}
    for file in audio_among((f for f in loose if not is_leftover(f.name)), passed):
        passed[file] = OUTSIDE
    for folder in _folders(root):
        inside: dict[Path, str] = {}
        found = list(audio_among(files_below(folder, inside), inside))
        passed |= inside
        # ".idea" is no class, "...And Justice for All" may be one
        if found or not folder.name.startswith(".") or undecoded() & {*inside.values()}:
            classes[folder.name] = found
    return classes, passed


def _check_classes(root: Path, files: dict[str, list[Path]]) -> None:
    if len(files) < 2:
        found = f"only the class folder {next(iter(files))!r}" if files else "no class folders"
        raise DataError(
            f"{root} has {found}; a data set needs one sub-folder for each of at least two "
            f"classes:\n{LAYOUT}"
        )
    for label, found in files.items():
        if not found:
            passed: dict[Path, str] = {}
            list(audio_among(files_below(root / label, passed), passed))
            what = tell_left_out(passed) if passed else "it is empty"
            raise DataError(
                f"{root / label} holds no audio that can be decoded: {what}. Remove the folder, or "
                "put audio into it."
            )
