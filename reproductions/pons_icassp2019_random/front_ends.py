"""Front-ends beside each other: ``python -m reproductions.pons_icassp2019_random.front_ends``.

A figure of the front-ends for every data set and size, and a table of `code` less `clean`: writes
front-ends.md. What the paper claims of them is answered by ``mirkeras claims``.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.drawing import chance
from mirkeras.evaluation.results import evaluated
from mirkeras.report import figures
from mirkeras.report.tables import table
from mirkeras.storage.files import write_text
from mirkeras.system.errors import as_command
from reproductions.pons_icassp2019_random.models import FRONT_ENDS

PAPER = "pons_icassp2019_random"
COLOURS = {"svm": figures.MEASURED, "elm": "#c05621"}
MARKERS = {"svm": "o", "elm": "s"}
MFCC = "mfcc"
#: What tells set-ups of one data set apart.
SETTING = ["dataset", "split", "folds", "protocol", "size", "classifier"]


def accuracies(measured: pd.DataFrame) -> pd.DataFrame:
    """Average the runs of each row: columns of `SETTING`, front_end, accuracy and seeds.

    Parameters
    ----------
    measured : DataFrame
        A line per run, as from `mirkeras.evaluation.results.read_measured`.
    """
    names = measured.row.str.removeprefix("figures/").str.rsplit("-", n=1)
    front_end = names.str[0].str.removesuffix("-3500").str.removesuffix("-150")
    size = names.str[0].str.extract("-(3500|150)$", expand=False).fillna("")
    runs = measured.assign(front_end=front_end, size=size, classifier=names.str[1])
    by = [*SETTING, "front_end"]
    draws = runs.groupby([*by, "seed"]).accuracy.mean()
    found = draws.groupby(by).agg(accuracy="mean", seeds="size").reset_index()
    # the baseline has no size: it stands beside every one of its set-up
    bare, sized = found[found["size"] == ""], found[found["size"] != ""]
    same = [name for name in SETTING if name != "size"]
    copies = sized[SETTING].drop_duplicates().merge(bare.drop(columns="size"), on=same)
    return pd.concat([sized, copies], ignore_index=True)


def gaps(found: pd.DataFrame) -> pd.DataFrame:
    """Subtract `clean` from `code`, in points: a line per front-end, a column per set-up.

    All that the protocols differ in: where the point of the grid is chosen, the zeros of the
    frame-level networks, and folds where the data set has none.
    """
    wide = found.pivot_table(
        index="front_end",
        columns=["dataset", "split", "folds", "size", "classifier", "protocol"],
        values="accuracy",
    )
    both = wide.T.unstack("protocol").T  # (front_end, protocol) below, set-ups beside
    if not {"code", "clean"} <= {*found.protocol}:
        return pd.DataFrame()
    return (both.xs("code", level=1) - both.xs("clean", level=1)).dropna(how="all", axis=1)


def page(apart: pd.DataFrame) -> str:
    """Lay gaps out in Markdown."""
    names = [f"{data}, {size}, {kind.upper()}" for data, _, _, size, kind in apart.columns]
    cells = [
        [name, *("" if np.isnan(value) else f"{value:+.1f}" for value in values)]
        for name, *values in apart.itertuples()
    ]
    text = table(["front-end", *names], "l" + "r" * len(names), cells)
    return f"# code less clean, in points\n\n{text}\n"


def _named(one: pd.Series, found: pd.DataFrame) -> str:
    """Name a figure: data and size, and what tells it from others of these."""
    alike = found[(found.dataset == one.dataset) & (found["size"] == one["size"])]
    split = f"-{one.split}" if alike.split.nunique() > 1 else ""
    folds = f"-{one.folds}folds" if alike[alike.split == one.split].folds.nunique() > 1 else ""
    return f"{one.dataset}{split}{folds}-{one['size']}"


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Draw the front-ends of one data set and size, a marker for each classifier and protocol."""
    figure = figures.canvas(8.5, 5.4)
    axes = figure.subplots()
    names = [name for name in FRONT_ENDS if name in {*rows.front_end}]
    groups = [*rows.groupby(["classifier", "protocol"])]
    for number, ((kind, protocol), group) in enumerate(groups):
        values = group.set_index("front_end").accuracy
        look = {"color": COLOURS[kind], "fillstyle": "full" if protocol == "clean" else "none"}
        called = f"{kind.upper()}, {protocol}"
        place = np.arange(len(names)) + 0.12 * (number - (len(groups) - 1) / 2)  # side by side
        axes.plot(
            place, values.reindex(names).to_numpy(), ls="", marker=MARKERS[kind], label=called,
            **look,
        )  # fmt: skip
        if MFCC in values:
            line = "-" if protocol == "clean" else ":"
            axes.axhline(values[MFCC], color=COLOURS[kind], lw=1, ls=line, label=f"MFCC, {called}")
    one = rows.iloc[0]
    if guess := chance("accuracy", rows):
        axes.axhline(
            guess.value, color=figures.CHANCE, ls="--", lw=1.2,
            label=f"chance ({guess.how}): {guess.value:.1f}",
        )  # fmt: skip
    seeds = rows[rows.front_end != MFCC].seeds
    draws = f"{seeds.min()}" if seeds.nunique() == 1 else "1 or more"
    axes.set(ylim=(0, 100), ylabel="track accuracy (%)", xlim=(-0.5, len(names) - 0.5))
    titles = figures.rows(FRONT_ENDS[name].title for name in names)
    axes.set_xticks(
        range(len(names)), titles, rotation=25, ha="right", rotation_mode="anchor",
        fontsize="small",
    )  # fmt: skip
    axes.grid(axis="y", alpha=0.3)
    figures.title(
        figure,
        f"{figures.label(one.dataset)}, split {one.split}, {one.folds} fold(s), about "
        f"{int(one['size']):,} features, draws of weights: {draws}",
    )
    figures.legend(figure, axes)
    figures.save(figure, path)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw what was evaluated below --out; returns the exit status."""
    parser = command_parser(f"reproductions.{PAPER}.front_ends", __doc__.split("\n\n")[1])
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    out = parser.parse_args(argv).out
    measured = evaluated(PAPER, out)
    found = accuracies(measured)
    for _, rows in found.groupby(["dataset", "split", "folds", "size"]):
        draw(rows, out / PAPER / "figures" / f"{_named(rows.iloc[0], found)}-front-ends.png")
    if len(apart := gaps(found)):
        write_text(out / PAPER / "front-ends.md", page(apart))
        print(f"written: {out / PAPER / 'front-ends.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
