"""The train command that the paper folders share: from a data set's name to finished runs."""

import argparse
import sys
from pathlib import Path

import numpy as np

from data_prep.prepare import Prepared, prepare
from mirkeras import cache, device, jobs, runs, workers
from mirkeras.errors import UsageError, expected_errors, explained
from mirkeras.experiment import (
    Experiment,
    Setting,
    find_experiment,
    origin_of,
    tracks_of,
    train_run,
)
from mirkeras.features import RECIPES
from mirkeras.options import (
    DATA_SETS,
    add_data_options,
    add_jobs_option,
    gibibytes,
    positive,
    seeds,
    words,
)
from mirkeras.protocols import Protocol, divide
from mirkeras.runs import Run
from mirkeras.segments import consecutive


def train(paper: str, argv: list[str] | None = None) -> int:
    """Run ``python -m reproductions.<paper>.train``; returns the exit status."""
    experiment = find_experiment(paper)
    arguments = _train_parser(experiment).parse_args(argv)
    try:
        return _train(experiment, arguments)
    except expected_errors() as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoints", file=sys.stderr)
        return 130


def _train_parser(experiment: Experiment) -> argparse.ArgumentParser:
    protocols = [f"  {p.name:8}{p.summary}" for p in experiment.protocols.values()]
    rows = [f"  {row.id}" for row in experiment.rows.values()]
    parser = argparse.ArgumentParser(
        prog=f"python -m reproductions.{experiment.paper}.train",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train rows of the paper by cross-validation: data, features and all.\n"
        "Finished runs are skipped, interrupted ones go on.",
        epilog="\n".join([DATA_SETS, "Protocols:", *protocols, "", "Rows:", *rows]),
    )
    add = parser.add_argument
    add("--dataset", required=True, metavar="D", help="data set, see below")
    add("--rows", type=words, default=list(experiment.headline), metavar="R[,R…]",
        help="rows to train, or 'all' (default: the headline rows)")  # fmt: skip
    add("--protocol", choices=experiment.protocols, default=next(iter(experiment.protocols)),
        help="default: %(default)s; see below")  # fmt: skip
    add("--folds", type=positive, default=10, metavar="K", help="default: %(default)s")
    add("--seeds", type=seeds, default=[0], metavar="S[,S…]", help="default: 0")
    add("--epochs", type=positive, metavar="E", help="cap on the epochs of a run (protocol's own)")
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add_jobs_option(parser, "runs trained at once")
    add("--memory-budget", type=gibibytes, metavar="GIB",
        help="features up to this size are held in memory (default: by what is free)")  # fmt: skip
    add("--mixed-precision", action="store_true", help="half precision on a GPU")
    add_data_options(parser)
    return parser


