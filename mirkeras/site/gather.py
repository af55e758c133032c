"""What a site is about: of each paper its table, its runs and its figures."""

import hashlib
import importlib
import inspect
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib import resources
from pathlib import Path

import pandas as pd

from mirkeras.evaluation import metrics, results
from mirkeras.evaluation.comparison import SETUP, data_of
from mirkeras.experiment import Experiment, find_experiment, published
from mirkeras.experiment.records import read_record
from mirkeras.experiment.runs import Run, find_runs
from mirkeras.report.tables import DECIMALS, JUDGED, measured_text, number, text_of
from mirkeras.storage.files import sha256

PACKAGE = Path(__file__).parents[1]
#: Packages that make numbers into pages.
PROGRAMS = ("evaluation", "report", "site")
#: Where numbers come from.
SOURCES = BOTH, RESULTS, RUNS = ("both", "results", "runs")
#: Verdicts of published rows that nobody ran.
UNRUN = ("not run", "cited")
#: Verdicts of measurements on the paper's own data, by its protocol.
LIKE = (*JUDGED, "undecided", "no interval")


@dataclass(frozen=True, eq=False)
class Paper:
    """A paper, and what is known of it.

    Attributes
    ----------
    measured : DataFrame
        A line per run, see `mirkeras.evaluation.results.collect`.
    compared : DataFrame
        See `mirkeras.evaluation.comparison.compare`.
    runs : tuple of (Path, dict)
        The finished runs at hand, with their records.
    unfinished : tuple of (Path, dict)
        Those that train, or were interrupted.
    figures : tuple of Path
    """

    experiment: Experiment
    measured: pd.DataFrame
    compared: pd.DataFrame
    runs: tuple[tuple[Path, dict], ...]
    unfinished: tuple[tuple[Path, dict], ...]
    figures: tuple[Path, ...]

    @property
    def name(self) -> str:
        """Name of the paper's folder."""
        return self.experiment.paper

    @cached_property
    def title(self) -> str:
        """The heading of the README beside its experiment; without one, its name."""
        package = published.module_of(self.name).rpartition(".")[0]
        page = resources.files(package) / "README.md" if package else None
        if page is None or not page.is_file():
            return self.name
        heading = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        return heading[1] if heading else self.name

    def counts(self) -> dict[str, int]:
        """Count published rows (a line per row and metric), and what became of them."""
        table = self.compared
        printed = table[table.published.notna() & (table.verdict != "cited")]
        run = printed[printed.measured.notna()]
        like = run[run.verdict.isin(LIKE)]
        return {
            "rows": printed.id.nunique(),
            "run": run.id.nunique(),
            "like": like.id.nunique(),
            **{verdict: int((run.verdict == verdict).sum()) for verdict in JUDGED},
            "other data": run.id[~run.id.isin(like.id)].nunique(),
            "own": int((table.measured.notna() & table.published.isna()).sum()),
            "runs": len(self.measured),
        }


def papers(runs: Path) -> tuple[str, ...]:
    """Name the papers that are known, and those of modules of one's own that have runs."""
    known = published.papers()
    folders = sorted(path.name for path in runs.iterdir() if path.is_dir()) if runs.is_dir() else ()
    return (*known, *(name for name in folders if "." in name and name not in known))


def gather(name: str, runs: Path, source: str) -> Paper:
    """Gather a paper.

    Parameters
    ----------
    runs : Path
        The folder of runs; it need not exist.
    source : str
        One of `SOURCES`.

    Raises
    ------
    ResultsError, RunError, TableError
        There is no such paper; what is known of it is damaged.
    """
    experiment = find_experiment(name)
    finished = tuple(find_runs(runs, name)) if source != RESULTS else ()
    measured = results.recorded(name) if source != RUNS else results.recorded(name)[:0]
    if any("scored" not in record for _, record in finished):  # not only networks of all data
        own = results.collect(runs, name, partial(metrics.score_run, experiment))
        measured = results.together(name, own) if source == BOTH else own
    compared = results.with_known_repeats(name, measured)
    begun = sorted((runs / name).rglob("run.json")) if source != RESULTS else ()
    open_ones = ((path.parent, read_record(path.parent)) for path in begun)
    drawn = [runs / name / "figures"] if source != RESULTS else []
    drawn += [published.RESULTS / "pages" / name] if source != RUNS else []
    figures = {path.name: path for folder in drawn[::-1] for path in folder.glob("*.png")}
    return Paper(
        experiment,
        measured,
        compared,
        finished,
        tuple(pair for pair in open_ones if pair[1]["status"] != "finished"),
        tuple(figures[name] for name in sorted(figures)),
    )


