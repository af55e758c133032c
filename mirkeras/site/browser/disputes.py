"""Which test tracks are wrong or disputed, and which of their segments tell why. Pure NumPy.

Two ways of deciding are compared, as in the reproduction's report (section IX): `max`, the class
with the largest sum of scores, and `majority`, the class that most segments score highest.
"""

from dataclasses import dataclass

import numpy as np

from mirkeras.evaluation.metrics import mean_scores, product_scores, track_classes

KINDS = ("max", "majority", "both", "disputed")

WRONG = "most confident wrong segment"
RIGHT = "most confident right segment"
CLOSEST = "highest score of the true class, no segment is right"
UNCERTAIN = "most uncertain segment"


@dataclass(frozen=True, eq=False)
class Dispute:
    """A test track that `max` or `majority` gets wrong; its segments are in order of time.

    Attributes
    ----------
    true, by_max, by_majority : int
        Numbers of classes.
    sums : float64 (classes,)
        Sums over segments: of probabilities, or of their logarithms where `max` takes products.
    votes : int64 (classes,)
        How many segments score the class highest.
    scores : float (segments, classes)
        Probabilities.
    frames : int64 (segments,)
        First frame of each segment within the track.
    """

    track: str
    true: int
    by_max: int
    by_majority: int
    sums: np.ndarray
    votes: np.ndarray
    scores: np.ndarray
    frames: np.ndarray

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of `KINDS` it is: wrong by max, by majority, by both; disputed: the two differ."""
        by_max, by_majority = self.by_max != self.true, self.by_majority != self.true
        holds = by_max, by_majority, by_max and by_majority, self.by_max != self.by_majority
        return tuple(kind for kind, true in zip(KINDS, holds, strict=True) if true)

    @property
    def margin(self) -> float:
        """How far the best other class lies above the true one, per segment; negative if below."""
        others = np.delete(self.sums, self.true)
        return float(others.max() - self.sums[self.true]) / len(self.scores)

    @property
    def tied(self) -> tuple[int, ...]:
        """The classes that share the largest number of votes; empty if one class has it alone."""
        first = np.flatnonzero(self.votes == self.votes.max())
        return tuple(first.tolist()) if len(first) > 1 else ()


@dataclass(frozen=True)
class Choice:
    """A segment (its number in order of time) and what it was chosen for."""

    segment: int
    why: str


def deciding(aggregate: str) -> str:
    """Return by what `max` decides: the protocol's "mean" or "product", "mean" for "majority"."""
    return "mean" if aggregate == "majority" else aggregate


def find(predictions: dict[str, np.ndarray], aggregate: str) -> list[Dispute]:
    """Find the tracks that are wrong or disputed, worst first (by `Dispute.margin`).

    Parameters
    ----------
    predictions
        A classifier's, see `mirkeras.experiment.records.read_predictions`; with
        ``segment_frame``.
    aggregate : "majority", "mean" or "product"
        The protocol's, see `deciding`.
    """
    rule = deciding(aggregate)
    by_max, by_majority = (track_classes(predictions, name) for name in (rule, "majority"))
    labels, names = predictions["labels"], predictions["tracks"]
    owner = predictions["segment_track"]
    combine = {"mean": mean_scores, "product": product_scores}[rule]
    sums = combine(predictions["scores"], owner, len(names)) * np.bincount(owner)[:, None]
    found = []
    # where the two decisions differ, one of them is wrong
    for number in np.flatnonzero((by_max != labels) | (by_majority != labels)):
        segments = np.flatnonzero(owner == number)
        frames = predictions["segment_frame"][segments]
        order = np.argsort(frames, kind="stable")
        scores = predictions["scores"][segments[order]]
        found.append(
            Dispute(
                track=str(names[number]),
                true=int(labels[number]),
                by_max=int(by_max[number]),
                by_majority=int(by_majority[number]),
                sums=sums[number],
                votes=np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]),
                scores=scores,
                frames=frames[order],
            )
        )
    return sorted(found, key=lambda dispute: -dispute.margin)


def telling(dispute: Dispute, count: int) -> list[Choice]:
    """Choose the most telling segments, at most `count`.

    In turn: the most confident wrong one, the most confident right one (where none is right, the
    one with the highest score of the true class), the one of the largest entropy; then the next of
    each.
    """
    scores, true = dispute.scores.astype(float), dispute.true
    best, right = scores.max(axis=1), scores.argmax(axis=1) == true
    entropy = -np.sum(scores * np.log(np.maximum(scores, np.finfo(float).tiny)), axis=1)
    queues = {
        WRONG: _descending(np.where(right, -np.inf, best)),
        (RIGHT if right.any() else CLOSEST): _descending(
            np.where(right, best, -np.inf) if right.any() else scores[:, true]
        ),
        UNCERTAIN: _descending(entropy),
    }
    chosen: dict[int, str] = {}
    while len(chosen) < min(count, len(scores)):
        for why, queue in queues.items():
            rank = next((r for r, segment in enumerate(queue) if segment not in chosen), None)
            if rank is not None and len(chosen) < count:
                chosen[queue[rank]] = f"{why} (rank {rank + 1})" if rank else why
    return [Choice(segment, why) for segment, why in chosen.items()]


def _descending(values: np.ndarray) -> list[int]:
    """Positions from the largest value down, without those at minus infinity."""
    order = np.argsort(-values, kind="stable")
    return [int(place) for place in order if values[place] > -np.inf]


def leading(values: np.ndarray, most: int, always: tuple[int, ...]) -> list[int]:
    """Number the classes with the largest values, `most` at most, and those of `always`.

    Returns
    -------
    list of int
        Sorted.
    """
    kept = list(dict.fromkeys(always))
    rest = [place for place in _descending(values) if place not in kept]
    return sorted(kept + rest[: max(0, most - len(kept))])
