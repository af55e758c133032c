"""Files that are either whole or absent."""

import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock file, waiting for whoever has it; its holder's end, however it ends, frees it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sweep(paths: Iterable[Path]) -> None:
    """Remove what kills left of `whole_file`s; for who knows that nobody is writing these files."""
    wanted: dict[Path, set[str]] = {}
    for path in paths:
        wanted.setdefault(path.parent, set()).add(path.name)
    for folder, names in wanted.items():
        for name in os.listdir(folder) if folder.is_dir() else ():
            found = _TEMPORARY.fullmatch(name)
            if found and found[1] + (found[2] or "") in names:
                (folder / name).unlink(missing_ok=True)
