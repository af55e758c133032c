"""Anybody's own audio as a data set: `folder:PATH`, one sub-folder per class.

    PATH/
        <class A>/ any.wav, of.flac, these.ogg, or/deeper/still.mp3
        <class B>/ …

Every visible file libsndfile can decode is a track, its class the first folder under PATH. The set
is called `folder-<last part of PATH>-<8 hexadecimal digits of PATH's hash>`, so that two folders
of the same name do not share a cache.
"""

import hashlib
from collections import Counter
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.index import make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.system.files import files_below, is_hidden

PREFIX = "folder:"

LAYOUT = """\
PATH/
    <class A>/  audio files, also in folders of their own
    <class B>/  audio files"""


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


def declare(name: str) -> DataSet:
    """Declaration for `folder:PATH`; the classes are whatever the folder holds."""
    root = root_of(name)
    digest = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return DataSet(
        name=f"folder-{root.name}-{digest}",
        description=f"Audio of the user's own, from {root}.",
        licence="the user's own",
        layout=LAYOUT,
        index=index,
    )


def index(root: Path) -> pd.DataFrame:
    """List the tracks of a class-per-folder tree.

    Parameters
    ----------
    root : Path
        Folder with at least two class folders, each with at least one decodable file.

    Returns
    -------
    pandas.DataFrame
        See `data_prep.index.make_index`. A track's id is its path relative to `root` without
        the suffix; files that differ in the suffix only keep it. Tempi are unknown (NaN).

    Raises
    ------
    DataError
        There are fewer than two classes, or a class holds no audio.
    """
    endings = audio_extensions()
    files = {
        folder.name: [f for f in files_below(folder) if f.suffix.lower() in endings]
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not is_hidden(folder.name)
    }
    _check_classes(root, files)
    bare = Counter(_bare(f, root) for found in files.values() for f in found)
    tracks = [
        (f.relative_to(root).as_posix() if bare[_bare(f, root)] > 1 else _bare(f, root), f, label)
        for label, found in files.items()
        for f in found
    ]
    return make_index(((track, f, label, float("nan")) for track, f, label in tracks), root)


def left_out(root: Path) -> Counter[str]:
    """Visible files that are no tracks: counts by ending, or `outside any class folder`."""
    endings = audio_extensions()
    counts: Counter[str] = Counter()
    for file in files_below(root):
        if file.suffix.lower() not in endings:
            counts[file.suffix.lower() or file.name] += 1
        elif file.parent == root:
            counts["outside any class folder"] += 1
    return counts


def _bare(file: Path, root: Path) -> str:
    return file.relative_to(root).with_suffix("").as_posix()


def _check_classes(root: Path, files: dict[str, list[Path]]) -> None:
    if len(files) < 2:
        found = f"only the class folder {next(iter(files))!r}" if files else "no class folders"
        raise DataError(
            f"{root} has {found}; a data set needs one sub-folder for each of at least two "
            f"classes:\n{LAYOUT}"
        )
    for label, found in files.items():
        if not found:
            present = Counter(f.suffix.lower() or f.name for f in files_below(root / label))
            other = ", ".join(f"{n} × {ending}" for ending, n in present.most_common(5))
            raise DataError(
                f"{root / label} holds no audio that libsndfile can read "
                f"({f'found: {other}' if other else 'it is empty'}). Remove the folder or convert "
                f"the files, for example to .wav or .flac."
            )
