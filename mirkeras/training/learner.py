"""What a learner answers, and the usual one: a network trained on the frames of a recipe."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from data_prep.prepare import Prepared
from mirkeras.cache import FeatureCache, open_cache
from mirkeras.experiment import Experiment, Protocol, Row
from mirkeras.experiment.division import Parts
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.features import Recipe, find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pipeline.labels import Labels
from mirkeras.pipeline.segments import Consecutive, Segments
from mirkeras.pipeline.splits import FINAL
from mirkeras.pretrained.inference import Score, scorer
from mirkeras.storage.files import sha256
from mirkeras.system.errors import UsageError
from mirkeras.system.jobs import Job
from mirkeras.training import events
from mirkeras.training.fit import predict, train
from mirkeras.training.plan import plan_run
from mirkeras.transfer.networks import feature_network, load_network


class Units(NamedTuple):
    """What a run decides about where that is no track, a sung phoneme for one.

    Attributes
    ----------
    tracks : sequence of str
        Their names.
    offsets : int64 (units,)
        The frame that each one's segments are counted from.
    """

    tracks: Sequence[str]
    offsets: np.ndarray


@dataclass(frozen=True)
class Learned:
    """What came of a run.

    Attributes
    ----------
    scores : float32 (test segments, classes or tags)
    segments : Segments
    parts : Parts
        Positions among `segments`.
    labels : Labels
        Labels of all tracks.
    facts : dict
        What the run's record says of it.
    used : tuple of str
        The parts that had a use.
    units : Units or None
        What segments and labels belong to; None: the tracks of the cache.
    classifier : dict or None
        Arrays of a fitted classifier that is no network, for `Learner.serve`.
    """

    scores: np.ndarray
    segments: Segments
    parts: Parts
    labels: Labels
    facts: dict
    used: tuple[str, ...] = ("train", "validation", "test")
    units: Units | None = None
    classifier: dict[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Served:
    """What a finished run needs to score new tracks.

    Attributes
    ----------
    recipe : Recipe
        Turns samples into the frames that it takes.
    frames : int
        Length of a segment; 0: a track is taken as a whole.
    hop : int
        Frames from the start of a segment to that of the next.
    score : callable
        float32 (segments, frames, bands) → [(segments, classes or tags)], and where it was asked
        for the last hidden layer's (segments, dims).
    drop_last : bool
        Whether the last segment of a track is left out, see `Consecutive`.
    is_network : bool
        Whether the run's network does all of `score`.
    """

    recipe: Recipe
    frames: int
    hop: int
    score: Score
    drop_last: bool = False
    is_network: bool = False


class Learner:
    """How rows of a kind are learned; preflight, runs and their records ask it.

    Attributes
    ----------
    takes : tuple of str
        Options of the train command that only rows of this kind have: "extractor", "weights".
    """

    takes: ClassVar[tuple[str, ...]] = ()
    #: How often a run trains its network, each time for so many epochs at most.
    trainings: ClassVar[int] = 1
    #: Whether a row can also learn from all data, with nothing held out (``--final``).
    learns_all: ClassVar[bool] = False

    def is_quick(self, row: Row) -> bool:
        """Whether a run takes seconds: then a process, which takes some to start, does several."""
        return False

    def is_foreseen(self, row: Row) -> bool:
        """Whether its epochs can be timed before it runs, on segments of frames as they are cut."""
        return False

    def fits(self, protocol: Protocol) -> bool:
        """Whether rows can be learned under a protocol."""
        return protocol.rule is not None

    def takes_tags(self, protocol: Protocol) -> bool:
        """Whether tracks may have tags under a protocol, instead of one class."""
        return protocol.select_by == "val_loss"

    def check_index(self, row: Row, protocol: Protocol, prepared: Prepared, split: str) -> None:
        """Refuse tracks that a row cannot learn from, before features are extracted."""

    def needs(self, row: Row, extractors: tuple[Extractor, ...]) -> tuple[str, ...]:
        """Name the rows that must be trained before a row."""
        return row.starts_from

    def check(self, row: Row, weights: Path | None, mirror: str | None) -> None:
        """Refuse what cannot be learned, before any data is looked at."""

    def recipes(
        self, experiment: Experiment, row: Row, extractors: tuple[Extractor, ...]
    ) -> set[str]:
        """Name the recipes whose caches a row reads."""
        raise NotImplementedError

    def check_caches(
        self,
        row: Row,
        protocol: Protocol,
        caches: dict[str, FeatureCache],
        extractors: tuple[Extractor, ...],
    ) -> None:
        """Refuse caches that a row cannot read."""

    def before(self, runs: list[Run], row: Row, setting: Setting) -> list[Job]:
        """List what is to be computed once, before some runs of a row."""
        return []

    def digested(self, run: Run, row: Row, setting: Setting) -> dict:
        """Say what decides a run's numbers beside features, labels, protocol and network."""
        networks = [path for path in self.networks(run, row, setting) if path.exists()]
        # older digests hold a version of transferred features, also where there are none
        return {"networks": [sha256(path) for path in networks], "embedding": 1}

    def built(self, row: Row, protocol: Protocol, labels: Labels) -> list:
        """Build what a row trains, as it starts: its network and its optimiser, if it has them."""
        return []

    def networks(self, run: Run, row: Row, setting: Setting) -> list[Path]:
        """Paths of the trained networks a row builds on; those of its fold may not exist yet."""
        needed = self.needs(row, setting.extractors)
        return [replace(run, row=name).directory(setting.out) / "model.keras" for name in needed]

    def inputs(
        self, run: Run, row: Row, protocol: Protocol, setting: Setting
    ) -> tuple[FeatureCache, dict]:
        """Open what a row reads, and describe it for the run's record."""
        raise NotImplementedError

    def learn(
        self,
        run: Run,
        experiment: Experiment,
        cache: FeatureCache,
        tracks: pd.DataFrame,
        setting: Setting,
        report: Callable[[dict], None],
    ) -> Learned:
        """Learn on the training part, score the test part.

        Parameters
        ----------
        cache : FeatureCache
            What `inputs` opened.
        tracks : DataFrame
            What is known of each declared track, see `mirkeras.experiment.division.tracks_of`.
        report : callable
            Gets progress, see `mirkeras.system.jobs.Job`.
        """
        raise NotImplementedError

    def serve(
        self,
        directory: Path,
        record: dict,
        row: Row,
        protocol: Protocol,
        *,
        weights: Path | None = None,
        hidden: bool = False,
    ) -> Served:
        """Make a finished run ready for new tracks: the same scores as its own of test tracks.

        Parameters
        ----------
        directory, record
            The run's; `row` and `protocol` are those of the record.
        weights : Path or None
            Of the trained tagger that a row reads, as for the train command.
        hidden : bool
            Whether the last hidden layer's output is wanted beside the scores.

        Raises
        ------
        UsageError
            Runs of this kind do not score tracks, or have no hidden layer.
        """
        raise UsageError(f"{directory}: runs of {row.id} are not about whole tracks of audio")


