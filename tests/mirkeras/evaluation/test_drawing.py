"""What figures say of runs: names of files, words, and what a guess scores."""

import numpy as np
import pandas as pd
import pytest

from mirkeras.evaluation import drawing, metrics, results
from mirkeras.experiment import find_experiment

PAPER = "schindler_gtzan"
ROW = "table2/deep-100"


def runs(**changes: object) -> pd.DataFrame:
    """Four folds of a network that was trained for 10 of its 100 epochs."""
    plain = {"paper": PAPER, "row": ROW, "dataset": "gtzan-jazz-rock", "split": "stratified"}
    plain |= {"protocol": "paper", "folds": 4, "max_epochs": 10, "seed": 0, "capped": True}
    plain |= {"features": "f", "parameters": 1, "fold": range(4), "max": 90.0}
    return pd.DataFrame(plain | changes)


def test_files_are_named_by_what_tells_them_apart() -> None:
    both = pd.concat([runs(), runs(protocol="code"), runs(max_epochs=20), runs(split="drawn")])
    assert [*dict.fromkeys(drawing.short_names(both.reset_index()))] == [
        "gtzan-jazz-rock-stratified-paper-4folds-10epochs",
        "gtzan-jazz-rock-stratified-code",
        "gtzan-jazz-rock-stratified-paper-4folds-20epochs",
        "gtzan-jazz-rock-paper",
    ]


def test_the_cap_is_said_in_words_and_in_names_that_promise_more() -> None:
    experiment = find_experiment(PAPER)
    said = "gtzan-jazz-rock, split stratified, protocol paper, 4 folds"
    assert drawing.in_words(experiment, runs()) == f"{said}, training cut at 10 of 100 epochs"
    assert drawing.names_of_rows(experiment, runs()) == {ROW: "deep, 10 of 100 epochs"}
    whole = runs(capped=False, max_epochs=100)
    assert drawing.in_words(experiment, whole) == said
    assert drawing.names_of_rows(experiment, whole) == {ROW: "deep, 100 epochs"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "4 folds"),
        ({"folds": 10}, "4 of 10 folds"),
        ({"folds": 1, "fold": 0, "seed": range(4)}, "4 runs"),
        ({"seed": [0, 0, 1, 1], "fold": [0, 1, 0, 1], "folds": 2}, "4 runs"),
    ],
)
def test_deviations_say_what_they_are_over(changes: dict, said: str) -> None:
    assert drawing.repeats(runs(**changes)) == said


def test_a_guess_is_that_of_the_tracks_tested_or_of_the_declared_set() -> None:
    scored = drawing.chance("max", runs(guess=[30.0, 40.0, 50.0, 60.0]))
    assert scored == (45.0, "the commonest class")
    assert drawing.chance("max", runs()).value == 50
    assert drawing.chance("max", runs(dataset="esc50")).value == 2
    unequal = drawing.chance("accuracy", runs(dataset="ballroom"))
    assert unequal.value == pytest.approx(100 * 111 / 698)
    assert drawing.chance("accuracy", runs(dataset="folder-mine-1234")) is None
    assert drawing.chance("roc_auc", runs(dataset="mini_tags")).value == 0.5
    assert drawing.chance("pr_auc", runs(dataset="mini_tags")) is None
    assert drawing.chance("time_ratio", runs(dataset="timing")) is None


def test_a_guess_decides_for_the_commonest_class() -> None:
    assert metrics.guess({"labels": np.array([0, 1, 1, 2])}) == 50
    assert metrics.guess({"labels": np.array([[0, 1], [0, 0]])}) == 0.25


def test_values_on_other_data_say_where_they_are_from() -> None:
    lines = results.with_known_repeats(PAPER, runs()).dropna(subset="measured")
    assert lines.elsewhere.tolist() == ["gtzan: different data"]
    same = runs(dataset="gtzan", capped=False, max_epochs=100)
    judged = results.with_known_repeats(PAPER, same).dropna(subset="measured")
    assert judged.elsewhere.tolist() == [""]
