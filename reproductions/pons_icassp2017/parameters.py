"""Accuracy against parameters: ``python -m reproductions.pons_icassp2017.parameters --out runs``.

The poster's question is how few parameters suffice. One figure per set-up: on the left what was
published on Ballroom, of CBMI 2016's networks and of these; on the right what was measured of both
on one data set (CBMI 2016's: the runs that came with the suite).
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.comparison import SETUP
from mirkeras.evaluation.evaluate import setup_name
from mirkeras.evaluation.results import evaluated, recorded
from mirkeras.experiment.published import published_rows
from mirkeras.report import figures
from mirkeras.system.errors import as_command

PAPER, BEFORE = "pons_icassp2017", "pons_cbmi2016"
COLOURS = {BEFORE: figures.PUBLISHED, PAPER: figures.MEASURED}
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


def draw_points(axes: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw rows as points with their deviations, named where there is room; a colour per paper."""
    for paper, rows in table.groupby("paper", sort=False):
        axes.errorbar(
            rows.parameters, rows.value, rows["std"], fmt=MARKERS[paper], color=COLOURS[paper],
            capsize=2, label=TITLES[paper],
        )  # fmt: skip
    named: list[tuple[float, float, str]] = []
    by_size = table.assign(name=table.index).sort_values("parameters").itertuples()
    for number, row in enumerate(by_size):
        above = number % 2 == 0  # in turn, so that neighbours have room
        x, y = np.log10(row.parameters), row.value + (3 if above else -3)
        name = row.name.partition("/")[2]
        # a name takes some 0.06 decades a letter
        if any(x - left < 0.06 * len(text) and abs(y - at) < 4 for left, at, text in named):
            continue
        named.append((x, y, name))
        axes.annotate(
            name, (row.parameters, row.value), xytext=(5, 5 if above else -10),
            textcoords="offset points", fontsize="x-small",
        )  # fmt: skip
    axes.set(xscale="log", xlim=(1e3, 3e7), ylim=(0, 102), xlabel="parameters", title=title)
    axes.grid(alpha=0.3)


def draw(group: pd.DataFrame, before: pd.DataFrame, path: Path) -> None:
    """Draw the figure of one set-up."""
    figure = Figure(figsize=(10.5, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    draw_points(left, published(), "published: Ballroom, 10 folds")
    left.set_ylabel("track accuracy (%)")
    slides = published_rows(PAPER)
    for line in slides[slides.row == ""].itertuples():
        left.axhline(line.value, color=COLOURS[PAPER], ls=":", lw=1)
        left.annotate(f"slides, {line.model}", (1.1e3, line.value + 0.5), fontsize="x-small")
    beside, one = rows_beside(group, before), group.iloc[0]
    caps = " and ".join(f"{count:.0f}" for count in beside.groupby("paper").epochs.max())
    data = f"{figures.label(one.dataset)}, {one.protocol}, {one.folds} folds"
    draw_points(right, beside, f"measured: {data}\nat most {caps} epochs")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    figures.save(figure, path)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw the figure of every set-up evaluated below --out; returns the exit status."""
    parser = command_parser(f"reproductions.{PAPER}.parameters", __doc__.split("\n\n")[1])
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    out = parser.parse_args(argv).out
    measured, before = evaluated(PAPER, out), recorded(BEFORE)
    for _, group in measured.groupby(SETUP):
        path = out / PAPER / "figures" / f"{setup_name(group)}-parameters.png"
        draw(group, before, path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
