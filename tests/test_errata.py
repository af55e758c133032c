"""The errata: what can be proven is proven, row by row, and the page is as its table."""

from importlib import import_module
from pathlib import Path

import pytest

from mirkeras.evaluation import errata
from mirkeras.experiment.published import ERRATA, ResultsError, module_of, papers, published_rows

pytest.register_assert_rewrite("tests.errata")

from tests.errata import PROOFS  # noqa: E402 (its asserts are to say what they compared)

ROOT = Path(__file__).parents[1]
ROWS = errata.errata()

for paper in ROWS.paper.unique():
    import_module(f"tests.errata.{paper}")


@pytest.mark.parametrize("row", PROOFS)
def test_the_contradiction_is_there(row: str) -> None:
    PROOFS[row]()


def test_every_row_that_can_be_proven_is_and_no_other() -> None:
    assert {*PROOFS} == {*ROWS.id[ROWS.kind.isin(errata.PROVEN)]}
    assert len(PROOFS) >= 30
    assert {*ROWS.kind} == {*errata.PROVEN, *errata.READ}


def test_rows_have_a_name_of_their_own_a_paper_and_all_cells() -> None:
    assert ROWS.id.is_unique
    assert ROWS.id.str.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+").all()
    assert {*ROWS.paper} <= {*papers()}
    assert (ROWS.paper != ROWS.paper.shift()).sum() == ROWS.paper.nunique()  # paper by paper
    assert (ROWS != "").all(axis=None)


def test_what_was_read_in_the_authors_code_names_the_file() -> None:
    read = ROWS.proof[ROWS.kind == "authors' code"]
    assert read.str.fullmatch(r"read in the authors' code: \S+/\S+, \S+\.py.*").all()


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "reproductions" / "ERRATA.md").read_text(encoding="utf-8")
    assert page == errata.page(ROWS), "make errata"


def test_errata_are_no_paper() -> None:
    assert ERRATA not in papers()
    for find in (module_of, published_rows):
        with pytest.raises(ResultsError, match="unknown paper 'errata'"):
            find(ERRATA)


def test_tables_of_the_page_are_no_wider_than_a_screen() -> None:
    cells = ROWS.drop(columns="paper").stack()
    words = cells.str.split(r"[\s-]", regex=True).explode()
    assert words.str.len().max() <= 35  # a longer one cannot be broken
