"""Published numbers and measured ones: where they lie and how they are read and written.

Published: ``results/published/<paper>.csv``, one line per row, with its source.
Measured: one line per run, read from run records and predictions, never from a network.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

import data_prep
from mirkeras.evaluation import comparison, metrics
from mirkeras.evaluation.comparison import SETUP
from mirkeras.experiment import find_experiment, published
from mirkeras.experiment.published import ResultsError, published_rows
from mirkeras.experiment.records import read_predictions
from mirkeras.experiment.runs import Run, find_runs
from mirkeras.pipeline.splits import FINAL, SEEDED
from mirkeras.report.tables import DECIMALS, PAGE, markdown
from mirkeras.storage.files import write_text
from mirkeras.storage.tables import inferred, read_csv, write_checked_csv

# Columns that must stay text, however much they look like numbers.
TEXT = (
    *("paper", "row", "dataset", "split", "protocol", "commit", "features", "origin", "weights"),
    *("warning", "dropped_tags", "pretrained", "extractors", "learned_from", "tagger", "command"),
    *("python", "versions", "changed", "started", "finished"),
)


def collect(out: Path, paper: str, score: Callable[[dict, dict], dict]) -> pd.DataFrame:
    """Score every finished run below `out`: one line per run, with where it comes from.

    Parameters
    ----------
    score : callable
        (predictions of a run, see `mirkeras.experiment.records.read_predictions`; its record) →
        metric name → value.
    """
    lines = []
    for directory, record in find_runs(out, paper):
        if record.get("split") == FINAL:  # it learned from all tracks: nothing can be scored
            continue
        flat = {n: value for n, value in record.items() if not isinstance(value, dict | list)}
        flat = asdict(Run.of(record)) | flat  # older records name no split
        versions = " ".join(f"{name} {text}" for name, text in record["versions"].items())
        sizes = {f"{part}_segments": size["segments"] for part, size in record["sizes"].items()}
        # a timing has no predictions: its record holds what was measured
        scores = record.get("measurements")
        if not scores:
            predictions = read_predictions(directory)
            scores = score(predictions, record) | {"guess": metrics.guess(predictions)}
        lines.append(flat | sizes | {"versions": versions, "changed": _changed(record)} | scores)
    if not lines:
        raise ResultsError(f"no finished run of {paper} below {out}; train first, or give --out")
    keys = ["dataset", "split", "protocol", "row", "seed", "fold"]
    return pd.DataFrame(lines).sort_values(keys, ignore_index=True)


def finished_runs(out: Path, paper: str | None = None) -> pd.DataFrame:
    """List the finished runs below a folder: where each is, what it is, and what it scored.

    Raises
    ------
    ResultsError
        There is none.
    """
    lines = []
    for name in [paper] if paper else published.papers():
        experiment = find_experiment(name)
        for directory, record in find_runs(out, name):
            line = {"run": directory, **asdict(Run.of(record)), "epochs": record.get("epochs")}
            line["finished"] = record["finished"]
            if record.get("split") == FINAL:
                line["metric"] = record["scored"]
            elif "measurements" not in record and (directory / "predictions.npz").exists():
                scores = metrics.score_run(experiment, read_predictions(directory), record)
                line["metric"] = name = next(name for name in scores if name in DECIMALS)
                line["score"] = round(scores[name], DECIMALS[name])
            lines.append(line)
    if not lines:
        raise ResultsError(f"no finished run below {out}; see `mirkeras train --help`")
    columns = ["run", "dataset", "protocol", "epochs", "metric", "score", "finished"]
    return pd.DataFrame(lines).reindex(columns=columns)


def _changed(record: dict) -> str | None:
    """Name what changed between the starts of an interrupted run; None if nothing did."""
    starts = [{**start, **start["versions"]} for start in record.get("starts", ())]
    names = dict.fromkeys(name for start in starts for name in start)
    changed = []
    for name in names:
        found = dict.fromkeys(str(start[name]) for start in starts if name in start)
        if len(found) > 1 and name not in ("time", "command", "versions"):
            changed.append(f"{name} {', '.join(found)}")
    return "; ".join(changed) or None


def with_known_repeats(paper: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Join measured runs to the published rows of a paper, see
    `mirkeras.evaluation.comparison.compare`.

    Runs on drawn folds of a set that is known to repeat artists or recordings carry that warning,
    also if their records are older than it.
    """
    given = measured.warning if "warning" in measured else pd.Series(pd.NA, measured.index)
    said = {dataset: _repeats(dataset) for dataset in set(measured.dataset)}
    known = [
        said[dataset] if split in SEEDED else ""
        for dataset, split in zip(measured.dataset, measured.split, strict=True)
    ]
    warned = given.astype(object).where(given.notna(), pd.Series(known, measured.index, object))
    return comparison.compare(published_rows(paper), measured.assign(warning=warned))


