"""What a run leaves behind: where its numbers come from.

``run.json`` ends with a digest of all else in it, and that of a finished run holds digests of its
other files: what was changed or cut afterwards is noticed. Records of older versions have neither
and are read as they are.
"""

import hashlib
import json
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.storage.arrays import write_archive
from mirkeras.storage.files import sha256, write_text
from mirkeras.system.errors import ExpectedError

PACKAGES = ("keras", "tensorflow", "numpy", "scipy", "scikit-learn", "librosa", "soundfile", "soxr")
#: Files of a finished run that its record holds digests of.
OUTPUTS = ("predictions.npz", "model.keras", "classifier.npz", "log.csv")
#: Fields of a record that must be of a type, those of `_NEEDED` in every record.
_TYPES = {
    **dict.fromkeys(("paper", "row", "status", "dataset", "protocol", "split"), str),
    **dict.fromkeys(("seed", "fold", "folds", "max_epochs", "threads"), int),
    **dict.fromkeys(("versions", "sizes", "files"), dict),
    "starts": list,
}
_NEEDED = ("paper", "row", "status", "versions")


class RunError(ExpectedError):
    """A run directory cannot be used; the message names it and the remedy."""


class Kept(dict):
    """What a file of a run holds; an entry that it lacks is damage of that file."""

    def __init__(self, path: Path, entries: dict) -> None:
        super().__init__(entries)
        self.path = path

    def __missing__(self, name: str) -> None:
        raise damaged(self.path, f"it lacks {name}")


def damaged(path: Path, why: object) -> RunError:
    """Make the error that a file of a run is not as it was written."""
    return RunError(f"{path} is damaged ({why}); delete its folder and train again")


def environment() -> dict:
    """Command, commit, Keras backend and versions of this process."""
    from mirkeras.system.machine.device import backend

    packages = dict.fromkeys((*PACKAGES, backend()))
    return {
        "command": command_line(),
        "commit": commit(),
        "python": platform.python_version(),
        "backend": backend(),
        "versions": {name: version(name) for name in packages},
    }


def library() -> dict[str, str]:
    """What computes: the major version of Keras, and its backend."""
    from mirkeras.system.machine.device import backend

    return {"keras": major(version("keras")), "backend": backend()}


def major(number: str) -> str:
    """Return the part of a version that changes when results may."""
    return number.partition(".")[0]


def command_line() -> str:
    """The command as it was typed, a module's path turned back into ``python -m``."""
    module = getattr(sys.modules.get("__main__"), "__spec__", None)
    head = ["python", "-m", module.name] if module else [Path(sys.argv[0]).name]
    return shlex.join([*head, *sys.argv[1:]])


def commit() -> str | None:
    """Git commit of the code that runs, with ``+changes`` if it was edited.

    None where this code is not under git, even if some repository lies around its installation.
    """
    here = Path(__file__).resolve().parent
    try:
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
        head = _git(here, "rev-parse", "--short=12", "HEAD")
        edited = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}+changes" if edited else head


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def start(directory: Path, known: dict) -> dict:
    """Record a run as started: what is known of it, when it first started, and this process.

    ``starts`` lists every process that worked on it; what the record itself says of commit and
    versions is the last one's.

    Returns
    -------
    dict
        What `finish` gets, with what came of the run.
    """
    earlier, here = read_record(directory) or {}, environment()
    machine = {name: known[name] for name in ("threads", "hardware") if name in known}
    starts = [*_starts(earlier), {"time": now(), **here, **machine}]
    record = known | {"started": starts[0]["time"]} | here | {"starts": starts}
    write_record(directory, record | {"status": "started"})
    return record


def _starts(record: dict) -> list[dict]:
    """List the starts of a record; an older one knows of one."""
    if "started" not in record:
        return []
    names = ("command", "commit", "python", "versions")
    first = {"time": record["started"]} | {n: record[n] for n in names if n in record}
    return record.get("starts", [first])


def finish(directory: Path, record: dict) -> None:
    """Record a run as finished, with digests of what it leaves."""
    files = {name: sha256(directory / name) for name in OUTPUTS if (directory / name).exists()}
    outcome = {"files": files, "status": "finished", "finished": now()}
    write_record(directory, record | outcome)


