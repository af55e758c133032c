"""One run: a network trained, the best epoch kept, the test segments predicted.

Everything a run needs to go on after an interruption is in one file, written whole every few
seconds at the end of an epoch: weights, optimiser, the memory of its learning-rate rule, the best
weights so far and the log. What is random in an epoch (order of segments, dropout) is drawn anew
from (seed, epoch), so a resumed run repeats exactly what an uninterrupted one does.
"""

import csv
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np

from mirkeras.files import whole_file
from mirkeras.pipeline import Feed
from mirkeras.schedules import Rule

CHECKPOINT_SECONDS = 5.0
REPORT_SECONDS = 1.0


class TrainingError(RuntimeError):
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
        Positions of segments in the feed.
    optimizer, loss, metrics
        As `keras.Model.compile` takes them.
    rule : Rule
        Learning-rate and stopping rule.
    select_by : str
        What the best epoch is best at: ``val_accuracy`` (highest) or ``val_loss`` (lowest).
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
        validated = (f"val_{name}" for name in measured)
        return ("epoch", *measured, *validated, "learning_rate", "seconds")

    @property
    def values(self) -> int:
        """Input values of one segment."""
        return self.feed.segments.length * self.feed.cache.bands

    def merit(self, logs: dict[str, float]) -> float:
        """How good an epoch is; more is better."""
        value = logs[self.select_by]
        return -value if self.select_by == "val_loss" else value


@dataclass
class Progress:
    """What a run remembers besides weights: plain values only.

    `stopped` tells that the rule ended it, not the cap on epochs; `best` is the selecting quantity
    at its best epoch.
    """

    memory: dict
    epochs: int = 0
    stopped: bool = False
    best: float | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    log: list[list[float]] = field(default_factory=list)


def train(plan: Plan, directory: Path, on_epoch: Callable[[dict], None]) -> Progress:
    """Train until the rule or the cap stops, leave the best network in ``directory/model.keras``.

    Goes on from ``directory/checkpoint.npz`` if there is one. `on_epoch` gets each line of the log.
    After the call `plan.network` carries the weights of its best epoch.

    Raises
    ------
    TrainingError
        If a part of the split is empty or the training loss is not finite.
    """
    _check(plan)
    model = plan.model
    steps = plan.feed.steps(len(plan.train), plan.batch, plan.drop_incomplete)
    model.compile(
        plan.optimizer,
        plan.loss,
        metrics=list(plan.metrics),
        steps_per_execution=_steps_per_execution(steps, plan.batch * plan.values),
    )
    model.optimizer.build(model.trainable_variables)
    keeper = Keeper(plan, directory, on_epoch)
    keeper.resume()
    if not keeper.finished:
        model.fit(
            plan.feed.training(
                plan.train,
                batch=plan.batch,
                seed=plan.seed,
                first_epoch=keeper.progress.epochs,
                drop_incomplete=plan.drop_incomplete,
            ),
            steps_per_epoch=steps,
            initial_epoch=keeper.progress.epochs,
            epochs=plan.max_epochs,
            validation_data=plan.feed.in_order(
                _validation(plan),
                batch=prediction_batch(plan.values),
            ),
            callbacks=[keeper],
            shuffle=False,  # the feed does it
            verbose=0,
        )
        keeper.save()
    plan.network.set_weights(keeper.best)
    with whole_file(directory / "model.keras") as temporary:
        plan.network.save(temporary)
    return keeper.progress


def predict(plan: Plan) -> np.ndarray:
    """Score the test segments, in order: float32 (segments, classes or tags)."""
    return plan.model.predict(
        plan.feed.in_order(plan.test, batch=prediction_batch(plan.values)),
        verbose=0,
    )


