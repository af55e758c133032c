"""Accuracy against clips: ``python -m reproductions.pons_icassp2019_fewdata.curve --out runs``.

A figure for every data set and protocol: the mean over the draws of clips (seeds), each the mean of
its folds, with a band of one standard deviation over the draws; a line for a random guess. Writes
curve.csv and figures. The three conclusions of the thesis are answered by ``mirkeras claims``.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.results import evaluated
from mirkeras.report import figures
from mirkeras.storage.tables import write_csv
from mirkeras.system.errors import as_command
from reproductions.pons_icassp2019_fewdata.experiments import METHODS

PAPER = "pons_icassp2019_fewdata"
SETTING = ["dataset", "split", "folds", "protocol"]
ALL = "all"
MARKERS = "osD^v<>PX*hdp8H12"


def curves(measured: pd.DataFrame) -> pd.DataFrame:
    """Average the runs: columns of `SETTING`, method, clips, accuracy, std, draws and chance.

    Parameters
    ----------
    measured : DataFrame
        A line per run, as from `mirkeras.evaluation.results.read_measured`.

    Returns
    -------
    DataFrame
        Of draws whose folds are all run. ``std`` is over draws (0 of one), ``clips`` the n of the
        row, 0 for all.
    """
    names = measured.row.str.removeprefix("curve/").str.rsplit("-n", n=1)
    clips = names.str[1].replace(ALL, "0").astype(int)
    runs = measured.assign(method=names.str[0], clips=clips)
    by = [*SETTING, "method", "clips"]
    draws = runs.groupby([*by, "seed"]).agg(
        accuracy=("accuracy", "mean"), folds_run=("fold", "nunique"),
        classes=("trained_classes", "max"), parameters=("parameters", "first"),
    )  # fmt: skip
    # a draw that lacks folds is no mean of all
    draws = draws[draws.folds_run == draws.index.get_level_values("folds")]
    found = draws.groupby(by).agg(
        accuracy=("accuracy", "mean"),
        std=("accuracy", lambda values: values.std(ddof=0)),
        draws=("accuracy", "size"),
        chance=("classes", lambda classes: 100 / classes.max()),
    )
    return found.reset_index()


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Draw the curves of one data set and protocol."""
    figure = figures.canvas(9.5, 5.6)
    axes = figure.subplots()
    places = {clips: place for place, clips in enumerate(sorted({*rows.clips} - {0}))}
    places |= {0: len(places)} if 0 in {*rows.clips} else {}
    for number, (name, method) in enumerate(METHODS.items()):
        curve = rows[rows.method == name]
        curve = curve.assign(place=curve.clips.map(places)).sort_values("place")
        if curve.empty:
            continue
        color = f"C{number % 10}"
        line = ":" if name == "mfcc" else "--" if method.pretrained else "-"
        axes.plot(curve.place, curve.accuracy, line, marker=MARKERS[number], ms=5, color=color,
                  label=method.title)  # fmt: skip
        band = curve.accuracy - curve["std"], np.minimum(curve.accuracy + curve["std"], 100)
        axes.fill_between(curve.place, *band, color=color, alpha=0.15, lw=0)
    one, draws = rows.iloc[0], rows.draws
    axes.axhline(
        one.chance, color=figures.CHANCE, ls="--", lw=1.2, label=f"random guess: {one.chance:.1f}"
    )
    axes.set_xticks(list(places.values()), [clips or ALL for clips in places])
    counts = f"{draws.min()}" if draws.nunique() == 1 else f"{draws.min()} to {draws.max()}"
    axes.set(
        ylim=(0, 100), xlabel="training clips of each class",
        ylabel=f"track accuracy (%), mean ± std of {counts} draws",
    )  # fmt: skip
    axes.grid(alpha=0.3)
    figures.title(
        figure, f"{figures.label(one.dataset)}, protocol {one.protocol}, {one.folds} fold(s)"
    )
    figures.legend(figure, axes)
    figures.save(figure, path)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw what was evaluated below --out; returns the exit status."""
    parser = command_parser(f"reproductions.{PAPER}.curve", __doc__.split("\n\n")[1])
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    out = parser.parse_args(argv).out
    measured = evaluated(PAPER, out)
    found = curves(measured)
    write_csv(found, out / PAPER / "curve.csv")
    for (data, protocol), rows in found.groupby(["dataset", "protocol"]):
        path = out / PAPER / "figures" / f"{data}-{protocol}-curve.png"
        draw(rows, path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
