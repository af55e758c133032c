"""One's own finished runs, as what tags.

A run's directory, a folder of the runs of one row (its folds, its seeds: they are averaged), or a
``model.keras`` with its ``run.json`` and ``predictions.npz`` beside it. All that is needed to score
a track as the run scored its test tracks comes from its record.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.experiment import find_experiment
from mirkeras.experiment.published import papers
from mirkeras.experiment.records import (
    RunError,
    check_files,
    read_predictions,
    read_record,
)
from mirkeras.experiment.runs import Run
from mirkeras.features import find_recipe
from mirkeras.pretrained.inference import Score
from mirkeras.storage.files import sha256
from mirkeras.system.errors import UsageError
from mirkeras.system.machine import device
from mirkeras.tagging.models import Model
from mirkeras.training.learner import Learner, Served
from mirkeras.training.learners import LEARNERS
from mirkeras.transfer.networks import load_network

#: The hidden feature of one's own networks: the output of their last hidden layer.
LAST_HIDDEN = "last-hidden"


def of_runs(path: Path, weights: Path | None) -> Model:
    """Describe runs, which are opened at once; arguments and errors as of `find_model`."""
    directories = _directories(path)
    records = [_finished(directory) for directory in directories]
    first = records[0]
    for field in ("paper", "row", "dataset", "split", "protocol", "folds", "max_epochs"):
        if len(found := {str(getattr(Run.of(record), field)) for record in records}) > 1:
            raise UsageError(
                f"{path} holds runs of several: {field} {', '.join(sorted(found)[:5])}; name the "
                "folder of one (mirkeras list --runs)"
            )
    if first["paper"] not in papers():
        raise RunError(
            f"{path} holds runs of {first['paper']!r}, which no installed package declares (by an "
            "entry point in the group mirkeras.papers)"
        )
    experiment = find_experiment(first["paper"])
    if first["row"] not in experiment.rows or first["protocol"] not in experiment.protocols:
        raise RunError(
            f"{path}: this version of mirkeras has no row {first['row']} under protocol "
            f"{first['protocol']}; train again"
        )
    row = experiment.rows[first["row"]]
    protocol = experiment.protocol_of(first["protocol"], row.id)
    learner = LEARNERS[experiment.learner_of(first["protocol"], row.id)]
    names, are_tags = _names(directories, records)
    digests = [sorted(record.get("files", {}).items()) for record in records]
    device.prepare()
    serve = partial(_serve, learner, directories, records, row, protocol, weights)
    plain = serve(None)
    served = plain[0]
    _check_recipe(path, first, served)
    return Model(
        name=str(path),
        data=first["dataset"],
        tags=names,
        aggregate="" if are_tags else protocol.aggregate,
        runs=tuple(f"seed {record['seed']} fold {record['fold'] + 1}" for record in records),
        recipe=served.recipe,
        frames=served.frames,
        hop=served.hop,
        drop_last=served.drop_last,
        shortest=0.0,
        weights=hashlib.sha256(repr(digests).encode()).hexdigest(),
        features=(LAST_HIDDEN,) if served.is_network and len(records) == 1 else (),
        open=lambda feature: _averaged(serve(feature) if feature else plain),
        network=_network_of(directories, served),
    )


def _network_of(directories: list[Path], served: Served) -> Callable[[], keras.Model] | None:
    """Return what loads the network of runs, where they are networks on segments of a recipe."""
    paths = [directory / "model.keras" for directory in directories]
    if not served.is_network or not all(path.exists() for path in paths):
        return None

    def load() -> keras.Model:
        networks = [load_network(path) for path in paths]
        if len(networks) == 1:
            return networks[0]
        segments = keras.Input((served.frames, served.recipe.bands))
        mean = keras.layers.Average()([network(segments) for network in networks])
        return keras.Model(segments, mean)

    return load


def _serve(learner: Learner, directories, records, row, protocol, weights, feature) -> list[Served]:
    options = {"weights": weights, "hidden": feature is not None}
    return [
        learner.serve(directory, record, row, protocol, **options)
        for directory, record in zip(directories, records, strict=True)
    ]


def _averaged(served: list[Served]) -> Score:
    """Put the scores of runs side by side: (segments, runs, tags), then the feature of one."""

    def score(segments: np.ndarray) -> list[np.ndarray]:
        outputs = [one.score(segments) for one in served]
        together = np.stack([np.asarray(found[0], np.float32) for found in outputs], axis=1)
        return [together, *outputs[0][1:]]

    return score


def _directories(path: Path) -> list[Path]:
    """List the directories of runs at or below a path."""
    if path.is_file():
        record = read_record(path.parent)
        if path.suffix != ".keras" or record is None:
            raise UsageError(f"{path}: give a .keras file with the run.json of its run beside it")
        if record.get("files", {}).get("model.keras") != sha256(path):
            raise RunError(f"{path} is not the network that {path.parent / 'run.json'} tells of")
        return [path.parent]
    if found := sorted(record.parent for record in path.rglob("run.json")):
        return found
    raise UsageError(f"{path} holds no run (a run.json); see `mirkeras list --runs`")


def _finished(directory: Path) -> dict:
    record = read_record(directory)
    if record["status"] != "finished":
        raise RunError(
            f"{directory} is not finished: the command that began it goes on with it "
            f"({record.get('command', 'see its run.json')})"
        )
    check_files(directory, record)
    return record


def _names(directories: list[Path], records: list[dict]) -> tuple[tuple[str, ...], bool]:
    """Return the outputs of runs in order, and whether they are tags; all must have the same."""
    found = set()
    for directory, record in zip(directories, records, strict=True):
        if "names" in record:
            found.add((tuple(record["names"]), record["tags"]))
        else:  # records of older versions do not say
            predictions = read_predictions(directory)
            names = tuple(map(str, predictions["classes"]))
            found.add((names, predictions["labels"].ndim == 2))
    if len(found) > 1:
        raise UsageError(f"{directories[0]} and its neighbours were trained on different classes")
    return found.pop()


def _check_recipe(path: Path, record: dict, served: Served) -> None:
    """Refuse a run that learned from frames that are not computed any more."""
    known = record["recipe"].get("recipe") or record["recipe"].get("features", {}).get("recipe")
    now = served.recipe.identity()
    if known is not None and known not in (now, find_recipe(known["name"]).identity()):
        raise RunError(
            f"{path} was trained on another version of the recipe {known['name']}: train it again"
        )
