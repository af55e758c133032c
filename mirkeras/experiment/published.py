"""The paper's own numbers: `results/published/<paper>.csv`, one line per row, with its source."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import results
from mirkeras.storage.tables import inferred, read_csv
from mirkeras.system.errors import ExpectedError

if TYPE_CHECKING:
    import pandas as pd


class ResultsError(ExpectedError):
    """Results cannot be compared; the message says why and what to do."""


RESULTS = Path(results.__file__).parent
#: The one table among theirs that is of no paper, see `mirkeras.evaluation.errata`.
ERRATA = "errata"

#: Entry points by which installed packages add papers: name → module with an `EXPERIMENT`.
GROUP = "mirkeras.papers"


def tables() -> dict[str, Path]:
    """Find the tables of published numbers: name of the paper → file, by name."""
    found = sorted((RESULTS / "published").glob("*.csv"))
    return {path.stem: path for path in found if path.stem != ERRATA}


def papers() -> tuple[str, ...]:
    """Names of the papers of the suite, then of those that installed packages add."""
    return (*tables(), *(point.name for point in entry_points(group=GROUP)))


def module_of(paper: str) -> str:
    """Name the module that declares a paper's `EXPERIMENT`.

    Parameters
    ----------
    paper : str
        A folder of ``reproductions``, the name of an entry point of `GROUP`, or the dotted name of
        a module of one's own.

    Raises
    ------
    ResultsError
        There is no such paper.
    """
    if paper in tables():
        return f"reproductions.{paper}.experiments"
    for point in entry_points(group=GROUP):
        if point.name == paper:
            return point.value
    if "." in paper and all(part.isidentifier() for part in paper.split(".")):
        return paper
    raise ResultsError(
        f"unknown paper {paper!r}; known: {', '.join(papers())}, or a module of yours: "
        "mypackage.mypaper"
    )


def published_rows(paper: str) -> "pd.DataFrame":
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
    import pandas as pd  # costs half a second; who builds a network needs no table

    path = tables().get(paper)
    if path is None:
        return _unpublished_rows(paper)
    needed = ("id", "row", "model", "params", "dataset", "split", "metric", "value", "std", "folds")
    text = ("id", "row", "model", "dataset", "split", "note", "protocol", "source")
    table = inferred(read_csv(path, needed, "restore it, it came with the suite"), text)
    for optional in {"note", "outputs", "protocol"} - set(table):
        table[optional] = pd.NA
    return table.fillna(dict.fromkeys(text, ""))


def _unpublished_rows(paper: str) -> "pd.DataFrame":
    """List the rows of a paper that brings no published numbers; parameters are for 10 classes."""
    import pandas as pd

    from mirkeras.experiment.rows import find_experiment

    rows = find_experiment(paper).rows.values()
    table = pd.DataFrame({"row": [row.id for row in rows], "model": [row.model for row in rows]})
    table["id"] = f"{paper}/" + table.row
    text = dict.fromkeys(("dataset", "split", "note", "protocol", "source"), "")
    unknown = dict.fromkeys(("params", "value", "std", "folds", "baseline"), np.nan)
    return table.assign(metric="accuracy", outputs=10, **text, **unknown)


def row_ids(paper: str) -> dict[str, str]:
    """Map published ids, without the paper's name, to the rows that are run for them."""
    table = published_rows(paper)
    return dict(zip(table.id.str.removeprefix(f"{paper}/"), table.row, strict=True))
