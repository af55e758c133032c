"""The train command that the paper folders share: from a data set's name to finished runs."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import data_prep
from mirkeras.cli import options, plan
from mirkeras.cli.options import (
    DATA_SETS,
    add_cluster_option,
    add_data_options,
    add_jobs_option,
    command_parser,
    gibibytes,
    numbers,
    positive,
    seeds,
    words,
)
from mirkeras.evaluation.comparison import OWN
from mirkeras.evaluation.metrics import score_run
from mirkeras.experiment import Experiment, find_experiment
from mirkeras.experiment.division import tracks_of
from mirkeras.experiment.published import papers
from mirkeras.experiment.records import read_predictions, read_record
from mirkeras.experiment.runs import BASELINES, Run
from mirkeras.experiment.setting import Setting
from mirkeras.pipeline.splits import DRAWN, STRATIFIED
from mirkeras.report.tables import DECIMALS
from mirkeras.system.errors import UsageError, as_command, say, shown
from mirkeras.system.estimate import Estimate
from mirkeras.system.jobs import Whose
from mirkeras.system.machine import device
from mirkeras.training import events
from mirkeras.training.command import baselines, foreseen
from mirkeras.training.command.preflight import (
    PARTIAL,
    build_caches,
    check_classes,
    check_division,
    check_machine,
    choose_protocol,
    choose_split,
    lacks_audio,
    leaks,
    plan_rows,
    wanted_caches,
)
from mirkeras.training.command.timing import MadeUp
from mirkeras.training.command.waves import plan_waves, train_final, train_wave
from mirkeras.training.learners import LEARNERS
from mirkeras.transfer.extractors import find_extractor


@as_command
def train(paper: str, argv: list[str] | None = None, called: str | None = None) -> int:
    """Run ``mirkeras train PAPER``, or ``python -m reproductions.<paper>.train``.

    Parameters
    ----------
    called : str or None
        How it was called, if not by its module.

    Returns
    -------
    int
        The exit status.
    """
    experiment = find_experiment(paper)
    parser = _train_parser(experiment)
    parser.prog = called or parser.prog
    arguments = parser.parse_args(argv)
    with options.hands(arguments) as whose:
        return _train(experiment, arguments, whose)


def _train_parser(experiment: Experiment) -> argparse.ArgumentParser:
    protocols = [f"  {p.name:13}{p.summary}" for p in experiment.protocols.values()]
    rows = [f"  {row.id}" for row in experiment.rows.values()]
    takes = {option for row in experiment.rows.values() for option in LEARNERS[row.learner].takes}
    parser = command_parser(
        f"reproductions.{experiment.paper}.train",
        "Train rows of the paper: data, features, splits and all.\n"
        "Finished runs are skipped, interrupted ones go on.",
        "\n".join([DATA_SETS, "Protocols:", *protocols, "", "Rows:", *rows]),
    )
    add = parser.add_argument
    add("--dataset", required=True, metavar="D", help="data set, see below")
    add("--rows", type=words, default=list(experiment.headline), metavar="R[,R…]",
        help="rows to train, a whole table (table1) or 'all' (default: the headline)")  # fmt: skip
    add("--protocol", choices=experiment.protocols,
        help="see below (default: the first that the rows can be run by)")  # fmt: skip
    add("--split", metavar="NAME",
        help=f"a split that comes with the data set, or '{DRAWN}': folds drawn from the seed, as "
        f"the papers did, or '{STRATIFIED}': each class's share in every fold, and in a validation "
        "part of a tenth (default: the protocol's, else the data set's own, else "
        f"'{DRAWN}'; for folder:PATH '{STRATIFIED}')")  # fmt: skip
    add("--folds", type=positive, metavar="K",
        help="number of folds drawn from the seed (default: the protocol's)")  # fmt: skip
    add("--seeds", type=seeds, default=[0], metavar="S[,S…]", help="default: 0")
    add("--epochs", type=positive, metavar="E", help="cap on the epochs of a run (protocol's own)")
    add("--plan", action="store_true",
        help="say what is ahead (features, runs, epochs, time, memory, disk) and stop: nothing is "
        "fetched, extracted or trained, only the tracks are listed and a few steps of each row "
        "timed")  # fmt: skip
    add("--final", action="store_true",
        help="afterwards train one network on all data, without a test score: as long as the "
        "median fold's best epoch, at its rates")  # fmt: skip
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add("--only-folds", type=numbers, default=[], metavar="F[,F…]",
        help="train these folds only, counted from 1: the others can be another command's, here or "
        "elsewhere (a second equal command takes whatever run is free)")  # fmt: skip
    add_jobs_option(parser, "runs trained at once")
    add_cluster_option(parser, "one run at a time, with all its threads or a GPU")
    if "extractor" in takes:
        add("--extractor", type=Path, action="append", default=[], metavar="RUN_OR_FILE",
            help="trained network whose hidden layers are the features of transfer rows: a run's "
            "directory or a .keras file; may be given several times")  # fmt: skip
        add("--extractor-recipe", metavar="RECIPE",
            help="what a bare .keras file takes as input, e.g. waveform-22050")  # fmt: skip
    if "weights" in takes:
        add("--weights", type=Path, metavar="PATH",
            help="weights of trained taggers: a file, or the folder that holds it (default: "
            "fetched, see `mirkeras tag --help`)")  # fmt: skip
    add("--memory-budget", type=gibibytes, metavar="GIB",
        help="features up to this size are held in memory (default: by what is free)")  # fmt: skip
    add(
        "--mixed-precision",
        action="store_true",
        help="half precision, where a GPU or processor has fast units",
    )
    add(
        "--tensorboard",
        action="store_true",
        help="event files in each run's folder, shown by: tensorboard --logdir DIR "
        "(extra: tensorboard)",
    )
    add_data_options(parser)
    return parser


def _train(experiment: Experiment, arguments: argparse.Namespace, whose: Whose) -> int:
    # which rows, by which protocol, learned how
    given = getattr(arguments, "extractor", [])
    extractors = tuple(find_extractor(path, arguments.extractor_recipe) for path in given)
    rows = plan_rows(experiment, arguments.rows, extractors)
    chosen = choose_protocol(experiment, rows, arguments.protocol).name
    learners = {row: LEARNERS[experiment.learner_of(chosen, row)] for row in rows}
    protocols = {row: experiment.protocol_of(chosen, row) for row in rows}
    protocol = protocols[rows[0]]  # what division and warnings need, rows of a command share
    weights = getattr(arguments, "weights", None)

    # what can be refused before any data is looked at
    if extractors and not any("extractor" in learner.takes for learner in learners.values()):
        raise UsageError("--extractor is for rows on features of trained networks; none is wanted")
    check_machine(arguments)
    if arguments.tensorboard:
        events.require_writer()
    has_tags = bool(data_prep.get(arguments.dataset, arguments.layout).tags)
    if has_tags and not all(learners[row].takes_tags(protocols[row]) for row in rows):
        raise UsageError(
            f"protocol {protocol.name} of {experiment.paper} classifies; the tracks of "
            f"{arguments.dataset} have tags. Taggers: lee_samplecnn, pons_ismir2018, "
            "pons_eusipco2017"
        )
    for row, learner in learners.items():
        learner.check(experiment.rows[row], weights, arguments.mirror)

    if arguments.final and not all(learner.learns_all for learner in learners.values()):
        raise UsageError("--final is for rows that train a network on tracks; not all of these do")
    if arguments.final and arguments.only_folds:
        raise UsageError("--final needs all folds: leave --only-folds out, what is done is skipped")

    # data, division, features
    prepared = (plan.data if arguments.plan else options.prepared)(arguments)
    print(shown(f"features in {prepared.home}, runs in {arguments.out / experiment.paper}"))
    split, folds = choose_split(prepared, protocol, arguments.split, arguments.folds)
    if max(arguments.only_folds, default=0) > folds:
        raise UsageError(f"--only-folds: there are {folds} folds, counted from 1")
    check_classes(prepared, split, folds)
    for row, learner in learners.items():
        learner.check_index(experiment.rows[row], protocols[row], prepared, split)
    cluster = None if arguments.cluster is None else whose  # extraction has its own number of jobs
    warning = leaks(prepared, protocol, split)
    if warning:
        say(f"warning: split {split}: {warning}")
    own = prepared.home.name.startswith(OWN) and not prepared.dataset.tags
    more = {baselines.RECIPE} if own else set()
    needed = experiment, learners, extractors, prepared, more
    if arguments.plan:
        caches, frames, needs = plan.features(prepared, wanted_caches(*needed), cluster)
    else:
        options.share(whose, prepared, arguments.out)
        caches, frames, needs = build_caches(*needed, cluster), {}, (0.0, 0)
    setting = Setting(
        out=arguments.out,
        index=prepared.home / "index.csv",
        caches={name: features.path for name, features in caches.items()},
        tags=prepared.dataset.tags,
        extractors=extractors,
        warning=warning,
        **_means(arguments),
        mixed_precision=arguments.mixed_precision,
        weights=weights,
        tensorboard=arguments.tensorboard,
    )
    if not frames:
        for row, learner in learners.items():
            learner.check_caches(experiment.rows[row], protocols[row], caches, extractors)
        check_division(protocol, caches, setting, split, folds, arguments.seeds)

    # runs
    plain = {
        "paper": experiment.paper,
        "dataset": prepared.home.name + PARTIAL * lacks_audio(prepared, split),
        "protocol": protocol.name,
        "folds": folds,
        "split": split,
    }
    chosen = arguments.epochs, extractors, arguments.only_folds
    waves = plan_waves(experiment, rows, arguments.seeds, plain, *chosen)
    usual = MadeUp.of(prepared, frames) if frames else None
    known = foreseen.foresee(waves, experiment, setting, whose, usual, always=arguments.plan)
    print(foreseen.told(known, setting, whose, needs))
    if arguments.final:
        print("then, not counted: a network on all data for each row and seed")
    if arguments.plan:
        return 0
    estimate = Estimate(foreseen.paces(known))
    failed = sum(train_wave(wave, experiment, setting, whose, estimate) for wave in waves)
    runs = [run for wave in waves for run in wave]
    easy = None
    if not setting.tags:
        mfcc = caches.get(baselines.RECIPE)
        tracks = tracks_of(mfcc or next(iter(caches.values())), setting.index)
        path = runs[0].home(arguments.out) / BASELINES
        division = {"split": split, "folds": folds, "seeds": arguments.seeds}
        easy = baselines.write_baselines(path, tracks, mfcc, protocol, **division)
    whole = []
    if arguments.final and not failed:
        whole = train_final(runs, experiment, setting, 1 if cluster is None else cluster)
    print(_told(experiment, runs, arguments.out, easy))
    for path in whole:
        print(shown(f"all data:      mirkeras tag FILE… --model {path}"))
    return 1 if failed else 0


def _means(arguments: argparse.Namespace) -> dict:
    """What each run has of its machine, for `Setting`; on a cluster or a GPU it says so itself."""
    if arguments.cluster is not None:
        return {"hardware": "", "threads": None, "memory_budget": arguments.memory_budget}
    machine, budget = device.find(), arguments.memory_budget
    threads = max(1, machine.cores // arguments.jobs)
    if machine.gpus:
        return {"hardware": "", "threads": threads, "memory_budget": budget}
    return {
        "hardware": machine.hardware_class,
        "threads": threads,
        "memory_budget": machine.memory_budget // arguments.jobs if budget is None else budget,
    }


def _told(experiment: Experiment, runs: list[Run], out: Path, easy: pd.DataFrame | None) -> str:
    """Say what came of the rows of a command, beside what is easy, and what can be done next."""
    lines, best = [""], (-1.0, None)
    for row in dict.fromkeys(run.row for run in runs):
        found = []
        for run in (run for run in runs if run.row == row):
            record = read_record(run.directory(out))
            if record and record["status"] == "finished" and "measurements" not in record:
                predictions = read_predictions(run.directory(out))
                found.append(score_run(experiment, predictions, record))
        if not found:
            lines.append(f"{row}: no run is finished")
            continue
        name = next(name for name in found[0] if name in DECIMALS)
        values = [scores[name] for scores in found]
        best = max(best, (np.mean(values), row))
        spread = f" ± {np.std(values):.{DECIMALS[name]}f}" if len(values) > 1 else ""
        many = f"{len(values)} runs" if len(values) > 1 else "one run"
        said = f"{np.mean(values):.{DECIMALS[name]}f}{spread}, {many} (folds × seeds)"
        lines.append(f"{row}: {name.replace('_', ' ')} {said}")
    if easy is None:
        lines.append("by chance: ROC-AUC 0.5")
    else:
        means = easy.groupby("baseline", sort=False).accuracy.mean()
        lines.append("; ".join(f"{name} {mean:.2f}" for name, mean in means.items()))
        lines[-1] = f"what is easy on these data (accuracy): {lines[-1]}"
    if best[1]:
        place = runs[0].home(out) / best[1] / f"seed{runs[0].seed}"
        lines += [
            f"look at it:    mirkeras evaluate {experiment.paper} --out {out}",
            f"tag with it:   mirkeras tag FILE… --model {place}"
            if experiment.paper in papers()
            else "tag with it:   once its package has an entry point in the group mirkeras.papers",
        ]
    return "\n".join(map(shown, lines))
