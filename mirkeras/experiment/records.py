"""What a run leaves behind: where its numbers come from."""

import json
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from mirkeras.system.arrays import write_archive
from mirkeras.system.errors import ExpectedError
from mirkeras.system.files import write_text

PACKAGES = ("keras", "tensorflow", "numpy", "scipy", "scikit-learn", "librosa", "soundfile", "soxr")


class RunError(ExpectedError):
    """A run directory cannot be used; the message names it and the remedy."""


def environment() -> dict:
    """Command, commit and versions of this process."""
    return {
        "command": command_line(),
        "commit": commit(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


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

    Returns
    -------
    dict
        What `finish` gets, with what came of the run.
    """
    earlier = read_record(directory) or {}
    record = known | {"started": earlier.get("started", now())} | environment()
    write_record(directory, record | {"status": "started"})
    return record


def finish(directory: Path, record: dict) -> None:
    """Record a run as finished."""
    write_record(directory, record | {"status": "finished", "finished": now()})


def write_record(directory: Path, record: dict) -> None:
    """Write ``run.json``."""
    write_text(directory / "run.json", json.dumps(record, indent=1) + "\n")


def read_record(directory: Path) -> dict | None:
    """Read ``run.json``; None if there is none.

    Raises
    ------
    RunError
        If it is not the record of a run.
    """
    path = directory / "run.json"
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if missing := {"paper", "row", "status", "versions"} - set(record):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); delete its folder and train again") from error
    return record


def finished_network(directory: Path, row: str) -> Path:
    """Return the path of a finished run's network.

    Raises
    ------
    RunError
        The run of that row is not finished, or left no network.
    """
    if (read_record(directory) or {}).get("status") != "finished":
        raise RunError(f"not started: it needs {row} in {directory}, which is not finished")
    path = directory / "model.keras"
    if not path.exists():
        raise RunError(f"{path} is missing; delete its folder and train {row} again")
    return path


def read_log(directory: Path) -> pd.DataFrame:
    """Read ``log.csv``, a line per epoch; `RunError` if it is missing or damaged."""
    try:
        return pd.read_csv(directory / "log.csv")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{directory / 'log.csv'} cannot be read ({error}); delete its folder and train again"
        ) from error


def write_predictions(directory: Path, **arrays: np.ndarray) -> None:
    """Write ``predictions.npz``; see `read_predictions`."""
    write_archive(directory / "predictions.npz", **arrays)


def read_predictions(directory: Path) -> dict[str, np.ndarray]:
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
    path = directory / "predictions.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise RunError(
            f"{path} cannot be read ({error}); delete its folder and train again"
        ) from error
