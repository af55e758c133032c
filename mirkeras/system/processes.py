"""What processes started by this suite have in common.

They are spawned, never forked: a forked copy of a process that runs TensorFlow or holds an open
HDF5 file may hang.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import NoReturn

from mirkeras.system import interrupts
from mirkeras.system.errors import explained, is_expected, notes_in_a_line, say
from mirkeras.system.machine import limits
from mirkeras.system.quiet import speak_past_silence

SPAWN = multiprocessing.get_context("spawn")
GRACE = 1.0  # seconds, less than that of `interrupts`
#: Variables of processes on a cluster: threads of the worker, and the workers of its machine.
THREADS, SHARING = "MIRKERAS_THREADS", "MIRKERAS_SHARING"
#: Variable of a process that has a GPU: bytes of features that it may hold there.
BUDGET = "MIRKERAS_BUDGET"

# Each worker is one of several: more threads inside would only compete, and the number of threads
# changes the last bits of BLAS. Read when NumPy is loaded, hence set before the workers start.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def usable_cores() -> int:
    """Cores this process may keep busy; containers often allow fewer than the machine has."""
    bound = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if bound else os.cpu_count() or 1
    quota = limits.cpu_quota()
    return cores if quota is None else max(1, min(cores, int(quota)))


def start(target: Callable, *arguments: object) -> tuple[Connection, BaseProcess]:
    """Start a process that calls ``target(connection, *arguments)``.

    Returns
    -------
    (Connection, BaseProcess)
        The other end of the connection, which is closed when the process has ended; the process.
    """
    return start_packed(packed(target, *arguments))


def packed(target: Callable, *arguments: object) -> bytes:
    """Pack a call, so that what unpacking imports is imported by a process that has begun."""
    return pickle.dumps((target, arguments))


def start_packed(work: bytes) -> tuple[Connection, BaseProcess]:
    """Start a process with what `packed` made; as `start`."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=_in_process, args=(there, work))
    with interrupts.held():
        process.start()
    there.close()
    return here, process


def end(started: Iterable[BaseProcess]) -> None:
    """End processes: what they are writing is put away, where that takes no longer than `GRACE`."""
    started, until = list(started), time.monotonic() + GRACE
    for process in started:
        process.terminate()
    for process in started:
        process.join(max(0, until - time.monotonic()))
        process.kill()
        process.join()


def begin() -> None:
    """Begin a worker: Ctrl-C is the parent's to handle, and the parent's death ends the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    notes_in_a_line()
    speak_past_silence()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _in_process(connection: Connection, work: bytes) -> None:
    status = 1
    try:
        begin()
        target, arguments = pickle.loads(work)
        target(connection, *arguments)
        status = 0
    except SystemExit:
        pass
    except Exception as error:
        if not is_expected(error):
            traceback.print_exc()
        else:
            say(explained(error))
    finally:
        with suppress(OSError, ValueError, AttributeError):  # nobody may listen any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # frameworks take their time to tidy up what ends anyway


def _leave(*_) -> NoReturn:
    """Leave what is under way as for an error: nothing half-written remains."""
    raise SystemExit


def _end_with_parent() -> None:
    """Leave when the parent was killed: nobody else would stop an idle worker."""
    multiprocessing.parent_process().join()
    os._exit(1)


def lent(name: str, otherwise: int) -> int:
    """What this process was started with: `THREADS`, `SHARING` or `BUDGET`."""
    return int(os.environ.get(name, otherwise))


@contextmanager
def variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Give processes started inside the block some variables; this process gets its own back.

    A process inherits those of its parent, and needs them before it imports anything: what is sent
    to it comes too late.
    """
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def light_start(one_thread: bool = True) -> Iterator[None]:
    """Let processes started inside the block use one thread and leave the main module alone.

    A spawned process imports the program's main module again. Workers that only compute features or
    sounds need nothing from it, and it may cost much (TensorFlow) or, without a `__main__` guard,
    try to build the same cache once more.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        with variables(_ONE_THREAD if one_thread else {}):
            yield
    finally:
        sys.modules["__main__"] = main
