"""One run: a network trained, the best epoch kept, the test segments predicted."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.pipeline.feed import prediction_batch
from mirkeras.storage.files import write_bytes
from mirkeras.training.checkpoint import Checkpoint
from mirkeras.training.plan import Plan, Progress, TrainingError

__all__ = [
    "Plan",
    "Progress",
    "TrainingError",
    "predict",
    "prediction_batch",
    "time_steps",
    "train",
]


def train(plan: Plan, directory: Path, on_epoch: Callable[[dict], None]) -> Progress:
    """Train until the rule or the cap stops, leave the best network in ``directory/model.keras``.

    Goes on from ``directory/checkpoint.npz`` if there is one. `on_epoch` gets each line of the log.
    After the call `plan.network` carries the weights of its best epoch.

    Raises
    ------
    TrainingError
        If a part of the split is empty, or the training loss or every validation is not finite.
    """
    _check(plan)
    model, validation = plan.model, None
    if len(plan.validation):
        # Scored in larger batches than the authors', but the same segments are left out.
        whole = len(plan.validation) // plan.batch * plan.batch
        chosen = plan.validation[:whole] if plan.drop_incomplete else plan.validation
        validation = plan.feed.in_order(chosen, batch=prediction_batch(plan.values))
    steps = plan.feed.steps(len(plan.train), plan.batch, plan.drop_incomplete)
    _compile(plan, steps)
    keeper = Checkpoint(plan, directory, on_epoch)
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
            validation_data=validation,
            callbacks=[keeper],
            shuffle=False,  # the feed does it
            verbose=0,
        )
        keeper.save()
    if not keeper.best:
        raise TrainingError(f"no epoch had a finite {plan.select_by}: are the features finite?")
    plan.network.set_weights(keeper.best)
    save_network(plan.network, directory / "model.keras")
    return keeper.progress


def predict(plan: Plan) -> np.ndarray:
    """Score the test segments, in order: float32 (segments, classes or tags)."""
    return plan.model.predict(
        plan.feed.in_order(plan.test, batch=prediction_batch(plan.values)),
        verbose=0,
    )


@dataclass(frozen=True)
class Timed:
    """How long a network trains: seconds of a step, and of a segment that is scored.

    `steps` were timed, and all of it, after the first step, took `seconds`.
    """

    step: float
    scored: float
    steps: int
    seconds: float


def time_steps(plan: Plan, steps: int, seconds: float) -> Timed:
    """Train for a few steps and score a few segments, and take the time of both.

    Parameters
    ----------
    plan : Plan
        Its network is changed, and good for nothing else afterwards.
    steps : int
        Steps of an epoch, which decide how many are taken at once.
    seconds : float
        How long to time; two steps and a batch at least.
    """
    _compile(plan, steps)
    watch = _Watch(seconds)
    batches = plan.feed.training(
        plan.train, batch=plan.batch, seed=plan.seed, drop_incomplete=plan.drop_incomplete
    )
    at_once = _steps_per_execution(steps, plan.batch * plan.values)
    endless = at_once * 10**6
    plan.model.fit(batches, steps_per_epoch=endless, callbacks=[watch], shuffle=False, verbose=0)
    scored, rest = _time_scoring(plan, seconds)
    return Timed(watch.taken / watch.steps, scored, watch.steps, watch.taken + rest)


def _time_scoring(plan: Plan, seconds: float) -> tuple[float, float]:
    """Seconds that scoring a segment takes, and what finding out took."""
    batch = prediction_batch(plan.values)
    some = (plan.validation if len(plan.validation) else plan.test)[:batch]
    plan.model.evaluate(plan.feed.in_order(some, batch=batch), verbose=0)  # traces
    began, rounds = time.monotonic(), 0
    while not rounds or time.monotonic() - began < seconds / 4:
        plan.model.evaluate(plan.feed.in_order(some, batch=batch), verbose=0)
        rounds += 1
    took = time.monotonic() - began
    return took / (rounds * len(some)), took


class _Watch(keras.callbacks.Callback):
    """Takes the time of steps, but for the first, which traces, and ends the training."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.steps, self.taken = seconds, 0, 0.0
        self._first: tuple[int, float] | None = None

    def on_train_batch_end(self, batch: int, logs: dict) -> None:
        float(logs["loss"])  # where steps are only begun, wait for this one
        now = time.monotonic()
        if self._first is None:
            self._first = batch, now
            return
        self.steps, self.taken = batch - self._first[0], now - self._first[1]
        self.model.stop_training = self.taken > self.seconds and self.steps >= 2


def _compile(plan: Plan, steps: int) -> None:
    plan.model.compile(
        plan.optimizer,
        plan.loss,
        metrics=list(plan.metrics),
        steps_per_execution=_steps_per_execution(steps, plan.batch * plan.values),
    )
    plan.model.optimizer.build(plan.model.trainable_variables)


class _InMemory(io.BytesIO):
    """A file that Keras takes for one of its kind, by its name."""

    def __str__(self) -> str:
        return "model.keras"


def save_network(network: keras.Model, path: Path) -> None:
    """Write a network, whole: put together in memory, as HDF5 may end a process on a full disk."""
    saved = _InMemory()
    network.save(saved)
    write_bytes(path, saved.getbuffer())


def _check(plan: Plan) -> None:
    # where the last epoch counts, nothing else is needed to train
    checked = ("train",) if plan.select_by == "last" else ("train", "validation", "test")
    for part in checked:
        least = plan.batch if plan.drop_incomplete and part != "test" else 1
        if len(getattr(plan, part)) < least:
            raise TrainingError(
                f"the {part} part has {len(getattr(plan, part))} segment(s), at least {least} "
                "needed: use fewer folds or more tracks"
            )


def _steps_per_execution(steps: int, values: int) -> int:
    # Several steps per call save Python's time, which networks with small batches notice; to larger
    # ones it is nothing, and they trace faster and report sooner step by step. A divisor, because
    # the batches of the next epoch follow directly on this one's.
    most = 32 if values < 50_000 else 1
    return max(n for n in range(1, most + 1) if steps % n == 0)
