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
