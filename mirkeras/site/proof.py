"""What is proven: numbers of parameters as published, outputs as of the authors' programs."""

import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from mirkeras.evaluation import results
from mirkeras.evaluation.parameters import count_parameters
from mirkeras.experiment import published
from mirkeras.experiment.rows import find_experiment
from mirkeras.storage.tables import read_csv


def parameters(paper: str) -> tuple[int, int]:
    """Count the networks whose number of parameters a paper prints, and those of which ours has it.

    A number printed with zeros at its end (2,460,000) is one that was cut or rounded there.

    Returns
    -------
    (ours, printed) : tuple of int
    """
    rows = published.published_rows(paper)
    outputs = results.output_counts(rows)
    printed = rows[rows.params.notna() & (rows.row != "")].drop_duplicates("row")
    experiment = find_experiment(paper)
    same = [
        as_printed(count_parameters(experiment, row.row, outputs[row.id], row.protocol), row.params)
        for row in printed.itertuples(index=False)
    ]
    return sum(same), len(same)


def as_printed(count: int | None, printed: float) -> bool:
    """Whether a number is the printed one, or becomes it where that ends in zeros."""
    if count is None:
        return False
    number = int(printed)
    unit = 10 ** (len(str(number)) - len(str(number).rstrip("0")))
    return number in (count // unit * unit, round(count / unit) * unit)


def code_digest() -> str:
    """Digest what parameter counts hang on: published numbers, papers, layers, Keras."""
    seal = hashlib.sha256(version("keras").encode())
    folders = [published.RESULTS / "published"]
    folders.append(Path(inspect.getfile(count_parameters)).parents[1] / "layers")
    for paper in published.papers():
        folders.append(Path(inspect.getfile(_module(paper))).parent)
    for folder in folders:
        for path in sorted([*folder.glob("*.py"), *folder.glob("*.csv")]):
            seal.update(path.read_bytes())
    return seal.hexdigest()


def _module(paper: str) -> object:
    from importlib import import_module

    return import_module(published.module_of(paper))


def parity() -> list[dict]:
    """Count comparisons with the authors' programs, as they were last made.

    Returns
    -------
    list of dict
        paper; held, of; networks, how many were compared; tolerance, the largest that was allowed.
    """
    found = []
    for path in sorted((published.RESULTS / "measured").glob("*-parity.csv")):
        paper = path.stem.removesuffix("-parity")
        remedy = f"restore it, or make it anew: python -m reproductions.{paper}.parity"
        table = read_csv(path, ["model", "held", "tolerance"], remedy, numbers=["tolerance"])
        table = table[table.held != ""]  # the others measure a difference that nothing bounds
        found.append(
            {
                "paper": paper,
                "held": int((table.held == "yes").sum()),
                "of": len(table),
                "networks": table.model.nunique(),
                "tolerance": f"{pd.to_numeric(table.tolerance).max():g}",
            }
        )
    return found
