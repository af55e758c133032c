"""Each published number against a second list, typed from the sources by somebody else."""

from pathlib import Path

import pandas as pd
import pytest

from mirkeras.experiment.published import published_rows, tables

TYPED = sorted((Path(__file__).parent / "typed").glob("*.csv"))


@pytest.mark.parametrize("path", TYPED, ids=lambda path: path.stem)
def test_published_numbers_are_those_typed_a_second_time(path: Path) -> None:
    typed = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")
    rows = published_rows(path.stem).set_index("id")
    rows.index = rows.index.str.removeprefix(f"{path.stem}/")
    assert {*rows.index[rows.value.notna()]} == {*typed.index}
    for name, column in typed.items():
        for row, text in column.items():
            found = rows.loc[row, name]
            if text == "":
                assert pd.isna(found), f"{row}: {name} {found}, no such number was typed"
            else:  # one source prints more decimals of some numbers
                decimals = len(text.partition(".")[2])
                assert round(float(found), decimals) == float(text), f"{row}: {name}"


def test_every_published_table_was_typed_twice() -> None:
    assert {path.stem for path in TYPED} == {*tables()}
