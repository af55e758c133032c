"""Figure 7 of the report beside ours: ``python -m reproductions.schindler_gtzan.confusion``.

Draws the published confusion matrix (CQT & EXP, deep, 100 epochs; tracks by `max`) beside that of
the finished runs of a row: one figure per set-up (data set, split, protocol, folds, epochs), all
folds and seeds of it counted together. Each has its own classes.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.cli.options import command_parser
from mirkeras.evaluation import metrics
from mirkeras.evaluation.drawing import in_words, names_of_rows, short_names
from mirkeras.experiment import find_experiment
from mirkeras.experiment.published import RESULTS
from mirkeras.experiment.records import read_predictions
from mirkeras.experiment.runs import Run, find_runs
from mirkeras.report import figures, matrices
from mirkeras.system.errors import UsageError, as_command

PAPER = "schindler_gtzan"
ROW = "report/cqt-exp-deep-100"  # whose matrix the report prints
PUBLISHED = RESULTS / "published" / "confusion" / f"{PAPER}_fig7.csv"


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw the figure of every set-up of a row; returns the exit status."""
    arguments = _parser().parse_args(argv)
    for path in draw(arguments.out, arguments.row):
        print(f"written: {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        f"reproductions.{PAPER}.confusion",
        __doc__.split("\n\n", 1)[1],
        "Figures go to <out>/figures/fig7-<set-up>-<row>.png.",
    )
    add = parser.add_argument
    add("row", nargs="?", default=ROW, metavar="ROW", help="whose runs (default: %(default)s)")
    add("--out", type=Path, default=Path("runs"), metavar="DIR",
        help="where the runs are (default: %(default)s)")  # fmt: skip
    return parser


def draw(out: Path, row: str) -> list[Path]:
    """Draw the published matrix beside that of each set-up in which `row` was run.

    Raises
    ------
    UsageError
        Unknown row, or none of its runs is finished.
    """
    experiment = find_experiment(PAPER)
    if row not in experiment.rows:
        raise UsageError(f"unknown row {row!r}; rows: {', '.join(experiment.rows)}")
    paths = []
    theirs, their_classes = published()
    theirs_title = f"published: Fig. 7, {experiment.rows[ROW].model}, GTZAN\n{_right(theirs)}"
    for name, group, runs in _finished(out, row):
        aggregate = experiment.protocol_of(group.protocol.iloc[0], row).aggregate
        ours = metrics.confusion(runs, aggregate)
        called = names_of_rows(experiment, group)[row]
        title = f"measured: {called}\n{in_words(experiment, group)}\n{_right(ours)}"
        path = out / PAPER / "figures" / f"fig7-{name}-{row.replace('/', '-')}.png"
        beside([(theirs, their_classes, theirs_title), (ours, runs[0]["classes"], title)], path)
        paths.append(path)
    if not paths:
        raise UsageError(
            f"no finished run of {row} below {out}: train it with `python -m "
            f"reproductions.{PAPER}.train --rows {row} --out {out}`, or name another row"
        )
    return paths


def published() -> tuple[np.ndarray, np.ndarray]:
    """Read Fig. 7: int (10, 10) tracks, true class in rows, and str (10,) the classes."""
    table = pd.read_csv(PUBLISHED, index_col="true")
    return table.to_numpy(), table.columns.to_numpy(str)


def _finished(out: Path, row: str) -> Iterator[tuple[str, pd.DataFrame, list[dict]]]:
    """Go through the set-ups of a row: (name for figures, its runs, their predictions)."""
    found = [
        asdict(Run.of(record)) | {"path": path, "capped": record.get("capped")}
        for path, record in find_runs(out, PAPER)
    ]
    runs = pd.DataFrame(found, columns=[*(field.name for field in fields(Run)), "path", "capped"])
    runs = runs.assign(name=short_names(runs))
    for name, group in runs[runs.row == row].groupby("name"):
        yield name, group, [read_predictions(path) for path in group.path]


def _right(matrix: np.ndarray) -> str:
    share = metrics.PER_CENT * matrix.trace() / matrix.sum()
    return f"{matrix.trace()} of {matrix.sum()} tracks right ({share:.1f} %)"


def beside(panels: list[tuple[np.ndarray, np.ndarray, str]], path: Path) -> None:
    """Draw confusion matrices side by side.

    Parameters
    ----------
    panels : list of (int (classes, classes), str (classes,), str)
        Matrix in tracks with the true class in rows, names of its classes, title.
    """
    widths = [max(4.2, 2.0 + 0.42 * len(classes)) for _, classes, _ in panels]
    figure = figures.canvas(sum(widths), max(widths) + 0.9)
    room = figure.get_figwidth() / sum(widths)  # of what is asked for, less where that is too wide
    places = figure.subfigures(1, len(panels), width_ratios=widths, squeeze=False)[0]
    for place, width, (matrix, classes, title) in zip(places, widths, panels, strict=True):
        matrices.draw_confusion(place.subplots(), matrix, classes, room * width - 1.4)
        figures.title(place, title)
    figures.save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
