"""What a command's runs will take, told before the first begins: time, memory, disk.

How long an epoch lasts is known from finished runs and those under way, if they are of this
hardware; else a few steps are timed, in processes like those of the runs, as many at once. Before
there are features they are timed on made-up segments, as many as the tracks would give.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.evaluation.results import recorded
from mirkeras.experiment import Experiment, find_experiment
from mirkeras.experiment.records import read_record
from mirkeras.experiment.runs import Run, is_finished
from mirkeras.experiment.setting import Setting
from mirkeras.system import jobs
from mirkeras.system.errors import say, shown
from mirkeras.system.estimate import Estimate, Pace, in_bytes, spoken
from mirkeras.system.jobs import Job, Whose, hands
from mirkeras.system.machine import device
from mirkeras.training.command.timing import MadeUp, time_runs
from mirkeras.training.learners import LEARNERS
from mirkeras.training.origin import inputs_of

#: Fewer epochs in all are done before they could be timed.
MANY = 300
UNKNOWN = "how long they take is not known before one is done"
#: Copies of a network's weights on disk while it trains: its own, the best, the optimiser's.
_COPIES = 4


@dataclass
class Foreseen:
    """What is known of a row.

    Attributes
    ----------
    left : list of Run
        Those not finished.
    pace : Pace or None
    source : str
        Where it is known from, or why it is not.
    weights, memory, resident : int
        Numbers of the network; bytes that a process had at most, and of features held in memory.
    """

    runs: int
    left: list[Run] = field(default_factory=list)
    pace: Pace | None = None
    source: str = ""
    weights: int = 0
    memory: int = 0
    resident: int = 0


def foresee(
    waves: Sequence[Sequence[Run]],
    experiment: Experiment,
    setting: Setting,
    whose: Whose,
    made_up: MadeUp | None = None,
    *,
    always: bool = False,
) -> dict[str, Foreseen]:
    """Find out what each row will take.

    Parameters
    ----------
    made_up : MadeUp or None
        What stands for features that are missing.
    always : bool
        Whether to time steps also where the runs are few and short, and to look at each finished
        run as the command will.

    Raises
    ------
    RunError
        A directory holds another run.
    """
    rows: dict[str, Foreseen] = {}
    for run in (run for wave in waves for run in wave):
        row = rows.setdefault(run.row, Foreseen(0))
        row.runs += 1
        directory = run.directory(setting.out)
        record = read_record(directory)
        if record is None or record["status"] != "finished":
            row.left.append(run)
        elif always and not made_up:  # else the command itself refuses what is another run
            is_finished(run, directory, inputs_of(run, experiment, setting))
    for name, row in rows.items():
        if row.left:
            same = [run for wave in waves for run in wave if run.row == name]
            row.pace, row.source = _pace_of(same, experiment, setting)
    unknown = {name: row for name, row in rows.items() if row.left and not row.pace}
    epochs = sum(run.max_epochs for row in unknown.values() for run in row.left)
    if unknown and (always or epochs >= MANY):
        _time_rows(unknown, experiment, setting, whose, made_up)
    return rows


def _pace_of(runs: list[Run], experiment: Experiment, setting: Setting) -> tuple[Pace | None, str]:
    """What the logs of a row's runs say, finished or not, and the records of those that are."""
    epochs = seconds = around = finished = begun = finished_epochs = 0
    here = setting.hardware, setting.threads, setting.mixed_precision
    for run in runs:
        directory = run.directory(setting.out)
        record = read_record(directory) or {}
        machine = tuple(record.get(name) for name in ("hardware", "threads"))
        # before it is finished a record says nothing of precision
        if (*machine, record.get("mixed_precision", here[2])) != here:
            continue
        log = _log_of(directory)
        epochs, seconds = epochs + len(log), seconds + sum(log)
        if record["status"] != "finished":
            begun += bool(log)
            continue
        finished, finished_epochs = finished + 1, finished_epochs + record.get("epochs", 0)
        if len(record.get("starts", ())) == 1:  # else there was a pause
            began, ended = (
                datetime.fromisoformat(record[name]) for name in ("started", "finished")
            )
            around += max(0.0, (ended - began).total_seconds() - sum(log))
    if not finished + begun:
        return None, ""
    likely = finished_epochs / finished if finished else _likely_epochs(runs[0], experiment)
    pace = Pace(around / max(1, finished), seconds / max(1, epochs), likely)
    kinds = {"finished": finished, "begun": begun}
    named = [f"{count} {kind}" for kind, count in kinds.items() if count]
    return pace, f"{' and '.join(named)} run(s)"


