"""Scores of networks: what was measured beside what was published, and every tag by itself.

Where the data are the paper's, the two numbers stand as twins. Where they are not, the eye must not
compare what the verdict does not: the measured bar stands alone, with what chance scores, and the
published value is a tick that says on which data it was.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from mirkeras.report import figures
from mirkeras.report.figures import CHANCE, MEASURED, PUBLISHED

LABELS = {
    "accuracy": "track accuracy (%)",
    "segment_accuracy": "segment accuracy (%)",
    "raw": "segment accuracy, raw (%)",
    "max": "track accuracy, max (%)",
    "maj": "track accuracy, maj (%)",
    "roc_auc": "macro ROC-AUC (0 to 1)",
    "pr_auc": "macro PR-AUC (0 to 1)",
    **{
        f"{kind}_f1_{rule}": f"{kind} F1 (0 to 1, {rule})"
        for kind in ("micro", "macro")
        for rule in ("s1", "s2")
    },
    "time_ratio": "training time / that at 22,050 Hz",
}
#: Of published values on other data: a shape for each data set.
TICKS = "|x+1234"
WIDTH = 8.5  # inches


class Chance(NamedTuple):
    """What a guess scores, in the unit of the axis, and how it guesses."""

    value: float
    how: str


def top_of(metric: str) -> float:
    """Return the largest value a metric can have."""
    return 100 if "(%)" in LABELS[metric] else np.inf if metric == "time_ratio" else 1


def comparison(
    table: pd.DataFrame, path: Path, *, title: str, repeats: str, chance: Chance | None
) -> None:
    """Draw measured means, a bar each, beside what was published.

    Parameters
    ----------
    table : DataFrame
        Measured lines of one set-up and metric: columns model, metric, measured, measured_std and
        n, published (nan: nothing was), published_std, and elsewhere: empty where the two may be
        compared, else on which other data (protocol, hardware) the published value was.
    title : str
        Data and protocol.
    repeats : str
        What the values are: "mean ± std of 5 folds", "one run".
    """
    figure = figures.canvas(WIDTH, 1.9 + 0.45 * len(table))
    axes = figure.subplots()
    metric, place = table.metric.iloc[0], np.arange(len(table))
    twin = (table.published.notna() & (table.elsewhere == "")).to_numpy()
    _bars(axes, table, place + 0.2 * twin, "measured", MEASURED)
    _bars(axes, table[twin], place[twin] - 0.2, "published", PUBLISHED, hatch="//")
    other = table.assign(place=place)[table.published.notna() & (table.elsewhere != "")]
    for (where, lines), marker in zip(other.groupby("elsewhere", sort=False), TICKS, strict=False):
        axes.plot(
            lines.published, lines.place, marker, color="#7b8794", ms=16, mew=3, clip_on=False,
            path_effects=[withStroke(linewidth=6, foreground="white")], zorder=3,
            label=f"published on {figures.label(where)}",
        )  # fmt: skip
    if chance:
        axes.axvline(
            chance.value, color=CHANCE, ls="--", lw=1.2,
            label=f"chance ({chance.how}): {chance.value:.{_digits(metric)}f}",
        )  # fmt: skip
    axes.set_yticks(place, figures.rows(table.model), fontsize="small")
    axes.set(ylim=(len(table) - 0.4, -0.6), xlabel=f"{LABELS[metric]}, {repeats}")
    axes.set_xlim(_lowest(table, metric), None if metric == "time_ratio" else top_of(metric))
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    _write_values(axes, table, metric)
    figures.title(figure, title)
    figures.legend(figure, axes)
    figures.save(figure, path)


def _bars(
    axes: Axes, lines: pd.DataFrame, place: np.ndarray, kind: str, colour: str, **look: str
) -> None:
    """Draw bars with their deviations, which end where the metric does; none of a single run."""
    if lines.empty:
        return
    values, top = lines[kind].to_numpy(float), top_of(lines.metric.iloc[0])
    spread = lines[f"{kind}_std"].to_numpy(float)
    if kind == "measured":
        spread = np.where(lines.n > 1, spread, np.nan)
    height = 0.38 if (lines.published.notna() & (lines.elsewhere == "")).any() else 0.6
    axes.barh(place, values, height, color=colour, label=kind, edgecolor="white", **look)
    within = np.minimum(spread, values), np.minimum(spread, top - values)
    axes.errorbar(values, place, xerr=within, fmt="o", ms=4, color="black", capsize=3, lw=1.2)


def _lowest(table: pd.DataFrame, metric: str) -> float:
    """Where an axis begins: a guess ranks half of the pairs right, so areas begin there."""
    if metric != "roc_auc":
        return 0
    return min(0.5, table[["published", "measured"]].min(axis=None) - 0.02)


def _write_values(axes: Axes, table: pd.DataFrame, metric: str) -> None:
    """Write the measured numbers beside the axes."""
    digits = _digits(metric)
    for place, line in enumerate(table.itertuples()):
        spread = f" ± {line.measured_std:.{digits}f}" if line.n > 1 else ""
        axes.text(
            1.01, place, f"{line.measured:.{digits}f}{spread}", va="center", fontsize="small",
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip


def _digits(metric: str) -> int:
    return 1 if "(%)" in LABELS[metric] else 2 if metric == "time_ratio" else 3


def tags(table: pd.DataFrame, path: Path, *, title: str) -> None:
    """Draw the ROC-AUC of every tag as points, a colour and a marker per network.

    Parameters
    ----------
    table : DataFrame
        Columns tag, positives, then one per network, nan where a tag cannot be ranked.
    title : str
        Data and protocol.
    """
    figure = figures.canvas(WIDTH, 1.9 + 0.25 * len(table) + 0.08 * len(table.columns))
    axes = figure.subplots()
    place = np.arange(len(table))
    for number, row in enumerate(table.columns[2:]):
        axes.plot(
            table[row], place, figures.MARKERS[number % len(figures.MARKERS)], ls="", alpha=0.8,
            color=figures.COLOURS[number % len(figures.COLOURS)], label=figures.label(row),
        )  # fmt: skip
    axes.axvline(0.5, color=CHANCE, ls="--", lw=1.2, label="chance: 0.5")
    names = [
        f"{tag} ({count})"
        for tag, count in zip(figures.ticks(table.tag), table.positives, strict=True)
    ]
    axes.set_yticks(place, names, fontsize="small")
    axes.set(
        xlabel="ROC-AUC (0 to 1)", ylabel="tag (positives in the test part)",
        ylim=(len(table) - 0.5, -0.5),
    )  # fmt: skip
    axes.grid(axis="x", alpha=0.3)
    figures.title(figure, title)
    figures.legend(figure, axes)
    figures.save(figure, path)
