"""The folds of a MIREX job: lists drawn, executables called, a run record left for each.

A run's directory holds ``train.txt``, ``test.txt`` and ``output.txt``, the three lists of its fold,
``model.json`` as Train left it, and ``run.json``.
"""

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mirkeras.experiment import records
from mirkeras.experiment.runs import JOINT, Run, claimed, is_finished
from mirkeras.pipeline.segments import cut
from mirkeras.pipeline.splits import STRATIFIED, cut_folds
from mirkeras.storage.files import read_json, write_text
from mirkeras.system.errors import UsageError
from mirkeras.system.machine import device
from reproductions.lidy_mirex2016 import mirex_features, mirex_lists, mirex_model, mirex_scores
from reproductions.lidy_mirex2016.experiments import EXPERIMENT
from reproductions.lidy_mirex2016.mirex_features import Features
from reproductions.lidy_mirex2016.mirex_training import Options

BIN = Path(__file__).parent / "bin"
SUFFIX = "-mirex"  # of the protocol in run records: lists decide the folds


@dataclass(frozen=True)
class Fold:
    """The two lists of a fold: file → class."""

    train: dict[str, str]
    test: dict[str, str]


@dataclass(frozen=True)
class MirexJob:
    """What is the same for all folds and models.

    Attributes
    ----------
    dataset : str
        Name that results go by.
    scratch, out : Path
        The executables' scratch folder, where run records go.
    folds : list of Fold
    filtered_by : str
        Where it stands what the folds never divide: a column of the index or a file.
    warning : str
        What is wrong with folds drawn by this filter, for every record; empty if nothing.
    protocol : str
    epochs : int or None
        Cap on the protocol's.
    seed, threads : int
    """

    dataset: str
    scratch: Path
    out: Path
    folds: list[Fold]
    filtered_by: str
    warning: str
    protocol: str
    epochs: int | None
    seed: int
    threads: int

    def options(self, model: str) -> Options:
        """What Train is told for a model."""
        return Options(model, self.protocol, self.epochs, self.seed)

    def run(self, model: str, fold: int) -> Run:
        """Name the run of a model on a fold."""
        options = self.options(model)
        return Run(
            paper=EXPERIMENT.paper,
            row=options.row.id,
            dataset=self.dataset,
            protocol=self.protocol + SUFFIX,
            seed=self.seed,
            fold=fold,
            folds=len(self.folds),
            max_epochs=options.wanted_epochs,
            split=STRATIFIED,
        )


def draw_folds(
    files: Sequence[str], classes: Sequence[str], groups: Sequence[str], folds: int, seed: int
) -> list[Fold]:
    """Draw the lists of all folds: groups whole, every class's share kept as far as they allow.

    Parameters
    ----------
    files, classes, groups
        One per track.

    Raises
    ------
    UsageError
        There are too few groups or tracks for so many folds.
    """
    known, labels = np.array(files), np.array(classes)
    few = f"{len(files)} files of {len(set(groups))} groups cannot be cut into {folds} folds"
    try:
        tests = cut_folds(len(files), folds, seed, groups=np.array(groups), classes=labels)
    except ValueError as error:
        raise UsageError(f"{few} ({error})") from error
    drawn = []
    for test in tests:
        rest = np.setdiff1d(np.arange(len(files)), test)
        if not len(test) or len(set(labels[rest])) < len(set(classes)):
            raise UsageError(f"{few}: a class would be missing in a training list")
        pairs = [dict(zip(known[part].tolist(), labels[part].tolist(), strict=True))
                 for part in (rest, test)]  # fmt: skip
        drawn.append(Fold(*pairs))
    return drawn


def extract(job: MirexJob) -> Features:
    """Have the features of all files extracted, and find them."""
    files = sorted({**job.folds[0].train, **job.folds[0].test})
    everything = job.scratch / "all.txt"
    mirex_lists.write_files(everything, files)
    _call(job, "extractFeatures", [], everything)
    recipe, _ = mirex_features.choose_recipe(job.scratch, files)
    return mirex_features.provide(job.scratch, files, recipe, job.threads)


