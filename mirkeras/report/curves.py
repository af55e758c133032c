"""How networks learned: loss and accuracy over epochs."""

import textwrap
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from mirkeras.report import figures
from mirkeras.report.figures import MEASURED, PUBLISHED

QUANTITIES = {"loss": "loss", "accuracy": "segment accuracy (%)"}
COLUMNS = 4
LINE = 20  # characters of a line of a title


def training_curves(
    logs: dict[str, list[pd.DataFrame]], path: Path, *, title: str, watched: str = "validation"
) -> None:
    """Draw loss and, for classes, accuracy of training and validation over epochs.

    Every network has axes of its own: losses of two may differ by a hundred times.

    Parameters
    ----------
    logs : dict
        Name of a network → ``log.csv`` of its runs, a line each.
    title : str
        Data and protocol.
    watched : str
        What the logs call validation.
    """
    every = [log for runs in logs.values() for log in runs]
    quantities = [name for name in QUANTITIES if all(name in log for log in every)]
    columns = min(COLUMNS, len(logs))
    blocks = -(-len(logs) // columns)
    figure = figures.canvas(max(6.0, 2.7 * columns), 1 + 1.9 * len(quantities) * blocks)
    grid = figure.subplots(blocks * len(quantities), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_visible(False)
    for number, (name, runs) in enumerate(logs.items()):
        block, column = divmod(number, columns)
        for line, quantity in enumerate(quantities):
            axes = grid[block * len(quantities) + line, column]
            _draw_runs(axes, runs, quantity, watched)
            if column == 0:
                axes.set_ylabel(QUANTITIES[quantity], fontsize="small")
            if line == 0:
                axes.set_title(textwrap.fill(figures.label(name), LINE), fontsize="small")
            if line == len(quantities) - 1:
                axes.set_xlabel("epoch", fontsize="small")
    figures.title(figure, title)
    figures.legend(figure, grid[0, 0])
    figures.save(figure, path)


def _draw_runs(axes: Axes, runs: list[pd.DataFrame], quantity: str, watched: str) -> None:
    """Draw a quantity of each run, all runs alike."""
    axes.set_visible(True)
    scale = 100 if quantity == "accuracy" else 1
    for log in runs:
        marker = "o" if len(log) == 1 else ""
        for name, colour, style, called in (
            (quantity, PUBLISHED, "--", "training"),
            (f"val_{quantity}", MEASURED, "-", watched),
        ):
            if name in log:  # where all of it trains, nothing validates
                axes.plot(log.epoch, scale * log[name], marker=marker, color=colour, ls=style,
                          lw=1.2 if len(runs) == 1 else 0.8, label=called)  # fmt: skip
    if quantity == "accuracy":
        axes.set_ylim(0, 100)
    axes.tick_params(labelsize="x-small")
    axes.grid(alpha=0.3)
