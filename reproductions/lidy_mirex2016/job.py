"""A whole MIREX job on a data set: ``python -m reproductions.lidy_mirex2016.job --help``.

The three executables are called as MIREX calls them: extractFeatures once, then Train and Classify
for every fold of every model. Folds divide no group. By default a group is the index's: replicas,
or clips of one recording, not an artist; MIREX's artist filter is to be had by --groups, or by
--filter where the index has such a column. Output lists are scored as MIREX scores them, and every
fold leaves a run record. What is done already is skipped.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from data_prep.prepare import Prepared
from mirkeras.cli import options
from mirkeras.cli.options import (
    DATA_SETS,
    add_data_options,
    add_jobs_option,
    command_parser,
    positive,
    words,
)
from mirkeras.experiment.runs import claimed
from mirkeras.storage.tables import write_csv
from mirkeras.system import processes
from mirkeras.system.errors import UsageError, as_command, say, shown
from mirkeras.system.machine import device
from reproductions.lidy_mirex2016 import mirex_lists, mirex_scores, tasks
from reproductions.lidy_mirex2016.experiments import EPOCHS, EXPERIMENT, PROTOCOLS
from reproductions.lidy_mirex2016.mirex import one_seed
from reproductions.lidy_mirex2016.mirex_folds import MirexJob, draw_folds, extract, given, run_fold
from reproductions.lidy_mirex2016.mirex_training import ROWS
from reproductions.lidy_mirex2016.tasks import TASKS

REPLICAS = "group"  # the column that every index has
KNOWN_TASKS = "MIREX's tasks:\n" + "".join(
    f"  {name:10}  {task.summary}\n" for name, task in TASKS.items()
)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Run a job and print its table; returns the exit status."""
    arguments = _parser().parse_args(argv)
    device.leave_gpus()  # they are the executables'
    job = _job(arguments)
    with claimed(job.scratch):
        features = extract(job)
        for model in arguments.model:
            for number in range(len(job.folds)):
                run_fold(job, model, number, features)
    print(_report(job, arguments.model))
    return 0


def _job(arguments: argparse.Namespace) -> MirexJob:
    """Turn the words of the command into a job; say how the files are divided."""
    prepared = _prepare(arguments)
    files = [str((prepared.root / path).absolute()) for path in prepared.index.path]
    classes = prepared.index.label.tolist()
    if arguments.task:
        tasks.check(TASKS[arguments.task], dict(zip(files, classes, strict=True)))
    groups, filtered_by = _groups(arguments, prepared, files)
    folds = draw_folds(files, classes, groups, arguments.folds, arguments.seed)
    whole = f"none of the {len(set(groups))} groups ({filtered_by}) is in two of them"
    if len(set(groups)) == len(groups):
        whole = f"no groups are known ({filtered_by}): every file is its own"
    print(f"{shown(prepared.home.name)}: {len(folds)} folds of {len(files)} files; {whole}")
    # what is known against folds that keep only replicas together
    named = arguments.groups or arguments.filter not in (None, REPLICAS)
    warning = "" if named else prepared.dataset.repeats
    if warning:
        say(f"warning: {warning}")
    return MirexJob(
        dataset=prepared.home.name,
        scratch=(arguments.scratch or prepared.home / "mirex2016").absolute(),
        out=arguments.out.absolute(),
        folds=folds,
        filtered_by=filtered_by,
        warning=warning,
        protocol=arguments.protocol,
        epochs=arguments.epochs,
        seed=arguments.seed,
        threads=arguments.jobs or processes.usable_cores(),
    )


def _prepare(arguments: argparse.Namespace) -> Prepared:
    """Make the data set usable; refuse what does not fit a train/test task."""
    if arguments.task and not (arguments.groups or arguments.filter):
        kept = TASKS[arguments.task].filter_by
        raise UsageError(
            f"task {arguments.task} keeps every {kept} in one part, the column {REPLICAS!r} of an "
            f"index only replicas: name each file's {kept} by --groups FILE, or the column that "
            "holds it by --filter COLUMN"
        )
    prepared = options.prepared(arguments)
    if prepared.dataset.tags:
        raise UsageError(f"{prepared.dataset.name} has tags; the train/test tasks have classes")
    return prepared


def _groups(
    arguments: argparse.Namespace, prepared: Prepared, files: Sequence[str]
) -> tuple[list[str], str]:
    """Read what folds must not divide, of each file, and name it."""
    index = prepared.index
    if not arguments.groups:
        column = arguments.filter or REPLICAS
        if column not in index:
            raise UsageError(
                f"the index of {prepared.dataset.name} has no column {column!r}; "
                f"it has {', '.join(index)}"
            )
        return index[column].astype(str).tolist(), column
    named = dict(mirex_lists.read_pairs(arguments.groups, absolute=False))
    tracks = zip(index.track, index.path, files, strict=True)
    found = [next((named[name] for name in names if name in named), "") for names in tracks]
    if missing := found.count(""):
        raise UsageError(
            f"{arguments.groups} has no line for {missing} track(s), the first is "
            f"{index.track.iloc[found.index('')]}"
        )
    return found, arguments.groups.name


