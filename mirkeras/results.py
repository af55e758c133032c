"""Published numbers against measured ones.

Published: ``results/published/<paper>.csv``, one line per row, with its source.
Measured: one line per run, read from run records and predictions, never from a network.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import data_prep
from mirkeras.files import write_text
from mirkeras.records import read_predictions
from mirkeras.runs import find_runs
from mirkeras.stats import Summary, welch_interval

RESULTS = Path(__file__).resolve().parents[1] / "results"

COLUMNS = [
    *("id", "model", "params", "published_params", "dataset", "metric"),
    *("published", "published_std", "measured", "measured_std", "n", "verdict"),
]
# Columns that must stay text, however much they look like numbers.
TEXT = {"commit": str, "features": str, "origin": str}
# What runs must share to be one measurement.
SETUP = ["dataset", "protocol", "folds", "max_epochs"]
# Protocols that keep the paper's split; `clean` keeps replicas together and so has another.
SAME_SPLIT = ("paper", "code")


PAGE = """\
# {paper}: published and measured

Made by `mirkeras compare {paper} --publish` from `results/published/{paper}.csv` and the {runs} run
records in `results/measured/{paper}.csv` (command, commit, versions, seed, data fingerprint,
hardware and time of every run). `data` reads data set:protocol; values are track accuracies in per
cent, mean ± standard deviation over `n` runs (folds × seeds); `baseline` is the paper's reference.

{table}
"""


class ResultsError(RuntimeError):
    """Results cannot be compared; the message says why and what to do."""


def papers() -> tuple[str, ...]:
    """Names of the papers with published numbers."""
    return tuple(sorted(path.stem for path in (RESULTS / "published").glob("*.csv")))


def published(paper: str) -> pd.DataFrame:
    """Read the published rows of a paper.

    Returns
    -------
    DataFrame
        Columns id, model, params, dataset, metric, value, std, folds, baseline, baseline_source,
        source.

    Raises
    ------
    ResultsError
        For an unknown paper.
    """
    path = RESULTS / "published" / f"{paper}.csv"
    if not path.exists():
        raise ResultsError(f"unknown paper {paper!r}; known: {', '.join(papers())}")
    return pd.read_csv(path)


def collect(out: Path, paper: str, score: Callable[[dict], dict[str, float]]) -> pd.DataFrame:
    """Score every finished run below `out`: one line per run, with where it comes from.

    Parameters
    ----------
    score : callable
        Predictions of a run (see `mirkeras.records.read_predictions`) → metric name → value.

    Raises
    ------
    ResultsError
        If no run is finished.
    """
    lines = []
    for directory, record in find_runs(out, paper):
        flat = {name: value for name, value in record.items() if not isinstance(value, dict)}
        versions = " ".join(f"{name} {text}" for name, text in record["versions"].items())
        sizes = {f"{part}_segments": size["segments"] for part, size in record["sizes"].items()}
        scores = score(read_predictions(directory))
        lines.append(flat | sizes | {"versions": versions} | scores)
    if not lines:
        raise ResultsError(f"no finished run of {paper} below {out}; train first, or give --out")
    keys = ["dataset", "protocol", "row", "seed", "fold"]
    return pd.DataFrame(lines).sort_values(keys, ignore_index=True)


def compare(paper: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Join measured runs to published rows.

    Parameters
    ----------
    measured : DataFrame
        As from `collect`; columns row, dataset, protocol, seed, fold, folds, max_epochs, capped,
        features, parameters and one per metric.

    Returns
    -------
    DataFrame
        `COLUMNS` plus protocol, baseline, difference, low, high (the 95 % interval) and note; one
        line per row and `SETUP`. Rows without a run appear once, as "not run".

    Raises
    ------
    ResultsError
        If a run is there twice.
    """
    lines = []
    for row in published(paper).itertuples(index=False):
        runs = measured[measured.row == row.id.removeprefix(f"{paper}/")]
        if runs.empty:
            lines.append(_line(row) | {"verdict": "not run"})
        for _, group in runs.groupby(SETUP, sort=True):
            lines.append(_line(row) | _measured(row, group))
    extra = ["protocol", "baseline", "difference", "low", "high", "note"]
    table = pd.DataFrame(lines, columns=[*COLUMNS, *extra])
    return table.astype({"params": "Int64", "n": "Int64"})


def recorded(paper: str) -> pd.DataFrame:
    """Read the measured runs of a paper that came with the suite (none: an empty table)."""
    path = RESULTS / "measured" / f"{paper}.csv"
    if not path.exists():
        return pd.DataFrame(columns=["row", *SETUP])
    return pd.read_csv(path, dtype=TEXT)


