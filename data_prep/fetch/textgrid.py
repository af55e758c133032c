"""Praat's TextGrids: intervals of time with a text, in named tiers.

What the format says holds for its long and its short form alike: numbers that stand alone, texts in
quotes (a quote inside is doubled) and flags in angle brackets are data, all else is for people. So
a file is read as the sequence of these (Praat's manual, "TextGrid file formats").
"""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data_prep.declare import DataError

_DATA = re.compile(r'"(?:[^"]|"")*"|(?<!\S)[-+]?\.?\d[\d.eE+-]*(?!\S)|<\w+>')
_NUMBER, _TEXT, _FLAG = "a number", "a text in quotes", "a flag like <exists>"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Interval(NamedTuple):
    """From `start` to `stop` in seconds, with its text, which ends in a line of the file."""

    start: float
    stop: float
    text: str
    line: int


def read_tiers(path: Path) -> dict[str, list[Interval]]:
    """Read the tiers of intervals of a TextGrid; tiers of points are left out.

    Texts lose the blanks around them: annotators leave some, mostly where nothing is said.

    Raises
    ------
    DataError
        The file is no TextGrid, or damaged, or intervals of a tier are empty or overlap; the
        message names the file and the line.
    """
    data = _Data(path)
    kind, content = data.text(), data.text()
    if not kind.startswith("ooTextFile") or content != "TextGrid":  # "ooTextFile short" is old
        raise data.fault("this is no TextGrid")
    data.number(), data.number(), data.take(_FLAG)
    tiers = {}
    for _ in range(data.count()):
        kind, name = data.text(), data.text()
        data.number(), data.number()
        if kind == "IntervalTier":
            tiers[name] = list(_intervals(data, name))
        else:
            for _ in range(data.count()):
                data.number(), data.text()
    data.end()
    return tiers


def _intervals(data: "_Data", tier: str) -> Iterator[Interval]:
    end = 0.0
    for _ in range(data.count()):
        start, stop, text = data.number(), data.number(), data.text()
        if stop <= start:
            raise data.fault(f"an interval of the tier {tier!r} is empty ({start} to {stop} s)")
        if start < end:
            raise data.fault(
                f"an interval of the tier {tier!r} begins at {start} s, before {end} s, where the "
                "last one ends"
            )
        end = stop
        yield Interval(start, stop, text, data.line)


class _Data:
    """The data of a TextGrid, one after another."""

    def __init__(self, path: Path) -> None:
        self.path, self.line = path, 1
        content = path.read_bytes()
        encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
        try:
            self._content = content.decode(encoding)
        except UnicodeDecodeError as error:
            raise self.fault(f"this is no {encoding.upper()} text ({error})") from error
        self._found = _DATA.finditer(self._content)
        self._place = 0

    def _next(self) -> str:
        """Return the next of the data, or nothing at the end."""
        found = next(self._found, None)
        place = found.end() if found else len(self._content.rstrip())
        self.line += self._content.count("\n", self._place, place)
        self._place = place
        return found[0] if found else ""

    def end(self) -> None:
        if value := self._next():
            raise self.fault(f"the tiers should end before {value[:40]}")

    def take(self, kind: str) -> str:
        value = self._next()
        if not value:
            raise self.fault(f"{kind} is missing at the end of the file")
        is_kind = {'"': _TEXT, "<": _FLAG}.get(value[0], _NUMBER)
        if is_kind != kind:
            raise self.fault(f"{kind} is expected, found {value[:40]}")
        return value

    def number(self) -> float:
        value = self.take(_NUMBER)
        try:
            return float(value)
        except ValueError:
            raise self.fault(f"{_NUMBER} is expected, found {value[:40]}") from None

    def count(self) -> int:
        return int(self.number())

    def text(self) -> str:
        return self.take(_TEXT)[1:-1].replace('""', '"').strip()

    def fault(self, why: str) -> DataError:
        return DataError(f"{self.path}, line {self.line}: {why}; put the published file there.")
