"""What a command's runs will take, told before the first begins: time, memory, disk.

How long an epoch lasts is known from finished runs and those under way, if they are of this
hardware; else a few steps are timed, in processes like those of the runs, as many at once. Before
there are features they are timed on made-up segments, as many as the tracks would give.
"""

import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import cycle, islice
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from data_prep.prepare import Prepared
from mirkeras.cache import FeatureCache
from mirkeras.evaluation.results import recorded
from mirkeras.experiment import Experiment, find_experiment
from mirkeras.experiment.division import Parts, tracks_of
from mirkeras.experiment.records import read_record
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.pipeline.labels import Labels
from mirkeras.pipeline.segments import Segments, cut
from mirkeras.system import jobs
from mirkeras.system.errors import say, shown
from mirkeras.system.estimate import Estimate, Pace, spoken
from mirkeras.system.jobs import Job, Whose, hands
from mirkeras.system.machine import device
from mirkeras.training.fit import time_steps
from mirkeras.training.learners import LEARNERS
from mirkeras.training.plan import Plan, batch_of, divide_run, make_plan, plan_run, run_seed

#: Fewer epochs in all are done before they could be timed.
MANY = 300
#: Copies of a network's weights on disk while it trains: its own, the best, the optimiser's.
_COPIES = 4


