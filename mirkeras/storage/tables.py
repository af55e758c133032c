"""CSV files: whatever names they hold comes back, and what was edited or damaged is noticed.

Names are data: nothing is put before a leading ``=``, ``+``, ``-`` or ``@``, which spreadsheets may
take for a formula, since another name would come back. Bytes that are no UTF-8 are kept as they are
(in Python: lone surrogates).
"""

import csv
import hashlib
import io
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mirkeras.storage.files import write_text
from mirkeras.system.errors import ExpectedError

if TYPE_CHECKING:
    import pandas as pd

#: The last column of a checked table: of each line a digest, see `_check`.
CHECK = "check"


class TableError(ExpectedError):
    """A table cannot be used; the message names the file, the line, and the remedy."""


class _Line(NamedTuple):
    """A line of a table, and the last line of the file that it takes."""

    place: int
    cells: list[str]


def csv_line(cells: Iterable[object]) -> str:
    """Write a line of CSV; cells are in quotes where they must be."""
    line = io.StringIO()
    # Python 3.11 puts but the characters of its own line end into quotes, and CR must be
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def csv_text(table: "pd.DataFrame") -> str:
    """Write a table as CSV; missing values are empty, numbers come back exactly."""
    return "".join(map(csv_line, [table.columns, *_rows(table)]))


def write_csv(table: "pd.DataFrame", path: Path) -> None:
    """Write a table whole."""
    write_text(path, csv_text(table))


def write_checked_csv(table: "pd.DataFrame", path: Path) -> None:
    """Write a table whole, with a last column by which `read_csv` notices what was changed."""
    lines = [list(map(str, cells)) for cells in _rows(table)]
    checks = [_digest(table.columns)]
    for number, cells in enumerate(lines, 1):
        checks.append(_check(checks[-1], cells, number == len(lines)))
    write_csv(table.assign(**{CHECK: checks[1:]}), path)


def read_csv(
    path: Path,
    columns: Collection[str],
    remedy: str,
    numbers: Collection[str] = (),
    checked: bool = False,
) -> "pd.DataFrame":
    """Read a table, all of it as text: a name may well be NA, 007, 1e5 or true.

    Parameters
    ----------
    columns : collection of str
        What the table must have.
    remedy : str
        What to do where it cannot be used.
    numbers : collection of str
        Columns that are numbers, where they are there; an empty cell is NaN.
    checked : bool
        Whether `write_checked_csv` wrote it; the column `CHECK` is left out.

    Raises
    ------
    TableError
        It is no such table, it was cut or, if it is a checked one, changed.
    OSError
        It cannot be read.
    """
    import pandas as pd  # costs half a second; tagging needs no table

    # line by line: an index of a million tracks is some gigabytes otherwise
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            lines = [_Line(reader.line_num, cells) for cells in reader if cells]
        except csv.Error as error:
            raise TableError(f"{path}, line {reader.line_num}: {error}; {remedy}") from error
    if fault := next(_faults(lines, columns, numbers, checked), None):
        raise TableError("{}, line {}: {}; {}".format(path, *fault, remedy))
    head, *rows = (line.cells for line in lines)
    table = pd.DataFrame(rows, columns=head, dtype=str)
    table = table.assign(**{name: _numbers(table[name]) for name in head if name in numbers})
    return table.drop(columns=CHECK) if checked else table


def inferred(table: "pd.DataFrame", text: Collection[str]) -> "pd.DataFrame":
    """Find the numbers and truth values in all columns but `text`; an empty cell is missing."""
    table = table.replace("", np.nan)
    for name in set(table) - set(text):
        found = set(table[name].dropna())
        if found and found <= {"True", "False"}:
            table[name] = table[name].map({"True": True, "False": False})
        elif not _numbers(table[name])[table[name].notna()].isna().any():
            table[name] = _numbers(table[name])
    return table


def _faults(
    lines: list[_Line], columns: Collection[str], numbers: Collection[str], checked: bool
) -> Iterator[tuple[int, str]]:
    """Go through what is wrong with a table: (line of the file, what)."""
    import pandas as pd

    if not lines:
        yield 1, "it is empty"
    (_, head), *rows = lines
    if lost := [name for name in columns if name not in head]:
        yield 1, f"the table has no column {', '.join(lost)}"
    if len(set(head)) < len(head):
        yield 1, "a column is there twice"
    for place, cells in rows:
        if len(cells) != len(head):
            yield place, f"{len(cells)} of {len(head)} columns, it was cut or changed"
    if checked:
        yield from _changes(head, rows)
    for name in [name for name in head if name in numbers]:
        values = pd.Series([cells[head.index(name)] for _, cells in rows], dtype=str)
        wrong = _numbers(values).isna() & (values != "")
        if wrong.any():
            number = int(wrong.argmax())
            yield rows[number].place, f"{values[number]!r} in column {name} is no number"


def _changes(head: list[str], rows: list[_Line]) -> Iterator[tuple[int, str]]:
    """Go through the lines that are not as they were written."""
    if head[-1] != CHECK or not rows:
        yield 1, f"its lines, or the last column, {CHECK}, are missing"
    before = _digest(head[:-1])
    for line in rows:
        *cells, check = line.cells
        if check != _check(before, cells, line is rows[-1]):
            yield line.place, "it was changed, or lines beside it are missing"
        before = check


def _check(before: str, cells: list[str], is_last: bool) -> str:
    """Digest a line, the check of the one before it (of the first: the head), and the end."""
    return _digest([before, *cells, *["end"] * is_last])


def _digest(cells: Iterable[str]) -> str:
    text = csv_line(cells).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:12]


def _rows(table: "pd.DataFrame") -> Iterator[tuple]:
    return table.astype(object).where(table.notna(), "").itertuples(index=False, name=None)


def _numbers(column: "pd.Series") -> "pd.Series":
    """Turn text into numbers, NaN where it is no finite one."""
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").replace([np.inf, -np.inf], np.nan)
