"""Several runs at once, one process each, with progress bars in the process that asked.

Every job gets a process and a pipe of its own: frameworks leak across trainings, and a process
that is killed (out of memory) then takes nothing with it but its own job. Where these processes
are is the business of `Hands`: on this machine, or on the workers of a cluster.
"""

import sys
import time
import traceback
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol, TypeAlias

from tqdm import tqdm

from mirkeras.system import processes
from mirkeras.system.errors import ExpectedError, UsageError, explained, is_expected, is_full
from mirkeras.system.estimate import BAR, Estimate, still
from mirkeras.system.machine import cards

ENDED_FROM_OUTSIDE = (
    "its process was ended from outside (out of memory, or killed); the same command goes on from "
    "the last checkpoint, fewer --jobs need less memory"
)
#: Seconds between two looks of a bar on a screen; in a log, and there while no run ends.
PAUSE, LOG_PAUSE, LONG_PAUSE = 0.5, 30, 600
#: What `run_all` says of a job that somebody else has begun.
BUSY = "another command is at work on it"


class Busy(ExpectedError):
    """Somebody else is at work on what a job is about, and it was not to wait."""


@dataclass(frozen=True)
class Job:
    """One piece of work: `function(*arguments, report)` in another process.

    `report` takes a dictionary with ``epoch``, ``loss``, ``val_loss`` and, if there is one,
    ``val_accuracy`` after every epoch, or how far an epoch is: ``part``, 0 to 1. A job without
    epochs shows nothing. `runs` is how many runs it does, one after another; jobs of one `kind`
    take about as long. `done` of the epochs an earlier process has done.
    """

    name: str
    epochs: int
    function: Callable
    arguments: tuple
    runs: int = 1
    kind: str = ""
    done: int = 0


class Hands(Protocol):
    """Who works: processes of this machine (`Processes`), or `mirkeras.system.cluster.Cluster`."""

    def places(self) -> int:
        """How many jobs there is room for at once; a cluster grows and shrinks."""

    def begin(self, job: Job, set_up: Callable[[], None]) -> Hashable:
        """Begin a job; returns its key."""

    def news(self) -> list[tuple[Hashable, str, object]]:
        """Wait for messages of jobs: (key, kind, content); after a while there may be none.

        The kinds are ``line`` (content: what the job reported) and the last one of each job:
        ``ended`` (content: None, or why it failed), ``full`` (a disk is) or ``busy``.
        """

    def end(self) -> None:
        """End whatever is under way."""

    def work(
        self, function: Callable, items: Sequence, name: Callable[[object], object], whole: bool
    ) -> Iterator:
        """As `mirkeras.system.workers.work`."""


#: Processes at once on this machine (None: one per processor core), or others' hands.
Whose: TypeAlias = int | Hands | None


