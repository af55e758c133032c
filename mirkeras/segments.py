"""Which windows of which track a network sees. Pure NumPy: no audio, no TensorFlow."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Segments:
    """Fixed-length windows into the long frame array of a cache.

    Attributes
    ----------
    first : int64 (segments,)
        First frame of each segment, counted from the start of the cache.
    track : int64 (segments,)
        Number of the track each segment belongs to.
    length : int
        Frames per segment.
    """

    first: np.ndarray
    track: np.ndarray
    length: int

    def __len__(self) -> int:
        return len(self.first)

    def of_tracks(self, tracks: np.ndarray) -> np.ndarray:
        """Positions, in order, of the segments that belong to the numbered tracks."""
        return np.flatnonzero(np.isin(self.track, tracks))


def consecutive(offsets: np.ndarray, length: int) -> Segments:
    """Cut every track into non-overlapping segments from its start; an incomplete tail is dropped.

    Parameters
    ----------
    offsets : int64 (tracks + 1,)
        Where each track starts in the cache, in frames, and where the last one ends.
    length : int
        Frames per segment.

    Raises
    ------
    ValueError
        If a track is shorter than one segment: it could never be scored.
    """
    counts = np.diff(offsets) // length
    if (counts == 0).any():
        short = np.flatnonzero(counts == 0)
        raise ValueError(
            f"{len(short)} track(s) are shorter than one segment of {length} frames "
            f"(the first is number {short[0]}, {np.diff(offsets)[short[0]]} frames)"
        )
    track = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(track)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Segments(np.asarray(offsets)[track] + within * length, track, length)


def evenly_spaced(offsets: np.ndarray, length: int) -> Segments:
    """Cut every track into one more segment than fit without overlap, evenly from start to end.

    Thirty seconds at 22,050 Hz give 12 segments of 59,049 samples, as in the transfer code of
    Lee et al. (``int(22050 * 30 / 59049) + 1``).

    Parameters
    ----------
    offsets, length
        As for `consecutive`; each track must hold at least one segment.
    """
    whole = consecutive(offsets, length)
    starts, track = [], []
    for number, fit in enumerate(np.bincount(whole.track)):
        last = offsets[number + 1] - length
        starts.append(np.linspace(offsets[number], last, fit + 1).astype(np.int64))
        track.append(np.full(fit + 1, number))
    return Segments(np.concatenate(starts), np.concatenate(track), length)
