"""What to train on what, and what a training remembers."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from mirkeras.cache import FeatureCache
from mirkeras.cache.statistics import cell_statistics, statistics
from mirkeras.experiment import Experiment, Protocol, Row, Rule, records
from mirkeras.experiment.division import Parts, divide
from mirkeras.experiment.runs import Run
from mirkeras.experiment.schedules import Replayed
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.layers import standardised
from mirkeras.pipeline.feed import Feed, open_feed
from mirkeras.pipeline.labels import Labels, read_labels
from mirkeras.pipeline.segments import Segments, cut
from mirkeras.system.errors import ExpectedError
from mirkeras.transfer.networks import load_network


class TrainingError(ExpectedError):
    """Training cannot go on; the message says why."""


@dataclass(frozen=True)
class Plan:
    """What to train on what, and how.

    Attributes
    ----------
    network : keras.Model
        Takes segments (batch, time, band), gives probabilities of classes or tags.
    feed : Feed
    model : keras.Model
        The network attached to the feed, see `Feed.attach`.
    train, validation, test : int64 arrays
        Positions of segments in the feed; no validation is possible where the last epoch counts.
    optimizer, loss, metrics
        As `keras.Model.compile` takes them.
    select_by : str
        What the best epoch is best at: ``val_accuracy`` (highest) or ``val_loss`` (lowest); or
        ``last``: the last epoch's weights are kept.
    batch, max_epochs, seed : int
    drop_incomplete : bool
        Drop the last, incomplete batch of the training and the validation part.
    """

    network: keras.Model
    feed: Feed
    model: keras.Model
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    optimizer: keras.optimizers.Optimizer
    loss: str
    metrics: tuple[str, ...]
    rule: Rule
    select_by: str
    batch: int
    max_epochs: int
    drop_incomplete: bool
    seed: int

    @property
    def log_columns(self) -> tuple[str, ...]:
        """Columns of the run's ``log.csv``."""
        measured = ("loss", *self.metrics)
        validated = [f"val_{name}" for name in measured] if len(self.validation) else ()
        return ("epoch", *measured, *validated, "learning_rate", "seconds")

    @property
    def values(self) -> int:
        """Input values of one segment."""
        return self.feed.segments.length * self.feed.cache.bands

    def merit(self, value: float) -> float:
        """How good an epoch is by its selecting quantity; more is better."""
        return -value if self.select_by == "val_loss" else value


@dataclass
class Progress:
    """What a run remembers besides weights: plain values only.

    `stopped` tells that the rule ended it, not the cap on epochs; `best` is the selecting quantity
    at its best epoch (None where the last epoch counts).
    """

    memory: dict
    epochs: int = 0
    stopped: bool = False
    best: float | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    log: list[list[float]] = field(default_factory=list)


def plan_run(
    run: Run, experiment: Experiment, setting: Setting, cache: FeatureCache, tracks: pd.DataFrame
) -> tuple[Plan, Parts, Labels]:
    """Turn a run into what `mirkeras.training.fit` needs.

    Parameters
    ----------
    tracks : DataFrame
        As from `mirkeras.experiment.division.tracks_of`.
    """
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    if setting.replayed:
        rates = tuple(records.read_log(setting.replayed).learning_rate[: run.max_epochs])
        protocol = replace(protocol, rule=Replayed(rates), validate_by="test", select_by="last")
    labels = read_labels(tracks[tracks.heard], setting.tags)
    deformed = find_recipe(row.recipe).deformed if row.recipe else 0
    segments = cut(protocol.cut, cache.offsets, row.frames, run.seed, deformed)
    parts = divide_run(run, protocol, segments, tracks)
    plan = make_plan(
        row,
        protocol,
        cache,
        segments,
        parts,
        labels,
        trained=trained_before(run, row, setting.out),
        batch=batch_of(run, experiment),
        max_epochs=run.max_epochs,
        seed=run_seed(run),
        memory_budget=setting.memory_budget,
    )
    return plan, parts, labels


def make_plan(
    row: Row,
    protocol: Protocol,
    cache: FeatureCache,
    segments: Segments,
    parts: Parts,
    labels: Labels,
    *,
    batch: int,
    max_epochs: int,
    seed: int,
    memory_budget: int,
    trained: Sequence[keras.Model] = (),
) -> Plan:
    """Build the network of a row, attached to its segments, with all that its training needs.

    Parameters
    ----------
    segments, parts, labels
        For all tracks of the cache; parts are positions among the segments.
    trained : sequence of keras.Model
        The networks that the row starts from.
    """
    # Before anything is drawn: weights, then whatever the training draws.
    keras.utils.set_random_seed(seed)
    options = row.options(protocol, cache.bands)
    network = row.build(len(labels.names), labels.activation, **options)
    if row.transfer:
        row.transfer(network, *trained)
    network = _with_z_score(network, row, protocol, cache, segments, parts.normalise_on)
    feed = open_feed(cache, segments, labels.values[segments.track], memory_budget)
    return Plan(
        network=network,
        feed=feed,
        model=feed.attach(network),
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        optimizer=protocol.optimizer(),
        loss=protocol.loss or labels.loss,
        metrics=() if labels.are_tags else ("accuracy",),
        rule=protocol.rule,
        select_by=protocol.select_by,
        batch=batch,
        max_epochs=max_epochs,
        drop_incomplete=protocol.drop_incomplete,
        seed=seed,
    )


def _with_z_score(
    plain: keras.Model,
    row: Row,
    protocol: Protocol,
    cache: FeatureCache,
    segments: Segments,
    fitted: np.ndarray,
) -> keras.Model:
    """Put the protocol's z-score, fitted on some tracks, in front of a network."""
    if not row.standardise or protocol.z_score == "none":
        return plain
    if protocol.z_score != "scalar":
        fit = cell_statistics if protocol.z_score == "cell" else protocol.z_score
        chosen = segments.first[segments.of_tracks(fitted)]
        return standardised(plain, *fit(cache, chosen, row.frames))
    return standardised(plain, *statistics(cache, [cache.tracks[number] for number in fitted]))


def trained_before(run: Run, row: Row, out: Path) -> list[keras.Model]:
    """Load the networks, without their z-score, that a row starts from."""
    networks = []
    for name in row.starts_from:
        path = records.finished_network(replace(run, row=name).directory(out), name)
        networks.append(load_network(path).layers[-1])
    return networks


def divide_run(run: Run, protocol: Protocol, segments: Segments, tracks: pd.DataFrame) -> Parts:
    """Divide the segments of a run's fold."""
    return divide(
        protocol, segments, tracks, split=run.split, folds=run.folds, fold=run.fold, seed=run.seed
    )


def batch_of(run: Run, experiment: Experiment) -> int:
    """Segments per batch."""
    # a part of a data set, or a stand-in for it, is named after it
    named = [size for name, size in experiment.batches.items() if run.dataset.startswith(name)]
    usual = named[0] if named else experiment.batch
    return experiment.rows[run.row].batch or usual


def run_seed(run: Run) -> int:
    """Seed of everything random in a run, from its seed, fold and row."""
    words = [run.seed, run.fold, zlib.crc32(run.row.encode())]
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)
