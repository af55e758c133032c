"""Which windows of which track a network sees. Pure NumPy: no audio, no TensorFlow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Consecutive:
    """Tracks are cut into segments that follow on each other, see `consecutive`.

    Attributes
    ----------
    hop : int
        Frames from the start of one segment to that of the next; 0: a segment's length.
    drop_last : bool
        Whether the last segment that fits is left out, as a common slip of ranges has it.
    """

    hop: int = 0
    drop_last: bool = False

    def needs(self, length: int) -> int:
        """Frames that a track needs to give a segment of so many frames."""
        return length + (self.hop or length) * self.drop_last


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
class DrawnToTrain:
    """Training sees random segments, drawn anew every epoch; scoring sees consecutive ones.

    Attributes
    ----------
    count : int
        Random segments per track and epoch.
    """

    count: int


@dataclass(frozen=True)
class DrawnToTrainHopped(DrawnToTrain):
    """The same; scoring sees a segment every `hop` frames."""

    hop: int = 1


# What a segment is for.
ALL, TRAINING, SCORING = range(3)


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
    use : int8 (segments,) or None
        What each segment is for: `ALL`, `TRAINING` alone (random ones of rules that score others,
        deformed copies) or `SCORING` alone. None: all for all.
    redrawn : (int64 (segments,), int64 (segments,)) or None
        Where training draws segments anew every epoch: the first place of each and the number of
        places it can have.
    """

    first: np.ndarray
    track: np.ndarray
    length: int
    use: np.ndarray | None = None
    redrawn: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.first)

    def of_tracks(self, tracks: np.ndarray, *, training: bool = False) -> np.ndarray:
        """Indices of these tracks' training (or scoring) segments."""
        belongs = np.isin(self.track, tracks)
        if self.use is not None:
            belongs &= np.isin(self.use, (ALL, TRAINING if training else SCORING))
        return np.flatnonzero(belongs)


def cut(
    rule: Consecutive | Drawn | DrawnToTrain,
    offsets: np.ndarray,
    length: int,
    seed: int,
    deformed: int = 0,
) -> Segments:
    """Cut the tracks of a cache by a rule.

    Parameters
    ----------
    rule : Consecutive, Drawn or DrawnToTrain
    offsets, length
        As for `consecutive`.
    seed : int
        The run's: all rows and folds of a seed see the same segments.
    deformed : int
        Frames at the end of every track that are deformed copies, whole segments; 0: none.

    Raises
    ------
    ValueError
        If a track is shorter than one segment, or the deformed frames are not whole segments.
    """
    starts, ends = offsets[:-1], offsets[1:] - deformed
    if isinstance(rule, Consecutive):
        kinds = [(ALL, _follow(starts, ends, length, rule))]
    elif isinstance(rule, Drawn):
        kinds = [(ALL, drawn(starts, ends, length, rule, seed))]
    else:
        random = drawn(starts, ends, length, Drawn(rule.count, anew=True), seed)
        scored = Consecutive(rule.hop) if isinstance(rule, DrawnToTrainHopped) else CONSECUTIVE
        kinds = [(TRAINING, random), (SCORING, _follow(starts, ends, length, scored))]
    if deformed % length:
        raise ValueError(f"{deformed} deformed frames are not whole segments of {length}")
    if deformed:
        kinds.append((TRAINING, _follow(ends, offsets[1:], length)))
    return _joined(kinds) if len(kinds) > 1 else kinds[0][1]


def _joined(kinds: list[tuple[int, Segments]]) -> Segments:
    """Put segments for several uses one after another; those not redrawn have one place each."""
    use = np.repeat(
        np.array([use for use, _ in kinds], np.int8), [len(segments) for _, segments in kinds]
    )
    first, track = (
        np.concatenate([getattr(segments, name) for _, segments in kinds])
        for name in ("first", "track")
    )
    redrawn = None
    if any(segments.redrawn for _, segments in kinds):
        fixed = [segments.redrawn or (segments.first, np.ones_like(segments.first))
                 for _, segments in kinds]  # fmt: skip
        redrawn = tuple(np.concatenate(columns) for columns in zip(*fixed, strict=True))
    return Segments(first, track, kinds[0][1].length, use, redrawn)


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


def _follow(
    starts: np.ndarray, ends: np.ndarray, length: int, rule: Consecutive = CONSECUTIVE
) -> Segments:
    _refuse_short(ends - starts, rule.needs(length))
    hop = rule.hop or length
    counts = (ends - starts - length) // hop + 1 - rule.drop_last
    track = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(track)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Segments(np.asarray(starts)[track] + within * hop, track, length)


def _refuse_short(frames: np.ndarray, length: int) -> None:
    short = np.flatnonzero(frames < length)
    if len(short):
        raise ValueError(
            f"{len(short)} track(s) are shorter than the {length} frames that a segment needs "
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


def stream_segments(pieces: Iterable[np.ndarray], length: int, hop: int) -> Iterator[np.ndarray]:
    """Cut a stream of frames into segments.

    Parameters
    ----------
    pieces
        Frames as of `frames`, each (time, band).
    length, hop
        Frames of a segment, and from one to the next: at most `length`.

    Yields
    ------
    np.ndarray
        As many segments as are complete, read-only views: shape (segments, length, band). The rest
        at the end that fills none is left out, but a track shorter than a segment is repeated until
        it fills one.
    """
    held, cut = None, 0
    for piece in pieces:
        held = piece if held is None else np.concatenate([held, piece])
        count = (len(held) - length) // hop + 1
        if count > 0:
            view = np.lib.stride_tricks.sliding_window_view(held, length, axis=0)
            yield view[: count * hop : hop].transpose(0, 2, 1)
            held, cut = held[count * hop :], cut + count
    if not cut and held is not None and len(held):
        yield repeated(held, length)[None]


def repeated(frames: np.ndarray, length: int) -> np.ndarray:
    """Repeat frames (time, band) from their start until there are `length`; cut what is longer."""
    return np.tile(frames, (-(-length // len(frames)), 1))[:length]
