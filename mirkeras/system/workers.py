"""One function called with many things, in several processes.

A process that is killed (out of memory) takes nothing with it but what it was working on, which is
named; nor is anything shared between the processes that could break (semaphores, queues).
"""

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from mirkeras.system import processes
from mirkeras.system.errors import ExpectedError
from mirkeras.system.jobs import Whose

Item, Result = TypeVar("Item"), TypeVar("Result")
MOST_LOST = 3  # then something ends them all


class WorkersLost(ExpectedError):
    """Processes were ended from outside; the message names what they were working on."""


def work(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: Whose,
    name: Callable[[Item], object] = str,
    *,
    whole: bool = False,
) -> Iterator[Result]:
    """Call a function with every item, each time in one of several processes.

    Parameters
    ----------
    jobs : int, None or Hands
        Number of processes; None: one per processor; or who else does it.
    name : callable
        What to call an item in messages.
    whole : bool
        Whether a worker of a cluster does one item at a time, with all its threads, not one with
        each thread.

    Yields
    ------
    object
        The results, in no fixed order.

    Raises
    ------
    WorkersLost
        Processes were killed; all other items are done, unless it happened `MOST_LOST` times.
    Exception
        What the function raised.
    """
    if jobs is not None and not isinstance(jobs, int):
        yield from jobs.work(function, items, name, whole)
        return
    waiting, lost = deque(items), []
    workers: dict[Connection, processes.BaseProcess] = {}
    busy: dict[Connection, Item] = {}

    def give(connection: Connection) -> None:
        busy[connection] = waiting.popleft()
        with suppress(OSError):  # that it has ended shows when its answer is awaited
            connection.send(busy[connection])

    try:
        while (waiting or busy) and len(lost) < MOST_LOST:
            while waiting and len(busy) < (jobs or processes.usable_cores()):
                with processes.light_start():
                    connection, workers[connection] = processes.start(serve, function)
                give(connection)
            for connection in wait(list(busy)):
                item = busy.pop(connection)
                try:
                    kind, content = connection.recv()
                except (EOFError, OSError):
                    lost.append(str(name(item)))
                    continue
                if kind == "error":
                    raise content
                if waiting:
                    give(connection)
                yield content
    finally:
        processes.end(workers.values())
    refuse_losses(lost)


def refuse_losses(lost: Sequence[str]) -> None:
    """Name what processes were working on that were ended from outside, if any were.

    Raises
    ------
    WorkersLost
        Always, if there is any.
    """
    if lost:
        raise WorkersLost(
            f"{', '.join(lost)}: the process at work on it was ended from outside (killed, or out "
            "of memory); finished work is kept, the same command goes on; where memory is short, "
            "use fewer --jobs or close other programs"
        )


def serve(connection: Connection, function: Callable) -> None:
    """Answer for one item after another until the other end is closed."""
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            answer = "done", function(item)
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = "error", error
        connection.send(answer)
