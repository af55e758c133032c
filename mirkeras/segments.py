"""Which windows of which track a network sees. Pure NumPy: no audio, no TensorFlow."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Consecutive:
    """Tracks are cut into segments that follow on each other, see `consecutive`."""


CONSECUTIVE = Consecutive()


@dataclass(frozen=True)
class Drawn:
    """Tracks give random segments, which may overlap, see `drawn`.

    Attributes
    ----------
    count : int
        Segments per track.
    anew : bool
        Whether training draws them anew every epoch; otherwise they are drawn once.
    """

    count: int
    anew: bool = False


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
    deformed : bool (segments,) or None
        Which segments come from deformed copies of their track and are for training only.
    redrawn : (int64 (segments,), int64 (segments,)) or None
        Where training draws segments anew every epoch: the first place of each and the number of
        places it can have.
    """

    first: np.ndarray
    track: np.ndarray
    length: int
    deformed: np.ndarray | None = None
    redrawn: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.first)

    def of_tracks(self, tracks: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Positions, in order, of the segments that belong to the numbered tracks.

        Deformed ones are among them only if they are for `training`.
        """
        belongs = np.isin(self.track, tracks)
        if self.deformed is not None and not training:
            belongs &= ~self.deformed
        return np.flatnonzero(belongs)


def cut(
    rule: Consecutive | Drawn, offsets: np.ndarray, length: int, seed: int, deformed: int = 0
) -> Segments:
    """Cut the tracks of a cache by a rule.

    Parameters
    ----------
    rule : Consecutive or Drawn
    offsets, length
        As for `consecutive`.
    seed : int
        Of the run: all rows and folds of a seed see the same segments.
    deformed : int
        Frames at the end of every track that are deformed copies, whole segments; 0: none.

    Raises
    ------
    ValueError
        If a track is shorter than one segment, or the deformed frames are not whole segments.
    """
    starts, ends = offsets[:-1], offsets[1:] - deformed
    whole = isinstance(rule, Consecutive)
    plain = _follow(starts, ends, length) if whole else drawn(starts, ends, length, rule, seed)
    if not deformed:
        return plain
    if deformed % length:
        raise ValueError(f"{deformed} deformed frames are not whole segments of {length}")
    copies = _follow(ends, offsets[1:], length)
    first, track = (np.concatenate([getattr(s, name) for s in (plain, copies)])
                    for name in ("first", "track"))  # fmt: skip
    flags = np.repeat([False, True], [len(plain), len(copies)])
    redrawn = plain.redrawn and tuple(
        np.concatenate([column, rest])
        for column, rest in zip(
            plain.redrawn, (copies.first, np.ones_like(copies.first)), strict=True
        )
    )
    return Segments(first, track, length, flags, redrawn)


def drawn(starts: np.ndarray, ends: np.ndarray, length: int, rule: Drawn, seed: int) -> Segments:
    """Draw segments of every track at random places, each frame as likely a start as any other.

    Parameters
    ----------
    starts, ends : int64 (tracks,)
        Where each track starts and ends, in frames.
    """
    _refuse_short(ends - starts, length)
    track = np.repeat(np.arange(len(starts)), rule.count)
    places = (ends - starts - length + 1)[track]
    first = starts[track] + np.random.default_rng([seed, rule.count]).integers(places)
    redrawn = (starts[track], places) if rule.anew else None
    return Segments(first, track, length, redrawn=redrawn)


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
    return _follow(offsets[:-1], offsets[1:], length)


def _follow(starts: np.ndarray, ends: np.ndarray, length: int) -> Segments:
    _refuse_short(ends - starts, length)
    counts = (ends - starts) // length
    track = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(track)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Segments(np.asarray(starts)[track] + within * length, track, length)


def _refuse_short(frames: np.ndarray, length: int) -> None:
    short = np.flatnonzero(frames < length)
    if len(short):
        raise ValueError(
            f"{len(short)} track(s) are shorter than one segment of {length} frames "
            f"(the first is number {short[0]}, {frames[short[0]]} frames)"
        )


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