def state_of(name: str, runs: Path, source: str, *more: str) -> str:
    """Digest all that a paper's pages are made of: numbers, runs, figures, and the programs."""
    seal = hashlib.sha256("\n".join((name, str(runs), source, *more)).encode())
    home = Path(inspect.getfile(importlib.import_module(published.module_of(name)))).parent
    files = [path for package in PROGRAMS for path in (PACKAGE / package).rglob("*.*")]
    files += [*home.glob("*.*"), *(published.RESULTS / "published").rglob(f"{name}*.csv")]
    if source != RUNS:
        files.append(published.RESULTS / "measured" / f"{name}.csv")
        files += (published.RESULTS / "pages" / name).glob("*.png")
    if source != RESULTS:
        files += (runs / name / "figures").glob("*.png")
        files += [p for p in (runs / name).rglob("*") if p.name in ("run.json", "log.csv")]
    for path in sorted(files):
        if path.is_file() and path.suffix != ".pyc":
            seal.update(f"{path} {sha256(path)}".encode())
    return seal.hexdigest()


def table_lines(compared: pd.DataFrame) -> list[dict]:
    """Lay out the lines of a comparison: text, and numbers to sort by."""
    lines = []
    for row in compared.itertuples(index=False):
        value, n, epochs, difference = measured_text(row)
        params = row.published_params if pd.isna(row.params) else row.params
        lines.append(
            {
                "row": row.row or "",
                "model": row.model,
                "verdict": row.verdict,
                "note": "" if pd.isna(row.note) else row.note,
                "metric": row.metric.replace("_", " "),
                "data": row.dataset,
                "params": (text_of(params, ","), _key(params)),
                "baseline": (text_of(row.baseline), _key(row.baseline)),
                "published": (
                    number(row.published, row.published_std, row.metric),
                    _key(row.published),
                ),
                "measured": (value, _key(row.measured)),
                "n": n,
                "epochs": (epochs, epochs.partition(" ")[0].partition("–")[0]),
                "difference": (difference, _key(row.difference)),
            }
        )
    return lines


def _key(value: float) -> str:
    """Write a number to sort by; nothing where there is none."""
    return "" if pd.isna(value) else repr(float(value))


def differences(compared: pd.DataFrame) -> dict[str, list[dict]]:
    """Gather, by metric, what a forest plot shows: measurements on data like the paper's."""
    found: dict[str, list[dict]] = {}
    for row in compared[compared.verdict.isin(LIKE)].itertuples(index=False):
        line = {"name": row.model, "data": row.dataset, "verdict": row.verdict}
        line |= {"difference": row.difference, "low": row.low, "high": row.high}
        found.setdefault(row.metric, []).append(line | {"text": measured_text(row)[3]})
    return found


#: Columns of measured runs that tell runs of a row apart, in order, and what they are called.
_SHOWN = {"seed": "seed", "fold": "fold", "epochs": "epochs", "finished": "finished"}


def records(paper: Paper, row: str) -> list[dict]:
    """Gather the records of a row: of each data set and protocol what all runs share, and each run.

    Returns
    -------
    list of dict
        data; shared, pairs of a field and its value; head; runs, a list of cells for each.
    """
    own = paper.measured[paper.measured.row == row]
    labels = pd.Series([data_of(line) for line in own.to_dict("records")], own.index, object)
    files = {tuple(asdict(Run.of(record)).values()): path for path, record in paper.runs}
    found = []
    for label, lines in own.groupby(labels, sort=False):
        lines = lines.dropna(axis=1, how="all")
        scores = [name for name in DECIMALS if name in lines]
        same = [name for name in lines if lines[name].astype(str).nunique() == 1]
        same = [name for name in same if len(lines) == 1 or name not in (*_SHOWN, *scores)]
        lead = [name for name in (*_SHOWN, *scores) if name in lines and name not in same]
        rest = [name for name in lines if name not in (*same, *lead)]
        runs = [
            {
                "cells": [_cell(name, run[name]) for name in (*lead, *rest)],
                "folder": files.get(tuple(asdict(Run.of(run)).values())),
            }
            for run in lines.to_dict("records")
        ]
        shared = [(_named(name), _cell(name, lines[name].iloc[0])) for name in same]
        head = [_named(name) for name in (*lead, *rest)]
        found.append({"data": label, "shared": shared, "head": head, "runs": runs})
    return found


def _named(column: str) -> str:
    return _SHOWN.get(column, column).replace("_", " ")


def _cell(column: str, value: object) -> str:
    if isinstance(value, float) and pd.isna(value):
        return ""
    if column == "fold":
        return str(int(value) + 1)
    if column in DECIMALS:
        return f"{value:.{DECIMALS[column]}f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def setups(runs: Sequence[tuple[Path, dict]]) -> dict[tuple, list[tuple[Path, dict]]]:
    """Group runs by what they share: (data, folds, epochs)."""
    groups: dict[tuple, list[tuple[Path, dict]]] = {}
    for path, record in runs:
        run = asdict(Run.of(record))
        key = data_of(run | record), *(run[name] for name in SETUP[-2:])
        groups.setdefault(key, []).append((path, record))
    return groups
