"""One run: a network trained, the best epoch kept, the test segments predicted."""

import io
from collections.abc import Callable
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.pipeline.feed import prediction_batch
from mirkeras.storage.files import write_bytes
from mirkeras.training.checkpoint import Checkpoint
from mirkeras.training.plan import Plan, Progress, TrainingError

__all__ = ["Plan", "Progress", "TrainingError", "predict", "prediction_batch", "train"]


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
    model.compile(
        plan.optimizer,
        plan.loss,
        metrics=list(plan.metrics),
        steps_per_execution=_steps_per_execution(steps, plan.batch * plan.values),
    )
    model.optimizer.build(model.trainable_variables)
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
