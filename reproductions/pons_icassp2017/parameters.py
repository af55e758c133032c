"""Accuracy against parameters: ``python -m reproductions.pons_icassp2017.parameters --out runs``.

The poster's question is how few parameters suffice. One figure per set-up: on the left what was
published on Ballroom, of CBMI 2016's networks and of these; on the right what was measured of both
on one data set (CBMI 2016's: the runs that came with the suite).
"""

import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.drawing import chance, in_words, short_names
from mirkeras.evaluation.results import evaluated, recorded
from mirkeras.experiment import find_experiment
from mirkeras.experiment.published import published_rows
from mirkeras.report import figures
from mirkeras.system.errors import as_command

PAPER, BEFORE = "pons_icassp2017", "pons_cbmi2016"
COLOURS = {BEFORE: figures.PUBLISHED, PAPER: figures.MEASURED}
TITLE = 60  # characters of a line of a title
MARKERS = {BEFORE: "s", PAPER: "o"}
TITLES = {BEFORE: "CBMI 2016: one filter length", PAPER: "ICASSP 2017: many filter lengths"}


def summarised(measured: pd.DataFrame) -> pd.DataFrame:
    """Average the runs of each row: index row; columns paper, parameters, value, std, n, epochs."""
    return measured.groupby("row", sort=False).agg(
        paper=("paper", "first"),
        parameters=("parameters", "first"),
        value=("accuracy", "mean"),
        std=("accuracy", lambda values: values.std(ddof=0)),
        n=("accuracy", "size"),
        epochs=("max_epochs", "first"),
    )


def rows_beside(group: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Join a set-up's runs with those of CBMI 2016 on the same features, folds and protocol.

    The same features are the same audio, whatever a data set is called. These runs may be trained
    for another number of epochs; if there are several, those with most.
    """
    one = group.iloc[0]
    same = before[
        (before.features == one.features)
        & (before.split == one.split)
        & (before.protocol == one.protocol)
        & (before.folds == one.folds)
    ]
    same = same[same.max_epochs == same.groupby("row").max_epochs.transform("max")]
    return pd.concat([summarised(same), summarised(group)])


def published() -> pd.DataFrame:
    """What was published on Ballroom, of rows with parameters and a value."""
    rows = published_rows(BEFORE)
    found = rows[rows.value.notna() & rows.params.notna()]
    return pd.DataFrame(
        {"paper": BEFORE, "parameters": found.params, "value": found.value, "std": found["std"]}
    ).set_index(found.row)


def _name(paper: str, row: str) -> str:
    """Name a row of either paper as the paper does."""
    return figures.label(find_experiment(paper).rows[row].model, figures.LONGEST_TICK)


def draw_points(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw rows as points with their deviations, named where there is room; a colour per paper."""
    for paper, rows in table.groupby("paper", sort=False):
        axes.errorbar(
            rows.parameters, rows.value, (rows["std"], np.minimum(rows["std"], 100 - rows.value)),
            fmt=MARKERS[paper], color=COLOURS[paper],
            capsize=2, label=TITLES[paper],
        )  # fmt: skip
    named: list[tuple[float, float, str]] = []
    by_size = table.assign(name=table.index).sort_values("parameters").itertuples()
    for number, row in enumerate(by_size):
        above = number % 2 == 0  # in turn, so that neighbours have room
        x, y = np.log10(row.parameters), row.value + (3 if above else -3)
        name = _name(row.paper, row.name)
        # a name takes some 0.06 decades a letter
        if any(x - left < 0.06 * len(text) and abs(y - at) < 4 for left, at, text in named):
            continue
        named.append((x, y, name))
        axes.annotate(
            name, (row.parameters, row.value), xytext=(5, 5 if above else -10),
            textcoords="offset points", fontsize="x-small",
        )  # fmt: skip
    axes.set(xscale="log", xlim=(1e3, 5e7), ylim=(0, 102), xlabel="parameters")
    axes.set_title(title, fontsize="small")
    axes.grid(alpha=0.3)


def draw(group: pd.DataFrame, before: pd.DataFrame, path: Path) -> None:
    """Draw the figure of one set-up."""
    figure = figures.canvas(10.5, 5.8)
    left, right = figure.subplots(1, 2, sharey=True)
    draw_points(left, published(), "published: Ballroom, 10 folds")
    left.set_ylabel("track accuracy (%), mean ± std of folds")
    slides = published_rows(PAPER)
    for line in slides[slides.row == ""].itertuples():
        left.axhline(line.value, color=COLOURS[PAPER], ls=":", lw=1)
        left.annotate(f"slides, {line.model}", (1.1e3, line.value + 0.5), fontsize="x-small")
    words = textwrap.fill(in_words(find_experiment(PAPER), group), TITLE)
    draw_points(right, rows_beside(group, before), f"measured on other data: {words}")
    if guess := chance("accuracy", group):
        right.axhline(
            guess.value, color=figures.CHANCE, ls="--", lw=1.2,
            label=f"chance ({guess.how}): {guess.value:.1f}",
        )  # fmt: skip
    figures.legend(figure, right)
    figures.save(figure, path)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw the figure of every set-up evaluated below --out; returns the exit status."""
    parser = command_parser(f"reproductions.{PAPER}.parameters", __doc__.split("\n\n")[1])
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    out = parser.parse_args(argv).out
    measured, before = evaluated(PAPER, out), recorded(BEFORE)
    for name, group in measured.groupby(short_names(measured)):
        path = out / PAPER / "figures" / f"{name}-parameters.png"
        draw(group, before, path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
