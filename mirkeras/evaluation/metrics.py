"""Scores of a classifier or tagger, from predictions; scikit-learn does the counting."""

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    roc_auc_score,
)

from mirkeras.experiment import Experiment

PER_CENT = 100


def score_run(experiment: Experiment, predictions: dict, record: dict) -> dict:
    """Score the predictions of a run by its paper's own measures, or else by `score`."""
    own = experiment.score and experiment.score(predictions, record)
    aggregate = experiment.protocol_of(record["protocol"], record["row"]).aggregate
    return own or score(predictions, aggregate, experiment.metrics)


def score(
    predictions: dict[str, np.ndarray], aggregate: str, wanted: tuple[str, ...]
) -> dict[str, float | str]:
    """Score the predictions of a run (see `mirkeras.experiment.records.read_predictions`).

    Parameters
    ----------
    aggregate : "majority", "mean" or "product"
        How the scores of a track's segments become its own, see below.
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


def decisions(predictions: dict[str, np.ndarray], aggregate: str) -> pd.DataFrame:
    """Tabulate the test tracks: what each is, what it was decided for, and its mean scores.

    Returns
    -------
    DataFrame
        Columns track, true, decided (not of tags), and one per class or tag.
    """
    names, labels = predictions["classes"], predictions["labels"]
    given = predictions["scores"], predictions["segment_track"], len(predictions["tracks"])
    columns = {"track": predictions["tracks"]}
    if labels.ndim == 2:
        columns["true"] = ["|".join(names[line > 0]) for line in labels]
    else:
        columns["true"] = names[labels]
        columns["decided"] = names[track_classes(predictions, aggregate)]
    scores = pd.DataFrame(np.round(mean_scores(*given), 6), columns=[f"score {n}" for n in names])
    return pd.concat([pd.DataFrame(columns), scores], axis=1)


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


def guess(predictions: dict[str, np.ndarray]) -> float:
    """Score a guess that hears nothing, on the tracks tested.

    Returns
    -------
    float
        Of classes, the share of the commonest in per cent: the accuracy of always deciding for it.
        Of tags, the mean share of tracks that have one, in [0, 1]: the PR-AUC of any order.
    """
    labels = predictions["labels"]
    if labels.ndim == 2:
        return float(labels.mean())
    return float(PER_CENT * np.bincount(labels).max() / len(labels))


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


def majority_vote(scores: np.ndarray, segment_track: np.ndarray, tracks: int) -> np.ndarray:
    """Let the segments of each track vote for the class they score highest.

    A tie goes to the class with the lowest number; CBMI 2016 names no rule ("simple majority
    vote"), its code takes the first of the most common.

    Parameters
    ----------
    scores : float (segments, classes)
    segment_track : int (segments,)
        Number of the track of each segment.
    tracks : int
        Number of tracks; each needs at least one segment.

    Returns
    -------
    int64 (tracks,)
        Winning classes.
    """
    votes = np.zeros((tracks, scores.shape[1]), dtype=int)
    np.add.at(votes, (segment_track, scores.argmax(axis=1)), 1)
    if not votes.any(axis=1).all():
        raise ValueError(f"track number {votes.any(axis=1).argmin()} has no segment to vote")
    return votes.argmax(axis=1)


def product_scores(scores: np.ndarray, segment_track: np.ndarray, tracks: int) -> np.ndarray:
    """Average the logarithms of the probabilities of each track's segments.

    The class that is best by this is best by the sum of the logits too: of each segment they differ
    from the logarithms by the same number for all classes.

    Parameters
    ----------
    scores : float (segments, classes)
        Probabilities; one that float32 rounded to 0 counts as the smallest float32.

    Returns
    -------
    float64 (tracks, classes)
    """
    least = np.finfo(np.float32).tiny
    return mean_scores(np.log(np.maximum(scores, least, dtype=float)), segment_track, tracks)


def mean_scores(scores: np.ndarray, segment_track: np.ndarray, tracks: int) -> np.ndarray:
    """Average the scores of each track's segments (Lee et al. 2018, section 5.2).

    Parameters
    ----------
    scores : float (segments, classes or tags)
    segment_track : int (segments,)

    Returns
    -------
    float64 (tracks, classes or tags)
    """
    counts = np.bincount(segment_track, minlength=tracks)
    if not counts.all():
        raise ValueError(f"track number {counts.argmin()} has no segment")
    sums = np.zeros((tracks, scores.shape[1]))
    np.add.at(sums, segment_track, scores)
    return sums / counts[:, None]