def write_record(directory: Path, record: dict) -> None:
    """Write ``run.json``, sealed: its last field is a digest of all others."""
    rest = {name: value for name, value in record.items() if name != "digest"}
    sealed = rest | {"digest": _digest(rest)}
    write_text(directory / "run.json", json.dumps(sealed, indent=1) + "\n")


def _digest(record: dict) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def read_record(directory: Path) -> Kept | None:
    """Read ``run.json``, without its digest; None if there is none.

    Raises
    ------
    RunError
        If it is not the record of a run, or was changed after it was written.
    """
    path = directory / "run.json"
    if not path.exists():
        return None
    try:
        text = path.read_text(encoding="utf-8")
        record = json.loads(text, object_hook=partial(Kept, path))
        _check(record)
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    return record


def _check(record: object) -> None:
    """Take the digest off a record; ValueError if it is none, or not as it was written."""
    if not isinstance(record, dict):
        raise ValueError("it holds no record")
    if missing := set(_NEEDED) - set(record):
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    if "digest" in record and record.pop("digest") != _digest(record):
        raise ValueError("it was changed after it was written")
    for name in _TYPES.keys() & record.keys():
        if not isinstance(record[name], _TYPES[name]):
            raise ValueError(f"{name} is {record[name]!r}")
    if not all(isinstance(size, dict) for size in record.get("sizes", {}).values()):
        raise ValueError("sizes are not those of parts")


def check_files(directory: Path, record: dict, names: tuple[str, ...] = OUTPUTS) -> None:
    """Compare files of a finished run with its record, as far as that has their digests.

    Raises
    ------
    RunError
        One is missing, or was changed after it was written.
    """
    for name, digest in record.get("files", {}).items():
        path = directory / name
        if name not in names:
            continue
        if not path.exists():
            raise RunError(f"{path} is missing; delete its folder and train again")
        if sha256(path) != digest:
            raise damaged(path, "it was changed after it was written")


def finished_network(directory: Path, row: str) -> Path:
    """Return the path of a finished run's network.

    Raises
    ------
    RunError
        The run of that row is not finished, or left no network.
    """
    record = read_record(directory) or {}
    if record.get("status") != "finished":
        raise RunError(f"not started: it needs {row} in {directory}, which is not finished")
    check_files(directory, record, ("model.keras",))
    path = directory / "model.keras"
    if not path.exists():
        raise RunError(f"{path} is missing; delete its folder and train {row} again")
    return path


def read_arrays(directory: Path, name: str) -> Kept:
    """Read an archive of arrays that a finished run left; `RunError` if missing or damaged."""
    path = directory / name
    check_files(directory, read_record(directory) or {}, (name,))
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Kept(path, dict(arrays))
    except Exception as error:  # zip, NumPy and the memory asked for raise many kinds
        raise RunError(
            f"{path} cannot be read ({error}); delete its folder and train again"
        ) from error


def read_log(directory: Path) -> pd.DataFrame:
    """Read ``log.csv``, a line per epoch; `RunError` if it is missing or damaged."""
    check_files(directory, read_record(directory) or {}, ("log.csv",))
    try:
        return pd.read_csv(directory / "log.csv")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{directory / 'log.csv'} cannot be read ({error}); delete its folder and train again"
        ) from error


def write_predictions(directory: Path, **arrays: np.ndarray) -> None:
    """Write ``predictions.npz``; see `read_predictions`."""
    write_archive(directory / "predictions.npz", **arrays)


def read_predictions(directory: Path) -> Kept:
    """Read the predictions of a finished run.

    Returns
    -------
    dict
        ``scores`` float32 (segments, classes), ``segment_track`` int (segments,) numbers into
        ``tracks`` str (tracks,), ``labels`` int (tracks,) numbers into ``classes`` str (classes,);
        of a tagger ``labels`` float32 (tracks, tags) and in ``classes`` the tags.
        ``segment_frame`` int64 (segments,), the first frame of each segment within its track, and
        ``learned_from`` str (other tracks,), what was trained on or validated by, are missing from
        runs of older versions.

    Raises
    ------
    RunError
        If the file is missing or damaged.
    """
    return read_arrays(directory, "predictions.npz")
