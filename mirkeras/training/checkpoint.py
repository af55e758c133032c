"""What happens between two epochs: judging, keeping the best, going back, logging, saving.

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
from dataclasses import asdict
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.experiment.runs import CHECKPOINT
from mirkeras.storage.arrays import write_archive
from mirkeras.storage.files import about, whole_file
from mirkeras.system.errors import unusable
from mirkeras.training.plan import Plan, Progress, TrainingError

CHECKPOINT_SECONDS = 5.0
REPORT_SECONDS = 1.0


class Checkpoint(keras.callbacks.Callback):
    """Applies the learning-rate rule, keeps the best weights, logs, and saves all of it."""

    def __init__(self, plan: Plan, directory: Path, on_epoch: Callable[[dict], None]):
        super().__init__()
        self.plan = plan
        self.path = directory / CHECKPOINT
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
        chosen = logs.get(self.plan.select_by)
        if self.plan.select_by == "last" or (verdict.counts and self._is_best(chosen)):
            self.progress.best = chosen
            self.progress.best_epoch = epoch + 1
            self.best = self.plan.network.get_weights()
        if verdict.restart:
            self._restart()
        self.progress.epochs = epoch + 1

    def _is_best(self, chosen: float) -> bool:
        best = self.progress.best
        # nothing compares with NaN: as the first one it would stay the best for ever
        return math.isfinite(chosen) and (
            best is None or self.plan.merit(chosen) > self.plan.merit(best)
        )

    def _restart(self) -> None:
        """Begin a training: best weights, and an optimiser that remembers nothing but its rate."""
        if self.best:  # else no validation was finite yet
            self.plan.network.set_weights(self.best)
        # In half precision Keras wraps the optimiser in one that scales the loss and must go on.
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        rate = float(optimizer.learning_rate)
        for variable in optimizer.variables:
            variable.assign(keras.ops.zeros_like(keras.ops.convert_to_tensor(variable)))
        optimizer.learning_rate = rate
        self.progress.best = None

    def _write_log(self, epoch: int, logs: dict, rate: float) -> None:
        seconds = time.monotonic() - self.started_at
        self.progress.seconds += seconds
        values = {**logs, "epoch": epoch + 1, "learning_rate": rate, "seconds": seconds}
        columns = self.plan.log_columns
        row = [float(f"{values[column]:.6g}") for column in columns]
        self.progress.log.append(row)
        with about(self.log_path), open(self.log_path, "a", newline="") as log:
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
        write_archive(self.path, state=np.array(json.dumps(asdict(self.progress))), **arrays)
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        """Take up the state of the checkpoint, if there is one, and cut the log back to it."""
        if self.path.exists():
            try:
                with np.load(self.path, allow_pickle=False) as arrays:
                    self._restore(dict(arrays))
            except Exception as error:  # a damaged archive raises many kinds
                remedy = "delete its folder and train again"
                raise TrainingError(unusable(self.path, error, remedy)) from error
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
