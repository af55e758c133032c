"""What Dask's workers do for a command: each piece of work in a process of its own, as `--jobs`.

Dask's own processes stay clean (no TensorFlow, no memory of a GPU): a task is a thread there that
starts a process, hands on what it says, and ends it when nobody wants its result any more.
"""

import hashlib
import multiprocessing
import multiprocessing.util
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeAlias

from distributed import Status, Worker, get_worker

import mirkeras
from mirkeras.system import processes

#: What decides numbers beside the suite's own code.
LIBRARIES = ("keras", "tensorflow", "jax", "numpy", "scipy", "pandas", "scikit-learn", "h5py")
LIBRARIES += ("librosa", "soundfile", "soxr", "av", "distributed")
#: Beginnings of the variables that a process gets from the command's machine.
SETTINGS = ("KERAS_", "TF_", "XLA_", "JAX_", "OMP_", "OPENBLAS_", "MKL_", "HDF5_", "MIRKERAS_")
LOOK = 0.5  # seconds between two looks at whether a result is still wanted
IDLE = 30.0  # seconds that a process waits for its next item
SEEN = 10.0  # seconds after which a new file must be seen: network drives take a while

Served: TypeAlias = tuple[Connection, BaseProcess]


class Lost(Exception):
    """The process of a task was ended from outside; Dask tries the task once more."""


@dataclass(frozen=True)
class Terms:
    """What every task of a command brings.

    Attributes
    ----------
    topic : str
        Name of the command among those that use the workers, and of its messages.
    versions : dict
        What a worker must have: the command's own `versions`.
    settings : dict
        The command's variables of `SETTINGS`.
    beacons : dict
        File that the command has just written → its content.
    sizes : dict
        File or folder that must be there → its bytes, of a folder -1.
    """

    topic: str
    versions: dict[str, str]
    settings: dict[str, str]
    beacons: dict[str, str]
    sizes: dict[str, int]


