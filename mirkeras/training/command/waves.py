"""Which runs, in which order, and how many at once."""

from collections.abc import Callable, Collection
from dataclasses import replace
from math import ceil
from pathlib import Path

from mirkeras.experiment import Experiment, find_experiment
from mirkeras.experiment.records import read_record
from mirkeras.experiment.runs import JOINT, Run, is_finished
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.pipeline.splits import FINAL
from mirkeras.system import jobs
from mirkeras.system.errors import UsageError, explained, is_expected, is_full, say
from mirkeras.system.estimate import Estimate
from mirkeras.training.command.foreseen import epochs_done, most_epochs
from mirkeras.training.learner import Learner
from mirkeras.training.learners import LEARNERS
from mirkeras.training.one_run import train_run
from mirkeras.training.origin import inputs_of, network_of

#: Quick runs that one process does at most: what it is killed for, the next one begins anew.
TOGETHER = 20


def plan_waves(
    experiment: Experiment,
    rows: list[str],
    wanted_seeds: list[int],
    plain: dict,
    epochs: int | None,
    extractors: tuple[Extractor, ...],
    only_folds: Collection[int] = (),
) -> list[list[Run]]:
    """List all runs: first those that start from nothing, then those that start from them.

    Parameters
    ----------
    plain : dict
        What all runs share.
    epochs : int or None
        Cap on the epochs of each row.
    only_folds : collection of int
        Folds to run, counted from 1; all if there is none.
    """
    waves: list[list[Run]] = [[], []]
    # fold by fold, so that whatever time allows is a fair comparison of the rows
    for seed in wanted_seeds:
        for fold in range(plain["folds"]):
            if only_folds and fold + 1 not in only_folds:
                continue
            for row in rows:
                learner = LEARNERS[experiment.learner_of(plain["protocol"], row)]
                wave = waves[bool(learner.needs(experiment.rows[row], extractors))]
                most = experiment.protocol_of(plain["protocol"], row).max_epochs
                capped = min(epochs or most, most)
                wave.append(Run(row=row, seed=seed, fold=fold, max_epochs=capped, **plain))
    return waves


def train_wave(
    wave: list[Run],
    experiment: Experiment,
    setting: Setting,
    whose: jobs.Whose,
    estimate: Estimate | None = None,
) -> int:
    """Train the runs of a wave that are not finished; returns how many failed.

    Runs that another command is at are left for last, and then waited for.

    Parameters
    ----------
    estimate : Estimate or None
        What is known of how long the runs of a row take.
    """
    inputs = {run: inputs_of(run, experiment, setting) for run in wave}
    done = [run for run in wave if is_finished(run, run.directory(setting.out), inputs[run])]
    left = [run for run in wave if run not in done]
    if done:
        _confirm({run: inputs[run] for run in done}, setting)
        print(f"{len(done)} run(s) already finished, skipped")
    if not left:
        return 0

    # What several runs read is computed first, and once.
    before = {}
    for row in dict.fromkeys(run.row for run in left):
        runs = [run for run in left if run.row == row]
        for job in _learner(runs[0], experiment).before(runs, experiment.rows[row], setting):
            before[job.name] = job
    if failed := _run_jobs(list(before.values()), setting, whose)[0]:
        return failed

    # one that was interrupted may need another number of threads: a process of its own
    begun = {run for run in left if read_record(run.directory(setting.out))}
    quick = [
        run
        for run in left
        if _learner(run, experiment).is_quick(experiment.rows[run.row]) and run not in begun
    ]
    size = min(TOGETHER, ceil(len(quick) / jobs.hands(whose).places())) if quick else 0
    groups = [quick[begin : begin + size] for begin in range(0, len(quick), size or 1)]
    eager = replace(setting, waits=False)
    work = [
        jobs.Job(f"{group[0].name} …", 1, train_runs, (group, eager), len(group), group[0].row)
        for group in groups
    ]
    together = set(quick)
    single = [run for run in left if run not in together]
    work += [
        jobs.Job(
            run.name,
            most_epochs(run),
            train_run,
            (run, eager),
            kind=run.row,
            done=epochs_done(run, setting) if run in begun else 0,
        )
        for run in single
    ]
    failed, busy = _run_jobs(work, setting, whose, estimate)
    if busy:
        say(f"{len(busy)} run(s) are being trained by another command, waiting for them")
        last = [replace(job, arguments=(job.arguments[0], setting)) for job in busy]
        failed += _run_jobs(last, setting, whose, estimate)[0]
    return failed