def _train(experiment: Experiment, arguments: argparse.Namespace) -> int:
    rows = _plan_rows(experiment, arguments.rows)
    _check_machine(arguments)
    prepared = prepare(
        arguments.dataset,
        data_root=arguments.data_root,
        cache_root=arguments.cache_root,
        mirror=arguments.mirror,
    )
    features = _features(experiment, rows, prepared)
    index = prepared.home / "index.csv"
    tracks = tracks_of(features, index)
    protocol = experiment.protocols[arguments.protocol]
    _check_folds(experiment, rows, protocol, features, tracks.group.to_numpy(), arguments)
    budget = arguments.memory_budget
    setting = Setting(
        out=arguments.out,
        cache=features.path,
        index=index,
        threads=max(1, workers.usable_cores() // arguments.jobs),
        memory_budget=device.find().memory_budget // arguments.jobs if budget is None else budget,
        mixed_precision=arguments.mixed_precision,
    )
    origin = origin_of(features, tracks, protocol, arguments.mixed_precision)
    waves = _waves(experiment, rows, arguments, prepared.home.name)
    failed = [_train_wave(wave, setting, origin, arguments.jobs) for wave in waves]
    return 1 if any(failed) else 0


def _check_machine(arguments: argparse.Namespace) -> None:
    """Refuse what this machine or backend cannot do, before anything starts."""
    if device.backend() != "tensorflow":
        raise UsageError(
            f"training runs on TensorFlow, KERAS_BACKEND is {device.backend()}: unset it"
        )
    if arguments.mixed_precision and not device.find().gpus:
        raise UsageError("--mixed-precision needs a GPU and none was found: leave it out")
    arguments.out.mkdir(parents=True, exist_ok=True)


def _check_folds(
    experiment: Experiment,
    rows: list[str],
    protocol: Protocol,
    features: cache.FeatureCache,
    groups: np.ndarray,
    arguments: argparse.Namespace,
) -> None:
    """Make every split once, so that an impossible one is said at the start and once."""
    if arguments.folds < 2:
        raise UsageError("--folds must be at least 2: one part is tested, the others train")
    for frames in {experiment.rows[name].frames for name in rows}:
        segments = consecutive(features.offsets, frames)
        for seed in arguments.seeds:
            for fold in range(arguments.folds):
                try:
                    divide(protocol, segments, groups, folds=arguments.folds, fold=fold, seed=seed)
                except ValueError as error:
                    raise UsageError(
                        f"{len(groups)} tracks cannot be cut into {arguments.folds} folds with a "
                        f"validation part ({error}); use fewer --folds or more tracks"
                    ) from error


def _plan_rows(experiment: Experiment, wanted: list[str]) -> list[str]:
    """Check row ids, add the rows that others start from, put those first."""
    wanted = list(experiment.rows) if wanted == ["all"] else wanted
    wanted = [name.removeprefix(f"{experiment.paper}/") for name in wanted]
    if unknown := [name for name in wanted if name not in experiment.rows]:
        raise UsageError(f"unknown row {unknown[0]!r}; rows: {', '.join(experiment.rows)}")
    needed = [source for name in wanted for source in experiment.rows[name].starts_from]
    if added := sorted(set(needed) - set(wanted)):
        print(f"also training {', '.join(added)}: a wanted row starts from them")
    return sorted({*wanted, *needed}, key=list(experiment.rows).index)


def _features(experiment: Experiment, rows: list[str], prepared: Prepared) -> cache.FeatureCache:
    """Build or open the cache; every track must give each wanted row at least one segment."""
    recipe = RECIPES[experiment.recipe]
    path = prepared.home / f"{recipe.name}.h5"
    features = cache.build(prepared.index, prepared.root, recipe, path)
    if len(features.rejected):
        report = path.with_suffix(".rejected.csv")
        print(f"{len(features.rejected)} track(s) set aside, see {report}")
    frames = np.diff(features.offsets)
    for name in rows:
        if (frames < experiment.rows[name].frames).any():
            raise UsageError(
                f"row {name} needs tracks of {experiment.rows[name].frames} frames, "
                f"{features.tracks[frames.argmin()]} has {frames.min()}: leave the row out"
            )
    return features


def _waves(
    experiment: Experiment, rows: list[str], arguments: argparse.Namespace, dataset: str
) -> list[list[Run]]:
    """List all runs: first those that start from nothing, then those that start from them."""
    cap = experiment.protocols[arguments.protocol].max_epochs
    epochs = min(arguments.epochs or cap, cap)
    waves: list[list[Run]] = [[], []]
    # fold by fold, so that whatever time allows is a fair comparison of the rows
    for seed in arguments.seeds:
        for fold in range(arguments.folds):
            for row in rows:
                wave = waves[bool(experiment.rows[row].starts_from)]
                wave.append(
                    Run(experiment.paper, row, dataset, arguments.protocol, seed, fold,
                        arguments.folds, epochs)
                )  # fmt: skip
    return waves


def _train_wave(wave: list[Run], setting: Setting, origin: str, at_once: int) -> int:
    """Train the runs of a wave that are not finished; returns how many failed."""
    open_runs = [
        run for run in wave if not runs.is_finished(run, run.directory(setting.out), origin)
    ]
    if done := len(wave) - len(open_runs):
        print(f"{done} run(s) already finished, skipped")
    if not open_runs:
        return 0
    work = [jobs.Job(run.name, run.max_epochs, train_run, (run, setting)) for run in open_runs]
    failed = jobs.run_all(work, min(at_once, len(work)), setting.set_up)
    for job, message in failed:
        print(f"failed: {job.name}: {message}", file=sys.stderr)
    return len(failed)