def _report(job: MirexJob, models: Sequence[str]) -> str:
    """Score all output lists as MIREX does; write the tables, return them as text."""
    accuracies, parts = {}, []
    name = f"{job.dataset}-{job.protocol}-{len(job.folds)}folds-seed{job.seed}"
    place = job.out / "mirex" / name
    for model in models:
        row = job.options(model).row.id
        outputs = [given(job.run(model, n).directory(job.out)) for n in range(len(job.folds))]
        tests = [fold.test for fold in job.folds]
        accuracies[row] = [
            mirex_scores.accuracy(*pair) for pair in zip(tests, outputs, strict=True)
        ]
        # every file is tested in one fold
        matrix = mirex_scores.confusion(
            {file: label for test in tests for file, label in test.items()},
            {file: label for one in outputs for file, label in one.items()},
        )
        by_class = matrix.reset_index(names="")  # no class is called that
        write_csv(by_class, place / f"confusion-{row.replace('/', '-')}.csv")
        parts.append(f"\n{row}: confusions, all folds (true classes in rows)\n{matrix}")
    table = pd.DataFrame(accuracies)
    table.index = pd.Index(range(1, len(table) + 1), name="fold")
    write_csv(table.reset_index(), place / "accuracy.csv")
    shown = table.T
    shown.columns = [f"fold {number}" for number in shown]
    shown["mean"], shown["std"] = table.mean(), table.std(ddof=0)
    head = "\naccuracy of files in per cent\n" + shown.to_string(float_format="{:.2f}".format)
    return "\n".join([head, *parts, _differences(table), f"written to {place}"])


def _differences(accuracies: pd.DataFrame) -> str:
    found = mirex_scores.compare(accuracies)
    if found is None:
        return f"\n(significance: Friedman's test needs at least {mirex_scores.LEAST} models)"
    return (
        f"\nFriedman's test over folds: p = {found.p:.3g}; Tukey-Kramer on mean ranks: differences "
        f"above {found.critical:.2f} are significant at {mirex_scores.ALPHA}\n"
        + found.pairs.to_string(index=False, float_format="{:.2f}".format)
    )


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        f"reproductions.{EXPERIMENT.paper}.job",
        __doc__.split("\n\n", 1)[1],
        f"{DATA_SETS}\n{KNOWN_TASKS}",
    )
    add = parser.add_argument
    add("--dataset", required=True, metavar="D", help="data set, see below")
    add("--folds", type=positive, default=tasks.FOLDS, metavar="K",
        help="number of folds (default: MIREX's %(default)s)")  # fmt: skip
    add("--task", choices=TASKS, metavar="TASK",
        help="MIREX task whose classes and counts the data set must have, see below; its artists "
        "or albums are to be named by --groups or --filter")  # fmt: skip
    filters = parser.add_mutually_exclusive_group()
    filters.add_argument("--filter", metavar="COLUMN",
        help="column of the index whose values folds must not divide (default: "
        f"{REPLICAS}: replicas, or clips of one recording)")  # fmt: skip
    filters.add_argument("--groups", type=Path, metavar="FILE",
        help="the same from a file: a track (id or path), a tab, its artist per line")  # fmt: skip
    add("--model", type=_models, default=["1"], metavar="M[,M…]",
        help=f"of {', '.join(ROWS)} (default: 1); three or more are compared")  # fmt: skip
    add("--protocol", choices=PROTOCOLS, default=next(iter(PROTOCOLS)),
        help="default: %(default)s")  # fmt: skip
    add("--epochs", type=positive, metavar="E",
        help=f"cap on the protocol's epochs (default and most: {EPOCHS})")  # fmt: skip
    add("--seed", type=one_seed, default=0, metavar="S", help="of folds and training (default: 0)")
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add("--scratch", type=Path, metavar="DIR",
        help="the executables' scratch folder (default: beside the caches)")  # fmt: skip
    add_jobs_option(parser, "processor cores the executables use, -numThreads", None)
    add_data_options(parser)
    return parser


def _models(text: str) -> list[str]:
    models = list(dict.fromkeys(words(text)))
    if unknown := set(models) - ROWS.keys():
        raise argparse.ArgumentTypeError(f"unknown model {', '.join(sorted(unknown))}")
    return models


if __name__ == "__main__":
    sys.exit(main())
