"""What a page says of the price of the Million Song Dataset is what was measured."""

import json
from pathlib import Path

import pytest

from mirkeras.features import RECIPES
from tests.benchmarks import prices

FOLDER = Path(__file__).parents[2] / "data_prep"


def test_the_table_of_the_page_is_that_of_the_record() -> None:
    record = json.loads((FOLDER / "msd_price.json").read_text(encoding="utf-8"))
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert prices.table(record["prices"]) in page
    assert record["finished"][:10] in page
    assert not record["commit"].endswith("changes")
    assert {*RECIPES} <= {line["what"] for line in record["prices"]}


def test_prices_add_up() -> None:
    record = json.loads((FOLDER / "msd_price.json").read_text(encoding="utf-8"))
    for line in record["prices"]:
        parts = [line[part] for part in ("decode", "frames", "network") if part in line]
        assert line["seconds"] == pytest.approx(sum(parts), abs=2e-4)
        assert line["core_hours"] == pytest.approx(line["seconds"] * prices.TRACKS / 3600, abs=5e-3)
