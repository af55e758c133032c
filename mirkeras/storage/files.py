"""Files that are either whole or absent, read only while nobody writes them."""

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, TypeAlias

from filelock import FileLock, Timeout

from mirkeras.system.errors import say

#: Why `files_below` passes something over.
UNREADABLE = "folder that cannot be read"
REPEATED = "folder met again by a link"
LEFTOVER = "folder of the system"
APPLE_DOUBLE = "companion file of macOS"

Buffer: TypeAlias = bytes | memoryview  # or an array: what lends its bytes

# What systems, file servers and tools leave among data.
_LEFTOVERS = (
    *("._*", ".DS_Store", ".AppleDouble", "__MACOSX", ".Trash*", ".Spotlight-V100", ".fseventsd"),
    *(".TemporaryItems", ".DocumentRevisions-V100", ".apdisk", ".directory", ".nfs*", "lost+found"),
    *("$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information", "Thumbs.db", "desktop.ini"),
    *("@eaDir", "@Recycle", "#recycle", "#snapshot", ".snapshot", ".stfolder", ".stversions"),
    *(".git", ".hg", ".svn", ".cache", ".ipynb_checkpoints", ".venv", "__pycache__"),
)

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
        with about(path):
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
def about(path: Path) -> Iterator[None]:
    """Let errors of the block name `path` where the system names no file: it does so for writes."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def require_room(folder: Path, size: int) -> None:
    """Refuse to begin a file that cannot end.

    Raises
    ------
    OSError
        ENOSPC, if the disk of `folder` has less than `size` bytes left.
    """
    if (free := shutil.disk_usage(folder).free) < size:
        why = f"{os.strerror(errno.ENOSPC)}: {size:,} bytes are needed, {free:,} free"
        raise OSError(errno.ENOSPC, why, str(folder))


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading while no other process holds it for writing.

    HDF5 takes the same lock; as for HDF5, HDF5_USE_FILE_LOCKING=FALSE asks for none.

    Raises
    ------
    OSError
        EAGAIN, if another process holds the file.
    """
    with open(path, "rb") as file, about(path):
        if os.environ.get("HDF5_USE_FILE_LOCKING", "TRUE").upper() not in ("FALSE", "0"):
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    raise
                # a file system without locks (some NFS and Lustre): nobody can hold any
        yield file


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
    holder = FileLock(lock)
    try:
        holder.acquire(blocking=False)
    except Timeout:
        if refusal is not None:
            raise refusal from None
        if waiting:
            say(waiting)
        holder.acquire()
    try:
        yield
    finally:
        holder.release()


def sha256(path: Path) -> str:
    """Hash a file: hexadecimal SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copies(files: Iterable[Path]) -> list[list[Path]]:
    """Byte-identical files, together; files that cannot be read or are empty are nobody's copy.

    Lengths are compared first, then beginnings: few files are read to their end.
    """
    alike = [list(files)]
    for look in (_length, _beginning, sha256):
        alike = [same for files in alike for same in _by(look, files) if len(same) > 1]
    return alike


def _by(look: Callable[[Path], object], files: list[Path]) -> Iterable[list[Path]]:
    found: dict[object, list[Path]] = {}
    for file in files:
        with suppress(OSError):
            if what := look(file):
                found.setdefault(what, []).append(file)
    return found.values()


def _length(path: Path) -> int:
    return path.stat().st_size


def _beginning(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(2**16)).digest()


def write_bytes(path: Path, *pieces: Buffer) -> None:
    """Write a file whole, one piece after another."""
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        for piece in pieces:
            file.write(piece)


def read_json(path: Path) -> object:
    """Read a JSON file.

    Raises
    ------
    ValueError
        Its content is none, or nested deeper than can be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


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


def is_leftover(name: str) -> bool:
    """Whether a file or folder is none of the data: a system or a tool left it (`._song.mp3`).

    A dot at the beginning alone says nothing: "...And Justice for All" is an album.
    """
    left = any(fnmatchcase(name, pattern) for pattern in _LEFTOVERS)
    return left or _TEMPORARY.fullmatch(name) is not None


def files_below(folder: Path, left_out: dict[Path, str] | None = None) -> Iterator[Path]:
    """All files under `folder` but leftovers, sorted; folders that are links are followed once.

    Parameters
    ----------
    left_out : dict, optional
        Gets, with the reason, folders that are not looked into and files called ``._…``.
    """
    passed: dict[Path, str] = {} if left_out is None else left_out

    def unreadable(error: OSError) -> None:
        passed[Path(error.filename)] = UNREADABLE

    seen: set[str] = set()
    for here, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:  # a link back up the tree would otherwise never end
            passed[Path(here)] = REPEATED
            folders.clear()
            continue
        seen.add(real)
        passed |= {Path(here, name): LEFTOVER for name in folders if is_leftover(name)}
        passed |= {Path(here, name): APPLE_DOUBLE for name in files if name.startswith("._")}
        folders[:] = sorted(name for name in folders if not is_leftover(name))
        yield from (Path(here, name) for name in sorted(files) if not is_leftover(name))
