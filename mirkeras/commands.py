"""The train command that the paper folders share: from a data set's name to finished runs."""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import data_prep
from data_prep.prepare import Prepared, prepare
from mirkeras import cache
from mirkeras.experiment import Experiment, Protocol, find_experiment, runs
from mirkeras.experiment.division import divide
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.features import find_recipe
from mirkeras.options import (
    DATA_SETS,
    add_data_options,
    add_jobs_option,
    gibibytes,
    positive,
    seeds,
    words,
)
from mirkeras.pipeline.segments import consecutive
from mirkeras.pipeline.splits import DRAWN, STRATIFIED
from mirkeras.planning import (
    PARTIAL,
    choose_protocol,
    choose_split,
    lacks_audio,
    leaks,
    plan_rows,
    plan_waves,
)
from mirkeras.running import origin_of, tracks_of, train_run
from mirkeras.system import device, jobs, processes
from mirkeras.system.errors import UsageError, as_command
from mirkeras.transfer import segment_features
from mirkeras.transfer.extractors import check_input, check_taggers, find_extractor, recipes_of


@as_command
def train(paper: str, argv: list[str] | None = None) -> int:
    """Run ``python -m reproductions.<paper>.train``; returns the exit status."""
    experiment = find_experiment(paper)
    arguments = _train_parser(experiment).parse_args(argv)
    return _train(experiment, arguments)


def _train_parser(experiment: Experiment) -> argparse.ArgumentParser:
    protocols = [f"  {p.name:13}{p.summary}" for p in experiment.protocols.values()]
    rows = [f"  {row.id}" for row in experiment.rows.values()]
    parser = argparse.ArgumentParser(
        prog=f"python -m reproductions.{experiment.paper}.train",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train rows of the paper: data, features, splits and all.\n"
        "Finished runs are skipped, interrupted ones go on.",
        epilog="\n".join([DATA_SETS, "Protocols:", *protocols, "", "Rows:", *rows]),
    )
    add = parser.add_argument
    add("--dataset", required=True, metavar="D", help="data set, see below")
    add("--rows", type=words, default=list(experiment.headline), metavar="R[,R…]",
        help="rows to train, a whole table (table1) or 'all' (default: the headline)")  # fmt: skip
    add("--protocol", choices=experiment.protocols,
        help="see below (default: the first that the rows can be run by)")  # fmt: skip
    add("--split", metavar="NAME",
        help=f"a split that comes with the data set, or '{DRAWN}': folds drawn from the seed, or "
        f"'{STRATIFIED}': the same with each class's share in every fold (default: the protocol's, "
        "else the data set's own)")  # fmt: skip
    add("--folds", type=positive, metavar="K",
        help="number of folds drawn from the seed (default: the protocol's)")  # fmt: skip
    add("--seeds", type=seeds, default=[0], metavar="S[,S…]", help="default: 0")
    add("--epochs", type=positive, metavar="E", help="cap on the epochs of a run (protocol's own)")
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add_jobs_option(parser, "runs trained at once")
    if any(row.features_from for row in experiment.rows.values()):
        add("--extractor", type=Path, action="append", default=[], metavar="RUN_OR_FILE",
            help="trained network whose hidden layers are the features of transfer rows: a run's "
            "directory or a .keras file; may be given several times")  # fmt: skip
        add("--extractor-recipe", metavar="RECIPE",
            help="what a bare .keras file takes as input, e.g. waveform-22050")  # fmt: skip
    if any(row.pretrained for row in experiment.rows.values()):
        add("--weights", type=Path, metavar="PATH",
            help="weights of trained taggers: a file, or the folder that holds it (default: "
            "fetched, see `mirkeras tag --help`)")  # fmt: skip
    add("--memory-budget", type=gibibytes, metavar="GIB",
        help="features up to this size are held in memory (default: by what is free)")  # fmt: skip
    add("--mixed-precision", action="store_true", help="half precision on a GPU")
    add_data_options(parser)
    return parser


