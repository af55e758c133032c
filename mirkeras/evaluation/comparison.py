"""Published rows against measured runs: who is compared with whom, and the verdict."""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mirkeras.evaluation.stats import Summary, prediction_interval, welch_interval
from mirkeras.experiment.published import ResultsError
from mirkeras.pipeline.splits import DRAWN, SEEDED
from mirkeras.report.tables import DECIMALS
from mirkeras.system.errors import shown

COLUMNS = [
    *("id", "model", "params", "published_params", "dataset", "metric"),
    *("published", "published_std", "measured", "measured_std", "n", "verdict"),
]
# What runs must share to be one measurement.
SETUP = ["dataset", "split", "protocol", "folds", "max_epochs"]
# What may differ between the runs of one measurement, but not silently.
MIXED = {
    "commit": "commits",
    "python": "Python versions",
    "versions": "library versions",
    "backend": "backends",
    "hardware": "machines",
    "threads": "numbers of threads",
}
# The split of a published number whose source names none.
UNKNOWN = "unknown"
# Names of one's own data sets begin so: no paper has measured them.
OWN = ("folder-", "csv-")
# Tracks of the paper's data that a measurement may lack.
MISSING = 0.01
# Runs below which an interval is too wide to call two numbers consistent.
FEWEST = 3
# The protocol that draws folds another way than the papers: it keeps replicas together.
CLEAN = "clean"


