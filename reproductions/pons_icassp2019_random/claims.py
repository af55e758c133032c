"""What the paper claims, answered: ``python -m reproductions.pons_icassp2019_random.claims``.

A claim is an order of front-ends. It is asked of every data set, size, classifier and protocol
that was run, and answered by the difference of accuracies with an interval of 95 %: of two
proportions of the tracks tested, taken as if they were of different tracks and each track told
something of its own (clips of one recording do not), and of the spread over draws of weights where
there are several; of one draw, the answer is about that one. Another table has `code` less `clean`.
Writes claims.csv, claims.md and a figure of the front-ends for every data set and size.
"""

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.results import evaluated
from mirkeras.report import figures
from mirkeras.report.tables import table
from mirkeras.storage.files import write_text
from mirkeras.storage.tables import write_csv
from mirkeras.system.errors import as_command
from reproductions.pons_icassp2019_random.models import FRONT_ENDS

PAPER = "pons_icassp2019_random"
COLOURS = {"svm": figures.MEASURED, "elm": "#c05621"}
MARKERS = {"svm": "o", "elm": "s"}
MFCC, BEST = "mfcc", "the best front-end"
SOUNDS, DANCES, ANY = ("esc50", "urbansound8k"), ("extended_ballroom", "mini_ballroom"), ("",)
MUSIC = (*DANCES, "gtzan")
#: What tells set-ups of one data set apart.
SETTING = ["dataset", "split", "folds", "protocol", "size", "classifier"]


@dataclass(frozen=True)
class Claim:
    """An order of front-ends, from the best on.

    Attributes
    ----------
    text : str
    order : tuple of (tuple of str)
        Each of a group is above each of the next; "mfcc" is the baseline.
    on : tuple of str
        What the names of the data sets begin with.
    """

    text: str
    order: tuple[tuple[str, ...], ...]
    on: tuple[str, ...] = ANY


def _best(name: str, *without: str) -> tuple[tuple[str, ...], ...]:
    return (name,), tuple(other for other in FRONT_ENDS if other not in (name, *without))


#: From the README and the slides, but that on Temporal alone, which goes further than their "priors
#: can facilitate temporal cues". The paper has no Temporal on sounds.
CLAIMS = (
    Claim(
        "sample-level > frame-level many > frame-level",
        (("sample-level",), ("frame-level-many",), ("frame-level",)),
    ),
    Claim("7×86 > 7×96", (("7x86",), ("7x96",))),
    Claim("VGG is the best on sounds", _best("vgg", "temporal"), SOUNDS),
    Claim("temporal filters help on music", (("timbral-temporal",), ("timbral",)), MUSIC),
    Claim("Temporal is the best on dances", _best("temporal"), DANCES),
    Claim("some random CNN outperforms MFCCs", ((BEST,), (MFCC,))),
)


def accuracies(measured: pd.DataFrame) -> pd.DataFrame:
    """Average the runs of each row: columns of `SETTING`, front_end, accuracy, seeds and tracks.

    Parameters
    ----------
    measured : DataFrame
        A line per run, as from `mirkeras.evaluation.results.read_measured`.

    Returns
    -------
    DataFrame
        ``tracks`` counts those tested by the folds of one seed; ``std`` is over seeds.
    """
    names = measured.row.str.removeprefix("figures/").str.rsplit("-", n=1)
    front_end = names.str[0].str.removesuffix("-3500").str.removesuffix("-150")
    size = names.str[0].str.extract("-(3500|150)$", expand=False).fillna("")
    runs = measured.assign(front_end=front_end, size=size, classifier=names.str[1])
    by = [*SETTING, "front_end"]
    draws = runs.groupby([*by, "seed"]).agg(
        accuracy=("accuracy", "mean"), tracks=("test_segments", "sum")
    )
    found = draws.groupby(by).agg(
        accuracy=("accuracy", "mean"), seeds=("accuracy", "size"), tracks=("tracks", "min"),
        std=("accuracy", lambda values: values.std(ddof=1) if len(values) > 1 else 0.0),
    )  # fmt: skip
    found = found.reset_index()
    # the baseline has no size: it stands beside every one of its set-up
    bare, sized = found[found["size"] == ""], found[found["size"] != ""]
    same = [name for name in SETTING if name != "size"]
    copies = sized[SETTING].drop_duplicates().merge(bare.drop(columns="size"), on=same)
    return pd.concat([sized, copies], ignore_index=True)


def answers(table: pd.DataFrame) -> pd.DataFrame:
    """Answer every claim for every set-up of `accuracies` that has its front-ends."""
    lines = []
    for setting, rows in table.groupby(SETTING):
        known = rows.set_index("front_end")
        for claim in CLAIMS:
            if not setting[0].startswith(claim.on):
                continue
            if found := _answer(claim, known):
                lines.append(dict(zip(SETTING, setting, strict=True)) | found)
    columns = ["claim", *SETTING, "answer", "difference", "low", "high", "between", "tracks"]
    return pd.DataFrame(lines, columns=columns).sort_values(["claim", *SETTING], ignore_index=True)


