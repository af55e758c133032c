"""What a verdict says, and what keeps it from being said."""

import math

import numpy as np
import pandas as pd
import pytest

from mirkeras.evaluation.comparison import compare, verdict
from mirkeras.evaluation.stats import Summary, prediction_interval, welch_interval
from mirkeras.experiment.published import papers, published_rows
from mirkeras.report.tables import markdown

NEAR = [78.0, 80.0, 81.0, 82.0, 83.0, 79.0, 80.0, 84.0, 81.0, 82.0]


def published(**changes) -> pd.DataFrame:
    line = {
        **{"id": "p/a", "row": "a", "model": "A", "params": 7, "dataset": "ballroom"},
        **{"split": "", "metric": "accuracy", "value": 81.0, "std": 3.0, "folds": 10},
        **{"baseline": np.nan, "note": "", "protocol": ""},
    }
    return pd.DataFrame([line | changes])


def measured(values: list[float] = NEAR, **changes) -> pd.DataFrame:
    lines = {
        **{"paper": "p", "row": "a", "dataset": "ballroom", "split": "drawn"},
        **{"protocol": "code", "seed": 0, "fold": range(len(values)), "folds": len(values)},
        **{"max_epochs": 9, "capped": False, "parameters": 7, "features": "f"},
        **{"rejected_tracks": 0, "tracks": 698, "mixed_precision": False, "commit": "c1"},
        **{"hardware": "toaster", "versions": "keras 3.15.1 scikit-learn 1.9.1", "threads": 1},
    }
    return pd.DataFrame(lines | {"accuracy": values} | changes)


def judged(runs: pd.DataFrame, **changes) -> pd.Series:
    return compare(published(**changes), runs).iloc[0]


def one_differs(value: object, other: object) -> list:
    return [value] * 9 + [other]


def test_runs_made_alike_on_the_papers_data_need_no_note() -> None:
    line = judged(measured())
    assert (line.verdict, line.note) == ("consistent", "")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"commit": one_differs("c1", "c2")}, "a: runs of several commits: c1, c2"),
        ({"commit": one_differs("c1", "c1+changes")}, "several commits: c1, c1+changes"),
        (
            {"versions": one_differs("keras 3.1 scikit-learn 1.9", "keras 3.2 scikit-learn 1.9")},
            "a: runs of several library versions: keras 3.1, keras 3.2",
        ),
        ({"hardware": one_differs("oven", "toaster")}, "several machines: oven, toaster"),
        ({"threads": one_differs(1, 2)}, "several numbers of threads: 1, 2"),
        ({"backend": one_differs("jax", "tensorflow")}, "several backends: jax, tensorflow"),
        ({"rejected_tracks": one_differs(0, 6)}, "a: 6 track(s) set aside"),
    ],
)
def test_what_differs_between_runs_is_a_note(changes: dict, note: str) -> None:
    line = judged(measured(**changes))
    assert line.verdict == "consistent"
    assert note in line.note


def test_folds_of_older_runs_that_lost_tracks_are_noted() -> None:
    note = "a: folds drawn over the tracks that could be read"
    older = {"rejected_tracks": one_differs(0, 6)}
    assert note in judged(measured(**older)).note
    assert note in judged(measured(**older, drawn_over=one_differs("index", np.nan))).note
    assert note not in judged(measured(**older, drawn_over="index")).note
    assert note not in judged(measured(**older, split="official")).note


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({"rejected_tracks": 34}, "different data", "34 of 698 tracks set aside"),
        ({"rejected_tracks": one_differs(0, 7)}, "different data", "7 of 698 tracks set aside"),
        # an older record, which does not say of how many
        ({"rejected_tracks": 1, "tracks": np.nan}, "different data", "1 tracks set aside"),
        ({"features": one_differs("f", "g")}, "different data", "audio changed between the runs"),
        (
            {"mixed_precision": one_differs(False, True)},
            "different protocol",
            "1 of 10 run(s) in half precision",
        ),
        ({"mixed_precision": True}, "different protocol", "10 of 10 run(s) in half precision"),
    ],
)
def test_what_makes_it_another_measurement(changes: dict, verdict: str, reason: str) -> None:
    line = judged(measured(**changes))
    assert (line.verdict, line.note.splitlines()[0]) == (verdict, reason)


@pytest.mark.parametrize("split", ["mtat-lee", "mtat-pons", "drawn"])
@pytest.mark.parametrize("values", [NEAR, NEAR[:1]])
def test_on_an_unknown_split_nothing_is_consistent(split: str, values: list[float]) -> None:
    line = judged(measured(values, split=split, folds=10), split="unknown")
    assert line.verdict == "different data"
    assert line.note.startswith("split of the paper unknown")


def test_the_rows_of_ismir_2018_on_magnatagatune_have_an_unknown_split() -> None:
    rows = published_rows("pons_ismir2018")
    theirs = rows[rows.id.str.startswith("pons_ismir2018/mtt/")]
    assert (theirs.split == "unknown").all()
    assert len(theirs) > 15


def test_cited_rows_claim_no_folds() -> None:
    tables = pd.concat([published_rows(paper) for paper in papers()])
    assert tables.folds[tables.row == ""].isna().all()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Summary(81, 3, 1), Summary(81, 3, 10)),
        (Summary(81, 3, 10), Summary(81, 3, 1)),
        (Summary(81, 3, 10), Summary(81, math.nan, 10)),
        (Summary(10, 1, 10), Summary(90, 1, math.nan)),
        (Summary(10, 1, math.nan), Summary(90, 1, 10)),
    ],
)
def test_what_is_unknown_has_no_interval(ours: Summary, theirs: Summary) -> None:
    assert welch_interval(ours, theirs) is None


def test_an_unknown_number_of_published_folds_is_no_verdict() -> None:
    line = judged(measured(), folds=np.nan)
    assert (line.verdict, math.isnan(line.low)) == ("no interval", True)
    assert "number of published folds is unknown" in line.note


@pytest.mark.parametrize(
    "interval", [None, (math.nan, math.nan), (math.nan, 1.0), (-1.0, math.nan)]
)
def test_without_an_interval_nothing_is_judged(interval: tuple | None) -> None:
    assert verdict(interval, 10) == "no interval"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([80.0], "no interval"),
        ([80.0, 82.0], "undecided"),
        ([80.0, 80.1], "undecided"),
        ([70.0, 70.01], "below"),
        ([90.0, 90.01], "above"),
        ([80.0, 82.0, 81.0], "consistent"),
    ],
)
def test_two_runs_never_make_two_numbers_consistent(values: list[float], word: str) -> None:
    runs = measured(values, seed=range(len(values)), fold=0, folds=1)
    line = judged(runs, std=np.nan, folds=1, value=80.5)
    assert line.verdict == word
    if word == "undecided":
        low, high = prediction_interval(Summary(np.mean(values), np.std(values), 2), 80.5)
        assert f"the interval is {high - low:.2f} wide" in line.note
        assert "--seeds 0,1,2" in line.note


def test_a_page_says_how_many_false_verdicts_to_expect() -> None:
    rows = pd.concat([published(id=f"p/{n}", row=f"r{n}") for n in range(12)])
    runs = pd.concat([measured(row=f"r{n}") for n in range(12)])
    page = markdown(compare(rows, runs))
    assert (
        "12 verdict(s) at 95 %: about 0.6 of them would be above or below by chance alone" in page
    )
    assert "by chance" not in markdown(compare(rows, runs.head(1)))
