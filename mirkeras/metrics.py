"""Scores of a classifier or tagger, from predictions; scikit-learn does the counting."""

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    roc_auc_score,
)

from mirkeras.aggregate import majority_vote, mean_scores, product_scores

PER_CENT = 100


def score(
    predictions: dict[str, np.ndarray], aggregate: str, wanted: tuple[str, ...]
) -> dict[str, float | str]:
    """Score the predictions of a run (see `mirkeras.experiment.records.read_predictions`).

    Parameters
    ----------
    aggregate : "majority", "mean" or "product"
        How the scores of a track's segments become its own, see `mirkeras.aggregate`.
    wanted : tuple of str
        Which of the `accuracies`, for classes.

    Returns
    -------
    dict
        For classes, see `accuracies`. For tags: ``roc_auc`` and ``pr_auc``, means over tags, and
        the ``dropped_tags``.
    """
    if predictions["labels"].ndim == 2:
        return tagging(predictions)
    known = accuracies(predictions, aggregate)
    return {name: known[name] for name in wanted}


def track_classes(predictions: dict[str, np.ndarray], aggregate: str) -> np.ndarray:
    """Decide for a class per test track: int64 (tracks,)."""
    given = predictions["scores"], predictions["segment_track"], len(predictions["tracks"])
    if aggregate == "majority":
        return majority_vote(*given)
    combine = {"mean": mean_scores, "product": product_scores}[aggregate]
    return combine(*given).argmax(axis=1)


def accuracies(predictions: dict[str, np.ndarray], aggregate: str) -> dict[str, float]:
    """Score a classifier in per cent.

    Returns
    -------
    dict
        ``accuracy`` of tracks by `aggregate`, ``segment_accuracy`` of single segments. In the words
        of Schindler et al. 2016: ``raw`` of segments, ``max`` of tracks by `aggregate`
        (there: summed scores), ``maj`` of tracks by majority vote.
    """
    labels = predictions["labels"]
    segments = predictions["scores"].argmax(axis=1)
    of_segments = PER_CENT * accuracy_score(labels[predictions["segment_track"]], segments)
    of_tracks = PER_CENT * accuracy_score(labels, track_classes(predictions, aggregate))
    votes = PER_CENT * accuracy_score(labels, track_classes(predictions, "majority"))
    return {
        **{"accuracy": of_tracks, "segment_accuracy": of_segments},
        **{"raw": of_segments, "max": of_tracks, "maj": votes},
    }


def tagging(predictions: dict[str, np.ndarray]) -> dict[str, float | str]:
    """Average the areas over the tags that have them, and name the tags that have none."""
    table = per_tag(predictions)
    return {
        "roc_auc": table.roc_auc.mean(),
        "pr_auc": table.pr_auc.mean(),
        "dropped_tags": ", ".join(table.tag[table.roc_auc.isna()]),
    }


def per_tag(predictions: dict[str, np.ndarray]) -> pd.DataFrame:
    """Score every tag over tracks, each the mean of its segments.

    A tag that no test track has, or that all have, cannot be ranked: its areas are nan. (Averaged
    in as 0, as some libraries do, it would lower the mean by half a tag's worth.)

    Returns
    -------
    DataFrame
        Columns tag, positives (tracks), roc_auc and pr_auc (average precision) in [0, 1].
    """
    given = predictions["scores"], predictions["segment_track"], len(predictions["tracks"])
    scores, labels = mean_scores(*given), predictions["labels"]
    lines = []
    for number, tag in enumerate(predictions["classes"]):
        true, guess = labels[:, number], scores[:, number]
        areas = (np.nan, np.nan)
        if 0 < true.sum() < len(true):
            areas = roc_auc_score(true, guess), average_precision_score(true, guess)
        lines.append((str(tag), int(true.sum()), *areas))
    return pd.DataFrame(lines, columns=["tag", "positives", "roc_auc", "pr_auc"])


def confusion(runs: list[dict[str, np.ndarray]], aggregate: str) -> np.ndarray:
    """Count the tracks of all runs (folds): int (classes, classes), true class in rows."""
    classes = np.arange(len(runs[0]["classes"]))
    return sum(
        confusion_matrix(run["labels"], track_classes(run, aggregate), labels=classes)
        for run in runs
    )


def recall(matrix: np.ndarray) -> np.ndarray:
    """Per-class recall in per cent, float (classes,); nan for a class without tracks."""
    tracks = matrix.sum(axis=1)
    return PER_CENT * np.divide(
        matrix.diagonal(), tracks, out=np.full(len(matrix), np.nan), where=tracks > 0
    )