def _call(job: MirexJob, executable: str, options: Sequence[str], *lists: Path) -> None:
    """Call an executable, with this process's Python unless another one is named."""
    words = ["-numThreads", str(job.threads), *options, str(job.scratch), *map(str, lists)]
    print(f"$ {shlex.join([executable, *words])}", flush=True)
    environment = {"MIRKERAS_PYTHON": sys.executable} | os.environ
    status = subprocess.run([BIN / executable, *words], env=environment, check=False).returncode
    if status:
        raise records.RunError(f"{executable} ended with status {status}, see above")


def run_fold(job: MirexJob, model: str, number: int, features: Features) -> None:
    """Train, classify and record one fold of a model, as far as that is not done."""
    run, fold = job.run(model, number), job.folds[number]
    directory, origin = run.directory(job.out), _origin(job, model, fold, features)
    with claimed(directory):
        if is_finished(run, directory, origin):
            print(f"{run.name}: finished already, skipped")
            return
        if records.read_record(directory) is None:  # lists that lie there belong to nothing
            (directory / "output.txt").unlink(missing_ok=True)
        known = asdict(run) | {"origin": origin, "features": features.fingerprint}
        known |= {"recipe": features.identity, "filter": job.filtered_by}
        known |= {"warning": job.warning} if job.warning else {}
        record = records.start(directory, known)
        described = _train_and_classify(job, model, fold, directory)
        outcome = _outcome(job, model, fold, directory, described, features)
        records.finish(directory, record | outcome)


def _origin(job: MirexJob, model: str, fold: Fold, features: Features) -> str:
    """Digest what decides a fold's numbers besides its name."""
    options = job.options(model)
    parts = {
        "features": [features.identity, features.fingerprint],
        "lists": [sorted(fold.train.items()), sorted(fold.test.items())],
        "protocol": options.rules.chosen(),
        "row": [options.row.frames, EXPERIMENT.batch],
    }
    inputs = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return f"{inputs}{JOINT}{options.built(len(set(fold.train.values())))}"


def _train_and_classify(job: MirexJob, model: str, fold: Fold, directory: Path) -> dict:
    """Call Train and Classify unless the output list is there; returns what Train describes."""
    trained, tested, output = (directory / f"{name}.txt" for name in ("train", "test", "output"))
    description = directory / "model.json"
    files = sorted(fold.test)
    if not mirex_lists.is_output_of(output, files):
        mirex_lists.write_pairs(trained, sorted(fold.train), fold.train)
        mirex_lists.write_files(tested, files)
        options = ["-model", model, "-protocol", job.protocol, "-seed", str(job.seed)]
        options += ["-epochs", str(job.epochs)] if job.epochs else []
        _call(job, "Train", options, trained)
        made = job.scratch / mirex_model.FOLDER / "model.json"
        write_text(description, made.read_text(encoding="utf-8"))
        _call(job, "Classify", [], tested, output)
    try:
        return read_json(description)
    except ValueError as error:
        what = f"{description} is damaged ({error})"
        raise UsageError(f"{what}; delete its folder and run again") from error


def _outcome(
    job: MirexJob, model: str, fold: Fold, directory: Path, described: dict, features: Features
) -> dict:
    """Say what the record says of a finished fold."""
    options = job.options(model)
    heard = [file for file in sorted(fold.test) if file in features.held]
    tested = cut(options.rules.cut, features.offsets(heard), options.row.frames, job.seed)
    trained = {"tracks": sum(described["files"].values()), "segments": described["segments"]}
    return {
        "measurements": {"accuracy": mirex_scores.accuracy(fold.test, given(directory))},
        **{name: described[name] for name in ("parameters", "best_epoch", "training_seconds")},
        "epochs": options.wanted_epochs,
        "capped": options.wanted_epochs < options.rules.max_epochs,
        "sizes": {
            "train": trained,
            "validation": {"tracks": 0, "segments": 0},
            "test": {"tracks": len(heard), "segments": len(tested)},
        },
        "tracks": len(features.held) + len(features.unusable),
        "rejected_tracks": len(features.unusable),
        "drawn_over": "index",
        "hardware": device.find().hardware_class,
        "threads": job.threads,
        "mixed_precision": False,
    }


def given(directory: Path) -> dict[str, str]:
    """Read the output list of a run: file → class."""
    return dict(mirex_lists.read_pairs(directory / "output.txt"))
