"""An experiment: the rows of a paper, how they are trained, and one run from cache to file."""

# isort: off
from mirkeras import quiet  # noqa: F401 - before anything that imports Keras

# isort: on
import hashlib
import importlib
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from data_prep.declare import read_index
from mirkeras import device, records
from mirkeras.cache import FeatureCache, open_cache, statistics
from mirkeras.features import RECIPES
from mirkeras.pipeline import open_feed
from mirkeras.protocols import Parts, Protocol, divide
from mirkeras.runs import Run, claimed, is_finished
from mirkeras.segments import consecutive
from mirkeras.training import Plan, Progress, predict, train


@dataclass(frozen=True)
class Row:
    """A row of a published table.

    Attributes
    ----------
    id : str
        Stable name, without the paper's: ``table1/time-1x60``.
    model : str
        Its name in the paper.
    build : callable
        Number of classes → network.
    frames : int
        Length of a segment.
    starts_from : tuple of str
        Rows of the same fold whose trained networks this one starts from.
    transfer : callable or None
        (network, *trained networks) → None: takes over what is taken over.
    """

    id: str
    model: str
    build: Callable[[int], keras.Model]
    frames: int
    starts_from: tuple[str, ...] = ()
    transfer: Callable[..., None] | None = None


@dataclass(frozen=True)
class Experiment:
    """Everything a paper fixes for its table.

    Attributes
    ----------
    paper, recipe : str
        Name of the paper's folder; name of its feature recipe.
    rows, protocols : dict
        By id and by name; the first of `headline` and `protocols` are the defaults.
    headline : tuple of str
        The rows the paper's abstract is about.
    batch : int
    loss : str
    optimizer : callable
        () → a new optimiser.
    """

    paper: str
    recipe: str
    rows: dict[str, Row]
    headline: tuple[str, ...]
    protocols: dict[str, Protocol]
    batch: int
    loss: str
    optimizer: Callable[[], keras.optimizers.Optimizer]


@dataclass(frozen=True)
class Setting:
    """Where things are and what a process may use; the same for all runs of a command.

    Attributes
    ----------
    out, cache, index : Path
        The ``--out`` folder, the HDF5 file of features, the index of the data set.
    threads : int
        Threads a run may use.
    memory_budget : int
        Bytes of features a run may hold in memory.
    mixed_precision : bool
        Whether networks compute in half precision.
    """

    out: Path
    cache: Path
    index: Path
    threads: int
    memory_budget: int
    mixed_precision: bool

    def set_up(self) -> None:
        """Prepare a process for its runs."""
        device.configure(threads=self.threads, mixed_precision=self.mixed_precision)


def find_experiment(paper: str) -> Experiment:
    """Load the experiment of a paper by its name."""
    return importlib.import_module(f"reproductions.{paper}.experiments").EXPERIMENT


def train_run(run: Run, setting: Setting, report: Callable[[dict], None]) -> None:
    """Train, predict and record one run, unless that is done; go on if it was interrupted."""
    directory = run.directory(setting.out)
    experiment = find_experiment(run.paper)
    cache = open_cache(setting.cache, RECIPES[experiment.recipe])
    tracks = tracks_of(cache, setting.index)
    protocol = experiment.protocols[run.protocol]
    origin = origin_of(cache, tracks, protocol, setting.mixed_precision)
    with claimed(directory):
        if is_finished(run, directory, origin):
            return
        earlier = records.read_record(directory) or {}
        record = asdict(run) | {"origin": origin, "features": cache.fingerprint}
        record |= {"started": earlier.get("started", _now())} | records.environment()
        records.write_record(directory, record | {"status": "started"})
        plan, parts = make_plan(run, experiment, setting, cache, tracks)
        progress = train(plan, directory, report)
        _write_predictions(directory, plan, cache, tracks)
        outcome = _outcome(plan, parts, progress, cache, setting)
        outcome["capped"] = not progress.stopped and progress.epochs < protocol.max_epochs
        record |= {"status": "finished", "finished": _now()} | outcome
        records.write_record(directory, record)
        (directory / "checkpoint.npz").unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def tracks_of(cache: FeatureCache, index: Path) -> pd.DataFrame:
    """Read what is known of each track (label, group, tempo), in the order of the cache."""
    return read_index(index).set_index("track").loc[list(cache.tracks)]