class Processes:
    """Jobs in processes of this machine, each with one GPU where there are any; see `Hands`."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._running: dict[Connection, BaseProcess] = {}
        self._cards: cards.Places | None = None
        self._places: dict[Connection, int | None] = {}

    def places(self) -> int:
        return self._at_once

    def begin(self, job: Job, set_up: Callable[[], None]) -> Connection:
        if self._cards is None:  # before the first one takes memory
            from mirkeras.system.machine import (
                device,  # TensorFlow, which not all that import this need
            )

            self._cards = cards.Places(device.cards_seen(), self._at_once)
        place = self._cards.take()
        with processes.variables(self._cards.variables(place)):
            connection, self._running[connection] = processes.start(do, set_up, job)
        self._places[connection] = place
        return connection

    def news(self) -> list[tuple[Connection, str, object]]:
        found = []
        for connection in wait(list(self._running), timeout=PAUSE):
            try:
                kind, content = connection.recv()
            except (EOFError, OSError):  # OSError: it died in the middle of a message
                kind, content = "ended", ENDED_FROM_OUTSIDE
            if kind != "line":
                self._running.pop(connection).join()
                self._cards.leave(self._places.pop(connection))
                connection.close()
            found.append((connection, kind, content))
        return found

    def end(self) -> None:
        processes.end(self._running.values())


def hands(whose: Whose) -> Hands:
    """Turn a number of processes into who works."""
    if whose is None or isinstance(whose, int):
        return Processes(whose or processes.usable_cores())
    return whose


@dataclass
class Worker:
    """A job under way, and its bar."""

    job: Job
    bar: tqdm
    earlier: int = 0  # epochs of trainings before this one
    last: int = 0

    def show(self, line: dict) -> None:
        """Show how far it is."""
        if "part" in line:
            self.bar.set_description_str(f"{self.job.name} {line['part']:4.0%}")
            return
        said = {"loss": f"{line['loss']:.4f}"}
        if "val_accuracy" in line:
            said["val"] = f"{100 * line['val_accuracy']:.1f} %"
        elif "val_loss" in line:  # where all of it trains, nothing validates
            said["val"] = f"{line['val_loss']:.4f}"
        self.bar.set_postfix(said, refresh=False)
        epoch = int(line["epoch"])
        if epoch <= self.last:  # a job that trains a second time
            self.earlier += self.last
        self.last = epoch
        self.bar.update(self.earlier + epoch - self.bar.n)


def run_all(
    jobs: Sequence[Job],
    whose: Whose,
    set_up: Callable[[], None],
    *,
    what: str = "runs",
    estimate: Estimate | None = None,
    heard: Callable[[Job, dict], None] = lambda job, line: None,
) -> list[tuple[Job, str]]:
    """Run all jobs in order, as many at a time as there are places for.

    Parameters
    ----------
    whose : int, None or Hands
        How many processes of this machine at a time, or who else runs them.
    set_up : callable
        Called first in each process.
    what : str
        What the bar counts.
    estimate : Estimate or None
        What is known of how long jobs take; it learns from them, and the bar says what is left.
    heard : callable
        Gets each job's reports.

    Returns
    -------
    list of (job, message)
        Those that failed, or are `BUSY`; the others are done. A failed job does not stop its
        neighbours, but on a full disk none that waits is begun: it would fail like the first.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after the processes have been ended. Their work up to the last checkpoint stays.
    """
    workers, running = hands(whose), {}
    waiting, failed = list(jobs), []
    estimate = estimate or Estimate()
    with _total(jobs, what) as total:
        try:
            while waiting or running:
                while waiting and len(running) < workers.places():
                    job = waiting.pop(0)
                    key = workers.begin(job, set_up)
                    running[key] = Worker(job, _bar(job, running.values()))
                    estimate.begun(key, job)
                for key, kind, content in workers.news():
                    if kind == "line":
                        heard(running[key].job, content)
                        estimate.heard(key, content)
                        running[key].show(content)
                        continue
                    worker = running.pop(key)
                    worker.bar.close()
                    estimate.ended(key, not content)
                    _tell_left(total, estimate.left(waiting, workers.places()), redrawn=False)
                    total.update(0 if kind == "busy" else worker.job.runs)
                    failed += [(worker.job, content)] if content else []
                    waiting = [] if kind == "full" else waiting
                if _is_due(total):
                    _tell_left(total, estimate.left(waiting, workers.places()), redrawn=True)
        finally:
            workers.end()
            for worker in running.values():
                worker.bar.close()
    return failed


def apart(set_up: Callable[[], None], function: Callable, *arguments) -> None:
    """Call `function(*arguments, report)` in a process of its own: a check that touches a device.

    Raises
    ------
    UsageError
        What it could not do.
    """
    for _, message in run_all([Job("check", 0, function, arguments)], 1, set_up):
        raise UsageError(message)


def _total(jobs: Sequence[Job], what: str) -> tqdm:
    return tqdm(
        total=sum(job.runs for job in jobs),
        desc=what,
        unit="run",
        position=0,
        mininterval=PAUSE if sys.stderr.isatty() else LOG_PAUSE,
        bar_format=BAR,
        disable=not any(job.epochs for job in jobs),
    )


def _tell_left(bar: tqdm, seconds: float | None, redrawn: bool) -> None:
    """Let a bar say how long it will take."""
    bar.set_postfix_str(still(seconds), refresh=redrawn)
    if redrawn:
        bar.last_print_t = time.time()


def _is_due(bar: tqdm) -> bool:
    """Whether a bar is to be drawn anew though no run has ended."""
    pause = PAUSE if sys.stderr.isatty() else LONG_PAUSE
    return not bar.disable and time.time() - bar.last_print_t > pause


def _bar(job: Job, others: Iterable[Worker]) -> tqdm:
    taken = {abs(worker.bar.pos) for worker in others}
    return tqdm(
        total=job.epochs,
        desc=job.name,
        unit="epoch",
        position=min(set(range(1, len(taken) + 2)) - taken),
        leave=False,
        disable=not (job.epochs and sys.stderr.isatty()),  # in a log, the count of runs is enough
    )


def do(connection: Connection, set_up: Callable[[], None], job: Job) -> None:
    """Do a job in a process of its own, and say through the connection what comes of it."""
    kind, message = "ended", None
    try:
        set_up()
        job.function(*job.arguments, lambda line: connection.send(("line", line)))
    except Busy:
        kind, message = "busy", BUSY
    except Exception as error:
        message = explained(error) if is_expected(error) else traceback.format_exc()
        kind = "full" if is_full(error) else kind
    connection.send((kind, message))
