"""Several runs at once, one process each, with progress bars in the process that asked."""

import multiprocessing
import os
import queue
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from tqdm import tqdm

POLL_SECONDS = 0.2
RUNS_PER_PROCESS = 20  # then a fresh one, so that whatever a framework leaks stays bounded

_lines: multiprocessing.Queue  # of a worker: where its log lines go
_parent: int  # of a worker: the process that asked


@dataclass(frozen=True)
class Job:
    """One piece of work: `function(*arguments, report)` in another process.

    `report` takes a dictionary with ``epoch``, ``loss`` and ``val_accuracy`` after every epoch.
    """

    name: str
    epochs: int
    function: Callable
    arguments: tuple


def run_all(
    jobs: Sequence[Job], at_once: int, set_up: Callable, set_up_arguments: tuple
) -> list[tuple[Job, BaseException]]:
    """Run all jobs, `at_once` at a time; `set_up` is called first in each process.

    Returns
    -------
    list of (job, exception)
        Those that failed; the others are done. A failed job does not stop its neighbours.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after the processes have been ended. Their work up to the last checkpoint stays.
    """
    # spawn: neither TensorFlow nor HDF5 survives a fork
    context = multiprocessing.get_context("spawn")
    lines = context.Queue()
    pool = ProcessPoolExecutor(
        at_once,
        mp_context=context,
        initializer=_begin,
        initargs=(lines, os.getpid(), set_up, set_up_arguments),
        max_tasks_per_child=RUNS_PER_PROCESS,
    )
    try:
        futures = {pool.submit(_work, job): job for job in jobs}
        failed = _watch(futures, lines)
    except BaseException:
        for process in list(pool._processes.values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return failed


def _begin(lines: multiprocessing.Queue, parent: int, set_up: Callable, arguments: tuple) -> None:
    global _lines, _parent
    _lines, _parent = lines, parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    set_up(*arguments)


def _work(job: Job) -> None:
    job.function(*job.arguments, lambda line: _report(job.name, line))


def _report(name: str, line: dict) -> None:
    if os.getppid() != _parent:  # the parent was killed: nobody waits for this any more
        os._exit(1)
    _lines.put((name, line))


def _watch(
    futures: dict[Future, Job], lines: multiprocessing.Queue
) -> list[tuple[Job, BaseException]]:
    failed = []
    bars: dict[str, tqdm] = {}
    epochs = {job.name: job.epochs for job in futures.values()}
    waiting = set(futures)
    pause = 0.5 if sys.stderr.isatty() else 30  # seconds
    with tqdm(total=len(futures), desc="runs", unit="run", position=0, mininterval=pause) as total:
        while waiting:
            done, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            _show(lines, bars, epochs)
            for future in done:
                job = futures[future]
                if job.name in bars:
                    bars.pop(job.name).close()
                total.update()
                if error := future.exception():
                    failed.append((job, _explained(error)))
                    tqdm.write(f"failed: {job.name}: {failed[-1][1]}")
    return failed


def _show(lines: multiprocessing.Queue, bars: dict[str, tqdm], epochs: dict[str, int]) -> None:
    while True:
        try:
            name, line = lines.get_nowait()
        except queue.Empty:
            return
        if name not in bars:
            place = 1 + min(set(range(len(bars) + 1)) - {abs(bar.pos) - 1 for bar in bars.values()})
            bars[name] = tqdm(
                total=epochs[name],
                desc=name,
                unit="epoch",
                position=place,
                leave=False,
                disable=not sys.stderr.isatty(),  # in a log, the count of runs is enough
            )
        accuracy = f"{100 * line['val_accuracy']:.1f} %"
        bars[name].set_postfix(loss=f"{line['loss']:.3f}", val=accuracy, refresh=False)
        bars[name].update(int(line["epoch"]) - bars[name].n)


def _explained(error: BaseException) -> BaseException:
    if isinstance(error, BrokenProcessPool):
        return RuntimeError(
            "its process was ended from outside (out of memory, or killed); the same command goes "
            "on from the last checkpoint, fewer --jobs need less memory"
        )
    return error
