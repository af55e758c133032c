"""The train and evaluate commands that the paper folders share."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.prepare import Prepared, prepare
from mirkeras import cache, device, figures, jobs, metrics, records, results, runs
from mirkeras.errors import UsageError, expected_errors
from mirkeras.experiment import Experiment, Setting, find_experiment, train_run
from mirkeras.features import RECIPES
from mirkeras.files import write_text
from mirkeras.options import (
    DATA_SETS,
    add_data_options,
    add_jobs_option,
    gibibytes,
    numbers,
    positive,
    words,
)
from mirkeras.runs import Run


@dataclass(frozen=True)
class Result:
    """A comparison and what it was made of."""

    table: pd.DataFrame
    measured: pd.DataFrame


def train(paper: str, argv: list[str] | None = None) -> int:
    """Run ``python -m reproductions.<paper>.train``; returns the exit status."""
    experiment = find_experiment(paper)
    arguments = _train_parser(experiment).parse_args(argv)
    try:
        return _train(experiment, arguments)
    except expected_errors() as error:
        print(f"error: {error}", file=sys.stderr)
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
    add("--seeds", type=numbers, default=[0], metavar="S[,S…]", help="default: 0")
    add("--epochs", type=positive, metavar="E", help="cap on the epochs of a run (protocol's own)")
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add_jobs_option(parser, "runs trained at once")
    add("--memory-budget", type=gibibytes, metavar="GIB",
        help="features up to this size are held in memory (default: by what is free)")  # fmt: skip
    add("--mixed-precision", action="store_true", help="half precision on a GPU")
    add_data_options(parser)
    return parser


def _train(experiment: Experiment, arguments: argparse.Namespace) -> int:
    plan = _plan_rows(experiment, arguments.rows)
    if arguments.folds < 2:
        raise UsageError("--folds must be at least 2: one part is tested, the others train")
    prepared = prepare(
        arguments.dataset,
        data_root=arguments.data_root,
        cache_root=arguments.cache_root,
        mirror=arguments.mirror,
    )
    features = _features(experiment, plan, prepared)
    setting = Setting(
        out=arguments.out,
        cache=features.path,
        index=prepared.home / "index.csv",
        threads=max(1, device.usable_cores() // arguments.jobs),
        memory_budget=arguments.memory_budget,
        mixed_precision=arguments.mixed_precision,
    )
    waves = _waves(experiment, plan, arguments, name_of(prepared))
    failed = 0
    for wave in waves:
        failed += _train_wave(wave, setting, features.fingerprint, arguments.jobs)
    return 1 if failed else 0


def name_of(prepared: Prepared) -> str:
    """Name under which runs are kept; a stand-in for the published archive never has its name."""
    return prepared.dataset.name + ("-stand-in" if prepared.stand_in else "")


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
    shortest = min(row.frames for row in experiment.rows.values())
    features = cache.build(prepared.index, prepared.root, recipe, path, min_frames=shortest)
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


def _train_wave(wave: list[Run], setting: Setting, features: str, at_once: int) -> int:
    """Train the runs of a wave that are not finished; returns how many failed."""
    open_runs = [
        run for run in wave if not runs.is_finished(run, run.directory(setting.out), features)
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


def evaluate(paper: str, argv: list[str] | None = None) -> int:
    """Run ``python -m reproductions.<paper>.evaluate``; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=f"python -m reproductions.{paper}.evaluate",
        description="Compare finished runs with the published rows. Reads predictions, never "
        "networks; writes comparison.csv, comparison.md, measured.csv and figures.",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    arguments = parser.parse_args(argv)
    try:
        print(summary(compare(paper, arguments.out).table, arguments.out))
    except expected_errors() as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def summary(table: pd.DataFrame, out: Path) -> str:
    """Lay out what was measured, count what was not, and say where the rest is."""
    measured = table[table.verdict != "not run"]
    written = f"{out}: comparison.csv, comparison.md, measured.csv, figures/"
    return (
        f"\n{results.markdown(measured)}\n{len(table) - len(measured)} published row(s) not run. "
        f"Written to {written}"
    )


def compare(paper: str, out: Path) -> Result:
    """Evaluate all finished runs below `out` and write tables, page and figures there."""
    measured = results.collect(out, paper, metrics.accuracies)
    table = results.compare(paper, measured)
    results.write_csv(measured, out / "measured.csv")
    results.write_csv(table[results.COLUMNS], out / "comparison.csv")
    details = [_details(group, out) for _, group in measured.groupby(["dataset", "protocol"])]
    page = f"# {paper}: published and measured\n\n{results.markdown(table)}\n" + "\n".join(details)
    write_text(out / "comparison.md", page)
    for dataset, lines in table.dropna(subset="measured").groupby("dataset"):
        name = dataset.replace(":", "-")
        figures.comparison(lines, out / "figures" / f"{name}-comparison.png")
    return Result(table, measured)


def _details(group: pd.DataFrame, out: Path) -> str:
    """Segment accuracy, recall and confusion per row of one data set and protocol; figures too."""
    dataset, protocol = group.dataset.iloc[0], group.protocol.iloc[0]
    lines, logs = [], {}
    for row, members in group.groupby("row", sort=False):
        folders = [_directory(line, out) for line in members.to_dict("records")]
        predictions = [records.read_predictions(folder) for folder in folders]
        matrix = metrics.confusion(predictions)
        classes = predictions[0]["classes"]
        recall = metrics.recall(matrix)
        cells = " | ".join(f"{value:.1f}" for value in recall)
        lines.append(f"| {row} | {members.segment_accuracy.mean():.2f} | {cells} |")
        name = f"{dataset}-{protocol}-{row.replace('/', '-')}"
        title = f"{row}, {dataset} ({protocol}): {matrix.trace()} of {matrix.sum()} tracks"
        figures.confusion(matrix, classes, title, out / "figures" / f"{name}-confusion.png")
        logs[row] = pd.read_csv(folders[0] / "log.csv")
    figures.training_curves(logs, out / "figures" / f"{dataset}-{protocol}-training.png")
    head = "| row | segment accuracy | " + " | ".join(f"recall {name}" for name in classes) + " |"
    rule = "|---|" + "--:|" * (len(classes) + 1)
    title = f"## {dataset}, protocol {protocol}: segments and classes (per cent)"
    return "\n".join([title, "", head, rule, *lines, ""])


def _directory(line: dict, out: Path) -> Path:
    fields = Run.__dataclass_fields__
    return Run(**{name: line[name] for name in fields}).directory(out)
