"""Files that are either whole or absent."""

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path

from mirkeras.system.errors import say

# Of "name.csv": ".name.0123abcd.part.csv". The suffix stays last: savers of Keras, NumPy and
# Matplotlib choose their format by it.
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part(\.[^.]+)?", re.DOTALL)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the real name only when the block succeeds.

    A process killed at any moment leaves either the old file or the new one; a failed block (an
    error, a full disk) leaves the old one and no rest.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Try whether a file could be written, before hours go into what it is to hold.

    Raises
    ------
    OSError
        As writing it would; nothing is left of the trial.
    """
    made: list[Path] = []
    try:
        for folder in reversed([folder for folder in path.parents if not folder.exists()]):
            folder.mkdir()
            made.append(folder)
        temporary = _beside(path)
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        for folder in reversed(made):
            folder.rmdir()


@contextmanager
def locked(lock: Path, waiting: str = "", refusal: Exception | None = None) -> Iterator[None]:
    """Hold a lock file; its holder's end, however it ends, frees it.

    Parameters
    ----------
    lock : Path
        The file; its folder is made if need be.
    waiting : str
        What to say, if another process has it, before waiting for it.
    refusal : Exception or None
        Raised instead of waiting.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if refusal is not None:
                raise refusal from None
            if waiting:
                say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sha256(path: Path) -> str:
    """Hash a file: hexadecimal SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole; bytes of names that are no UTF-8 come out as they went in."""
    with whole_file(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")


def sweep(folder: Path, names: Container[str] | None = None) -> None:
    """Remove what kills left of `whole_file`s; for who knows that nobody is writing them now.

    Parameters
    ----------
    folder : Path
        Where they lie; nothing happens if it does not exist.
    names : container of str or None
        The files they were to become; None: any.
    """
    for name in os.listdir(folder) if folder.is_dir() else ():
        found = _TEMPORARY.fullmatch(name)
        if found and (names is None or found[1] + (found[2] or "") in names):
            (folder / name).unlink(missing_ok=True)


def is_hidden(name: str) -> bool:
    """Whether a file or folder name is none of the data: dot files and macOS leftovers."""
    return name.startswith(".") or name == "__MACOSX"


def files_below(folder: Path) -> Iterator[Path]:
    """All visible files under `folder`, sorted; folders that are links are followed once."""
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link back up the tree would otherwise never end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(here, name) for name in sorted(files) if not is_hidden(name))