def _answer(claim: Claim, known: pd.DataFrame) -> dict | None:
    """Answer a claim by the closest, or most wrong, of its pairs; None where one was not run."""
    random = known.drop(index=MFCC, errors="ignore")
    if random.empty:
        return None
    pairs = []
    for better, worse in pairwise(claim.order):
        for one in better:
            first = random.accuracy.idxmax() if one == BEST else one
            pairs += [(first, other) for other in worse]
    if not {name for pair in pairs for name in pair} <= {*known.index}:
        return None
    # the best of several is picked by what it is judged by: each of them counts as a comparison
    chances = len(random) if (BEST,) in claim.order else 1
    found = [(*_difference(known, *pair, chances), " − ".join(pair)) for pair in pairs]
    difference, half, between = min(found)
    low, high = difference - half, difference + half
    holds = "holds" if low > 0 else "does not hold" if high < 0 else "cannot be told"
    return {
        **{"claim": claim.text, "answer": holds, "difference": round(difference, 2)},
        **{"low": round(low, 2), "high": round(high, 2), "between": between},
        "tracks": int(known.tracks.min()),
    }


def _difference(known: pd.DataFrame, one: str, other: str, chances: int) -> tuple[float, float]:
    """Difference of two accuracies in points, and half its interval (Bonferroni's for several)."""
    rows = known.loc[[one, other]]
    shares, draws = rows.accuracy.to_numpy() / 100, rows["std"].to_numpy() / 100
    variance = shares * (1 - shares) / rows.tracks + draws**2 / rows.seeds
    half = norm.ppf(1 - 0.025 / chances) * np.sqrt(variance.sum())
    return 100 * float(shares[0] - shares[1]), 100 * float(half)


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


def page(found: pd.DataFrame, answered: pd.DataFrame) -> str:
    """Lay out claims and gaps in Markdown."""
    head = ["claim", "data", "size", "classifier", "protocol", "answer", "points (95 %)", "between"]
    rows = [
        (line.claim, line.dataset, line.size_, line.classifier.upper(), line.protocol, line.answer,
         f"{line.difference:+.1f} [{line.low:+.1f}, {line.high:+.1f}]", line.between)
        for line in answered.rename(columns={"size": "size_"}).itertuples()
    ]  # fmt: skip
    text = f"# What the paper claims\n\n{table(head, 'llrlllrl', rows)}\n"
    apart = gaps(found)
    if len(apart):
        names = [f"{data}, {size}, {kind.upper()}" for data, _, _, size, kind in apart.columns]
        cells = [
            [name, *("" if np.isnan(value) else f"{value:+.1f}" for value in values)]
            for name, *values in apart.itertuples()
        ]
        text += "\n## code less clean, in points\n\n"
        text += table(["front-end", *names], "l" + "r" * len(names), cells) + "\n"
    return text


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Draw the front-ends of one data set and size, a marker for each classifier and protocol."""
    figure = Figure(figsize=(8.2, 4.6), layout="constrained")
    axes = figure.subplots()
    names = [name for name in FRONT_ENDS if name in {*rows.front_end}]
    for (kind, protocol), group in rows.groupby(["classifier", "protocol"]):
        values = group.set_index("front_end").accuracy
        look = {"color": COLOURS[kind], "fillstyle": "full" if protocol == "clean" else "none"}
        called = f"{kind.upper()}, {protocol}"
        axes.plot(
            values.reindex(names).to_numpy(), ls="", marker=MARKERS[kind], label=called, **look
        )
        if MFCC in values:
            line = "-" if protocol == "clean" else ":"
            axes.axhline(values[MFCC], color=COLOURS[kind], lw=1, ls=line, label=f"MFCC, {called}")
    one = rows.iloc[0]
    seeds = rows[rows.front_end != MFCC].seeds
    draws = f"{seeds.min()} draw(s) of weights" if seeds.nunique() == 1 else "1 or more draws"
    axes.set(
        ylim=(0, 100), ylabel="track accuracy (%)", xlim=(-0.5, len(names) - 0.5),
        title=f"{figures.label(one.dataset)}, some {one['size']} features, {draws}",
    )  # fmt: skip
    axes.set_xticks(range(len(names)), [FRONT_ENDS[name].title for name in names], rotation=25)
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small")
    figures.save(figure, path)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Answer the claims from what was evaluated below --out; returns the exit status."""
    parser = command_parser(f"reproductions.{PAPER}.claims", __doc__.split("\n\n")[1])
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    out = parser.parse_args(argv).out
    measured = evaluated(PAPER, out)
    found = accuracies(measured)
    for (data, split, folds, size), rows in found.groupby(["dataset", "split", "folds", "size"]):
        name = f"{data}-{split}-{folds}folds-{size}-front-ends.png"
        draw(rows, out / PAPER / "figures" / name)
    answered = answers(found)
    write_csv(answered, out / PAPER / "claims.csv")
    write_text(out / PAPER / "claims.md", page(found, answered))
    print(answered.groupby("claim").answer.value_counts().unstack(fill_value=0).to_string())
    print(f"\nwritten: {out / PAPER / 'claims.csv'}, {out / PAPER / 'claims.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
