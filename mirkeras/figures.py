"""The suite's figures, Matplotlib; each writes one PNG."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mirkeras.files import whole_file

DPI = 130
PUBLISHED, MEASURED = "#9aa5b1", "#1f6f8b"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole."""
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def comparison(table: pd.DataFrame, path: Path) -> None:
    """Draw published and measured values with their standard deviations side by side.

    Parameters
    ----------
    table : DataFrame
        Measured lines of one data set and protocol, as from `mirkeras.results.compare`.
    """
    figure = Figure(figsize=(1.8 + 1.3 * len(table), 4.2), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(table))
    axes.bar(
        place - 0.2, table.published, 0.4, yerr=table.published_std, color=PUBLISHED, capsize=3,
        label="published (the paper's data)",
    )  # fmt: skip
    axes.bar(
        place + 0.2, table.measured, 0.4, yerr=table.measured_std, color=MEASURED, capsize=3,
        label=f"measured ({table.dataset.iloc[0]}, {table.n.iloc[0]} runs)",
    )  # fmt: skip
    axes.set_xticks(place, [name.replace(" ", "\n", 1) for name in table.model])
    axes.set(ylim=(0, 105), ylabel="track accuracy (%)")
    figure.legend(loc="outside upper center", ncols=2)
    save(figure, path)


def confusion(matrix: np.ndarray, classes: np.ndarray, title: str, path: Path) -> None:
    """Draw a confusion matrix in tracks, shaded by recall; true class in rows."""
    size = 2.4 + 0.55 * len(classes)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axes = figure.subplots()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (true, voted), count in np.ndenumerate(matrix):
        if count:
            dark = share[true, voted] > 0.5
            axes.text(voted, true, count, ha="center", va="center", color="w" if dark else "k")
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="voted class", ylabel="true class", title=title)
    save(figure, path)


def training_curves(logs: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw the loss and accuracy of the training and validation part over epochs, a column a row.

    Parameters
    ----------
    logs : dict
        Title → a run's ``log.csv``.
    """
    figure = Figure(figsize=(1 + 3 * len(logs), 5), layout="constrained")
    axes = figure.subplots(2, len(logs), sharex="col", sharey="row", squeeze=False)
    for column, (title, log) in enumerate(logs.items()):
        for line, quantity in enumerate(("loss", "accuracy")):
            axes[line, column].plot(log.epoch, log[quantity], color=PUBLISHED, label="training")
            axes[line, column].plot(
                log.epoch, log[f"val_{quantity}"], color=MEASURED, label="validation"
            )
        axes[0, column].set_title(title, fontsize="medium")
        axes[1, column].set_xlabel("epoch")
    axes[0, 0].set_ylabel("cross-entropy")
    axes[1, 0].set_ylabel("segment accuracy")
    axes[0, 0].legend()
    save(figure, path)
