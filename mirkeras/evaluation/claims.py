"""What papers claim, answered: by the numbers they print, and by what was measured here.

A claim is data: a sentence, where it stands, the rows it is about and a threshold. A paper's are
the ``CLAIMS`` of the module ``claims`` beside its experiment. An answer rests on an interval of
95 %: of differences on the same folds and seeds where both sides have them, else of two means
(Welch); a single run has none, and neither has a table that prints no deviation.
"""

import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isnan, nan
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from mirkeras.evaluation.comparison import FEWEST, data_of, measurement_of, why_different
from mirkeras.evaluation.stats import (
    CONFIDENCE,
    Summary,
    paired_interval,
    proportions_interval,
    welch_interval,
)
from mirkeras.experiment import published
from mirkeras.experiment.published import ResultsError
from mirkeras.report.tables import DECIMALS

COLUMNS = [
    *("claim", "text", "place", "form", "metric", "source", "data", "answer", "difference"),
    *("low", "high", "n", "by", "between", "note"),
]
HOLDS, FAILS, UNTOLD = "holds", "does not hold", "cannot be told"
#: Of printed numbers without a deviation: whether they are at least in the order that is claimed.
SAID, UNSAID = "printed so", "printed otherwise"
WORST_FIRST = (FAILS, UNSAID, UNTOLD, SAID, HOLDS)
PRINTED, MEASURED = "published", "measured"
PARAMETERS = "parameters"
# What runs share that a claim compares; networks that ran to their own end may differ in epochs.
_SETTING = ["dataset", "split", "protocol", "folds"]


@dataclass(frozen=True)
class Claim:
    """A sentence of a paper, and what decides it.

    Attributes
    ----------
    id, text : str
        A short name, and the sentence in words of our own.
    place : str
        Where the paper says it.
    order : tuple of (tuple of str)
        Groups of rows, each compared with the next: what is run (``table1/time-1x60``), or a
        published id without the paper (of another paper: with it). ``{names}``: see `forms`.
    kind : "above", "level" or "times"
        What holds of first − second: it is more than `margin`, or within ± `margin`; or first /
        second is more than `margin`, of parameters.
    margin : float
        In units of the metric; negative: "costs at most". `why` says why that one.
    metrics : tuple of str
        What is compared, each for itself.
    forms : tuple of mapping
        What `order` is filled with, an answer for each.
    on : tuple of str
        What the names of the data sets begin with that the claim is about; "": of all.
    take : "each" or "best"
        Whether each row of a group is compared with each of the next (the worst pair answers), or
        the best of those at hand with the best; then each pair it was picked from counts as a
        comparison (Bonferroni).
    unit : "runs", "draws" or "tracks"
        What varies: runs (folds × seeds), seeds, each the mean of its folds, or the tracks tested,
        of classifiers that are run once (`mirkeras.evaluation.stats.proportions_interval`).
    """

    id: str
    text: str
    place: str
    order: tuple[tuple[str, ...], ...]
    kind: Literal["above", "level", "times"] = "above"
    margin: float = 0.0
    why: str = ""
    metrics: tuple[str, ...] = ("accuracy",)
    forms: tuple[Mapping[str, object], ...] = ({},)
    on: tuple[str, ...] = ("",)
    take: Literal["each", "best"] = "each"
    unit: Literal["runs", "draws", "tracks"] = "runs"

    def __post_init__(self) -> None:
        if (self.margin != 0) != bool(self.why):
            raise ValueError(f"claim {self.id}: a threshold and its reason go together")
        if (self.kind == "times") != (self.metrics == (PARAMETERS,)):
            raise ValueError(f"claim {self.id}: times is of parameters, and these of nothing else")

    @property
    def threshold(self) -> str:
        """Say when it holds."""
        if self.kind == "times":
            return f"more than {self.margin:g} ×"
        if self.kind == "level":
            return f"within ±{self.margin:g}"
        return f"above {self.margin:+g}" if self.margin else "above 0"

    def groups(self, form: Mapping[str, object]) -> list[list[str]]:
        """Name the rows compared, of one of the `forms`."""
        return [[name.format(**form) for name in group] for group in self.order]


class _Side(NamedTuple):
    """What is known of a row: mean, deviation and n; if measured each value, by seed or run."""

    summary: Summary
    values: pd.Series | None = None
    tracks: float = nan


class _Found(NamedTuple):
    """The answer of one pair of rows."""

    answer: str
    difference: float
    low: float
    high: float
    n: float
    by: str
    between: str


def find_claims(paper: str) -> tuple[Claim, ...]:
    """Load the claims of a paper, none if it has no module of them.

    Raises
    ------
    ResultsError
        There is no such paper.
    """
    package = published.module_of(paper).rpartition(".")[0]
    name = f"{package}.claims"
    if not package or importlib.util.find_spec(name) is None:
        return ()
    return tuple(importlib.import_module(name).CLAIMS)