def origin_of(
    cache: FeatureCache, tracks: pd.DataFrame, protocol: Protocol, mixed_precision: bool
) -> str:
    """Digest what decides a run's numbers besides its name: features, labels, groups, protocol."""
    parts = {
        "identity": cache.identity,
        "fingerprint": cache.fingerprint,
        "labels": tracks.label.tolist(),
        "groups": tracks.group.tolist(),
        "protocol": asdict(protocol) | {"rule": repr(protocol.rule), "summary": ""},
        "mixed_precision": mixed_precision,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def make_plan(
    run: Run, experiment: Experiment, setting: Setting, cache: FeatureCache, tracks: pd.DataFrame
) -> tuple[Plan, Parts]:
    """Turn a run into what `mirkeras.training` needs; `tracks` as from `tracks_of`."""
    row, protocol = experiment.rows[run.row], experiment.protocols[run.protocol]
    segments = consecutive(cache.offsets, row.frames)
    parts = divide(
        protocol, segments, tracks.group.to_numpy(), folds=run.folds, fold=run.fold, seed=run.seed
    )
    classes, labels = np.unique(tracks.label.to_numpy(str), return_inverse=True)
    words = [run.seed, run.fold, zlib.crc32(run.row.encode())]
    seed = int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)
    keras.utils.set_random_seed(seed)
    plain = row.build(len(classes))
    if row.transfer:
        row.transfer(plain, *_trained(run, row, setting.out))
    fitted = [cache.tracks[number] for number in parts.normalise_on]
    network = standardised(plain, *statistics(cache, fitted))
    of_segments = labels[segments.track].astype(np.int32)
    feed = open_feed(cache, segments, of_segments, setting.memory_budget)
    plan = Plan(
        network=network,
        feed=feed,
        model=feed.attach(network),
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        optimizer=experiment.optimizer(),
        loss=experiment.loss,
        rule=protocol.rule,
        batch=experiment.batch,
        max_epochs=run.max_epochs,
        drop_incomplete=protocol.drop_incomplete,
        seed=seed,
    )
    return plan, parts


def standardised(network: keras.Model, mean: float, std: float) -> keras.Model:
    """Put the scalar z-score in front of a network: the saved model takes plain features."""
    z_score = keras.layers.Rescaling(1 / std, -mean / std, name="z_score")
    layers = [keras.Input(network.input_shape[1:]), z_score, network]
    return keras.Sequential(layers, name=f"standardised_{network.name}")


def _trained(run: Run, row: Row, out: Path) -> list[keras.Model]:
    """Load the networks, without their z-score, that a row starts from."""
    networks = []
    for source in (replace(run, row=name) for name in row.starts_from):
        directory = source.directory(out)
        if (records.read_record(directory) or {}).get("status") != "finished":
            raise records.RunError(f"not started: it needs {source.name}, which is not finished")
        model = keras.saving.load_model(directory / "model.keras", compile=False)
        networks.append(model.layers[-1])
    return networks


def _write_predictions(
    directory: Path, plan: Plan, cache: FeatureCache, tracks: pd.DataFrame
) -> None:
    classes, labels = np.unique(tracks.label.to_numpy(str), return_inverse=True)
    numbers = plan.feed.segments.track[plan.test]
    tested, segment_track = np.unique(numbers, return_inverse=True)
    records.write_predictions(
        directory,
        scores=predict(plan),
        segment_track=segment_track,
        tracks=np.array(cache.tracks)[tested],
        labels=labels[tested],
        classes=classes,
    )


def _outcome(
    plan: Plan, parts: Parts, progress: Progress, cache: FeatureCache, setting: Setting
) -> dict:
    track = plan.feed.segments.track
    sizes = {
        part: {"tracks": len(np.unique(track[chosen])), "segments": len(chosen)}
        for part, chosen in (
            ("train", parts.train),
            ("validation", parts.validation),
            ("test", parts.test),
        )
    }
    return {
        "parameters": plan.network.count_params(),
        "epochs": progress.epochs,
        "best_epoch": progress.best_epoch,
        "best_validation_accuracy": progress.best_accuracy,
        "training_seconds": round(progress.seconds, 1),
        "sizes": sizes,
        "rejected_tracks": len(cache.rejected),
        "recipe": cache.identity,
        "hardware": device.find().hardware_class,
        "threads": setting.threads,
        "mixed_precision": setting.mixed_precision,
        "resident": plan.feed.resident,
    }
