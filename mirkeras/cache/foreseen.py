"""What extraction will take, told from a few tracks before the many."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

import numpy as np

from mirkeras.features import Recipe, extraction
from mirkeras.system.errors import say
from mirkeras.system.estimate import in_bytes, spoken
from mirkeras.system.jobs import Whose, hands
from mirkeras.system.workers import WorkersLost, work

#: Fewer tracks are done before they could be foreseen.
MANY = 300
#: Tracks that each process tries; its first one is done twice, as it holds what is done once.
_TRIED = 2

_warm: set[str] = set()


@dataclass(frozen=True)
class Foreseen:
    """What the tracks of a data set need, each, in the mean of a few.

    Attributes
    ----------
    work : float
        Seconds of one process.
    audio : float
        Seconds of audio.
    frames : dict
        Recipe name → frames (the median).
    bytes : int
        Of all recipes together.
    decoded : bool
        Whether decoding is counted.
    """

    work: float
    audio: float
    frames: dict[str, int]
    bytes: int
    decoded: bool = True

    def said(self, tracks: int, places: int) -> str:
        """Say what so many tracks need."""
        hours, recipes = tracks * self.audio / 3600, len(self.frames)
        many = "recipe" if recipes == 1 else "recipes"
        rest = "" if self.decoded else " and decoding"
        return (
            f"features: {tracks:,} tracks, {hours:.1f} h of audio, {recipes} {many}: about "
            f"{spoken(self.seconds(tracks, places))}{rest}, {in_bytes(tracks * self.bytes)}"
        )

    def seconds(self, tracks: int, places: int) -> float:
        """Seconds that so many tracks take so many processes."""
        return tracks * self.work / places


def foresee(tracks: Sequence[Sequence[extraction.Task]], whose: Whose) -> Foreseen | None:
    """Try a few of the tracks, evenly spaced, without keeping anything; None if none can be read.

    Parameters
    ----------
    tracks
        As of `extraction.extract_all`.
    """
    many = min(len(tracks), _TRIED * hands(whose).places())
    chosen = [tracks[number * len(tracks) // many] for number in range(many)]
    found = [
        one
        for one in work(_try, chosen, whose, name=lambda tasks: tasks[0].path)
        if one is not None
    ]
    if not found:
        return None
    times, lengths, frames = zip(*found, strict=True)
    # of some tracks there may be more to extract than of others
    recipes = {task.recipe.name: task.recipe for tasks in chosen for task in tasks}
    counts = {name: [each[name] for each in frames if name in each] for name in recipes}
    usual = {name: int(median(count)) if count else 0 for name, count in counts.items()}
    return Foreseen(mean(times), mean(lengths), usual, _bytes(recipes.values(), usual))


def foresee_noise(seconds: float, recipes: Sequence[Recipe]) -> Foreseen:
    """The same of made-up audio, where there is none yet: without decoding it."""
    frames, took = {}, 0.0
    for recipe in recipes:
        samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * recipe.sample_rate))
        samples = samples.astype(np.float32)
        recipe.extract(samples)
        began = time.perf_counter()
        frames[recipe.name] = len(recipe.extract(samples))
        took += time.perf_counter() - began
    return Foreseen(took, seconds, frames, _bytes(recipes, frames), decoded=False)


def tell(tracks: Sequence[Sequence[extraction.Task]], whose: Whose) -> None:
    """Say what is ahead, where that is much."""
    if len(tracks) < MANY:
        return
    with suppress(WorkersLost):  # it will be said of the track when its turn comes
        if not (foreseen := foresee(tracks, whose)):
            return
        say(foreseen.said(len(tracks), hands(whose).places()))


def _bytes(recipes: Sequence[Recipe], frames: dict[str, int]) -> int:
    return sum(frames[one.name] * one.bands * np.dtype(one.dtype).itemsize for one in recipes)


def _try(tasks: Sequence[extraction.Task]) -> tuple[float, float, dict[str, int]] | None:
    """Extract a track to nowhere: seconds it took, seconds of audio, frames (in a worker)."""
    try:
        with TemporaryDirectory() as place:
            moved = [
                replace(task, shard=Path(place) / f"{number}.npz")
                for number, task in enumerate(tasks)
            ]
            if not _warm:
                extraction.extract_track(moved)
                _warm.add("up")
            began = time.perf_counter()
            outcomes = extraction.extract_track(moved)
            took = time.perf_counter() - began
    except Exception:  # whatever it is, it is said of the track when its turn comes
        return None
    frames = {one.task.recipe: one.frames for one in outcomes if not one.reason}
    if not frames:
        return None
    finest = min(frames, key=lambda recipe: recipe.hop / recipe.sample_rate)
    seconds = (frames[finest] - finest.deformed) * finest.hop / finest.sample_rate
    return took, seconds, {recipe.name: count for recipe, count in frames.items()}
