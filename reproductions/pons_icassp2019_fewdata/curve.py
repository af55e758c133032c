"""Accuracy against clips: ``python -m reproductions.pons_icassp2019_fewdata.curve --out runs``.

A figure for every data set and protocol: the mean over the draws of clips (seeds), each the mean of
its folds, with a band of one standard deviation over the draws; a line for a random guess. And the
three conclusions of the thesis, answered by the same numbers at every n. Writes curve.csv,
conclusions.csv and figures.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.results import evaluated
from mirkeras.report import figures
from mirkeras.storage.tables import write_csv
from mirkeras.system.errors import as_command
from reproductions.pons_icassp2019_fewdata.experiments import METHODS

PAPER = "pons_icassp2019_fewdata"
SETTING = ["dataset", "split", "folds", "protocol"]
ALL = "all"
#: What the conclusions compare: the best of one group with the best of another.
STANDARD = ("sb-cnn", "sb-cnn-bn", "vgg", "vgg-128", "timbre")
PROTOTYPES = ("prototypical",)
NEAREST = ("mfcc",)
TRANSFER = ("vggish-softmax", "vggish-prototypes", "yamnet-softmax", "yamnet-prototypes")
CONCLUSIONS = {
    "the standard pipeline does no better than MFCCs and nearest neighbour": (NEAREST, STANDARD),
    "prototypical networks help where there are no other data": (PROTOTYPES, STANDARD),
    "transfer is best where there are": (TRANSFER, (*STANDARD, *PROTOTYPES)),
}
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


def conclusions(found: pd.DataFrame) -> pd.DataFrame:
    """Answer the thesis' conclusions at every n where both sides were run.

    By the difference of the best of each side: "holds" where it is above twice the standard error
    over draws, "does not" where it is below that, else "cannot be told"; of one draw nothing can.
    """
    lines = []
    for (*setting, clips), rows in found.groupby([*SETTING, "clips"]):
        known = rows.set_index("method")
        for text, sides in CONCLUSIONS.items():
            best = [known.accuracy.reindex(side).dropna() for side in sides]
            if any(values.empty for values in best):
                continue
            one, other = (known.loc[values.idxmax()] for values in best)
            difference, error = one.accuracy - other.accuracy, _error(one, other)
            answer = "holds" if difference > error else "does not hold"
            lines.append(
                dict(zip(SETTING, setting, strict=True))
                | {
                    **{
                        "clips": clips or ALL,
                        "conclusion": text,
                        "difference": round(difference, 1),
                    },
                    "answer": "cannot be told" if not abs(difference) > error else answer,
                    "between": f"{one.name} − {other.name}",
                    "draws": int(min(one.draws, other.draws)),
                }
            )
    return pd.DataFrame(lines)


def _error(one: pd.Series, other: pd.Series) -> float:
    """Twice the standard error of a difference of means over draws; infinite of one draw."""
    if min(one.draws, other.draws) < 2:
        return np.inf
    return 2 * float(np.sqrt(sum(row["std"] ** 2 / (row.draws - 1) for row in (one, other))))


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Draw the curves of one data set and protocol."""
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
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
        axes.fill_between(curve.place, curve.accuracy - curve["std"], curve.accuracy + curve["std"],
                          color=color, alpha=0.15, lw=0)  # fmt: skip
    one, draws = rows.iloc[0], rows.draws
    axes.axhline(one.chance, color="grey", lw=1, label="random guess")
    axes.set_xticks(list(places.values()), [clips or ALL for clips in places])
    counts = f"{draws.min()}" if draws.nunique() == 1 else f"{draws.min()} to {draws.max()}"
    axes.set(
        ylim=(0, 100), xlabel="training clips of each class", ylabel="track accuracy (%)",
        title=f"{figures.label(one.dataset)}, {one.protocol}, {one.folds} folds\n"
        f"{counts} draws of clips (bands: ± std over draws)",
    )  # fmt: skip
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    figures.save(figure, path)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw what was evaluated below --out, answer the conclusions; returns the exit status."""
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
    answered = conclusions(found)
    write_csv(answered, out / PAPER / "conclusions.csv")
    if len(answered):
        print(answered.drop(columns=["split", "folds"]).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
