"""The paper's own numbers: `results/published/<paper>.csv`, one line per row, with its source."""

from pathlib import Path

import pandas as pd

import results
from mirkeras.storage.tables import inferred, read_csv
from mirkeras.system.errors import ExpectedError


class ResultsError(ExpectedError):
    """Results cannot be compared; the message says why and what to do."""


RESULTS = Path(results.__file__).parent


def papers() -> tuple[str, ...]:
    """Names of the papers with published numbers."""
    return tuple(sorted(path.stem for path in (RESULTS / "published").glob("*.csv")))


def published_rows(paper: str) -> pd.DataFrame:
    """Read the published rows of a paper.

    Returns
    -------
    DataFrame
        Columns id, row (the network that is run for it; empty for cited earlier work), model,
        params, dataset, split, metric, value (nan: a network without a published number), std,
        folds (nan: unknown), baseline, baseline_source, source, note, outputs (classes of a data
        set that is not one of `data_prep`), protocol (the only one it can be compared with; empty:
        any).

    Raises
    ------
    ResultsError
        There is no such paper.
    TableError
        The file is damaged.
    """
    path = RESULTS / "published" / f"{paper}.csv"
    if not path.exists():
        raise ResultsError(f"unknown paper {paper!r}; known: {', '.join(papers())}")
    needed = ("id", "row", "model", "params", "dataset", "split", "metric", "value", "std", "folds")
    text = ("id", "row", "model", "dataset", "split", "note", "protocol", "source")
    table = inferred(read_csv(path, needed, "restore it, it came with the suite"), text)
    for optional in {"note", "outputs", "protocol"} - set(table):
        table[optional] = pd.NA
    return table.fillna(dict.fromkeys(text, ""))


def row_ids(paper: str) -> dict[str, str]:
    """Map published ids, without the paper's name, to the rows that are run for them."""
    table = published_rows(paper)
    return dict(zip(table.id.str.removeprefix(f"{paper}/"), table.row, strict=True))