@dataclass(frozen=True)
class MadeUp:
    """The tracks a command would have, where there are no features yet.

    Attributes
    ----------
    tracks : DataFrame
        As of `mirkeras.experiment.division.tracks_of`.
    frames : dict
        Recipe → frames of a usual track.
    names : tuple of str
        Classes or tags.
    """

    tracks: pd.DataFrame
    frames: Mapping[str, int]
    names: tuple[str, ...]

    @classmethod
    def of(cls, prepared: Prepared, frames: Mapping[str, int]) -> "MadeUp":
        """Put tracks of a usual length in the place of a data set's."""
        tracks = prepared.index.set_index("track").sort_index()
        stratum = "" if prepared.dataset.tags else tracks.label
        return cls(tracks.assign(heard=True, stratum=stratum), frames, prepared.classes)


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
        Whether to time steps also where the runs are few and short.
    """
    rows: dict[str, Foreseen] = {}
    for run in (run for wave in waves for run in wave):
        row = rows.setdefault(run.row, Foreseen(0))
        row.runs += 1
        record = read_record(run.directory(setting.out))
        if record is None or record["status"] != "finished":
            row.left.append(run)
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
    for run in runs:
        directory = run.directory(setting.out)
        record = read_record(directory)
        machine = record and (record.get("hardware"), record.get("threads"))
        if not record or (setting.hardware and machine != (setting.hardware, setting.threads)):
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
            row.source = "not known before one is done"
    if not chosen:
        return
    # neighbours compete for the processor, as they will: a single row is timed several times
    places = min(hands(whose).places(), sum(len(row.left) for row in rows.values()))
    chosen = list(islice(cycle(chosen), max(len(chosen), places)))
    work = []
    for number in range(places):
        mine = chosen[number::places]
        work.append(Job("timing steps", 1, time_runs, (mine, setting, made_up), len(mine)))
    timed: dict[str, list[dict]] = {}
    watch = Estimate()
    failed = jobs.run_all(
        work,
        whose,
        setting.set_up,
        what="timing rows",
        estimate=watch,
        heard=lambda job, line: timed.setdefault(line["row"], []).append(line),
    )
    for _, message in failed:
        say(f"not timed: {message}")
    inside = sum(line["took"] for lines in timed.values() for line in lines)
    start = watch.pace("").around - inside / len(chosen) if watch.pace("") else 0.0
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
    row.pace = Pace(start + mean["around"], mean["epoch"], epochs)
    row.source = f"{mean['steps']:.0f} steps"
    row.weights, row.memory, row.resident = (
        int(mean[name]) for name in ("weights", "memory", "resident")
    )


def time_runs(
    runs: list[Run], setting: Setting, made_up: MadeUp | None, report: Callable[[dict], None]
) -> None:
    """Time a few steps of each run, as a job (see `mirkeras.system.jobs.Job`)."""
    setting = setting.here()
    for number, run in enumerate(runs, 1):
        began = time.monotonic()
        try:
            found = _time_run(run, setting, made_up)
        except ValueError as error:  # a usual track does not suit it
            found = {"unfit": str(error)}
        keras.backend.clear_session()
        took = time.monotonic() - began
        report({"part": number / len(runs), "row": run.row, "took": took, **found})


def _time_run(run: Run, setting: Setting, made_up: MadeUp | None) -> dict:
    began, experiment = time.monotonic(), find_experiment(run.paper)
    # what it starts from may not be trained yet, and takes no time
    row = replace(experiment.rows[run.row], starts_from=(), transfer=None)
    experiment = replace(experiment, rows=experiment.rows | {run.row: row})
    if made_up is None:
        protocol = experiment.protocol_of(run.protocol, run.row)
        learner = LEARNERS[experiment.learner_of(run.protocol, run.row)]
        cache, _ = learner.inputs(run, row, protocol, setting)
        tracks = tracks_of(cache, setting.index, setting.tags)
        plan, _, _ = plan_run(run, experiment, setting, cache, tracks)
        sizes = [len(part) for part in (plan.train, plan.validation, plan.test)]
        held = int(cache.offsets[-1]) * cache.bands * np.dtype(cache.dtype).itemsize
    else:
        plan, sizes, held = _plan_made_up(run, experiment, setting, made_up)
    steps = plan.feed.steps(sizes[0], plan.batch, plan.drop_incomplete)
    timed = time_steps(plan, steps)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "epoch": steps * timed.step + sizes[1] * timed.scored,
        "around": time.monotonic() - began - timed.seconds + sizes[2] * timed.scored,
        "steps": timed.steps,
        "weights": plan.network.count_params(),
        "memory": kibibytes if sys.platform == "darwin" else kibibytes * 1024,
        "resident": held if plan.feed.resident else 0,
    }


class _Noise(FeatureCache):
    """A cache of frames that were never extracted."""

    def memmap(self) -> np.ndarray:
        shape = (int(self.offsets[-1]), self.bands)
        values = np.random.default_rng(0).normal(0, 0.1, shape)
        return (values / self.scale).astype(self.dtype)

    def raw_segments(self, first: np.ndarray, length: int) -> np.ndarray:
        return self.memmap()[first[:, None] + np.arange(length)]


def _plan_made_up(
    run: Run, experiment: Experiment, setting: Setting, made_up: MadeUp
) -> tuple[Plan, list[int], int]:
    """Plan a run on two batches of noise; also how many segments its parts would have, and bytes.

    Raises
    ------
    ValueError
        A usual track is too short for the row.
    """
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    recipe, each = find_recipe(row.recipe), made_up.frames[row.recipe]
    offsets = np.arange(len(made_up.tracks) + 1) * each
    segments = cut(protocol.cut, offsets, row.frames, run.seed, recipe.deformed)
    parts = divide_run(run, protocol, segments, made_up.tracks)
    sizes = [len(part) for part in (parts.train, parts.validation, parts.test)]
    held = int(offsets[-1]) * recipe.bands * np.dtype(recipe.dtype).itemsize

    batch = batch_of(run, experiment)
    many = 2 * batch
    first = np.arange(many) * row.frames
    noise = _Noise(
        path=setting.index, tracks=(), offsets=np.append(first, many * row.frames),
        bands=recipe.bands, dtype=recipe.dtype, identity={}, fingerprint="",
        rejected=pd.DataFrame(),
    )  # fmt: skip
    shape = (many, len(made_up.names)) if setting.tags else many
    labels = Labels(made_up.names, np.zeros(shape, np.float32 if setting.tags else np.int32))
    every = np.arange(many)
    validating = every if sizes[1] else every[:0]
    plan = make_plan(
        replace(row, standardise=False),
        protocol,
        noise,
        Segments(first, every, row.frames),
        Parts(every, validating, every, every),
        labels,
        batch=batch,
        max_epochs=run.max_epochs,
        seed=run_seed(run),
        memory_budget=sys.maxsize if held <= setting.memory_budget else 0,
    )
    return plan, sizes, held


def paces(rows: Mapping[str, Foreseen]) -> dict[str, Pace]:
    """What is known of rows, for an `Estimate` of their jobs."""
    return {name: row.pace for name, row in rows.items() if row.pace}


def told(rows: Mapping[str, Foreseen], setting: Setting, whose: Whose) -> str:
    """Say what is ahead: a line per row, then time, memory and disk."""
    places, left = hands(whose).places(), [run for row in rows.values() for run in row.left]
    done = sum(row.runs for row in rows.values()) - len(left)
    epochs = sum(run.max_epochs for run in left)
    said = f"plan: {len(left)} run(s), at most {epochs:,} epoch(s) in all, {places} at once"
    lines = [said + (f"; {done} are finished and skipped" if done else "")]
    if not any(row.source for row in rows.values() if row.left):
        return lines[0]
    table = [("row", "runs", "epochs", "likely", "an epoch", "a run", "known from")]
    for name, row in rows.items():
        if not row.left:
            continue
        most = max(run.max_epochs for run in row.left)
        known = ["–"] * 3
        if pace := row.pace:
            epochs = min(pace.epochs, most)
            known = [
                f"{epochs:.0f}",
                spoken(pace.epoch) if pace.epoch else "–",
                spoken(pace.around + epochs * pace.epoch),
            ]
        table.append((name, str(len(row.left)), f"≤ {most}", *known, row.source))
    lines += _aligned(table)
    lines += _in_all(rows, left, setting, places)
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
    rows: Mapping[str, Foreseen], left: list[Run], setting: Setting, places: int
) -> list[str]:
    """Lines on time, memory and disk."""
    known = paces(rows)
    work = [
        Job(run.name, run.max_epochs, time_runs, (), kind=run.row, done=epochs_done(run, setting))
        for run in left
        if run.row in known
    ]
    longest = Estimate({name: replace(pace, epochs=np.inf) for name, pace in known.items()})
    lines = []
    if work:
        likely = Estimate(known).left(work, places)
        end = datetime.now() + timedelta(seconds=likely)
        most = spoken(longest.left(work, places))
        lines.append(f"time: about {spoken(likely)}, until {end:%Y-%m-%d %H:%M}; at most {most}")
        if others := len({run.row for run in left} - set(known)):
            lines[-1] += f"; without the {others} row(s) that nothing is known of"
    if memory := max(row.memory for row in rows.values()):
        held = max(row.resident for row in rows.values())
        said = f", features of {held / device.GIB:.2f} GiB in it" if held else ""
        lines.append(
            f"memory: {min(places, len(left))} × {memory / device.GIB:.1f} GiB{said}; "
            f"{device.free_memory() / device.GIB:.1f} GiB are free"
        )
    if weights := sum(row.weights * len(row.left) for row in rows.values()):
        training = places * _COPIES * max(row.weights for row in rows.values())
        place = next(
            path
            for path in (setting.out.absolute(), *setting.out.absolute().parents)
            if path.exists()
        )
        lines.append(
            f"disk: runs {4 * (weights + training) / device.GIB:.2f} GiB; "
            f"{shutil.disk_usage(place).free / device.GIB:.1f} GiB are free"
        )
    return lines
