"""Confusion matrices."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mirkeras.report import figures

LEAST = 7.0  # inches: a title has room
LABELS = 2.6  # inches for the names beside a matrix


def confusion(matrix: np.ndarray, classes: np.ndarray, path: Path, *, title: str) -> None:
    """Draw a confusion matrix in tracks, shaded by recall; true class in rows."""
    width = min(figures.WIDEST, max(LEAST, LABELS + 0.5 * len(classes)))
    figure = figures.canvas(width, width)
    draw_confusion(figure.subplots(), matrix, classes, width - LABELS)
    figures.title(figure, title)
    figures.save(figure, path)


def draw_confusion(axes: Axes, matrix: np.ndarray, classes: np.ndarray, inches: float) -> None:
    """Draw a confusion matrix some inches wide into axes, see `confusion`.

    Letters shrink with the cells, so that the names of fifty classes stay apart.
    """
    cell = 72 * inches / len(classes)  # points
    names = figures.ticks(classes)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (true, decided), count in np.ndenumerate(matrix):
        if count:
            dark = share[true, decided] > 0.5
            axes.text(decided, true, count, ha="center", va="center", color="w" if dark else "k",
                      fontsize=np.clip(0.42 * cell, 3, 10))  # fmt: skip
    size = np.clip(0.75 * cell, 4, 10)
    axes.set_xticks(
        range(len(classes)), names, fontsize=size, rotation=45, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(classes)), names, fontsize=size)
    axes.set(xlabel="decided class (tracks)", ylabel="true class (tracks)")
