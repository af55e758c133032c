"""Charts that pages draw as SVG: places on axes, in per cent, of what is given."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from mirkeras.report.bars import LABELS

MARGIN = 0.03  # of an axis, on either side
MOST_POINTS = 400  # of a curve


@dataclass(frozen=True)
class Axis:
    """What an axis spans, and its ticks: label and place in per cent from its low end."""

    low: float
    high: float
    ticks: tuple[tuple[str, float], ...]

    def place(self, value: float) -> float:
        """Say where a value lies, in per cent; what lies outside, at the end."""
        share = (value - self.low) / (self.high - self.low)
        return round(float(100 * min(1, max(0, share))), 3)


def axis(values: Iterable[float], most: int = 5, whole: bool = False) -> Axis:
    """Make an axis that holds all finite values.

    Parameters
    ----------
    most : int
        Ticks at most.
    whole : bool
        Whether ticks are whole numbers.
    """
    known = np.array([value for value in values if np.isfinite(value)], float)
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    margin = MARGIN * (high - low)
    low, high = float(low - margin), float(high + margin)
    empty = Axis(low, high, ())
    found = MaxNLocator(most, integer=whole, min_n_ticks=2).tick_values(low, high)
    inside = [value for value in found if low <= value <= high]
    return Axis(low, high, tuple((f"{value:.6g}", empty.place(value)) for value in inside))


@dataclass(frozen=True)
class Difference:
    """A line of a forest plot: measured − published; `low` and `high` None without an interval."""

    name: str
    data: str
    verdict: str
    place: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True)
class Forest:
    """Differences of one metric, in its unit."""

    metric: str
    axis: Axis
    zero: float
    lines: tuple[Difference, ...]


def forest(metric: str, lines: Sequence[dict]) -> Forest:
    """Lay out differences.

    Parameters
    ----------
    lines : sequence of dict
        name, data, verdict, difference, low, high (nan: no interval), text.
    """
    ends = [line[name] for line in lines for name in ("difference", "low", "high")]
    along = axis([0.0, *ends])
    placed = [
        Difference(
            line["name"],
            line["data"],
            line["verdict"],
            along.place(line["difference"]),
            *(None if pd.isna(line[end]) else along.place(line[end]) for end in ("low", "high")),
            line["text"],
        )
        for line in lines
    ]
    return Forest(LABELS[metric], along, along.place(0), tuple(placed))


@dataclass(frozen=True)
class Curve:
    """A polyline in per cent, from the left and from above; a single point is drawn as such."""

    kind: str
    points: tuple[tuple[float, float], ...]

    @property
    def path(self) -> str:
        """The points as SVG writes them."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)


@dataclass(frozen=True)
class Chart:
    """Curves over epochs."""

    quantity: str
    epochs: Axis
    values: Axis
    curves: tuple[Curve, ...]


def training(logs: Sequence[pd.DataFrame]) -> list[Chart]:
    """Lay out what runs logged of loss and, for classes, accuracy: a chart of each.

    Parameters
    ----------
    logs : sequence of DataFrame
        ``log.csv`` of each run: epoch, then quantities, of validation with ``val_`` before.
    """
    logs = [log for log in logs if len(log)]
    charts = []
    for quantity in ("loss", "accuracy"):
        kinds = {"training": quantity, "validation": f"val_{quantity}"}
        shown = [
            (kind, log.epoch, log[name])
            for log in logs
            for kind, name in kinds.items()
            if name in log
        ]
        if not shown:
            continue
        epochs = axis((e for _, along, _ in shown for e in along), whole=True)
        values = axis(v for _, _, curve in shown for v in curve)
        curves = tuple(_curve(kind, x, y, epochs, values) for kind, x, y in shown)
        label = "segment accuracy" if quantity == "accuracy" else quantity
        charts.append(Chart(label, epochs, values, curves))
    return charts


def _curve(kind: str, x: pd.Series, y: pd.Series, epochs: Axis, values: Axis) -> Curve:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).round().astype(int))
    points = [
        (epochs.place(x.iloc[n]), round(100 - values.place(y.iloc[n]), 3))
        for n in kept
        if np.isfinite(y.iloc[n])
    ]
    return Curve(kind, tuple(points))
