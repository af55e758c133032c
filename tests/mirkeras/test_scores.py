"""aggregate, metrics, stats."""

import numpy as np
import pytest

from mirkeras.aggregate import majority_vote
from mirkeras.metrics import accuracies, confusion, recall
from mirkeras.stats import Summary, welch_interval


def scores_of(classes: list[int]) -> np.ndarray:
    return np.eye(3, dtype="float32")[classes]


def test_majority_wins_and_ties_go_to_the_lowest_class() -> None:
    track = np.array([0, 0, 0, 1, 1, 2])
    assert majority_vote(scores_of([2, 2, 0, 2, 1, 1]), track, 3).tolist() == [2, 1, 1]


def test_a_track_without_segments_is_refused() -> None:
    with pytest.raises(ValueError, match="track number 1"):
        majority_vote(scores_of([0, 1]), np.array([0, 2]), 3)


def predictions(votes: list[int], labels: list[int]) -> dict:
    """One segment per vote, two a track."""
    return {
        "scores": scores_of(votes),
        "segment_track": np.arange(len(votes)) // 2,
        "tracks": np.array([f"t{n}" for n in range(len(labels))]),
        "labels": np.array(labels),
        "classes": np.array(["a", "b", "c"]),
    }


def test_accuracies_by_hand() -> None:
    # tracks vote 0 (right), 0 (tie of 0 and 1, wrong), 2 (right); 5 of 6 segments are right
    assert accuracies(predictions([0, 0, 0, 1, 2, 2], [0, 1, 2])) == {
        "accuracy": pytest.approx(200 / 3),
        "segment_accuracy": pytest.approx(500 / 6),
    }


def test_confusion_adds_folds_and_recall_leaves_absent_classes_open() -> None:
    runs = [predictions([0, 0, 0, 1], [0, 1]), predictions([0, 0], [0])]
    matrix = confusion(runs)
    assert matrix.tolist() == [[2, 0, 0], [1, 0, 0], [0, 0, 0]]
    np.testing.assert_equal(recall(matrix), [100.0, 0.0, np.nan])


def test_welch_agrees_with_scipy_on_raw_values() -> None:
    from scipy.stats import ttest_ind

    random = np.random.RandomState(0)
    ours, theirs = 80 + 3 * random.randn(10), 85 + 5 * random.randn(7)
    expected = ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    interval = welch_interval(
        Summary(ours.mean(), ours.std(), 10), Summary(theirs.mean(), theirs.std(), 7)
    )
    assert interval == pytest.approx((expected.low, expected.high))


def test_one_fold_gives_no_interval() -> None:
    assert welch_interval(Summary(80, 0, 1), Summary(85, 5, 10)) is None
