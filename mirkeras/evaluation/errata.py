"""The errata of the field: where papers contradict themselves, their tables or their code.

``results/published/errata.csv`` has a line for each; `tests/test_errata.py` proves what arithmetic,
a published table or the suite's own code can prove. The page is made of it: ``make errata``.
"""

from pathlib import Path

import pandas as pd

from mirkeras.experiment import published
from mirkeras.report.tables import table
from mirkeras.storage.files import write_text
from mirkeras.storage.tables import read_csv

COLUMNS = ("id", "paper", "claim", "contradiction", "proof", "kind")
#: Kinds of proof that a test carries out.
PROVEN = ("arithmetic", "table", "our code")
#: Kinds that rest on reading: the authors' code, or two places of what they wrote.
READ = ("authors' code", "text")


def errata() -> pd.DataFrame:
    """Read the errata that came with the suite.

    Returns
    -------
    DataFrame
        Text, by paper: id; paper (its folder in ``reproductions``); claim, with its place;
        contradiction; proof (how to check it); kind (of `PROVEN` or `READ`).

    Raises
    ------
    TableError
        The file is damaged.
    """
    path = published.RESULTS / "published" / f"{published.ERRATA}.csv"
    return read_csv(path, COLUMNS, "restore it, it came with the suite")


def page(rows: pd.DataFrame) -> str:
    """Lay the errata out in Markdown, a table for each paper, in the order of `rows`."""
    head = [name for name in COLUMNS if name != "paper"]
    parts = []
    for paper, own in rows.groupby("paper", sort=False):
        lines = own[head].itertuples(index=False)
        parts.append(f"## [{paper}]({paper}/README.md)\n\n{table(head, 'lllll', lines)}\n")
    tested = int(rows.kind.isin(PROVEN).sum())
    return PAGE.format(
        rows=len(rows), tested=tested, read=len(rows) - tested, tables="\n".join(parts)
    )


def write_page() -> Path:
    """Write ``reproductions/ERRATA.md`` anew; returns where it is."""
    path = published.RESULTS.parent / "reproductions" / "ERRATA.md"
    write_text(path, page(errata()))
    return path


PAGE = """\
# Errata of the field

Where the papers of this suite contradict themselves, their own tables, or the code that made their
numbers: {rows} places. Made by `make errata` from
[errata.csv](../results/published/errata.csv).

{tested} of them have a test of the same name (`pytest tests/test_errata.py`), which computes the
contradiction anew. `kind` says from what:

- `arithmetic`: from the numbers in the claim;
- `table`: from published tables, as in `results/published`;
- `our code`: from networks, rules, divisions and recipes as they are built here. Where the proof
  says "after", what the authors' code does was read in that file and built likewise; the test shows
  what follows from it, not that the file says so.

The other {read} rest on reading alone, and have no test:

- `authors' code`: the file is named;
- `text`: two places of what the authors wrote.

What the public code does was in the published numbers only if that code made them.

{tables}"""