def compare(published: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Join measured runs to published rows.

    Parameters
    ----------
    published : DataFrame
        As from `mirkeras.experiment.published.published_rows`.
    measured : DataFrame
        As from `mirkeras.evaluation.results.collect`; columns row, `SETUP`, seed, fold, capped,
        features, parameters and one per metric.

    Returns
    -------
    DataFrame
        `COLUMNS` plus row, split, protocol, baseline, epochs (how long networks were trained),
        difference, low, high (the 95 % interval), note, warned (what of it is about the runs
        alone), and elsewhere (on which other data, protocol or hardware the published value was;
        empty where the two are judged); one line per published row and `SETUP`. Published rows
        without a run appear once, as "not run" or, if they are earlier work that the paper cites,
        as "cited"; measured networks for which the paper prints no such number follow, as
        "not published".

    Raises
    ------
    ResultsError
        If a run is there twice.
    """
    lines = []
    for row in published.itertuples(index=False):
        groups = list(_runs_of(row, published, measured))
        if not groups:
            unrun = "not run" if row.row else "cited"
            unrun = "not published" if np.isnan(row.value) else unrun
            lines.append(_line(row) | {"verdict": unrun, "note": row.note})
        lines += [_line(row) | _measured(row, group) for group in groups]
    lines += _unpublished(published, measured)
    extra = ["row", "split", "protocol", "baseline", "epochs", "difference", "low", "high", "note"]
    table = pd.DataFrame(lines, columns=[*COLUMNS, *extra, "warned", "elsewhere"])
    table = table.astype({"params": "Int64", "n": "Int64", "published_params": "Int64"})
    words = ["epochs", "elsewhere"]
    return table.assign(**table[words].astype(object).fillna(""))


def _runs_of(row: tuple, published: pd.DataFrame, measured: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Group the runs of a published row's network by set-up.

    A network may stand in several published rows, one per data set; a run on one of these data
    sets, on a part of it or a stand-in for it is compared with that row only.
    """
    if not row.row or row.metric not in measured:
        return
    same = (published.row == row.row) & (published.metric == row.metric)
    elsewhere = set(published.dataset[same]) - {row.dataset}
    mine = (measured.row == row.row) & measured[row.metric].notna()
    # a part of a data set, and a stand-in for it, are named after it
    theirs = [
        any(f"{name}-".startswith(f"{other}-") for other in elsewhere) for name in measured.dataset
    ]
    runs = measured[mine & ~np.array(theirs, bool)]
    for _, group in runs.groupby([*SETUP, measurement_of(runs)], sort=True):
        yield group


def measurement_of(runs: pd.DataFrame) -> pd.Series:
    """Tell apart what a set-up alone does not: whose features, and whose clock.

    Runs on features of other networks are one measurement only if these are the same; times only
    if they were taken on the same hardware.
    """
    given = runs.extractors.fillna("") if "extractors" in runs else ""
    clock = runs.hardware if "hardware" in runs else ""
    source = pd.Series(given, index=runs.index, dtype=str)
    return source.where(runs.dataset != "timing", clock).rename("source")


def _unpublished(published: pd.DataFrame, measured: pd.DataFrame) -> list[dict]:
    """List what was measured of networks for which the paper prints no number of that kind."""
    lines = []
    printed = set(published.metric)
    # the accuracy of classes is shown of any network
    for metric in [
        name for name in DECIMALS if name in measured and name in {*printed, "accuracy"}
    ]:
        known = published.row[published.metric == metric]
        runs = measured[measured[metric].notna() & ~measured.row.isin(known)]
        for (name, *_), group in runs.groupby(["row", *SETUP, measurement_of(runs)], sort=True):
            models = published.model[published.row == name]
            model = models.iloc[0] if len(models) else name
            line = {"id": f"{group.paper.iloc[0]}/{name}", "model": model, "metric": metric}
            values = _values(group, metric)
            warned = _notes(*_warnings(group))
            told = {"verdict": "not published", "note": warned, "warned": warned}
            lines.append(line | values | {"row": name} | told)
    return lines


def _line(row: tuple) -> dict:
    return {
        "id": row.id,
        "row": row.row,
        "model": row.model,
        "published_params": row.params,
        "dataset": row.dataset,
        "metric": row.metric,
        "published": row.value,
        "published_std": row.std,
        "baseline": row.baseline,
    }


def data_of(run: Mapping) -> str:
    """Write what a run (a record, a line of measured results) is of: data set@split:protocol."""
    dataset, split = run["dataset"], run.get("split", DRAWN)
    data = dataset if split == DRAWN else f"{dataset}@{split}"
    extractors = run.get("extractors")
    foreign = isinstance(extractors, str) and not extractors.startswith(f"{dataset}:")
    return f"{data}:{run['protocol']}" + (f" ← {extractors}" if foreign else "")


def _values(runs: pd.DataFrame, metric: str) -> dict:
    """Summarise the runs of one set-up."""
    if len(twice := runs[runs.duplicated(["seed", "fold"])]):
        raise ResultsError(
            f"{runs.row.iloc[0]}: seed {twice.seed.iloc[0]} fold {twice.fold.iloc[0]} is twice"
        )
    values, first = runs[metric].to_numpy(float), runs.iloc[0]
    return {
        "params": first.parameters,
        "dataset": data_of(first),
        "split": first.split,
        "protocol": first.protocol,
        "measured": round(values.mean(), DECIMALS[metric]),
        "measured_std": round(values.std(), DECIMALS[metric]),
        "n": len(values),
        "epochs": _epochs(runs),
    }


def _epochs(runs: pd.DataFrame) -> str:
    """Write how long networks were trained, as 93–199 or 30 (cut); nothing where none was."""
    if "epochs" not in runs or runs.epochs.isna().all():
        return ""
    least, most = int(runs.epochs.min()), int(runs.epochs.max())
    span = f"{least}" if least == most else f"{least}–{most}"
    return f"{span} (cut)" if runs.capped.any() else span


def _measured(row: tuple, runs: pd.DataFrame) -> dict:
    line, values = _values(runs, row.metric), runs[row.metric].to_numpy(float)
    line["warned"] = _notes(*_warnings(runs))
    if np.isnan(row.value):
        note = _notes(row.note, *_warnings(runs))
        return line | {"verdict": "not published", "note": note}
    summary = Summary(values.mean(), values.std(), len(values))
    interval = welch_interval(summary, Summary(row.value, row.std, row.folds))
    if np.isnan(row.std):
        interval = prediction_interval(summary, row.value)
    data, method = why_different(row, runs), _other_method(row, runs)
    why, digits = "; ".join(filter(None, (data, method))), DECIMALS[row.metric]
    other = "different hardware" if row.metric == "time_ratio" else "different data"
    other = other if data else "different protocol"
    judged = other if why else verdict(interval, summary.n)
    return line | {
        "difference": round(summary.mean - row.value, digits),
        "low": round(interval[0], digits) if interval else np.nan,
        "high": round(interval[1], digits) if interval else np.nan,
        "verdict": judged,
        "elsewhere": f"{row.dataset}: {other}" if why else "",
        "note": _notes(why, _why_open(judged, interval, row), row.note, *_warnings(runs)),
    }


def _why_open(judged: str, interval: tuple[float, float] | None, row: tuple) -> str:
    """Say what an open verdict lacks."""
    if judged == "undecided":
        wide = f"{interval[1] - interval[0]:.{DECIMALS[row.metric]}f}"
        return f"two runs decide little, the interval is {wide} wide: train more, --seeds 0,1,2"
    if judged == "no interval" and not np.isnan(row.std) and not row.folds > 1:
        return "the number of published folds is unknown, so there is no interval"
    return "one run has no interval: train more, --seeds 0,1,2" if judged == "no interval" else ""


def _notes(*texts: str) -> str:
    """One note a line, so that pages can say each once."""
    return "\n".join(shown(text) for text in texts if text)


def _warnings(runs: pd.DataFrame) -> list[str]:
    """What readers must know of the split, see `mirkeras.evaluation.results.with_known_repeats`,
    and of runs that were not made alike.
    """
    first = runs.iloc[0]
    given = runs.warning.dropna().unique() if "warning" in runs else ()
    warnings = [f"split {first.split}: {text}" for text in given if text]
    for column, what in MIXED.items():
        found = runs[column].dropna().astype(str).unique() if column in runs else ()
        if len(found) > 1:
            # of versions, which stand in one text, only those that differ
            words = [
                set(re.split(r" (?=[a-z])" if column == "versions" else "$", t)) for t in found
            ]
            differing = sorted(set.union(*words) - set.intersection(*words))
            warnings.append(f"{first.row}: runs of several {what}: {', '.join(differing)}")
    for text in runs.changed.dropna().unique() if "changed" in runs else ():
        warnings.append(f"{first.row}: interrupted and gone on with another {text}")
    if "rejected_tracks" in runs and (missing := runs.rejected_tracks.max()) > 0:
        warnings.append(f"{first.row}: {missing:.0f} track(s) set aside")
        drawn_over = runs.get("drawn_over", pd.Series(pd.NA, runs.index))
        if first.split in SEEDED and (drawn_over.isna() & (runs.rejected_tracks > 0)).any():
            warnings.append(f"{first.row}: folds drawn over the tracks that could be read")
    return warnings


def verdict(interval: tuple[float, float] | None, runs: float) -> str:
    """Judge a difference on the paper's own data: consistent, above or below.

    "no interval" where there is a single run on a side whose deviation is needed; "undecided" where
    an interval of too few runs holds zero, which it does of nearly any difference.
    """
    if interval is None or np.isnan(interval).any():
        return "no interval"
    low, high = interval
    within = "consistent" if runs >= FEWEST else "undecided"
    return "above" if low > 0 else "below" if high < 0 else within


def _other_method(row: tuple, runs: pd.DataFrame) -> str:
    """Name what makes the number that of another protocol: other layers, decisions, arithmetic."""
    protocol, reasons = runs.protocol.iloc[0], []
    if row.protocol and protocol != row.protocol:
        reasons.append(f"protocol {protocol}, published {row.protocol}")
    if "mixed_precision" in runs and (half := runs.mixed_precision.eq(True)).any():
        reasons.append(f"{half.sum()} of {len(runs)} run(s) in half precision")
    return "; ".join(reasons)


def why_different(row: tuple, runs: pd.DataFrame) -> str:
    """Name what keeps a measurement from being the paper's; empty if nothing does."""
    first = runs.iloc[0]
    if row.metric == "time_ratio":
        return f"timed on {first.hardware}"
    per_seed = runs.groupby("seed").fold.nunique()
    reasons = []
    if first.dataset != row.dataset:
        reasons.append(f"data set {first.dataset}, not {row.dataset}")
    if row.split == UNKNOWN:
        reasons.append("split of the paper unknown")
    elif row.split and first.split != row.split:
        reasons.append(f"split {first.split}, not {row.split}")
    if first.split in SEEDED and first.protocol == CLEAN:
        reasons.append(f"split of protocol {first.protocol}")
    if not np.isnan(row.folds) and first.folds != row.folds:
        reasons.append(f"{first.folds} folds, published {row.folds:.0f}")
    if (per_seed != first.folds).any():
        reasons.append(f"{per_seed.min()} of {first.folds} folds run")
    reasons += _lacking(runs)
    if runs.features.nunique() > 1:
        reasons.append("audio changed between the runs")
    if runs.capped.any():
        reasons.append(f"training cut at {first.max_epochs} epochs")
    if "pretrained" in runs:
        reasons += runs.pretrained.dropna().unique().tolist()
    return "; ".join(reasons)


def _lacking(runs: pd.DataFrame) -> list[str]:
    """Name the tracks that a measurement lacks, if they are more than a few."""
    if "rejected_tracks" not in runs:
        return []
    worst = runs.iloc[runs.rejected_tracks.fillna(0).argmax()]
    # older records do not say how many tracks there were
    tracks = worst.get("tracks", np.nan)
    if worst.rejected_tracks > 0 and not worst.rejected_tracks <= MISSING * tracks:
        of = "" if np.isnan(tracks) else f" of {tracks:.0f}"
        return [f"{worst.rejected_tracks:.0f}{of} tracks set aside"]
    return []