def _train(experiment: Experiment, arguments: argparse.Namespace) -> int:
    extractors = _extractors(arguments)
    rows = plan_rows(experiment, arguments.rows, extractors)
    if extractors and not any(experiment.rows[row].features_from for row in rows):
        raise UsageError("--extractor is for rows on features of trained networks; none is wanted")
    _check_machine(arguments)
    protocol = choose_protocol(experiment, rows, arguments.protocol)
    tagging = protocol.select_by == "val_loss" and protocol.classifier != "pca-svm"
    if data_prep.get(arguments.dataset).tags and not tagging:
        raise UsageError(
            f"protocol {protocol.name} of {experiment.paper} classifies; the tracks of "
            f"{arguments.dataset} have tags. Taggers: lee_samplecnn, pons_ismir2018"
        )
    given = getattr(arguments, "weights", None)
    check_taggers([experiment.rows[row] for row in rows], given, arguments.mirror)
    prepared = prepare(
        arguments.dataset,
        data_root=arguments.data_root,
        cache_root=arguments.cache_root,
        mirror=arguments.mirror,
    )
    split, folds = choose_split(prepared, protocol, arguments.split, arguments.folds)
    warning = leaks(prepared, protocol, split)
    if warning:
        print(f"warning: split {split}: {warning}", file=sys.stderr)
    caches = _features(experiment, rows, extractors, prepared)
    budget = arguments.memory_budget
    setting = Setting(
        out=arguments.out,
        index=prepared.home / "index.csv",
        caches={name: features.path for name, features in caches.items()},
        tags=prepared.dataset.tags,
        extractors=extractors,
        warning=warning,
        threads=max(1, processes.usable_cores() // arguments.jobs),
        memory_budget=device.find().memory_budget // arguments.jobs if budget is None else budget,
        mixed_precision=arguments.mixed_precision,
        weights=given,
    )
    _check_lengths(experiment, rows, caches)
    for extractor in extractors:
        check_input(extractor, caches[extractor.recipe])
    _check_division(protocol, caches, setting, split, folds, arguments.seeds)
    plain = {
        "paper": experiment.paper,
        "dataset": prepared.home.name + PARTIAL * lacks_audio(prepared, split),
        "protocol": protocol.name,
        "folds": folds,
        "split": split,
    }
    waves = plan_waves(experiment, rows, arguments.seeds, plain, arguments.epochs, extractors)
    failed = 0
    for wave in waves:
        failed += _train_wave(wave, experiment, setting, arguments.jobs)
    return 1 if failed else 0


def _extractors(arguments: argparse.Namespace) -> tuple[Extractor, ...]:
    given = getattr(arguments, "extractor", [])
    return tuple(find_extractor(path, arguments.extractor_recipe) for path in given)


def _check_machine(arguments: argparse.Namespace) -> None:
    """Refuse what this machine or backend cannot do, before anything starts."""
    if device.backend() != "tensorflow":
        raise UsageError(
            f"training runs on TensorFlow, KERAS_BACKEND is {device.backend()}: unset it"
        )
    if arguments.mixed_precision and not device.find().gpus:
        raise UsageError("--mixed-precision needs a GPU and none was found: leave it out")
    arguments.out.mkdir(parents=True, exist_ok=True)


def _check_division(
    protocol: Protocol,
    caches: dict[str, cache.FeatureCache],
    setting: Setting,
    split: str,
    folds: int,
    wanted_seeds: list[int],
) -> None:
    """Make every division once, so that an impossible one is said at the start and once."""
    for features in caches.values():
        tracks = tracks_of(features, setting.index)
        for seed in wanted_seeds:
            for fold in range(folds):
                division = (split, folds, fold, seed)
                _check_fold(protocol, tracks, *division, have_tags=bool(setting.tags))


def _check_fold(
    protocol: Protocol,
    tracks: pd.DataFrame,
    split: str,
    folds: int,
    fold: int,
    seed: int,
    *,
    have_tags: bool,
) -> None:
    whole = consecutive(np.arange(len(tracks) + 1), 1)  # tracks are divided, whatever their length
    held = "" if protocol.validate_by == "test" else " with a validation part"
    try:
        parts = divide(protocol, whole, tracks, split=split, folds=folds, fold=fold, seed=seed)
    except ValueError as error:
        raise UsageError(
            f"{len(tracks)} tracks cannot be cut into {folds} folds{held} ({error}); use fewer "
            "--folds or more tracks"
        ) from error
    for part in ("train", "validation", "test"):
        if not len(getattr(parts, part)):
            raise UsageError(f"the split {split} leaves no track in the {part} part")
    if have_tags:
        return
    labels = tracks.label.to_numpy()
    if lost := sorted(set(labels[parts.test]) - set(labels[parts.train])):
        raise UsageError(
            f"split {split}, seed {seed}, fold {fold + 1}: tracks of {', '.join(lost)} are tested "
            "and none trained on; use other --folds or --seeds, or more tracks"
        )


def _features(
    experiment: Experiment,
    rows: list[str],
    extractors: tuple[Extractor, ...],
    prepared: Prepared,
) -> dict[str, cache.FeatureCache]:
    """Build or open the caches that the rows read, by recipe."""
    names = sorted(set().union(*(recipes_of(experiment, row, extractors) for row in rows)))
    paths = {prepared.home / f"{name}.h5": find_recipe(name) for name in names}
    built = cache.build_all(prepared.index, prepared.root, paths)
    for path, features in built.items():
        if len(features.rejected):
            report = path.with_suffix(".rejected.csv")
            print(f"{len(features.rejected)} track(s) set aside, see {report}")
    return {path.stem: features for path, features in built.items()}


def _check_lengths(
    experiment: Experiment, rows: list[str], caches: dict[str, cache.FeatureCache]
) -> None:
    """Every track must give each wanted row at least one segment."""
    for name in rows:
        row = experiment.rows[name]
        if row.features_from or row.pretrained:  # shorter tracks are repeated
            continue
        features = caches[row.recipe]
        frames = np.diff(features.offsets) - find_recipe(row.recipe).deformed
        if (frames < row.frames).any():
            raise UsageError(
                f"row {name} needs tracks of {row.frames} frames, "
                f"{features.tracks[frames.argmin()]} has {frames.min()}: leave the row out"
            )


def _train_wave(wave: list[Run], experiment: Experiment, setting: Setting, at_once: int) -> int:
    """Train the runs of a wave that are not finished; returns how many failed."""
    open_runs = [
        run
        for run in wave
        if not runs.is_finished(
            run, run.directory(setting.out), origin_of(run, experiment, setting)
        )
    ]
    if done := len(wave) - len(open_runs):
        print(f"{done} run(s) already finished, skipped")
    if failed := _embed(open_runs, experiment, setting, at_once):
        return failed
    if not open_runs:
        return 0
    work = [jobs.Job(run.name, run.max_epochs, train_run, (run, setting)) for run in open_runs]
    return _work(work, setting, at_once)


def _embed(wave: list[Run], experiment: Experiment, setting: Setting, at_once: int) -> int:
    """Compute what trained taggers make of the tracks, once for all runs; returns the failures."""
    work = [
        jobs.Job(
            f"features of {row}", 1, segment_features.compute_row, (experiment.paper, row, setting)
        )
        for row in dict.fromkeys(run.row for run in wave if experiment.rows[run.row].pretrained)
        if not segment_features.is_kept(experiment.rows[row], setting)
    ]
    return _work(work, setting, at_once)


def _work(work: list[jobs.Job], setting: Setting, at_once: int) -> int:
    """Do jobs and say which fail; returns how many."""
    if not work:
        return 0
    failed = jobs.run_all(work, min(at_once, len(work)), setting.set_up)
    for job, message in failed:
        print(f"failed: {job.name}: {message}", file=sys.stderr)
    return len(failed)