def versions() -> dict[str, str]:
    """What decides numbers here: Python, the suite's code, libraries, each with its version."""
    major, minor, _ = platform.python_version_tuple()
    found = {"Python": f"{major}.{minor}", "mirkeras": f"{mirkeras.__version__} ({_code()})"}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _code() -> str:
    """Digest the suite's files: a version number stands for many states of a working copy."""
    digest = hashlib.sha256()
    for package in ("mirkeras", "data_prep", "reproductions"):
        home = find_spec(package).submodule_search_locations[0]
        for path in sorted(Path(home).rglob("*.py")):
            name = path.relative_to(home)
            if name.parts[0] != "_suite":  # where an installed copy holds the others
                digest.update(f"{package}/{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def settings() -> dict[str, str]:
    """The variables of this process that decide numbers."""
    return {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}


def size(path: Path) -> int:
    """Bytes of a file, -1 of a folder, -2 of nothing."""
    if path.is_dir():
        return -1
    return path.stat().st_size if path.is_file() else -2


_fit: dict[str, str] = {}  # command → what `unfit` found here
_looking, _starting = threading.Lock(), threading.Lock()


def unfit(terms: Terms) -> str:
    """Say why this worker cannot work for a command, and the remedy; empty if it can."""
    with _looking:
        if terms.topic not in _fit:
            _fit[terms.topic] = _unfit(terms)
        return _fit[terms.topic]


def _unfit(terms: Terms) -> str:
    here = versions()
    for name in {**terms.versions, **here}:
        wanted, found = (known.get(name, "none") for known in (terms.versions, here))
        needed = name != "jax" or terms.settings.get("KERAS_BACKEND") == "jax"
        if needed and wanted != found:
            return f"has {name} {found}, this command {wanted}: install the same in both places"
    for name, content in terms.beacons.items():
        if not _sees(Path(name), content):
            folder = Path(name).parent
            return f"does not see what is written to {folder}: use a folder that all machines share"
        if not os.access(Path(name).parent, os.W_OK):
            return f"may not write to {Path(name).parent}: change its permissions"
    for name, wanted in terms.sizes.items():
        if size(Path(name)) != wanted:
            return f"does not see {name} as it is here: put it in a folder that all machines share"
    return ""


def _sees(path: Path, content: str) -> bool:
    until = time.monotonic() + SEEN
    while True:
        with suppress(OSError, ValueError):
            if path.read_text(encoding="utf-8") == content:
                return True
        if time.monotonic() > until:
            return False
        os.listdir(path.parent) if path.parent.is_dir() else None  # lets a network drive look anew
        time.sleep(LOOK)


def perform(work: bytes, terms: Terms) -> tuple[str, object]:
    """Do a job, see `mirkeras.system.jobs.do`: its last message; the others go to the topic."""
    worker = get_worker()
    key = worker.get_current_task()
    if why := unfit(terms):
        return "unfit", f"worker {worker.address} {why}"
    connection, process = _start(work, terms, worker)
    with _ended(connection, process):
        while _answers(connection, worker, key):
            kind, content = _received(connection.recv)
            if kind != "line":
                return kind, content
            line = {
                name: value if isinstance(value, str) else float(value)
                for name, value in content.items()
            }
            worker.log_event(terms.topic, {"key": key, "line": line})
    return "ended", None  # nobody listens


def serve(work: bytes, item: bytes, whole: bool, terms: Terms) -> tuple[str, object]:
    """Let a process of `mirkeras.system.workers.serve` answer for an item: its answer, packed."""
    worker = get_worker()
    key = worker.get_current_task()
    if why := unfit(terms):
        return "unfit", f"worker {worker.address} {why}"
    served = _idle_one((work, whole)) or _start(work, terms, worker, light=not whole)
    connection, process = served
    with _ended(connection, process) as stays:
        with suppress(OSError):  # that it has ended shows when its answer is awaited
            connection.send_bytes(item)
        if not _answers(connection, worker, key):
            return "ended", None
        answer = _received(connection.recv_bytes)
        stays.append(True)
    with _looking:
        _idle.append((time.monotonic(), (work, whole), served))
    worker.loop.add_callback(partial(worker.loop.call_later, IDLE, _end_idle))
    return "answer", answer


def _start(work: bytes, terms: Terms, worker: Worker, light: bool = False) -> Served:
    """Start a process, with the variables of the command and not those that Dask sets."""
    lent = {processes.THREADS: str(worker.state.nthreads)}
    with _starting, _variables(terms.settings | lent), _parent(), processes.light_start(light):
        started = processes.start_packed(work)
    _under_way.add(started[1])
    return started


@contextmanager
def _variables(wanted: dict[str, str]) -> Iterator[None]:
    before = settings()
    for name in before:
        del os.environ[name]
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name in settings():
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _parent() -> Iterator[None]:
    """Let a process of Dask, which is a daemon, have processes of its own."""
    facts = multiprocessing.current_process()._config
    before, facts["daemon"] = facts.get("daemon"), False
    try:
        yield
    finally:
        facts["daemon"] = before


@contextmanager
def _ended(connection: Connection, process: BaseProcess) -> Iterator[list]:
    """End a process after the block, unless something was put into what the block is given."""
    stays: list = []
    try:
        yield stays
    finally:
        if not stays:
            connection.close()
            processes.end([process])
            _under_way.discard(process)


def _answers(connection: Connection, worker: Worker, key: str) -> bool:
    """Wait until a process says something; False when its result is no longer wanted."""
    while _is_wanted(worker, key):
        if connection.poll(LOOK):
            return True
    return False


def _is_wanted(worker: Worker, key: str) -> bool:
    """Whether the command still waits for a task, as far as its worker knows."""
    task = worker.state.tasks.get(key)
    return worker.status == Status.running and task is not None and task.state != "cancelled"


def _received(receive: Callable) -> object:
    try:
        return receive()
    except (EOFError, OSError):
        raise Lost from None


# since when, for what (and whether with all threads), who
_idle: list[tuple[float, tuple[bytes, bool], Served]] = []
_under_way: set[BaseProcess] = set()
# Before Python waits for processes that nobody will end.
multiprocessing.util.Finalize(None, lambda: processes.end(_under_way), exitpriority=10)


def _idle_one(wanted: tuple[bytes, bool]) -> Served | None:
    with _looking:
        for place, (_, of, served) in enumerate(_idle):
            if of == wanted:
                del _idle[place]
                return served
    return None


def _end_idle() -> None:
    """End processes that have waited too long; called by Dask's loop."""
    now = time.monotonic()
    with _looking:
        over = [entry for entry in _idle if now - entry[0] >= IDLE]
        _idle[:] = [entry for entry in _idle if now - entry[0] < IDLE]
    for _, _, (connection, process) in over:
        connection.close()  # which is its end
        _under_way.discard(process)
