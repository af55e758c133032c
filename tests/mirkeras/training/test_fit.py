"""One run: stops, keeps the best epoch, and resumes exactly."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from mirkeras.cache import open_cache
from mirkeras.experiment import Constant, HalveOnRecovery
from mirkeras.experiment.schedules import Verdict
from mirkeras.layers import standardised
from mirkeras.pipeline.feed import open_feed
from mirkeras.pipeline.segments import consecutive
from mirkeras.training import checkpoint
from mirkeras.training.checkpoint import reseed
from mirkeras.training.fit import predict, train
from mirkeras.training.plan import Plan, TrainingError
from reproductions.pons_cbmi2016 import models


def make_plan(cached: Path, **changes) -> Plan:
    (path,) = cached.rglob("cbmi2016.h5")
    features = open_cache(path)
    segments = consecutive(features.offsets, 80)
    keras.utils.set_random_seed(7)
    everything = np.arange(len(segments))
    defaults = {
        "network": standardised(models.time_frequency(3), 1.0, 1.0),
        "feed": open_feed(features, segments, (segments.track // 6).astype("int32"), 10**9),
        "train": everything[everything % 3 != 0],
        "validation": everything[everything % 6 == 0],
        "test": everything[everything % 6 == 3],
        "optimizer": keras.optimizers.SGD(0.01),
        "loss": "sparse_categorical_crossentropy",
        "metrics": ("accuracy",),
        "rule": HalveOnRecovery(patience=0, limit=100),
        "select_by": "val_accuracy",
        "batch": 5,
        "max_epochs": 8,
        "drop_incomplete": False,
        "seed": 3,
    }
    chosen = defaults | changes
    return Plan(model=chosen["feed"].attach(chosen["network"]), **chosen)


class Interruption(Exception):
    """Stands for a kill: nothing after it is done."""


def interrupt_after(epoch: int):
    def on_epoch(line: dict) -> None:
        if line.get("epoch") == epoch:
            raise Interruption

    return on_epoch


def ignore(line: dict) -> None:
    pass


def log_without_times(directory: Path) -> list[list[str]]:
    return [line.split(",")[:-1] for line in (directory / "log.csv").read_text().splitlines()]


def test_interrupted_training_ends_as_if_it_had_not_been(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for directory in (whole, parts):
        directory.mkdir()
    plan = make_plan(cached)
    done = train(plan, whole, ignore)
    expected = plan.network.get_weights(), predict(plan)

    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)  # a checkpoint after every epoch
    for epoch in (2, 5, 7):
        with pytest.raises(Interruption):
            train(make_plan(cached), parts, interrupt_after(epoch))
    plan = make_plan(cached)
    resumed = train(plan, parts, ignore)

    for ours, theirs in zip(plan.network.get_weights(), expected[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(predict(plan), expected[1])
    assert log_without_times(parts) == log_without_times(whole)
    assert resumed.memory == done.memory
    assert (resumed.best_epoch, resumed.epochs) == (done.best_epoch, done.epochs)
    # the rule with no patience has halved on the way: its state crossed the interruptions
    rates = {line[5] for line in log_without_times(parts)[1:]}
    assert len(rates) > 1


def test_the_best_epoch_is_kept_not_the_last(cached: Path, tmp_path: Path) -> None:
    plan = make_plan(cached)
    weights = {}

    def remember(line: dict) -> None:
        if "epoch" in line:
            weights[int(line["epoch"])] = plan.network.get_weights()

    progress = train(plan, tmp_path, remember)
    log = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    assert progress.best_epoch == log["val_accuracy"].argmax() + 1
    for ours, theirs in zip(plan.network.get_weights(), weights[progress.best_epoch], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    saved = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(saved.get_weights()[0], plan.network.get_weights()[0])


class Script:
    """Halves after every epoch and stops after the third."""

    def __init__(self, counts: bool = True):
        self.counts = counts

    def start(self) -> dict:
        return {"epoch": 0}

    def step(self, memory: dict, logs: dict) -> Verdict:
        memory["epoch"] += 1
        logs["val_accuracy"] = memory["epoch"] / 3  # the last one is the best
        stop = memory["epoch"] == 3
        return Verdict(factor=0.5, stop=stop, counts=self.counts or not stop)


@pytest.mark.parametrize(("counts", "best"), [(True, 3), (False, 2)])
def test_the_rule_stops_halves_and_says_whether_its_last_epoch_counts(
    cached: Path, tmp_path: Path, counts: bool, best: int
) -> None:
    progress = train(make_plan(cached, rule=Script(counts)), tmp_path, ignore)
    log = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    assert progress.epochs == 3
    assert progress.stopped
    assert log["learning_rate"].tolist() == [0.01, 0.005, 0.0025]
    assert progress.best_epoch == best


class Losses:
    """Says itself what the validation losses are; every epoch is a training of its own or none."""

    def __init__(self, losses: list[float], restart: bool = False):
        self.losses, self.restart = losses, restart

    def start(self) -> dict:
        return {"epoch": 0}

    def step(self, memory: dict, logs: dict) -> Verdict:
        logs["val_loss"] = self.losses[memory["epoch"]]
        memory["epoch"] += 1
        return Verdict(restart=self.restart)


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_no_number_is_never_the_best(
    cached: Path, tmp_path: Path, nothing: float
) -> None:
    rule = Losses([nothing, 0.5, nothing, 0.3, 0.4])
    plan = make_plan(cached, rule=rule, select_by="val_loss", max_epochs=5)
    assert train(plan, tmp_path, ignore).best_epoch == 4


@pytest.mark.parametrize("restart", [False, True])
def test_a_run_without_any_finite_validation_ends_in_words(
    cached: Path, tmp_path: Path, restart: bool
) -> None:
    plan = make_plan(cached, rule=Losses([np.nan] * 2, restart), select_by="val_loss", max_epochs=2)
    with pytest.raises(TrainingError, match="no epoch had a finite val_loss"):
        train(plan, tmp_path, ignore)


class Stages:
    """Restarts after the third epoch, with the rate a tenth."""

    def start(self) -> dict:
        return {"epoch": 0}

    def step(self, memory: dict, logs: dict) -> Verdict:
        memory["epoch"] += 1
        restart = memory["epoch"] == 3
        return Verdict(0.1 if restart else 1.0, restart=restart)


def staged(cached: Path, **changes) -> Plan:
    momentum = keras.optimizers.SGD(0.3, momentum=0.9, nesterov=True)
    given = {"rule": Stages(), "select_by": "val_loss", "optimizer": momentum}
    return make_plan(cached, **given | changes)


def test_a_stage_starts_from_the_best_weights_with_a_fresh_optimiser(
    cached: Path, tmp_path: Path
) -> None:
    plan, seen = staged(cached, max_epochs=3), []

    def remember(line: dict) -> None:
        if "epoch" in line:
            seen.append([np.array(v) for v in plan.model.optimizer.variables])

    train(plan, tmp_path, remember)
    with np.load(tmp_path / "checkpoint.npz") as arrays:
        weights = {name: arrays[name] for name in arrays.files if name != "state"}
    for name in [name for name in weights if name.startswith("weight_")]:
        np.testing.assert_array_equal(weights[name], weights[name.replace("weight", "best")])
    assert any(np.abs(value).sum() > 0 for value in seen[1][2:])  # it had momentum before
    assert all(not value.any() for value in seen[2][2:])
    assert float(plan.model.optimizer.learning_rate) == pytest.approx(0.03)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_stage_in_half_precision_goes_on_learning(
    policy: str, cached: Path, tmp_path: Path
) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        plan = staged(cached, max_epochs=4, optimizer=keras.optimizers.SGD(0.01, momentum=0.9))
        train(plan, tmp_path, ignore)
    finally:
        keras.config.set_dtype_policy("float32")
    if policy == "mixed_float16":  # bfloat16 has the range of float32
        assert float(plan.model.optimizer.dynamic_scale) > 0
    log = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)
    assert np.isfinite(log["val_loss"]).all()
    assert log["learning_rate"][-1] == pytest.approx(0.001)


def test_stages_of_their_own_keep_nothing_of_the_stage_before(cached: Path, tmp_path: Path) -> None:
    assert train(staged(cached, max_epochs=4), tmp_path, ignore).best_epoch == 4


@pytest.fixture(params=["float32", "mixed_float16"])
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def test_interrupted_stages_end_as_if_they_had_not_been(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    # a loss so large that its scale has to come down first
    loss = {"loss": scaled_up} if policy == "mixed_float16" else {}
    rate = keras.optimizers.SGD(1e-4 if loss else 0.3, momentum=0.9, nesterov=True).get_config()

    def plan() -> Plan:
        optimizer = keras.optimizers.SGD.from_config(rate)
        return staged(cached, max_epochs=5, optimizer=optimizer, **loss)

    one = plan()
    train(one, whole, ignore)
    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)
    for epoch in (3, 4):
        with pytest.raises(Interruption):
            train(plan(), parts, interrupt_after(epoch))
    other = plan()
    train(other, parts, ignore)
    for ours, theirs in zip(other.network.get_weights(), one.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    pairs = zip(other.model.optimizer.variables, one.model.optimizer.variables, strict=True)
    for ours, theirs in pairs:
        assert np.array_equal(keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs))
    if loss:
        assert 0 < float(other.model.optimizer.dynamic_scale) < 2**15


def scaled_up(truth: keras.KerasTensor, scores: keras.KerasTensor) -> keras.KerasTensor:
    return 1e4 * keras.losses.sparse_categorical_crossentropy(truth, scores)


def test_the_z_score_stays_in_float32_in_half_precision(policy: str) -> None:
    frames = keras.Input((6, 4))
    flat = keras.layers.Flatten()(frames)
    total = keras.layers.Dense(1, dtype="float32", kernel_initializer="ones")(flat)
    network = keras.Model(frames, total)
    values = np.full((2, 6, 4), 1e5 + 0.5, np.float32)  # more than float16 has
    for mean in (1e5, np.full((6, 4), 1e5)):
        model = standardised(network, mean, np.ones_like(mean))
        segments = keras.Input((6, 4))
        around = keras.Model(segments, model(segments))
        for one in (model, around):
            np.testing.assert_allclose(np.asarray(one(values)), 24 * 0.5, rtol=1e-2)


def test_a_finished_training_is_not_trained_again(cached: Path, tmp_path: Path) -> None:
    train(make_plan(cached, max_epochs=2), tmp_path, ignore)

    def never(line: dict) -> None:
        pytest.fail("an epoch was trained")

    assert train(make_plan(cached, max_epochs=2), tmp_path, never).epochs == 2


def test_a_loss_that_is_not_finite_is_an_error(cached: Path, tmp_path: Path) -> None:
    plan = make_plan(cached, optimizer=keras.optimizers.SGD(1e30))
    with pytest.raises(TrainingError, match=r"training loss is (nan|inf) in epoch"):
        train(plan, tmp_path, ignore)


def test_an_empty_part_is_an_error(cached: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the validation part has 0 segment"):
        train(make_plan(cached, validation=np.array([], int)), tmp_path, ignore)
    plan = make_plan(cached, validation=np.arange(4), drop_incomplete=True)
    with pytest.raises(TrainingError, match="at least 5 needed"):
        train(plan, tmp_path, ignore)


def test_a_torn_checkpoint_is_named(cached: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(TrainingError, match=r"checkpoint\.npz is damaged .* train again"):
        train(make_plan(cached), tmp_path, ignore)


def test_a_checkpoint_is_not_to_be_deleted_because_the_gpu_is_full(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(make_plan(cached, max_epochs=1), tmp_path, ignore)

    def full(self, arrays: dict) -> None:
        raise tf.errors.InternalError(None, None, "Dst tensor is not initialized.")

    monkeypatch.setattr(checkpoint.Checkpoint, "_restore", full)
    with pytest.raises(TrainingError, match="out of memory, on the GPU") as caught:
        train(make_plan(cached, max_epochs=2), tmp_path, ignore)
    assert "delete" not in str(caught.value)
    assert (tmp_path / "checkpoint.npz").exists()


def test_checkpoint_holds_plain_arrays_and_json(cached: Path, tmp_path: Path) -> None:
    train(make_plan(cached, max_epochs=1), tmp_path, ignore)
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["state"]))["epochs"] == 1


def test_dropout_is_a_function_of_seed_and_epoch() -> None:
    network = standardised(models.time(3), 0.0, 1.0)
    segments = np.random.RandomState(0).randn(4, 80, 40).astype("float32")

    def outputs(seed: int, epoch: int) -> np.ndarray:
        reseed(network, seed, epoch)
        return np.asarray(network(segments, training=True))

    np.testing.assert_array_equal(outputs(1, 2), outputs(1, 2))
    assert not np.array_equal(outputs(1, 2), outputs(1, 3))
    assert not np.array_equal(outputs(1, 2), outputs(2, 2))


@pytest.mark.parametrize("watched", [True, False])
def test_the_last_epoch_is_kept_where_nothing_is_chosen(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    def plan() -> Plan:
        made = make_plan(cached, select_by="last", rule=Constant(), max_epochs=4)
        return made if watched else replace(made, validation=made.validation[:0])

    monkeypatch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)
    weights = {}
    with pytest.raises(Interruption):
        train(plan(), tmp_path, interrupt_after(2))
    resumed = plan()

    def remember(line: dict) -> None:
        if "epoch" in line:
            weights[int(line["epoch"])] = resumed.network.get_weights()

    progress = train(resumed, tmp_path, remember)
    assert (progress.best_epoch, progress.epochs, progress.best) == (4, 4, None)
    for ours, last in zip(resumed.network.get_weights(), weights[4], strict=True):
        np.testing.assert_array_equal(ours, last)
    header = (tmp_path / "log.csv").read_text().splitlines()[0]
    assert ("val_loss" in header) == watched
