"""CSV files: names come back, numbers come back, and what was changed is noticed."""

import csv
import math
from pathlib import Path

import pandas as pd
import pytest

from mirkeras.storage.tables import (
    CHECK,
    TableError,
    csv_line,
    inferred,
    read_csv,
    write_checked_csv,
    write_csv,
)

NAMES = [
    *(
        "rock\r",
        "\r\n",
        "a\nb",
        "tab\t",
        'a, "b"',
        "back\\slash",
        "$x^2$",
        "a|b",
        "<b>",
        "'",
        "# c",
    ),
    *("-x", "=1+1", "+1", "@x", " blank "),
    *("NA", "nan", "None", "1e5", "007", "true", "", "e\u0301", "\u202eltr", "😀", "x" * 255),
]


@pytest.fixture
def table() -> pd.DataFrame:
    numbers = [0.1 + 0.2, math.nan, 1e-300, *range(len(NAMES) - 3)]
    return pd.DataFrame({"name": NAMES, "number": numbers, "count": range(len(NAMES))})


@pytest.mark.parametrize("checked", [False, True])
def test_names_and_numbers_come_back(table: pd.DataFrame, tmp_path: Path, checked: bool) -> None:
    (write_checked_csv if checked else write_csv)(table, tmp_path / "t.csv")
    found = read_csv(tmp_path / "t.csv", table.columns, "…", ["number", "count"], checked)
    pd.testing.assert_frame_equal(found, table, check_exact=True)
    with open(tmp_path / "t.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        head, *rows = csv.reader(file, strict=True)
    assert head == ["name", "number", "count", *[CHECK] * checked]
    assert [row[0] for row in rows] == NAMES


def test_usual_cells_have_no_quotes() -> None:
    assert csv_line(["a b", 1, 0.5, ""]) == "a b,1,0.5,\n"
    assert csv_line([""]) == '""\n'
    assert csv_line(["a\r", "b,c"]) == '"a\r","b,c"\n'


def test_numbers_are_found_where_they_are_and_names_left_alone(tmp_path: Path) -> None:
    columns = {"name": ["007", "NA", ""], "seed": [1, 2, 3], "loss": [0.5, None, 1], "flag": True}
    write_csv(pd.DataFrame(columns | {"filter": ["a", "1", "nan"]}), tmp_path / "t.csv")
    found = inferred(read_csv(tmp_path / "t.csv", [], "…"), ["name"])
    assert found.name.tolist()[:2] == ["007", "NA"]
    assert found.name.isna().tolist() == [False, False, True]
    assert found.seed.tolist() == [1, 2, 3]
    assert found.seed.dtype == "int64"
    assert found.loss.tolist()[::2] == [0.5, 1]
    assert found.flag.tolist() == [True] * 3
    assert found["filter"].tolist() == ["a", "1", "nan"]


def test_no_flip_and_no_cut_of_a_checked_table_passes(tmp_path: Path) -> None:
    table = pd.DataFrame({"row": ["a", "b\r", 'c "'], "value": [1.5, 2, math.nan]})
    path = tmp_path / "t.csv"
    write_checked_csv(table, path)
    whole = path.read_bytes()
    flipped = (
        whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        for place in range(len(whole))
    )
    cut = (whole[:length] for length in range(len(whole) - 1))  # the last line end may go
    for content in [*flipped, *cut]:
        path.write_bytes(content)
        try:
            found = read_csv(path, table.columns, "…", ["value"], checked=True)
        except TableError:
            continue
        pd.testing.assert_frame_equal(found, table)  # another line end, say


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: it is empty"),
        (b"null", "line 1: the table has no column name, number"),
        (b"name,x\na,1\n", "line 1: the table has no column number"),
        (b"name,name,number\n", "line 1: a column is there twice"),
        (b"name,number\na,1\nb", "line 3: 1 of 2 columns, it was cut"),
        (b'name,number\na,1\n"b', "line 3: unexpected end of data"),
        (b'name,number\n"a\nb",1\nc,five\n', "line 4: 'five' in column number is no number"),
        (b"name,number\na,inf\n", "line 2: 'inf' in column number is no number"),
        (b"name,number\na,nan\n", "line 2: 'nan' in column number is no number"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content, message) -> None:
    path = tmp_path / "t\n.csv"
    path.write_bytes(content)
    with pytest.raises(TableError) as error:
        read_csv(path, ["name", "number"], "delete it", ["number"])
    assert str(error.value).startswith(f"{tmp_path}/t\\n.csv, {message}")
    assert str(error.value).endswith("; delete it")


@pytest.mark.parametrize("drop", [[0], [1], [2], [0, 1, 2]])
def test_lines_that_were_taken_away_are_missed(tmp_path: Path, drop: list[int]) -> None:
    write_checked_csv(pd.DataFrame({"value": [1, 2, 3]}), tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines(keepends=True)
    left = [line for number, line in enumerate(lines) if number - 1 not in drop]
    (tmp_path / "t.csv").write_text("".join(left))
    with pytest.raises(TableError, match="missing"):
        read_csv(tmp_path / "t.csv", ["value"], "…", checked=True)


def test_a_changed_line_is_named_alone(tmp_path: Path) -> None:
    write_checked_csv(pd.DataFrame({"value": [1, 2, 3]}), tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(text.replace("\n2,", "\n9,"))
    with pytest.raises(TableError, match="line 3: it was changed"):
        read_csv(tmp_path / "t.csv", ["value"], "…", checked=True)