def _log_of(directory: Path) -> list[float]:
    """Seconds of the epochs in a run's log; nothing where there is none."""
    try:
        return pd.read_csv(directory / "log.csv").seconds.tolist()
    except (OSError, ValueError, AttributeError):  # it only helps to guess
        return []


def most_epochs(run: Run) -> int:
    """How many epochs a run can have, in all of its trainings."""
    learner = find_experiment(run.paper).learner_of(run.protocol, run.row)
    return run.max_epochs * LEARNERS[learner].trainings


def epochs_done(run: Run, setting: Setting) -> int:
    """How many epochs an interrupted run has had."""
    return len(_log_of(run.directory(setting.out)))


def _likely_epochs(run: Run, experiment: Experiment) -> float:
    """How many epochs a run will likely have: as runs ended that came with the suite.

    Those of the row and protocol, else of the protocol, else of the paper.
    """
    if experiment.protocol_of(run.protocol, run.row).select_by == "last":
        return run.max_epochs
    known = recorded(run.paper)
    if "capped" in known:
        ended = known[known.epochs.notna() & ~known.capped.astype(bool)]
        by = ended[ended.protocol == run.protocol]
        for same in (by[by.row == run.row], by, ended):
            if len(same):
                return min(run.max_epochs, same.epochs.median())
    return run.max_epochs


def _time_rows(
    rows: dict[str, Foreseen],
    experiment: Experiment,
    setting: Setting,
    whose: Whose,
    made_up: MadeUp | None,
) -> None:
    """Time steps of each row, in as many processes at once as there would be runs."""
    chosen = []
    for name, row in rows.items():
        run = row.left[0]
        if LEARNERS[experiment.learner_of(run.protocol, name)].is_foreseen(experiment.rows[name]):
            chosen.append(run)
        else:
            row.source = UNKNOWN
    if not chosen:
        return
    # neighbours compete for the processor, as they will: a single row is timed several times
    places = min(hands(whose).places(), sum(len(row.left) for row in rows.values()))
    chosen = list(islice(cycle(chosen), max(len(chosen), places)))
    parts = [chosen[number::places] for number in range(places)]
    work = [Job("timing steps", 1, time_runs, (part, setting, made_up)) for part in parts]
    timed: dict[str, list[dict]] = {}
    watch = Estimate()
    failed = jobs.run_all(
        work,
        whose,
        setting.set_up,
        what="timing steps",
        estimate=watch,
        heard=lambda job, line: timed.setdefault(line["row"], []).append(line),
    )
    for _, message in failed:
        say(f"not timed: {message}")
    inside = sum(line["took"] for lines in timed.values() for line in lines) / len(work)
    start = watch.pace("").before - inside if watch.pace("") and not failed else 0.0
    for name, found in timed.items():
        _note(rows[name], found, max(0.0, start), experiment)


def _note(row: Foreseen, found: list[dict], start: float, experiment: Experiment) -> None:
    """Note what was found of a row; `start`: what a process takes before it does anything."""
    if unfit := next((line["unfit"] for line in found if "unfit" in line), None):
        row.source = unfit
        return
    mean = {
        name: sum(line[name] for line in found) / len(found) for name in found[0] if name != "row"
    }
    epochs = _likely_epochs(row.left[0], experiment)
    row.pace = Pace(start + mean["before"], mean["per_epoch"], epochs, mean["after"])
    row.source = f"{mean['steps']:.0f} steps"
    row.weights, row.memory, row.resident = (
        int(mean[name]) for name in ("weights", "memory", "resident")
    )


