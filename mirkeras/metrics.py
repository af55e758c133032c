"""Scores of a classifier, from predictions; scikit-learn does the counting."""

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix

from mirkeras.aggregate import majority_vote

PER_CENT = 100


def track_votes(predictions: dict[str, np.ndarray]) -> np.ndarray:
    """Class of each test track by majority vote; see `mirkeras.records.read_predictions`."""
    return majority_vote(
        predictions["scores"], predictions["segment_track"], len(predictions["tracks"])
    )


def accuracies(predictions: dict[str, np.ndarray]) -> dict[str, float]:
    """Score the predictions of a run, in per cent.

    Returns
    -------
    dict
        ``accuracy`` of tracks by majority vote; ``segment_accuracy`` of single segments.
    """
    labels = predictions["labels"]
    segments = predictions["scores"].argmax(axis=1)
    right = accuracy_score(labels[predictions["segment_track"]], segments)
    return {
        "accuracy": PER_CENT * accuracy_score(labels, track_votes(predictions)),
        "segment_accuracy": PER_CENT * right,
    }


def confusion(runs: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Count the tracks of all runs (folds): int (classes, classes), true class in rows."""
    classes = np.arange(len(runs[0]["classes"]))
    return sum(confusion_matrix(run["labels"], track_votes(run), labels=classes) for run in runs)


def recall(matrix: np.ndarray) -> np.ndarray:
    """Per-class recall in per cent, float (classes,); nan for a class without tracks."""
    tracks = matrix.sum(axis=1)
    return PER_CENT * np.divide(
        matrix.diagonal(), tracks, out=np.full(len(matrix), np.nan), where=tracks > 0
    )
