"""What figures say of runs: short names, set-ups in words, chance; and the comparisons."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import data_prep
from mirkeras.evaluation import results
from mirkeras.evaluation.comparison import SETUP
from mirkeras.experiment import Experiment
from mirkeras.pipeline.splits import DRAWN
from mirkeras.report import bars
from mirkeras.report.bars import Chance
from mirkeras.report.figures import label


def short_names(runs: pd.DataFrame) -> pd.Series:
    """Name the set-up of every run (columns `SETUP`) for figures.

    Data and protocol are enough; folds and epochs follow where two set-ups would share a name.
    """
    data = runs.dataset.where(runs.split == DRAWN, runs.dataset + "-" + runs.split)
    short = data + "-" + runs.protocol
    folds, epochs = runs.folds.astype(str), runs.max_epochs.astype(str)
    long = short + "-" + folds + "folds-" + epochs + "epochs"
    return short.where(long.groupby(short).transform("nunique") == 1, long)


def in_words(experiment: Experiment, runs: pd.DataFrame) -> str:
    """Put the set-up of runs into words: data, protocol, folds, and where training was cut."""
    one = runs.iloc[0]
    split = "" if one.split == DRAWN else f", split {one.split}"
    cap = _cap(experiment, runs)
    cut = f", training cut at {cap}" if cap else ""
    return f"{label(one.dataset)}{split}, protocol {one.protocol}, {repeats(runs)}{cut}"


def repeats(runs: pd.DataFrame) -> str:
    """Say of how many runs a row's mean is: "5 folds", "3 of 5 folds", "10 runs", "one run"."""
    counts = sorted({*runs.groupby("row").size()})
    one = runs.iloc[0]
    if counts == [1] and one.folds == 1:
        return "one run"
    number = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    if runs.seed.nunique() > 1 or one.folds == 1:
        return f"{number} runs"
    return f"{number} folds" if counts == [one.folds] else f"{number} of {one.folds} folds"


def _cap(experiment: Experiment, runs: pd.DataFrame) -> str:
    """Say where training was cut: "10 of 100 epochs"; empty if it was not."""
    if "capped" not in runs or not runs.capped.fillna(False).astype(bool).any():
        return ""
    whole = sorted({*map(_epochs(experiment, runs), runs.row)} - {None})
    of = f" of {' or '.join(f'{count:,}' for count in whole)}" if whole else ""
    return f"{runs.max_epochs.iloc[0]}{of} epochs"


def _epochs(experiment: Experiment, runs: pd.DataFrame) -> Callable[[str], int | None]:
    """Return a function: row → epochs of the protocol, None where either is no longer known."""
    protocol = runs.protocol.iloc[0]

    def of(row: str) -> int | None:
        known = row in experiment.rows and protocol in experiment.protocols
        return experiment.protocol_of(protocol, row).max_epochs if known else None

    return of


def names_of_rows(experiment: Experiment, runs: pd.DataFrame) -> dict[str, str]:
    """Name the networks of runs of one set-up: row → name, unlike any other's.

    A name that promises epochs ("deep, 100 epochs") says how many there were.
    """
    rows = [*dict.fromkeys(runs.row)]
    names = {row: getattr(experiment.rows.get(row), "model", row) for row in rows}
    of, cap = _epochs(experiment, runs), _cap(experiment, runs)
    for row, name in names.items():
        twice = [*names.values()].count(name) > 1
        name = f"{name} ({row})" if twice else name
        promised = f"{of(row)} epochs"
        if cap and promised in name:
            name = name.replace(promised, f"{runs.max_epochs.iloc[0]} of {promised}")
        names[row] = name
    return names


def chance(metric: str, runs: pd.DataFrame) -> Chance | None:
    """What a guess scores on the data of runs; None where that is not known.

    The commonest class of the tracks tested; of records that are older than that, the commonest
    of the whole set.
    """
    guess = runs.guess.mean() if "guess" in runs else np.nan
    if metric == "roc_auc":
        return Chance(0.5, "any order")
    if metric == "pr_auc":
        return None if np.isnan(guess) else Chance(guess, "any order")
    if bars.top_of(metric) != 100:  # F1 depends on thresholds, a time on nothing
        return None
    if not np.isnan(guess):
        return Chance(guess, "the commonest class")
    counts = _declared(runs.dataset.iloc[0])
    if not counts:
        return None
    if None in counts.values():
        return Chance(100 / len(counts), f"one of {len(counts)} classes")
    return Chance(100 * max(counts.values()) / sum(counts.values()), "the commonest class")


def _declared(dataset: str) -> dict[str, int | None]:
    """Count the tracks per class of a declared set, or of some of its classes; {}: not declared."""
    for name in data_prep.names():
        counts = data_prep.get(name).counts
        if dataset in (name, f"{name}-stand-in"):
            return dict(counts)
        chosen = [one for one in sorted(counts) if f"-{one}-" in f"{dataset}-"]
        if "-".join((name, *chosen)) == dataset:
            return {one: counts[one] for one in chosen}
    return {}


def draw_comparisons(
    experiment: Experiment, measured: pd.DataFrame, folder: Path, wanted: pd.Series | None = None
) -> None:
    """Draw what was measured beside what was published: a figure per set-up and metric.

    Parameters
    ----------
    measured : DataFrame
        A line per run, as from `mirkeras.evaluation.results.collect`.
    wanted : bool (runs,) or None
        The runs to draw; names are made unlike those of the others, too.
    """
    names = short_names(measured)
    chosen = measured if wanted is None else measured[wanted]
    for _, runs in chosen.groupby(SETUP):
        compared = results.with_known_repeats(experiment.paper, runs).dropna(subset="measured")
        called = names_of_rows(experiment, runs)
        for metric, lines in compared.groupby("metric"):
            name = names[runs.index[0]] + ("" if metric == "accuracy" else f"-{metric}")
            bars.comparison(
                lines.assign(model=lines.row.map(called)), folder / f"{name}.png",
                title=in_words(experiment, runs), chance=chance(metric, runs),
                repeats="one run" if (lines.n == 1).all() else f"mean ± std of {repeats(runs)}",
            )  # fmt: skip