def _repeats(dataset: str) -> str:
    """What drawn folds of a declared set, or of a part of it, repeat."""
    declared = (name for name in data_prep.names() if f"{dataset}-".startswith(f"{name}-"))
    return "".join(data_prep.get(name).repeats for name in declared)


def recorded(paper: str) -> pd.DataFrame:
    """Read the measured runs of a paper that came with the suite (none: an empty table)."""
    path = published.RESULTS / "measured" / f"{paper}.csv"
    if not path.exists():
        return pd.DataFrame(columns=["row", *SETUP])
    remedy = f"restore it, or delete it and publish anew: mirkeras compare {paper} --publish"
    return read_measured(path, remedy)


def read_measured(path: Path, remedy: str) -> pd.DataFrame:
    """Read measured runs, a line each; `remedy` says how to get the file anew.

    Raises
    ------
    TableError
        The file is not as it was written.
    """
    return inferred(read_csv(path, ["row", "seed", "fold", *SETUP], remedy, checked=True), TEXT)


def evaluated(paper: str, out: Path) -> pd.DataFrame:
    """Read what was last evaluated below `out`, a line per run.

    Raises
    ------
    ResultsError
        Nothing was, or it is of another paper.
    """
    path = out / paper / "measured.csv"
    remedy = f"evaluate first: python -m reproductions.{paper}.evaluate --out {out}"
    if not path.is_file():
        raise ResultsError(f"nothing is measured below {out}; {remedy}")
    measured = read_measured(path, remedy)
    if {*measured.paper} != {paper}:
        raise ResultsError(f"{path} is of {measured.paper.iloc[0]}; {remedy}")
    return measured


def listing(paper: str) -> pd.DataFrame:
    """List every published row with our parameter count and what was measured on its own data."""
    from mirkeras.evaluation.parameters import count_parameters

    rows, runs = published_rows(paper), recorded(paper)
    table = comparison.compare(rows, runs[runs.dataset.isin(rows.dataset)])
    table = table[table.id.isin(rows.id)]
    experiment = find_experiment(paper)
    outputs, protocols = output_counts(rows), rows.set_index("id").protocol
    counted = [
        count_parameters(experiment, row, outputs[id], protocols[id]) if row else None
        for id, row in zip(table.id, table.row, strict=True)
    ]
    return table.assign(params=pd.array(counted, dtype="Int64"))


def output_counts(rows: pd.DataFrame) -> dict[str, int]:
    """Count the classes or tags of each published row's data set, by id."""
    known = {name: data_prep.get(name) for name in set(rows.dataset) & set(data_prep.names())}
    counts = {name: len(data.tags) or len(data.counts) for name, data in known.items()}
    # a time is of the network for the data of the paper's other rows
    usual = next((counts[name] for name in rows.dataset if name in counts), None)
    return {
        row.id: counts.get(row.dataset, usual) if pd.isna(row.outputs) else int(row.outputs)
        for row in rows.itertuples(index=False)
    }


def together(paper: str, measured: pd.DataFrame) -> pd.DataFrame:
    """Join measured runs to those that came with the suite; the same run is replaced."""
    # concatenating with an empty table would lose its types
    known = [table for table in (recorded(paper), measured) if len(table)]
    both = pd.concat(known, ignore_index=True)
    keys = [*SETUP, "row", "seed", "fold"]
    same = both[keys].assign(source=comparison.measurement_of(both))
    return both[~same.duplicated(keep="last")].sort_values(keys, ignore_index=True)


def publish(paper: str, measured: pd.DataFrame) -> Path:
    """Put measured runs into ``results/measured`` and rewrite the paper's page from all of them.

    A run that is there already (same row, set-up, seed and fold) is replaced.
    """
    both = together(paper, measured)
    write_checked_csv(both, published.RESULTS / "measured" / f"{paper}.csv")
    page = published.RESULTS / "pages" / f"{paper}.md"
    table = with_known_repeats(paper, both)
    brought = paper in published.tables()
    known = f"`results/published/{paper}.csv`" if brought else "no published numbers"
    write_text(
        page, PAGE.format(paper=paper, published=known, table=markdown(table), runs=len(both))
    )
    return page
