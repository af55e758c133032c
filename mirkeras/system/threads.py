"""Several iterators worked through at once, in threads."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

_POLL = 0.1  # seconds between two looks of a waiting thread at whether it should end


T = TypeVar("T")


def ahead(
    function: Callable[[Any], Iterator[T]],
    arguments: Iterable[Any],
    *,
    threads: int,
    depth: int = 2,
) -> Iterator[tuple[Any, Iterator[T]]]:
    """Work through several iterators in threads, and give their items in order.

    Parameters
    ----------
    function
        Makes an iterator of an argument.
    arguments
        Taken one by one, no sooner than their turn comes.
    depth
        Items of each that wait to be taken at most; then its thread waits. So no more than
        ``threads * (depth + 1)`` items exist at any time, however many and long the iterators.

    Yields
    ------
    (argument, iterator)
        In the order of the arguments; the iterator must be used up, or raise, before the next pair
        is asked for. It raises what the function's own raised. When the caller stops early, the
        threads end after the item they are at.
    """
    arguments, stop, running = iter(arguments), threading.Event(), deque()
    try:
        while True:
            for argument in islice(arguments, threads - len(running)):
                running.append((argument, _start(function, argument, depth, stop)))
            if not running:
                return
            argument, (items, thread) = running[0]
            yield argument, _taken(items)
            running.popleft()
            thread.join()
    finally:
        stop.set()
        for _, (_, thread) in running:
            thread.join()


def _start(
    function: Callable[[Any], Iterator[T]], argument: Any, depth: int, stop: threading.Event
) -> tuple[queue.Queue, threading.Thread]:
    """Let a thread put items, then the end or an error, into a queue."""
    items: queue.Queue = queue.Queue(depth)

    def put(kind: str, content: object = None) -> None:
        while not stop.is_set():
            try:
                return items.put((kind, content), timeout=_POLL)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in function(argument):
                put("item", item)
                if stop.is_set():
                    return
            put("end")
        except BaseException as error:  # whatever it is, it is for the one who takes the items
            put("error", error)

    thread = threading.Thread(target=work, daemon=True, name=f"ahead {argument}")
    thread.start()
    return items, thread


def _taken(items: queue.Queue) -> Iterator[Any]:
    """Take what a thread puts."""
    while True:
        kind, content = items.get()
        if kind == "error":
            raise content
        if kind == "end":
            return
        yield content
