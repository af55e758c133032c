"""One zip published in parts (`name.zip.001`, `name.zip.002` …), read as if it were one file.

The parts are cut anywhere, also in the middle of a member. `Joined` reads and seeks across them,
so that nothing is copied together first.
"""

import bisect
import io
import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from data_prep.declare import DataError

_PART = re.compile(r"(?P<whole>.+)\.(?P<number>\d{3})")


def whole_name(filename: str) -> str:
    """Name of the file a part belongs to; the name itself if it is no part."""
    match = _PART.fullmatch(filename)
    return match["whole"] if match else filename


def check_order(parts: Sequence[Path]) -> None:
    """Refuse parts that are not number 001, 002 … of one file.

    Raises
    ------
    DataError
        A part is missing, out of order or of another file.
    """
    expected = [f"{whole_name(parts[0].name)}.{n:03d}" for n in range(1, len(parts) + 1)]
    if [part.name for part in parts] != expected:
        found = ", ".join(part.name for part in parts)
        raise DataError(f"Parts {found}: {', '.join(expected)} are needed, in this order.")


def describe(parts: Sequence[Path]) -> str:
    """The parts with their lengths, for messages: a short one is often the culprit."""
    return ", ".join(f"{part} ({part.stat().st_size:,} bytes)" for part in parts)


class Joined(io.RawIOBase):
    """Several files as one, read-only and seekable.

    Raises
    ------
    EOFError
        From `seek`, for a place before the start: what a zip whose parts are too short leads to.
    """

    def __init__(self, parts: Sequence[Path]) -> None:
        self._files = [open(part, "rb") for part in parts]  # noqa: SIM115 - closed by `close`
        lengths = [part.stat().st_size for part in parts]
        self._ends = list(accumulate(lengths))
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        if start + offset < 0:
            raise EOFError("it points to a place before its start")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:
        if self._at >= self._ends[-1]:
            return 0
        number = bisect.bisect_right(self._ends, self._at)
        file, start = self._files[number], ([0, *self._ends])[number]
        file.seek(self._at - start)
        # up to the end of one part; the buffered reader above asks again for the rest
        got = file.readinto(memoryview(buffer)[: self._ends[number] - self._at])
        self._at += got
        return got

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
