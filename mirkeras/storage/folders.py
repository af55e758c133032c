"""Folders that are whole or as they were."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mirkeras.storage.files import locked
from mirkeras.system.errors import UsageError


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path`; it takes the real name only when the block succeeds.

    What was there is then removed. A failed block, or a process killed at any moment, leaves the
    old folder (at worst beside, from where the next call takes it back); never a part of the new.

    Raises
    ------
    UsageError
        Another process is writing it.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    refusal = UsageError(f"{path}: another process is writing it; wait, or choose another folder")
    with locked(path.with_name(f".{path.name}.lock"), refusal=refusal):
        _tidy(path)
        token = secrets.token_hex(4)
        fresh, aside = (path.with_name(f".{path.name}.{token}.{end}") for end in ("part", "old"))
        fresh.mkdir()
        try:
            yield fresh
            if path.exists():
                os.rename(path, aside)
            os.rename(fresh, path)
        finally:
            _tidy(path)


def _tidy(path: Path) -> None:
    """Put an old folder back if its successor never came, and remove what else was left."""
    old, parts = (
        sorted(path.parent.glob(f".{_literal(path.name)}.{'[0-9a-f]' * 8}.{end}"))
        for end in ("old", "part")
    )
    if old and not path.exists():
        os.rename(old.pop(), path)
    for rest in (*old, *parts):
        shutil.rmtree(rest)


def _literal(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