def train_final(
    runs: list[Run], experiment: Experiment, setting: Setting, whose: jobs.Whose = 1
) -> list[Path]:
    """Train a network on all data for every row and seed of finished runs.

    It is trained for as many epochs as the median fold's best one had, at that fold's rates.

    Returns
    -------
    list of Path
        Their directories.

    Raises
    ------
    UsageError
        A fold is not finished.
    """
    made = []
    for row, seed in dict.fromkeys((run.row, run.seed) for run in runs):
        folds = [run for run in runs if (run.row, run.seed) == (row, seed)]
        found = {run.directory(setting.out): read_record(run.directory(setting.out)) or {}
                 for run in folds}  # fmt: skip
        if any(record.get("status") != "finished" for record in found.values()):
            raise UsageError(f"{row}: --final needs all folds, and some are not finished")
        ordered = sorted(found, key=lambda directory: found[directory]["best_epoch"])
        median = ordered[(len(ordered) - 1) // 2]
        epochs = found[median]["best_epoch"]
        whole = replace(folds[0], split=FINAL, fold=0, folds=1, max_epochs=epochs)
        print(f"{row}: all data, {epochs} epochs as {median.name}, the median fold; no test score")
        if train_wave([whole], experiment, replace(setting, replayed=median), whose):
            raise UsageError(f"{row}: the network of all data was not trained")
        made.append(whole.directory(setting.out))
    return made


def train_runs(runs: list[Run], setting: Setting, report: Callable[[dict], None]) -> None:
    """Train runs one after another, as one job (see `mirkeras.system.jobs.Job`).

    Raises
    ------
    UsageError
        Runs that failed for reasons of their own; the others are done.
    """
    failed, left = [], [(run, setting) for run in runs]
    for number, (run, chosen) in enumerate(left, 1):
        try:
            train_run(run, chosen, lambda line: None)
        except jobs.Busy:
            left.append((run, replace(chosen, waits=True)))  # seen by this very loop, at its end
        except Exception as error:
            if is_full(error) or not is_expected(error):
                raise
            failed.append(f"{run.name}: {explained(error)}")
        report({"part": number / len(left)})
    if failed:
        raise UsageError("; ".join(failed))


def _learner(run: Run, experiment: Experiment) -> Learner:
    return LEARNERS[experiment.learner_of(run.protocol, run.row)]


def _run_jobs(
    work: list[jobs.Job], setting: Setting, whose: jobs.Whose, estimate: Estimate | None = None
) -> tuple[int, list[jobs.Job]]:
    """Do jobs and say which fail; returns how many, and those that others are at."""
    if not work:
        return 0, []
    undone = jobs.run_all(work, whose, setting.set_up, estimate=estimate)
    failed = [(job, message) for job, message in undone if message != jobs.BUSY]
    for job, message in failed:
        say(f"failed: {job.name}: {message}")
    return len(failed), [job for job, message in undone if message == jobs.BUSY]


def _confirm(finished: dict[Run, str], setting: Setting) -> None:
    """Compare the networks of finished runs, given with their inputs, with what is built now.

    Raises
    ------
    RunError, UsageError
        A run is of another network.
    """
    old = [run for run in finished if not _knows_its_network(run, setting)]
    if old:
        print(f"note: {len(old)} of them are of an older version, which kept no digest of networks")
    if len(old) < len(finished):
        jobs.apart(setting.set_up, check_networks, finished, setting)


def _knows_its_network(run: Run, setting: Setting) -> bool:
    return JOINT in read_record(run.directory(setting.out))["origin"]


def check_networks(
    finished: dict[Run, str], setting: Setting, report: Callable[[dict], None]
) -> None:
    """Compare networks, as a job (see `mirkeras.system.jobs.Job`); the arguments as `_confirm`."""
    networks: dict[str, str] = {}
    for run, inputs in finished.items():
        if run.row not in networks:
            networks[run.row] = network_of(run, find_experiment(run.paper), setting)
        is_finished(run, run.directory(setting.out), f"{inputs}{JOINT}{networks[run.row]}")
