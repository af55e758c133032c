"""Which runs, in which order, and how many at once."""

import sys

from mirkeras.experiment import Experiment, runs
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.system import jobs
from mirkeras.training.one_run import origin_of, train_run
from mirkeras.training.preflight import _needs
from mirkeras.transfer import segment_features


def plan_waves(
    experiment: Experiment,
    rows: list[str],
    wanted_seeds: list[int],
    plain: dict,
    epochs: int | None,
    extractors: tuple[Extractor, ...],
) -> list[list[Run]]:
    """List all runs: first those that start from nothing, then those that start from them.

    `epochs` caps those of each row.
    """
    waves: list[list[Run]] = [[], []]
    # fold by fold, so that whatever time allows is a fair comparison of the rows
    for seed in wanted_seeds:
        for fold in range(plain["folds"]):
            for row in rows:
                wave = waves[bool(_needs(experiment, row, extractors))]
                most = experiment.protocol_of(plain["protocol"], row).max_epochs
                capped = min(epochs or most, most)
                wave.append(Run(row=row, seed=seed, fold=fold, max_epochs=capped, **plain))
    return waves


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
