"""Segment scores → one decision or score per track."""

import numpy as np


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
    segment_track, tracks
        As for `majority_vote`.

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
    tracks : int
        As for `majority_vote`.

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
