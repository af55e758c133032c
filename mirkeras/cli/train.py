"""The train command that the paper folders share: from a data set's name to finished runs."""

import argparse
import sys
from pathlib import Path

import data_prep
from data_prep.prepare import prepare
from mirkeras.cli.options import (
    DATA_SETS,
    add_data_options,
    add_jobs_option,
    gibibytes,
    positive,
    seeds,
    words,
)
from mirkeras.experiment import Experiment, find_experiment
from mirkeras.experiment.setting import Setting
from mirkeras.pipeline.splits import DRAWN, STRATIFIED
from mirkeras.system import device, processes
from mirkeras.system.errors import UsageError, as_command
from mirkeras.training.preflight import (
    PARTIAL,
    _check_division,
    _check_lengths,
    _check_machine,
    _extractors,
    _features,
    choose_protocol,
    choose_split,
    lacks_audio,
    leaks,
    plan_rows,
)
from mirkeras.training.waves import _train_wave, plan_waves
from mirkeras.transfer.extractors import check_input, check_taggers


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
