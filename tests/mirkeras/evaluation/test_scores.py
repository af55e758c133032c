"""aggregate, metrics, stats."""

import numpy as np
import pytest

from mirkeras.evaluation.metrics import (
    confusion,
    majority_vote,
    mean_scores,
    per_tag,
    product_scores,
    recall,
    score,
)
from mirkeras.evaluation.stats import Summary, prediction_interval, welch_interval


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
    given = predictions([0, 0, 0, 1, 2, 2], [0, 1, 2])
    assert score(given, "majority", ("accuracy", "segment_accuracy")) == {
        "accuracy": pytest.approx(200 / 3),
        "segment_accuracy": pytest.approx(500 / 6),
    }


def test_raw_max_and_maj_by_hand() -> None:
    """One track of three segments: two weak votes for 0, a strong one for 1, and it is 1."""
    given = {
        "scores": np.array([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.0, 0.9, 0.1]], np.float32),
        "segment_track": np.zeros(3, int),
        "tracks": np.array(["t"]),
        "labels": np.array([1]),
        "classes": np.array(["a", "b", "c"]),
    }
    expected = {"raw": pytest.approx(100 / 3), "max": 100.0, "maj": 0.0}
    assert score(given, "mean", ("raw", "max", "maj")) == expected
    # summed probabilities would give 0, summed logits (and logarithms) 1
    given["scores"] = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.5, 0.4]], np.float32)
    assert score(given, "mean", ("max",)) == {"max": 0.0}
    assert score(given, "product", ("max",)) == {"max": 100.0}
    given["scores"][0] = [1.0, 0.0, 0.0]  # a probability of 0 rules a class out, nothing breaks
    assert score(given, "product", ("max",)) == {"max": 0.0}


def test_summed_logarithms_choose_as_summed_logits() -> None:
    logits = 3 * np.random.default_rng(0).normal(size=(60, 5))
    track = np.arange(60) // 6
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chosen = product_scores(shares.astype(np.float32), track, 10).argmax(axis=1)
    sums = logits.reshape(10, 6, 5).sum(axis=1)
    assert chosen.tolist() == sums.argmax(axis=1).tolist()
    assert chosen.tolist() != mean_scores(shares, track, 10).argmax(axis=1).tolist()


def test_confusion_adds_folds_and_recall_leaves_absent_classes_open() -> None:
    runs = [predictions([0, 0, 0, 1], [0, 1]), predictions([0, 0], [0])]
    matrix = confusion(runs, "majority")
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


def test_the_mean_decides_where_it_is_asked_for() -> None:
    sure = predictions([0, 1], [1])
    sure["scores"] = np.array([[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]], "float32")
    assert score(sure, "majority", ("accuracy",))["accuracy"] == 0.0
    assert score(sure, "mean", ("accuracy",))["accuracy"] == 100.0
    with pytest.raises(ValueError, match="track number 1 has no segment"):
        mean_scores(scores_of([0, 1]), np.array([0, 2]), 3)


def tagged(scores: list[list[float]], labels: list[list[int]]) -> dict:
    """Four tracks of two segments, which score alike."""
    return {
        "scores": np.repeat(np.array(scores, "float32"), 2, axis=0),
        "segment_track": np.arange(2 * len(scores)) // 2,
        "tracks": np.array([f"t{n}" for n in range(len(scores))]),
        "labels": np.array(labels, "float32"),
        "classes": np.array(["guitar", "slow", "choir"]),
    }


def test_areas_by_hand_and_tags_without_positives_are_dropped_by_name() -> None:
    scores = [[0.9, 0.1, 0.5], [0.2, 0.8, 0.5], [0.8, 0.3, 0.5], [0.1, 0.6, 0.5]]
    labels = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]]
    found = tagged(scores, labels)
    table = per_tag(found).set_index("tag")
    # guitar: of four pairs (positive, negative) three are ranked right; precisions 1 and 2/3
    assert table.roc_auc["guitar"] == 0.75
    assert table.pr_auc["guitar"] == pytest.approx((1 + 2 / 3) / 2)
    assert table.roc_auc["slow"] == 1.0
    assert np.isnan(table.roc_auc["choir"])
    assert table.positives.tolist() == [2, 2, 0]
    total = score(found, "mean", ())
    assert total["roc_auc"] == 0.875
    assert total["dropped_tags"] == "choir"


def test_segments_are_averaged_before_tags_are_ranked() -> None:
    found = tagged([[0.5, 0, 0], [0.5, 0, 0]], [[1, 0, 0], [0, 0, 0]])
    found["scores"][:, 0] = [0.9, 0.5, 0.6, 0.7]  # means 0.7 and 0.65
    assert per_tag(found).roc_auc[0] == 1.0


def test_one_published_number_is_judged_by_where_a_further_run_would_lie() -> None:
    # three runs: deviation 0.01, t(2) = 4.303, sqrt(1 + 1/3): 0.0497
    summary = Summary(0.9, np.std([0.89, 0.90, 0.91]), 3)
    low, high = prediction_interval(summary, 0.92)
    assert (low, high) == pytest.approx((-0.02 - 0.0497, -0.02 + 0.0497), abs=1e-4)
    assert prediction_interval(Summary(0.9, 0, 1), 0.92) is None
