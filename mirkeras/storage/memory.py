"""What was found out about files, remembered as long as they look untouched."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mirkeras.storage.files import read_json, write_text

#: Nanoseconds within which a file may change twice and show the same time (FAT: 2 s).
_TICK = 2 * 10**9


class Stamp(NamedTuple):
    """How a file looked, and when (all times in ns).

    Whoever keeps a file's size and sets its time of modification back still moves `changed`, the
    time of its state.
    """

    size: int
    modified: int
    changed: int
    inode: int
    looked: int

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        """Look at a file; one that is missing has -1 bytes."""
        now = time.time_ns()
        try:
            status = path.stat()
        except OSError:
            return cls(-1, 0, 0, 0, now)
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, now)

    @property
    def look(self) -> list[int]:
        """What any change of the file changes."""
        return list(self[:4])

    @property
    def settled(self) -> bool:
        """Whether a change after the look would have shown: one at once may not move the times."""
        return self.looked - max(self.modified, self.changed) > _TICK


class Memory:
    """Facts about files, kept in a file of its own beside what they are for.

    It only saves work: lost, damaged, or where it cannot be written, facts are found out again.
    """

    def __init__(self, place: Path):
        self._place, self._changed = place, False
        self._known = {}
        with suppress(OSError, ValueError):
            known = read_json(place)
            self._known = known if isinstance(known, dict) else {}

    def recall(self, path: Path, find_out: Callable[[Path], str]) -> str:
        """Return what `find_out` says of a file; it is asked again when that was touched."""
        seen = Stamp.of(path)
        known = self._known.get(str(path))
        if isinstance(known, list) and known[:-1] == seen.look:
            return known[-1]
        fact = find_out(path)
        self.remember(path, seen, fact)
        return fact

    def remember(self, path: Path, seen: Stamp, fact: str) -> None:
        """Keep a fact about a file; `seen` is how it looked before it was read."""
        if seen.settled:
            self._known[str(path)], self._changed = [*seen.look, fact], True

    def save(self) -> None:
        """Write what is new, where that is possible."""
        if self._changed:
            with suppress(OSError):
                write_text(self._place, json.dumps(self._known))
            self._changed = False