def listing(paper: str) -> pd.DataFrame:
    """List every published row with our parameter count and what was measured on its own data."""
    from mirkeras.experiment import find_experiment

    data = published(paper).dataset.iloc[0]
    runs = recorded(paper)
    table = compare(paper, runs[runs.dataset == data])
    rows = find_experiment(paper).rows
    classes = len(data_prep.get(data).counts)
    counted = [rows[id.removeprefix(f"{paper}/")].build(classes).count_params() for id in table.id]
    return table.assign(params=counted)


def publish(paper: str, measured: pd.DataFrame) -> Path:
    """Put measured runs into ``results/measured`` and rewrite the paper's page from all of them.

    A run that is there already (same row, set-up, seed and fold) is replaced.
    """
    keys = ["dataset", "protocol", "row", "folds", "max_epochs", "seed", "fold"]
    # concatenating with an empty table would lose its types
    known = [table for table in (recorded(paper), measured) if len(table)]
    both = pd.concat(known).drop_duplicates(keys, keep="last").sort_values(keys, ignore_index=True)
    write_csv(both, RESULTS / "measured" / f"{paper}.csv")
    page = RESULTS / "pages" / f"{paper}.md"
    table = compare(paper, both)
    write_text(page, PAGE.format(paper=paper, table=markdown(table), runs=len(both)))
    return page


def _line(row: tuple) -> dict:
    return {
        "id": row.id,
        "model": row.model,
        "published_params": row.params,
        "dataset": row.dataset,
        "metric": row.metric,
        "published": row.value,
        "published_std": row.std,
        "baseline": row.baseline,
    }


def _measured(row: tuple, runs: pd.DataFrame) -> dict:
    if len(twice := runs[runs.duplicated(["seed", "fold"])]):
        raise ResultsError(
            f"{row.id}: seed {twice.seed.iloc[0]} fold {twice.fold.iloc[0]} is twice"
        )
    values = runs[row.metric].to_numpy()
    summary = Summary(values.mean(), values.std(), len(values))
    interval = welch_interval(summary, Summary(row.value, row.std, row.folds))
    note = _why_different(row, runs)
    dataset, protocol = runs.dataset.iloc[0], runs.protocol.iloc[0]
    return {
        "params": runs.parameters.iloc[0],
        "dataset": f"{dataset}:{protocol}",
        "protocol": protocol,
        "measured": round(summary.mean, 2),
        "measured_std": round(summary.std, 2),
        "n": summary.n,
        "difference": round(summary.mean - row.value, 2),
        "low": round(interval[0], 2) if interval else np.nan,
        "high": round(interval[1], 2) if interval else np.nan,
        "verdict": "different data" if note else verdict(interval),
        "note": note,
    }


def verdict(interval: tuple[float, float] | None) -> str:
    """Judge a difference on the paper's own data: consistent, above or below.

    "no interval" where the paper gives no deviation or there is a single run on a side.
    """
    if interval is None:
        return "no interval"
    low, high = interval
    return "above" if low > 0 else "below" if high < 0 else "consistent"


def _why_different(row: tuple, runs: pd.DataFrame) -> str:
    """Name what keeps a measurement from being the paper's; empty if nothing does."""
    first = runs.iloc[0]
    per_seed = runs.groupby("seed").fold.nunique()
    reasons = []
    if first.dataset != row.dataset:
        reasons.append(f"data set {first.dataset}, not {row.dataset}")
    if first.protocol not in SAME_SPLIT:
        reasons.append(f"split of protocol {first.protocol}")
    if first.folds != row.folds:
        reasons.append(f"{first.folds} folds, published {row.folds}")
    if (per_seed != first.folds).any():
        reasons.append(f"{per_seed.min()} of {first.folds} folds run")
    if runs.features.nunique() > 1:
        reasons.append("audio changed between the runs")
    if runs.capped.any():
        reasons.append(f"training cut at {first.max_epochs} epochs")
    return "; ".join(reasons)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table whole."""
    write_text(path, table.to_csv(index=False))


def markdown(table: pd.DataFrame) -> str:
    """Lay a comparison out for people: published | baseline | measured | difference | verdict."""
    head = (
        "| row | parameters | baseline | published | data | measured | n | difference (95 %) "
        "| verdict |"
    )
    lines = [head, "|---|--:|--:|--:|---|--:|--:|--:|---|"]
    for row in table.itertuples(index=False):
        lines.append(
            f"| {row.model} | {row.published_params:,} | {row.baseline} | {row.published:.2f} ± "
            f"{row.published_std:.2f} | {row.dataset} | {_measured_text(row)} | {row.verdict} |"
        )
    notes = [f"- {text}" for text in dict.fromkeys(table.note.dropna()) if text]
    return "\n".join([*lines, "", *notes]) + "\n"


def _measured_text(row: tuple) -> str:
    if pd.isna(row.measured):
        return "– | 0 | –"
    interval = "" if pd.isna(row.low) else f" [{row.low:+.2f}, {row.high:+.2f}]"
    value = f"{row.measured:.2f} ± {row.measured_std:.2f}"
    return f"{value} | {row.n} | {row.difference:+.2f}{interval}"
