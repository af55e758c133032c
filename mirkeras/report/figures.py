"""What all figures share, Matplotlib: canvas, colours, names, and the file each becomes."""

import io
import re
import textwrap
import warnings
from collections.abc import Iterable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from mirkeras.storage.files import write_bytes
from mirkeras.system.errors import shown

DPI = 130
WIDEST = 10.7  # inches: 1,391 pixels
LONGEST, LONGEST_TICK = 48, 24  # characters of a name
LINE = 26  # characters of a line of a name on an axis
PUBLISHED, MEASURED = "#9aa5b1", "#1f6f8b"
CHANCE = "#b4432f"
#: Colours and markers of things side by side, so that no colour tells them apart alone.
COLOURS = (MEASURED, "#c05621", "#66a182", "#8d6a9f", "#b8860b", "#d1495b", "#5c5c5c", "#3b5ba5")
MARKERS = "osD^vP*X<>hd"


def canvas(width: float, height: float) -> Figure:
    """Begin a figure of a size in inches; it is made no wider than `WIDEST`."""
    return Figure(figsize=(min(width, WIDEST), height), layout="constrained")


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


def rows(names: Iterable[object]) -> list[str]:
    """Write names of networks for an axis, on up to two lines each."""
    return [textwrap.fill(label(name), LINE, break_on_hyphens=False) for name in names]


def title(figure: Figure | SubFigure, text: str) -> None:
    """Put a title above a figure or a part of one, its lines broken where that ends."""
    figure.suptitle(text, fontsize="medium", wrap=True)


def legend(figure: Figure, axes: Axes) -> None:
    """Say below a figure what its marks are, in as many columns as the width has room for.

    What an axes has several times is said once.
    """
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    width = 0.8 + 0.085 * max(map(len, handles))  # inches
    figure.legend(
        handles.values(), handles, loc="outside lower center", fontsize="small",
        ncols=max(1, min(len(handles), int(figure.get_figwidth() / width))),
    )  # fmt: skip