class Network(Learner):
    """A network trained on segments of frames."""

    learns_all = True

    def is_foreseen(self, row) -> bool:
        return bool(row.recipe)

    def recipes(self, experiment, row, extractors) -> set[str]:
        return {row.recipe}

    def check_caches(self, row, protocol, caches, extractors) -> None:
        # every track must give at least one segment
        features, cut = caches[row.recipe], protocol.cut
        frames = np.diff(features.offsets) - find_recipe(row.recipe).deformed
        least = cut.needs(row.frames) if isinstance(cut, Consecutive) else row.frames
        if (frames < least).any():
            raise UsageError(
                f"row {row.id} needs tracks of {least} frames under protocol {protocol.name}, "
                f"{features.tracks[frames.argmin()]} has {frames.min()}: leave the row out, or use "
                "another --protocol"
            )

    def built(self, row, protocol, labels) -> list:
        if row.build is None:
            return []
        # how many features a network on features gets, the networks that give them decide
        options = row.options(protocol, features=1)
        return [row.build(len(labels.names), labels.activation, **options), protocol.optimizer()]

    def inputs(self, run, row, protocol, setting) -> tuple[FeatureCache, dict]:
        cache = open_cache(setting.caches[row.recipe])  # preflight compared its recipe
        return cache, {"recipe": cache.identity}

    def begin(self, network: keras.Model, row: Row, setting: Setting) -> None:
        """Change what a network starts with; it was just built."""

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        plan, parts, labels = plan_run(run, experiment, setting, cache, tracks)
        self.begin(plan.network, experiment.rows[run.row], setting)
        directory = run.directory(setting.out)
        with (
            events.written(directory, report) if setting.tensorboard else nullcontext(report) as to
        ):
            progress = train(plan, directory, to)
        chosen = f"best_{plan.select_by.replace('val', 'validation')}"
        protocol = experiment.protocol_of(run.protocol, run.row)
        facts = {
            "parameters": count_trainable(plan.network),
            "epochs": progress.epochs,
            "best_epoch": progress.best_epoch,
            **({} if plan.select_by == "last" else {chosen: progress.best}),
            "training_seconds": round(progress.seconds, 1),
            "capped": not progress.stopped and progress.epochs < protocol.max_epochs,
            "resident": plan.feed.resident,
        }
        if run.split == FINAL:
            facts |= {"capped": False, "replays": setting.replayed.name, "scored": "no test score"}
            nothing = np.zeros((0, len(labels.names)), np.float32)
            return Learned(nothing, plan.feed.segments, parts, labels, facts, used=("train",))
        return Learned(predict(plan), plan.feed.segments, parts, labels, facts)

    def serve(self, directory, record, row, protocol, *, weights=None, hidden=False) -> Served:
        recipe = find_recipe(row.recipe)
        recipe = getattr(recipe, "base", recipe)  # deformed copies are for training only
        path = directory / "model.keras"
        score = scorer(load_network(path), row.frames, recipe.bands)
        if hidden:
            score = both(score, scorer(feature_network(path, (-1,)), row.frames, recipe.bands))
        return Served(recipe, row.frames, hop_of(protocol, row), score, drops_last(protocol), True)


def hop_of(protocol: Protocol, row: Row) -> int:
    """Frames between segments that are scored; random ones, of a new track, follow each other."""
    return getattr(protocol.cut, "hop", 0) or row.frames


def drops_last(protocol: Protocol) -> bool:
    """Whether a protocol leaves the last segment of every track out."""
    return isinstance(protocol.cut, Consecutive) and protocol.cut.drop_last


def both(*scores: Score) -> Score:
    """Give the outputs of several functions of the same segments."""
    return lambda segments: [output for score in scores for output in score(segments)]
