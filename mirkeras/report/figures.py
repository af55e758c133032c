"""The suite's figures, Matplotlib; each writes one PNG."""

import io
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mirkeras.storage.files import write_bytes
from mirkeras.system.errors import shown

DPI = 130
LONGEST, LONGEST_TICK = 64, 24  # characters of a name
PUBLISHED, MEASURED = "#9aa5b1", "#1f6f8b"
LABELS = {
    "accuracy": "track accuracy (%)",
    "segment_accuracy": "segment accuracy (%)",
    "raw": "segment accuracy, raw (%)",
    "max": "track accuracy, max (%)",
    "maj": "track accuracy, maj (%)",
    "roc_auc": "macro ROC-AUC",
    "pr_auc": "macro PR-AUC",
    **{
        f"{kind}_f1_{rule}": f"{kind} F1 ({rule})"
        for kind in ("micro", "macro")
        for rule in ("s1", "s2")
    },
    "time_ratio": "training time / that at 22,050 Hz",
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole."""
    FigureCanvasAgg(figure)
    drawn = io.BytesIO()  # on a full disk its writer forgets the system's reason
    with warnings.catch_warnings():
        # names in scripts the font lacks become boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(drawn, dpi=DPI, format="png")
    write_bytes(path, drawn.getbuffer())


def label(name: object, longest: int = LONGEST) -> str:
    """Write a name so that figures show it: no formula, on one line, not too long."""
    # bytes that are no text have no picture
    text = shown(name).encode("utf-8", "backslashreplace").decode()
    if len(text) > longest:
        text = f"{text[: longest // 2]}…{text[1 - longest // 2 :]}"
    # Matplotlib takes $ for a formula's end, and leaves out of legends what begins with _
    return re.sub("^_", " _", text.replace("$", r"\$"))


def ticks(names: Iterable[object]) -> list[str]:
    """Write names for an axis, see `label`."""
    return [label(name, LONGEST_TICK) for name in names]


def comparison(table: pd.DataFrame, path: Path) -> None:
    """Draw published and measured values with their standard deviations side by side.

    Parameters
    ----------
    table : DataFrame
        Measured lines of one data set, protocol and metric, as from
        `mirkeras.evaluation.results.with_known_repeats`.
    """
    width = max(6.5, 1.8 + 1.3 * len(table))  # of the legend, at least
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(table))
    spread = table.measured_std.where(table.n > 1)  # a single run has none
    twins = table.published.notna().any()
    if twins:
        axes.bar(
            place - 0.2, table.published, 0.4, yerr=table.published_std, color=PUBLISHED,
            capsize=3, label="published (the paper's data)",
        )  # fmt: skip
    counts = " to ".join(str(count) for count in sorted({table.n.min(), table.n.max()}))
    axes.bar(
        place + 0.2 * twins, table.measured, 0.4, yerr=spread, color=MEASURED, capsize=3,
        label=f"measured ({label(table.dataset.iloc[0])}, n = {counts})",
    )  # fmt: skip
    axes.set_xticks(place, [label(name).replace(" ", "\n", 1) for name in table.model])
    metric = table.metric.iloc[0]
    axes.set(ylabel=LABELS[metric])
    if "(%)" in LABELS[metric]:
        axes.set_ylim(0, 105)
    elif metric == "roc_auc":  # half is chance
        axes.set_ylim(min(0.5, table[["published", "measured"]].min(axis=None)), 1)
    # names of parts of data sets are long
    columns = 2 if len(table.dataset.iloc[0]) < 30 else 1
    figure.legend(loc="outside upper center", ncols=columns)
    save(figure, path)


def tags(table: pd.DataFrame, path: Path) -> None:
    """Draw the ROC-AUC of every tag as points, a colour per row.

    Parameters
    ----------
    table : DataFrame
        Columns tag, positives, then one per row, nan where a tag cannot be ranked.
    """
    figure = Figure(figsize=(7, 1.6 + 0.24 * len(table)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(table))[::-1]
    for row in table.columns[2:]:
        axes.plot(table[row], place, "o", label=label(row), alpha=0.8)
    names = [
        f"{tag} ({count})" for tag, count in zip(ticks(table.tag), table.positives, strict=True)
    ]
    axes.set_yticks(place, names)
    axes.axvline(0.5, color=PUBLISHED, linestyle=":")  # chance
    axes.set(xlabel="ROC-AUC (tag, positives in the test part)")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3)
    save(figure, path)


def confusion(matrix: np.ndarray, classes: np.ndarray, title: str, path: Path) -> None:
    """Draw a confusion matrix in tracks, shaded by recall; true class in rows."""
    size = 2.4 + 0.55 * len(classes)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axes = figure.subplots()
    draw_confusion(axes, matrix, classes)
    axes.set_title(title)
    save(figure, path)


def draw_confusion(axes: Axes, matrix: np.ndarray, classes: np.ndarray) -> None:
    """Draw a confusion matrix into axes, see `confusion`."""
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (true, decided), count in np.ndenumerate(matrix):
        if count:
            dark = share[true, decided] > 0.5
            axes.text(decided, true, count, ha="center", va="center", color="w" if dark else "k")
    names = ticks(classes)
    axes.set_xticks(range(len(classes)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), names)
    axes.set(xlabel="decided class", ylabel="true class")


def training_curves(logs: dict[str, pd.DataFrame], path: Path, watched: str = "validation") -> None:
    """Draw loss and, for classes, accuracy of training and validation over epochs, a column a row.

    Parameters
    ----------
    logs : dict
        Title → a run's ``log.csv``.
    watched : str
        What the log calls validation.
    """
    quantities = [
        name for name in ("loss", "accuracy") if all(name in log for log in logs.values())
    ]
    figure = Figure(figsize=(1 + 3 * len(logs), 1 + 2 * len(quantities)), layout="constrained")
    shape = len(quantities), len(logs)
    axes = figure.subplots(*shape, sharex="col", sharey="row", squeeze=False)
    for column, (title, log) in enumerate(logs.items()):
        for line, quantity in enumerate(quantities):
            marker = "o" if len(log) == 1 else ""
            for name, colour, label in (
                (quantity, PUBLISHED, "training"),
                (f"val_{quantity}", MEASURED, watched),
            ):
                if name in log:  # where all of it trains, nothing validates
                    axes[line, column].plot(log.epoch, log[name], marker, color=colour, label=label)
        axes[0, column].set_title(title, fontsize="medium")
        axes[-1, column].set_xlabel("epoch")
    for line, quantity in enumerate(quantities):
        axes[line, 0].set_ylabel({"accuracy": "segment accuracy"}.get(quantity, quantity))
    axes[0, 0].legend()
    save(figure, path)