def answers(claims: Iterable[Claim], rows: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Answer claims by published rows and by measured runs.

    Parameters
    ----------
    rows : DataFrame
        As from `mirkeras.experiment.published.published_rows`, and ``paper``: whose they are; of
        other papers, whose rows are named by their whole ids, that and ``row`` are empty.
    measured : DataFrame
        A line per run, as from `mirkeras.evaluation.results.collect`.

    Returns
    -------
    DataFrame
        `COLUMNS`, a line for every claim, form, metric and data it was answered on; ``source`` is
        `PRINTED` or `MEASURED`. Of a claim that a source does not answer, a line without a
        difference that says why.

    Raises
    ------
    ResultsError
        A run is there twice.
    """
    lines = []
    for claim in claims:
        said = {"claim": claim.id, "text": claim.text, "place": claim.place}
        for source, answer in ((PRINTED, _printed), (MEASURED, _measured)):
            at_hand = rows if source == PRINTED else measured
            found = [
                said | {"form": _form(form), "metric": metric, "source": source} | line
                for form in claim.forms
                for metric in claim.metrics
                for line in answer(claim, claim.groups(form), metric, at_hand, rows)
            ]
            if not found and not (source == MEASURED and claim.kind == "times"):
                missing = _missing(claim, measured, rows)
                note = "no numbers are printed" if source == PRINTED else missing
                found = [said | {"source": source, "answer": UNTOLD, "note": note}]
            lines += found
    found = pd.DataFrame(lines, columns=COLUMNS).round({"difference": 6, "low": 6, "high": 6})
    words = ["form", "metric", "data", "by", "between", "note"]
    return found.assign(**found[words].astype(object).fillna(""))


def _form(form: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in form.items())


def _missing(claim: Claim, measured: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Say which rows of a claim were not run, or that they were never run alike."""
    groups = claim.groups(claim.forms[0])
    if claim.take == "best":  # one of a group is enough
        groups = [group for group in groups if not {*group} & {*measured.row}]
    names = dict.fromkeys(name for group in groups for name in group)
    lacking = [name for name in names if name not in {*measured.row}]
    if cited := [name for name in lacking if name not in {*rows.row}]:
        return f"numbers without a network here: {_few(cited)}"
    return f"not run: {_few(lacking)}" if lacking else "its rows were not run alike"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _printed(
    claim: Claim, groups: list[list[str]], metric: str, rows: pd.DataFrame, _: pd.DataFrame
) -> Iterator[dict]:
    """Answer a claim by what the paper prints, a line for every data set."""
    if metric == PARAMETERS:
        known = rows[rows.params.notna()]
        parts = [("", known.assign(value=known.params, std=nan, folds=nan))]
    else:
        known = rows[(rows.metric == metric) & rows.value.notna()]
        parts = known[known.dataset.str.startswith(claim.on)].groupby("dataset", sort=False)
    for data, part in parts:
        sides = {}
        for name in (name for group in groups for name in group):
            if len(lines := part[_named(part, name)]):
                one = lines.iloc[0]
                sides[name] = _Side(Summary(one.value, one["std"], one.folds))
        if found := _answer(claim, groups, sides, PRINTED):
            note = "" if found.by else "no deviation is printed"
            yield found._asdict() | {"data": data, "note": note}


def _named(rows: pd.DataFrame, name: str) -> pd.Series:
    """Find the published lines of a row, or of an id."""
    whole = (rows.paper + "/").where(rows.paper != "", "") + name
    return (rows.row == name) | (rows.id == whole)


def _measured(
    claim: Claim, groups: list[list[str]], metric: str, runs: pd.DataFrame, rows: pd.DataFrame
) -> Iterator[dict]:
    """Answer a claim by measured runs, a line for every set-up that has its rows."""
    if metric not in runs or metric == PARAMETERS:  # counted alike for every data set
        return
    names = [name for group in groups for name in group]
    runs = runs[runs.row.isin(names) & runs[metric].notna()]
    runs = runs[runs.dataset.str.startswith(claim.on)]
    settings = runs.groupby([*_SETTING, measurement_of(runs)], sort=True)
    for alike in (part for _, same in settings for part in _alike(same)):
        if len(twice := alike[alike.duplicated(["row", "seed", "fold"])]):
            raise ResultsError(
                f"{twice.row.iloc[0]}: seed {twice.seed.iloc[0]} fold {twice.fold.iloc[0]} is twice"
            )
        sides = {row: _side(one, metric, claim.unit) for row, one in alike.groupby("row")}
        sides = {row: side for row, side in sides.items() if side.summary.n}
        if found := _answer(claim, groups, sides, MEASURED):
            pair = [alike[alike.row == name] for name in found.between.split(" − ")]
            notes = [_why(one, metric, rows) for one in pair] + _cautions(
                claim, found, pair, metric
            )
            note = "; ".join(dict.fromkeys(filter(None, "; ".join(notes).split("; "))))
            yield found._asdict() | {"data": data_of(alike.iloc[0]), "note": note}


def _alike(runs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Part runs by where training was cut, if it was; what trains nothing is beside each."""
    cut = runs.max_epochs.where(runs.capped, 0)
    trains = runs.capped | runs.get("epochs", pd.Series(nan, runs.index)).notna()
    for end in sorted({*cut[trains]}) or [0]:
        yield runs[(cut == end) | ~trains]


def _side(runs: pd.DataFrame, metric: str, unit: str) -> _Side:
    """Summarise the runs of a row in a set-up; a seed that lacks folds is no mean of all."""
    values, tracks = runs.set_index(["seed", "fold"])[metric].astype(float), nan
    if unit != "runs":
        by_seed = runs.groupby("seed")
        whole = by_seed.fold.nunique() == runs.folds.iloc[0]
        values = by_seed[metric].mean()[whole].astype(float)
        if unit == "tracks":  # one segment is a whole track there, and any number of them is one
            values, tracks = by_seed[metric].mean().astype(float), by_seed.test_segments.sum().min()
    return _Side(Summary(values.mean(), values.std(ddof=0), len(values)), values, tracks)


def _why(runs: pd.DataFrame, metric: str, rows: pd.DataFrame) -> str:
    """Say what keeps runs from being on the paper's own data; empty if nothing does."""
    known = rows[_named(rows, runs.row.iloc[0])]
    for column, value in (("dataset", runs.dataset.iloc[0]), ("metric", metric)):
        same = known[column] == value
        known = known[same] if same.any() else known
    return why_different(next(known.itertuples(index=False)), runs)


def _cautions(claim: Claim, found: _Found, pair: list[pd.DataFrame], metric: str) -> list[str]:
    """Say what a reader must know of an answer."""
    if not found.by:
        return [f"{found.n:.0f} run(s): no interval"]
    if found.by == "pairs" and isnan(found.low):
        return ["every run differs by the same: no spread to judge by"]
    best = 98 if DECIMALS[metric] == 2 else 0.98
    lenient = claim.kind == "level" or claim.margin < 0
    if lenient and min(one[metric].mean() for one in pair) > best:
        return ["both near the ceiling, where it is easy to be level"]
    return []


def _answer(
    claim: Claim, groups: list[list[str]], sides: Mapping[str, _Side], source: str
) -> _Found | None:
    """Answer a claim by the worst of its pairs; None where a row lacks."""
    chances = 1
    if claim.take == "best":
        groups = [[name for name in group if name in sides] for group in groups]
        chances = int(np.prod([len(group) for group in groups]))
        groups = [sorted(group, key=lambda n: -sides[n].summary.mean)[:1] for group in groups]
    if not chances or not {name for group in groups for name in group} <= {*sides}:
        return None
    pairs = [(one, two) for left, right in pairwise(groups) for one in left for two in right]
    found = [_compare(claim, sides, pair, source, chances) for pair in pairs]
    return min(found, key=lambda one: (WORST_FIRST.index(one.answer), _lead(claim, one.difference)))


def _lead(claim: Claim, difference: float) -> float:
    """How far a difference is on the side that a claim is on."""
    if claim.kind == "level":
        return claim.margin - abs(difference)
    return difference - claim.margin


def _compare(
    claim: Claim, sides: Mapping[str, _Side], pair: tuple[str, str], source: str, chances: int
) -> _Found:
    """Compare two rows."""
    one, other = (sides[name] for name in pair)
    confidence = 1 - (1 - CONFIDENCE) / chances
    difference, interval = one.summary.mean - other.summary.mean, None
    n, by = min(one.summary.n, other.summary.n), ""
    if claim.kind == "times":
        difference, by = one.summary.mean / other.summary.mean, "count"
        interval = difference, difference
    elif not isnan(one.tracks):
        n, by = min(one.tracks, other.tracks), "tracks"
        tracks = one.tracks, other.tracks
        interval = proportions_interval(one.summary, other.summary, tracks, confidence)
    elif one.values is not None and len(same := (one.values - other.values).dropna()) >= FEWEST:
        difference, n, by = same.mean(), len(same), "pairs"
        interval = paired_interval(same.to_numpy(), confidence)
    elif n >= FEWEST and (interval := welch_interval(one.summary, other.summary, confidence)):
        by = "Welch"
    low, high = interval or (nan, nan)
    answer = verdict(claim, low, high)
    if source == PRINTED and interval is None:
        # sums of printed decimals
        answer = SAID if _lead(claim, difference) > 1e-9 else UNSAID
    return _Found(answer, difference, low, high, n, by, " − ".join(pair))


def verdict(claim: Claim, low: float, high: float) -> str:
    """Judge a claim by the interval of a difference (nan: there is none)."""
    if isnan(low):
        return UNTOLD
    if claim.kind == "level":
        outside = low > claim.margin or high < -claim.margin
        within = -claim.margin <= low and high <= claim.margin
        return HOLDS if within else FAILS if outside else UNTOLD
    return HOLDS if low > claim.margin else FAILS if high < claim.margin else UNTOLD
