"""Several runs at once, one process each, with progress bars in the process that asked.

Every job gets a process and a pipe of its own: frameworks leak across trainings, and a process
that is killed (out of memory) then takes nothing with it but its own job.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from tqdm import tqdm

from mirkeras.system import processes
from mirkeras.system.errors import UsageError, explained, is_expected, is_full

ENDED_FROM_OUTSIDE = (
    "its process was ended from outside (out of memory, or killed); the same command goes on from "
    "the last checkpoint, fewer --jobs need less memory"
)


@dataclass(frozen=True)
class Job:
    """One piece of work: `function(*arguments, report)` in another process.

    `report` takes a dictionary with ``epoch``, ``loss``, ``val_loss`` and, if there is one,
    ``val_accuracy`` after every epoch, or how far an epoch is: ``part``, 0 to 1. A job without
    epochs shows nothing. `runs` is how many runs it does, one after another.
    """

    name: str
    epochs: int
    function: Callable
    arguments: tuple
    runs: int = 1


@dataclass
class Worker:
    """A job under way.

    Attributes
    ----------
    full : bool
        Whether it failed because a disk is full.
    """

    job: Job
    process: BaseProcess
    bar: tqdm
    full: bool = False


def run_all(jobs: Sequence[Job], at_once: int, set_up: Callable[[], None]) -> list[tuple[Job, str]]:
    """Run all jobs in order, `at_once` at a time; `set_up` is called first in each process.

    Returns
    -------
    list of (job, message)
        Those that failed; the others are done. A failed job does not stop its neighbours, but on a
        full disk none that waits is begun: it would fail like the first.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after the processes have been ended. Their work up to the last checkpoint stays.
    """
    waiting, running, failed = list(jobs), {}, []
    pause = 0.5 if sys.stderr.isatty() else 30  # seconds
    with tqdm(
        total=sum(job.runs for job in jobs),
        desc="runs",
        unit="run",
        position=0,
        mininterval=pause,
        disable=not any(job.epochs for job in jobs),
    ) as total:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    connection, worker = _start(waiting.pop(0), set_up, running)
                    running[connection] = worker
                for connection in wait(list(running)):
                    ended, message = _listen(connection, running[connection])
                    if ended:
                        worker = _finish(connection, running)
                        total.update(worker.job.runs)
                    if message:
                        failed.append((worker.job, message))
                        waiting = [] if worker.full else waiting
        finally:
            processes.end(worker.process for worker in running.values())
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


def _start(
    job: Job, set_up: Callable[[], None], running: dict[Connection, Worker]
) -> tuple[Connection, Worker]:
    connection, process = processes.start(_do, set_up, job)
    taken = {abs(worker.bar.pos) for worker in running.values()}
    bar = tqdm(
        total=job.epochs,
        desc=job.name,
        unit="epoch",
        position=min(set(range(1, len(taken) + 2)) - taken),
        leave=False,
        disable=not (job.epochs and sys.stderr.isatty()),  # in a log, the count of runs is enough
    )
    return connection, Worker(job, process, bar)


def _listen(connection: Connection, worker: Worker) -> tuple[bool, str | None]:
    """Take one message of a worker: whether it ended, and what went wrong."""
    try:
        kind, content = connection.recv()
    except (EOFError, OSError):  # OSError: it died in the middle of a message
        return True, ENDED_FROM_OUTSIDE
    if kind in ("ended", "full"):
        worker.full = kind == "full"
        return True, content
    if "part" in content:
        worker.bar.set_description_str(f"{worker.job.name} {content['part']:4.0%}")
        return False, None
    said = {"loss": f"{content['loss']:.4f}"}
    if "val_accuracy" in content:
        said["val"] = f"{100 * content['val_accuracy']:.1f} %"
    elif "val_loss" in content:  # where all of it trains, nothing validates
        said["val"] = f"{content['val_loss']:.4f}"
    worker.bar.set_postfix(said, refresh=False)
    worker.bar.update(int(content["epoch"]) - worker.bar.n)
    return False, None


def _finish(connection: Connection, running: dict[Connection, Worker]) -> Worker:
    worker = running.pop(connection)
    worker.bar.close()
    worker.process.join()
    connection.close()
    return worker


def _do(connection: Connection, set_up: Callable[[], None], job: Job) -> None:
    kind, message = "ended", None
    try:
        set_up()
        job.function(*job.arguments, lambda line: connection.send(("line", line)))
    except Exception as error:
        message = explained(error) if is_expected(error) else traceback.format_exc()
        kind = "full" if is_full(error) else kind
    connection.send((kind, message))