def prediction_batch(values: int) -> int:
    """Choose how many segments of so many values are scored at once, 16 to 100.

    A network's activations are many times its input: 100 segments of 59,049 samples need several
    gigabytes in the first layers of SampleCNN, 100 spectrograms next to nothing.
    """
    return min(100, max(16, 2**20 // values))


def _check(plan: Plan) -> None:
    for part in ("train", "validation", "test"):
        least = plan.batch if plan.drop_incomplete and part != "test" else 1
        if len(getattr(plan, part)) < least:
            raise TrainingError(
                f"the {part} part has {len(getattr(plan, part))} segment(s), at least {least} "
                "needed: use fewer folds or more tracks"
            )


def _validation(plan: Plan) -> np.ndarray:
    # Scored in larger batches than the authors', but the same segments are left out.
    whole = len(plan.validation) // plan.batch * plan.batch
    return plan.validation[:whole] if plan.drop_incomplete else plan.validation


def _steps_per_execution(steps: int, values: int) -> int:
    # Several steps per call save Python's time, which networks with small batches notice; to larger
    # ones it is nothing, and they trace faster and report sooner step by step. A divisor, because
    # the batches of the next epoch follow directly on this one's.
    most = 32 if values < 50_000 else 1
    return max(n for n in range(1, most + 1) if steps % n == 0)


class Keeper(keras.callbacks.Callback):
    """Applies the learning-rate rule, keeps the best weights, logs, and saves all of it."""

    def __init__(self, plan: Plan, directory: Path, on_epoch: Callable[[dict], None]):
        super().__init__()
        self.plan = plan
        self.path = directory / "checkpoint.npz"
        self.log_path = directory / "log.csv"
        self.on_epoch = on_epoch
        self.progress = Progress(memory=plan.rule.start())
        self.best: list[np.ndarray] = []
        self.saved_at = self.started_at = self.reported_at = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to train."""
        return self.progress.stopped or self.progress.epochs >= self.plan.max_epochs

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        reseed(self.plan.network, self.plan.seed, epoch)
        self.started_at = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # Epochs of SampleCNN take minutes to hours: say how far this one is.
        if time.monotonic() - self.reported_at > REPORT_SECONDS:
            self.reported_at = time.monotonic()
            self.on_epoch({"part": (batch + 1) / self.params["steps"]})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        rate = float(self.model.optimizer.learning_rate)
        self._judge(epoch, logs)
        self._write_log(epoch, logs, rate)
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self.save()

    def _judge(self, epoch: int, logs: dict) -> None:
        if not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"the training loss is {logs['loss']} in epoch {epoch + 1}: the learning rate is "
                "too high for these features, or they are not finite"
            )
        verdict = self.plan.rule.step(self.progress.memory, logs)
        self.model.optimizer.learning_rate = self.model.optimizer.learning_rate * verdict.factor
        self.progress.stopped = self.model.stop_training = verdict.stop
        # As in the authors' code of CBMI 2016, the epoch that ends the run is no candidate. (A rule
        # that waits for the validation loss ends a run with a bad epoch anyway.)
        if not verdict.stop and self._is_best(logs):
            self.progress.best = logs[self.plan.select_by]
            self.progress.best_epoch = epoch + 1
            self.best = self.plan.network.get_weights()
        if verdict.restart:
            self._restart(verdict.forget)
        self.progress.epochs = epoch + 1

    def _is_best(self, logs: dict) -> bool:
        best = self.progress.best
        return best is None or self.plan.merit(logs) > self.plan.merit({self.plan.select_by: best})

    def _restart(self, forget: bool) -> None:
        """Begin a stage: best weights, and an optimiser that remembers nothing but its rate."""
        self.plan.network.set_weights(self.best)
        # In half precision Keras wraps the optimiser in one that scales the loss and must go on.
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        rate = float(optimizer.learning_rate)
        for variable in optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        optimizer.learning_rate = rate
        if forget:
            self.progress.best = None

    def _write_log(self, epoch: int, logs: dict, rate: float) -> None:
        seconds = time.monotonic() - self.started_at
        self.progress.seconds += seconds
        values = {**logs, "epoch": epoch + 1, "learning_rate": rate, "seconds": seconds}
        columns = self.plan.log_columns
        row = [float(f"{values[column]:.6g}") for column in columns]
        self.progress.log.append(row)
        with open(self.log_path, "a", newline="") as log:
            csv.writer(log).writerow(row)
        self.on_epoch(dict(zip(columns, row, strict=True)))

    def save(self) -> None:
        """Write the checkpoint, whole."""
        arrays = {f"best_{i}": weight for i, weight in enumerate(self.best)}
        arrays |= {f"weight_{i}": w for i, w in enumerate(self.plan.network.get_weights())}
        arrays |= {
            f"optimizer_{i}": keras.ops.convert_to_numpy(variable)
            for i, variable in enumerate(self.plan.model.optimizer.variables)
        }
        with whole_file(self.path) as temporary:
            np.savez(temporary, state=np.array(json.dumps(asdict(self.progress))), **arrays)
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        """Take up the state of the checkpoint, if there is one, and cut the log back to it."""
        if self.path.exists():
            try:
                with np.load(self.path, allow_pickle=False) as arrays:
                    self._restore(dict(arrays))
            except (OSError, EOFError, ValueError, TypeError, KeyError, BadZipFile) as error:
                raise TrainingError(
                    f"{self.path} cannot be read ({error}); delete its folder and train again"
                ) from error
        with whole_file(self.log_path) as temporary, open(temporary, "w", newline="") as log:
            csv.writer(log).writerows([self.plan.log_columns, *self.progress.log])

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        def numbered(kind: str) -> list[np.ndarray]:
            count = sum(name.startswith(f"{kind}_") for name in arrays)
            return [arrays[f"{kind}_{i}"] for i in range(count)]

        self.progress = Progress(**json.loads(str(arrays["state"])))
        self.best = numbered("best")
        self.plan.network.set_weights(numbered("weight"))
        for variable, value in zip(
            self.plan.model.optimizer.variables, numbered("optimizer"), strict=True
        ):
            variable.assign(value)


def reseed(network: keras.Model, seed: int, epoch: int) -> None:
    """Set every dropout layer's random state from (seed, epoch, position of the layer)."""
    for position, layer in enumerate(_dropouts(network)):
        drawn = np.random.SeedSequence([seed, epoch, position]).generate_state(2)
        layer.seed_generator.state.assign(drawn)


def _dropouts(network: keras.Model) -> list[keras.layers.Dropout]:
    found = []
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found += _dropouts(layer)
        elif isinstance(layer, keras.layers.Dropout):
            found.append(layer)
    return found