def paces(rows: Mapping[str, Foreseen]) -> dict[str, Pace]:
    """What is known of rows, for an `Estimate` of their jobs."""
    return {name: row.pace for name, row in rows.items() if row.pace}


def told(
    rows: Mapping[str, Foreseen],
    setting: Setting,
    whose: Whose,
    features: tuple[float, int] = (0.0, 0),
) -> str:
    """Say what is ahead: a line per row, then time, memory and disk.

    Parameters
    ----------
    features : (float, int)
        Seconds and bytes that their extraction takes first.
    """
    left = [run for row in rows.values() for run in row.left]
    places = min(hands(whose).places(), max(1, len(left)))
    done = sum(row.runs for row in rows.values()) - len(left)
    epochs = sum(map(most_epochs, left))
    said = f"plan: {len(left)} run(s), at most {epochs:,} epoch(s) in all, {places} at once"
    lines = [said + (f"; {done} are finished and skipped" if done else "")]
    if not any(row.source for row in rows.values() if row.left):
        return lines[0]
    table = [("row", "runs", "epochs", "likely", "an epoch", "a run", "known from")]
    for name, row in rows.items():
        if not row.left or row.source == UNKNOWN:
            continue
        most = max(map(most_epochs, row.left))
        known = ["–"] * 3
        if pace := row.pace:
            epochs = min(pace.epochs, most)
            known = [
                f"{epochs:.0f}",
                spoken(pace.epoch) if pace.epoch else "–",
                spoken(pace.before + epochs * pace.epoch + pace.after),
            ]
        table.append((name, str(len(row.left)), f"≤ {most}", *known, row.source))
    lines += _aligned(table) if len(table) > 1 else []
    if unknown := [row for row in rows.values() if row.left and row.source == UNKNOWN]:
        runs = sum(len(row.left) for row in unknown)
        lines.append(f"  {len(unknown)} row(s), {runs} run(s): {UNKNOWN}")
    lines += _in_all(rows, left, setting, places, features)
    return "\n".join(map(shown, lines))


def _aligned(table: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  " + "  ".join(
            word.ljust(width) if number in (0, len(widths) - 1) else word.rjust(width)
            for number, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]  # fmt: skip


def _in_all(
    rows: Mapping[str, Foreseen],
    left: list[Run],
    setting: Setting,
    places: int,
    features: tuple[float, int],
) -> list[str]:
    """Lines on time, memory and disk."""
    known, lines = paces(rows), []
    work = [
        Job(run.name, most_epochs(run), time_runs, (), kind=run.row, done=epochs_done(run, setting))
        for run in left
        if run.row in known
    ]
    if work:
        likely = features[0] + Estimate(known).left(work, places)
        longest = Estimate({name: replace(pace, epochs=np.inf) for name, pace in known.items()})
        end = datetime.now() + timedelta(seconds=likely)
        most = spoken(features[0] + longest.left(work, places))
        lines.append(f"time: about {spoken(likely)}, until {end:%Y-%m-%d %H:%M}; at most {most}")
        lines[0] += ", features included" if features[0] else ""
    if memory := max(row.memory for row in rows.values()):
        held = max(row.resident for row in rows.values())
        said = f", features of {in_bytes(held)} in it" if held else ""
        lines.append(
            f"memory: {places} × {in_bytes(memory)}{said}; "
            f"{in_bytes(device.free_memory())} are free"
        )
    weights = sum(row.weights * len(row.left) for row in rows.values())
    training = places * _COPIES * max(row.weights for row in rows.values())
    if needed := features[1] + 4 * (weights + training):
        here = setting.out.absolute()
        place = next(path for path in (here, *here.parents) if path.exists())
        free = shutil.disk_usage(place).free
        lines.append(
            f"disk: {in_bytes(needed)}, predictions not counted; {in_bytes(free)} are free"
        )
        lines[-1] += ": too little" if needed > free else ""
    return lines
