"""Files that are either whole or absent."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes the real name only when the block succeeds.

    A process killed at any moment leaves either the old file or the new one; a failed block (an
    error, a full disk) leaves the old one and no rest.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # the suffix stays last: savers of Keras, NumPy and Matplotlib choose their format by it
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
