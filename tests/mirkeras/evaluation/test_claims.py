"""What papers claim: each verdict by hand-computed examples, and the claims of the suite."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from mirkeras.cli import app
from mirkeras.evaluation import answered
from mirkeras.evaluation.claims import MEASURED, PRINTED, Claim, answers, find_claims, verdict
from mirkeras.evaluation.stats import Summary, paired_interval, proportions_interval
from mirkeras.experiment.published import RESULTS, ResultsError, papers, published_rows

#: The answers that the suite's own runs give, for all tests here.
committed = cache(answered.of_paper)
PAPERS = [paper for paper in papers() if find_claims(paper)]
BETTER = Claim("better", "A is better than B", "section 1", (("a",), ("b",)))
LEVEL = Claim(
    "level", "A is as good as B", "here", (("a",), ("b",)), kind="level", margin=2, why="so"
)


def printed(**rows: tuple[float, float, float]) -> pd.DataFrame:
    """Published rows: name → value, deviation, folds."""
    lines = [
        {
            **{"paper": "p", "id": f"p/{name}", "row": name, "dataset": "ballroom", "split": ""},
            **{"metric": "accuracy", "value": value, "std": std, "folds": folds},
            **{"params": np.nan},
        }
        for name, (value, std, folds) in rows.items()
    ]
    return pd.DataFrame(lines)


ROWS = printed(a=(80, np.nan, 1), b=(70, np.nan, 1), c=(60, np.nan, 1))


def measured(seeds: int = 1, **rows: list[float]) -> pd.DataFrame:
    """Runs of rows: name → accuracy of each fold, the same for every seed."""
    lines = [
        {
            **{"row": row, "dataset": "ballroom", "split": "drawn", "protocol": "code"},
            **{"seed": seed, "fold": fold, "folds": len(values), "max_epochs": 9},
            **{"capped": False, "features": "f", "accuracy": value, "test_segments": 100},
        }
        for row, values in rows.items()
        for seed in range(seeds)
        for fold, value in enumerate(values)
    ]
    return pd.DataFrame(lines)


def answer(claim: Claim, runs: pd.DataFrame, rows: pd.DataFrame = ROWS) -> pd.Series:
    found = answers([claim], rows, runs)
    return found[found.source == MEASURED].squeeze()


def said(claim: Claim, rows: pd.DataFrame) -> pd.Series:
    found = answers([claim], rows, measured(a=[1]))
    return found[found.source == PRINTED].squeeze()


def test_differences_are_taken_on_the_same_folds() -> None:
    # differences 1, 2, 3: mean 2, deviation 1, t of 2 degrees 4.303: ± 2.484
    line = answer(BETTER, measured(a=[81, 62, 93], b=[80, 60, 90]))
    assert (line.answer, line.by, line.n) == ("cannot be told", "pairs", 3)
    assert (line.difference, line.low, line.high) == pytest.approx((2, -0.484, 4.484), abs=1e-3)
    # 1, 2, 3 and 10 times as much: the folds' own spread does not matter, only the differences'
    assert answer(BETTER, measured(a=[91, 72, 93], b=[80, 61, 81])).answer == "holds"
    assert answer(BETTER, measured(a=[80, 61, 81], b=[91, 72, 93])).answer == "does not hold"


def test_without_common_folds_two_means_are_compared() -> None:
    runs = measured(a=[80, 81, 82], b=[70, 71, 72])
    runs.loc[runs.row == "b", "seed"] = 5
    line = answer(BETTER, runs)
    # each mean ± 1 / √3, 4 degrees of freedom: 10 ± 2.776 × 0.816
    assert (line.by, line.answer) == ("Welch", "holds")
    assert (line.low, line.high) == pytest.approx((7.733, 12.267), abs=1e-3)


def test_a_single_run_tells_nothing() -> None:
    line = answer(BETTER, measured(a=[90], b=[10]))
    assert (line.answer, line.difference, line.note) == (
        "cannot be told", 80, "1 run(s): no interval",
    )  # fmt: skip
    assert np.isnan(line.low)


def test_the_same_difference_everywhere_has_no_spread() -> None:
    line = answer(LEVEL, measured(a=[100] * 5, b=[100] * 5))
    assert (line.answer, line.by) == ("cannot be told", "pairs")
    assert "no spread to judge by" in line.note


def test_level_needs_the_whole_interval_within_the_margin() -> None:
    assert verdict(LEVEL, -1.9, 1.9) == "holds"
    assert verdict(LEVEL, -2.1, 0.5) == "cannot be told"
    assert verdict(LEVEL, 2.1, 5.0) == verdict(LEVEL, -5.0, -2.1) == "does not hold"
    assert verdict(LEVEL, np.nan, np.nan) == "cannot be told"


def test_costs_at_most_is_above_a_negative_margin() -> None:
    cheap = Claim("c", "A costs little", "here", BETTER.order, margin=-2, why="so")
    assert verdict(cheap, -1.9, 3) == "holds"
    assert verdict(cheap, -4, -2.1) == "does not hold"
    assert verdict(cheap, -3, 1) == "cannot be told"


def test_the_worst_pair_answers() -> None:
    chain = Claim("chain", "A > B > C", "here", (("a",), ("b",), ("c",)))
    line = answer(chain, measured(a=[90, 91, 90], b=[50, 52, 50], c=[51, 50, 51]))
    assert (line.answer, line["between"]) == ("cannot be told", "b − c")
    assert answer(chain, measured(a=[90, 91, 90], b=[70, 72, 70], c=[51, 50, 51])).answer == "holds"


def test_the_best_of_several_counts_every_pair_it_is_picked_from() -> None:
    best = Claim("best", "One is better than C", "here", (("a", "b"), ("c",)), take="best")
    runs = {"a": [82, 83, 84], "c": [80.5, 80, 80.5]}
    alone, both = answer(best, measured(**runs)), answer(best, measured(**runs, b=[1, 2, 3]))
    assert alone["between"] == both["between"] == "a − c"
    assert both.low < alone.low  # at 97.5 %
    assert answer(best, measured(a=[82, 83, 84])).note == "not run: c"


def test_draws_are_means_of_all_their_folds() -> None:
    runs = measured(seeds=3, a=[80, 70], b=[60, 50])
    runs["accuracy"] += runs.seed * (runs.row == "a")
    claim = Claim("draws", "A is better", "here", BETTER.order, unit="draws")
    line = answer(claim, runs)
    # 20, 21, 22
    assert (line.answer, line.n, line.difference) == ("holds", 3, 21)
    lacking = answer(claim, runs.drop(index=runs.index[0]))
    assert (lacking.answer, lacking.n) == ("cannot be told", 2)


def test_tracks_tested_make_an_interval_of_one_run() -> None:
    claim = Claim("tracks", "A is better", "here", BETTER.order, unit="tracks")
    line = answer(claim, measured(a=[60], b=[40]))
    # √(0.6 × 0.4 / 100 × 2) = 6.93 points, × 1.96
    assert (line.answer, line.by, line.n) == ("holds", "tracks", 100)
    assert (line.low, line.high) == pytest.approx((6.42, 33.58), abs=0.01)


def test_cut_trainings_are_compared_where_they_were_cut_alike() -> None:
    runs = measured(a=[81, 62, 93], b=[80, 60, 90])
    own = runs.assign(max_epochs=[100] * 3 + [200] * 3)
    assert answer(BETTER, own).n == 3  # each network ran to its own end
    cut = answer(BETTER, own.assign(capped=True))
    assert (cut.answer, cut.note) == ("cannot be told", "its rows were not run alike")
    # what trains nothing is never cut
    nearest = own.assign(capped=own.row == "a", epochs=np.where(own.row == "a", 9, np.nan))
    assert answer(BETTER, nearest).n == 3


def test_other_data_are_named_and_claims_of_some_data_ask_no_others() -> None:
    runs = measured(a=[81, 62, 93], b=[80, 60, 90]).assign(dataset="mini_ballroom")
    line = answer(BETTER, runs)
    assert line.data == "mini_ballroom:code"
    assert "data set mini_ballroom, not ballroom" in line.note
    elsewhere = Claim("x", "on GTZAN", "here", BETTER.order, on=("gtzan",))
    assert np.isnan(answer(elsewhere, runs).difference)


def test_a_run_that_is_there_twice_is_an_error() -> None:
    runs = measured(a=[81, 62, 93], b=[80, 60, 90])
    with pytest.raises(ResultsError, match="a: seed 0 fold 0 is twice"):
        answer(BETTER, pd.concat([runs, runs[:1]]))


def test_missing_rows_are_named() -> None:
    line = answer(BETTER, measured(a=[81, 62, 93]))
    assert (line.answer, line.note, line.data) == ("cannot be told", "not run: b", "")


def test_printed_numbers_answer_by_their_deviations_or_say_their_order() -> None:
    line = said(BETTER, printed(a=(80, 3, 10), b=(70, 3, 10)))
    # two means ± 1: 10 ± 2.101 × √2
    assert (line.answer, line.by, line.n) == ("holds", "Welch", 10)
    assert (line.low, line.high) == pytest.approx((7.03, 12.97), abs=0.01)
    assert said(BETTER, ROWS).answer == "printed so"
    assert said(BETTER, printed(a=(70, np.nan, 1), b=(70, np.nan, 1))).answer == "printed otherwise"
    assert said(LEVEL, printed(a=(71, np.nan, 1), b=(70, np.nan, 1))).answer == "printed so"
    assert said(BETTER, printed(a=(70, np.nan, 1))).note == "no numbers are printed"


def test_parameters_are_counted_and_have_no_chance_in_them() -> None:
    claim = Claim(
        "small", "A has ten times as many", "here", BETTER.order, "times", 10, "so", ("parameters",)
    )
    line = said(claim, ROWS.assign(params=[1100, 100, 1]))
    assert (line.answer, line.difference) == ("holds", 11)
    assert said(claim, ROWS.assign(params=[900, 100, 1])).answer == "does not hold"


def test_a_threshold_has_a_reason() -> None:
    with pytest.raises(ValueError, match="a threshold and its reason"):
        Claim("x", "", "", BETTER.order, margin=1)
    with pytest.raises(ValueError, match="times is of parameters"):
        Claim("x", "", "", BETTER.order, kind="times", margin=2, why="so")


def test_intervals_by_hand() -> None:
    # 1, 2, 3, 4, 5: deviation √2.5, t of 4 degrees 2.776
    low, high = paired_interval(np.arange(1.0, 6.0))
    assert (low, high) == pytest.approx((3 - 2.776 * 0.7071, 3 + 2.776 * 0.7071), abs=1e-3)
    assert paired_interval(np.ones(9)) is paired_interval(np.array([1.0])) is None
    drawn = [Summary(50, 4, 5), Summary(50, 4, 5)]  # 4² / 4 each, beside 25 of 100 tracks
    low, high = proportions_interval(*drawn, (100, 100))
    assert high == pytest.approx(1.96 * np.sqrt(2 * (25 + 4)), abs=0.01)
    assert low == -high


def test_every_paper_with_published_rows_has_claims() -> None:
    assert {*papers()} - {*PAPERS} == {"finetune"}  # which is of no paper


@pytest.mark.parametrize("paper", PAPERS)
def test_the_rows_of_every_claim_are_published(paper: str) -> None:
    claims, rows_of = find_claims(paper), cache(published_rows)
    assert len({claim.id for claim in claims}) == len(claims)
    for claim in claims:
        for form in claim.forms:
            for name in (name for group in claim.groups(form) for name in group):
                other = name.partition("/")[0]
                own = other not in papers()
                rows = rows_of(paper if own else other)
                assert name in {*rows.row, *rows.id.str.removeprefix(f"{paper}/")}, name


@pytest.mark.parametrize("paper", PAPERS)
def test_the_committed_page_is_up_to_date(paper: str) -> None:
    page = RESULTS / "pages" / paper / "claims.md"
    remedy = f"mirkeras claims {paper} --publish"
    assert page.read_text() == answered.page(paper, committed(paper)), remedy


def test_what_the_papers_say_of_themselves() -> None:
    """Sentences that contradict their own tables, and one that these support."""
    found = answered.joined({p: committed(p) for p in ("lee_samplecnn", "pons_cbmi2016")})
    own = found[found.source == PRINTED].set_index("claim").answer
    assert own["more-features"] == own["several-levels"] == "printed otherwise"
    assert own["8000-costs-little"] == "printed so"
    assert own["both-over-each"] == own["sixteenth-of-parameters"] == "holds"
    assert own["motivated-as-good"] == "cannot be told"  # ± 3.8 of ten folds


def test_the_command_says_claims_and_answers(monkeypatch, capsys) -> None:
    monkeypatch.setattr(answered, "of_paper", committed)
    assert app.main(["claims", "pons_cbmi2016"]) == 0
    text = capsys.readouterr().out
    assert "… with a sixteenth of its parameters (blog, section 3; holds if more than 16 ×)" in text
    assert "measured   holds              +60.60 [+57.87, +63.32], n 5  mini_ballroom" in text
    assert app.main(["claims", "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("paper,claim,text,place,form,metric,source,data,answer,difference")
    assert {line.partition(",")[0] for line in lines[1:]} == {*PAPERS}


def test_the_command_names_what_it_cannot_answer(tmp_path, capsys) -> None:
    for words, message in (
        (["finetune"], "error: finetune brings no claims"),
        (["nope"], "error: unknown paper 'nope'"),
        (["--out", str(tmp_path)], f"error: no finished run below {tmp_path}"),
        (["pons_cbmi2016", "--out", str(tmp_path)], "error: no finished run of pons_cbmi2016"),
    ):
        assert app.main(["claims", *words]) == 1
        said = capsys.readouterr()
        assert said.err.startswith(message)
        assert not said.out


def test_publishing_rewrites_the_page(tmp_path, monkeypatch, capsys) -> None:
    for folder in ("published", "measured"):
        (tmp_path / folder).symlink_to(RESULTS / folder)
    (tmp_path / "pages").mkdir()
    monkeypatch.setattr("mirkeras.experiment.published.RESULTS", tmp_path)
    assert app.main(["claims", "lidy_mirex2016", "--publish"]) == 0
    page = tmp_path / "pages" / "lidy_mirex2016" / "claims.md"
    assert page.read_text() == (RESULTS / "pages" / "lidy_mirex2016" / "claims.md").read_text()
    assert f"written: {page}" in capsys.readouterr().err
