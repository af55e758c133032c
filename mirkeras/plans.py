"""What to train, and what a training remembers: plain data."""

from dataclasses import dataclass, field

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.experiment import Rule
from mirkeras.pipeline.feed import Feed
from mirkeras.system.errors import ExpectedError


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
    rule : Rule
        Learning-rate and stopping rule.
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
