"""The train command that the paper folders share: from a data set's name to finished runs."""

import argparse
from pathlib import Path

import data_prep
from mirkeras.cli import options
from mirkeras.cli.options import (
    DATA_SETS,
    add_data_options,
    add_jobs_option,
    command_parser,
    gibibytes,
    positive,
    seeds,
    words,
)
from mirkeras.experiment import Experiment, find_experiment
from mirkeras.experiment.setting import Setting
from mirkeras.pipeline.splits import DRAWN, STRATIFIED
from mirkeras.system import device, processes
from mirkeras.system.errors import UsageError, as_command, say
from mirkeras.training.learners import LEARNERS
from mirkeras.training.preflight import (
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
)
from mirkeras.training.waves import plan_waves, train_wave
from mirkeras.transfer.extractors import find_extractor


@as_command
def train(paper: str, argv: list[str] | None = None) -> int:
    """Run ``python -m reproductions.<paper>.train``; returns the exit status."""
    experiment = find_experiment(paper)
    return _train(experiment, _train_parser(experiment).parse_args(argv))


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
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add_jobs_option(parser, "runs trained at once")
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
    add_data_options(parser)
    return parser


def _train(experiment: Experiment, arguments: argparse.Namespace) -> int:
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
    has_tags = bool(data_prep.get(arguments.dataset, arguments.layout).tags)
    if has_tags and not all(learners[row].takes_tags(protocols[row]) for row in rows):
        raise UsageError(
            f"protocol {protocol.name} of {experiment.paper} classifies; the tracks of "
            f"{arguments.dataset} have tags. Taggers: lee_samplecnn, pons_ismir2018, "
            "pons_eusipco2017"
        )
    for row, learner in learners.items():
        learner.check(experiment.rows[row], weights, arguments.mirror)

    # data, division, features
    prepared = options.prepared(arguments)
    split, folds = choose_split(prepared, protocol, arguments.split, arguments.folds)
    check_classes(prepared, split, folds)
    for row, learner in learners.items():
        learner.check_index(experiment.rows[row], protocols[row], prepared, split)
    warning = leaks(prepared, protocol, split)
    if warning:
        say(f"warning: split {split}: {warning}")
    caches = build_caches(experiment, learners, extractors, prepared)
    machine, budget = device.find(), arguments.memory_budget
    setting = Setting(
        out=arguments.out,
        index=prepared.home / "index.csv",
        caches={name: features.path for name, features in caches.items()},
        tags=prepared.dataset.tags,
        extractors=extractors,
        warning=warning,
        hardware=machine.hardware_class,
        threads=max(1, processes.usable_cores() // arguments.jobs),
        memory_budget=machine.memory_budget // arguments.jobs if budget is None else budget,
        mixed_precision=arguments.mixed_precision,
        weights=weights,
    )
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
    waves = plan_waves(experiment, rows, arguments.seeds, plain, arguments.epochs, extractors)
    failed = sum(train_wave(wave, experiment, setting, arguments.jobs) for wave in waves)
    return 1 if failed else 0
