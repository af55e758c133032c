"""The command's side: it connects when there is work, checks who works, gives and takes."""

import asyncio
import logging
import os
import pickle
import queue
import secrets
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path

from distributed import Client, Future, KilledWorker, Security
from distributed.comm import connect

from mirkeras.system import interrupts, processes, workers
from mirkeras.system.cluster import tasks
from mirkeras.system.cluster.words import GPU, Words, started
from mirkeras.system.errors import UsageError, say
from mirkeras.system.jobs import Job, do

PATIENCE = 10  # seconds that a scheduler has to answer
TURN = 1.0  # seconds between two looks at who works
LOST = (
    "its processes were ended from outside again and again (out of memory, or killed); the same "
    "command goes on from the last checkpoint, workers with more memory may end it"
)
RETRIES = 2  # of what was ended from outside; Dask itself moves what a lost worker was at


class Cluster:
    """Workers of a Dask cluster; see `mirkeras.system.jobs.Hands`.

    It is not connected, and no job of SLURM submitted, before there is something to do.

    Parameters
    ----------
    words : Words
        What ``--cluster`` says.
    """

    def __init__(self, words: Words) -> None:
        _quiet()
        self._words, self._topic = words, f"mirkeras.{secrets.token_hex(4)}"
        self._folders: set[Path] = set()
        self._files: set[Path] = set()
        self._client: Client | None = None
        self._started = None
        self._news: queue.Queue = queue.Queue()
        self._futures: dict[str, Future] = {}
        self._looked, self._present = 0.0, {}

    def share(self, folders: Iterable[Path], files: Iterable[Path] = ()) -> None:
        """Name folders that workers must see as this machine does, and files that they read."""
        self._folders |= {*folders}
        self._files |= {*files}

    def places(self) -> int:
        self._connect()
        if any(GPU in worker["resources"] for worker in self._workers().values()):
            return sum(int(one["resources"].get(GPU, 0)) for one in self._workers().values())
        return len(self._workers())

    def begin(self, job: Job, set_up: Callable[[], None]) -> str:
        return self._submit(tasks.perform, processes.packed(do, set_up, job), gpu=True)

    def news(self) -> list[tuple[str, str, object]]:
        try:
            key, line = self._news.get(timeout=TURN)
        except queue.Empty:
            self._workers()
            return []
        if key not in self._futures:  # of what was given up before
            return []
        if line is not None:
            return [(key, "line", line)]
        return [(key, *self._outcome(self._futures.pop(key)))]

    def end(self) -> None:
        futures = [*self._futures.values()]
        self._futures.clear()
        if futures:
            with suppress(Exception):  # where the scheduler is gone, so are the tasks
                self._client.cancel(futures, force=True)

    def work(
        self, function: Callable, items: Sequence, name: Callable[[object], object], whole: bool
    ) -> Iterator:
        packed = processes.packed(workers.serve, function)
        waiting, at, lost = deque(items), {}, []
        try:
            while (waiting or at) and len(lost) < workers.MOST_LOST:
                while waiting and len(at) < self._window(whole):
                    item = waiting.popleft()
                    given = pickle.dumps(item), whole
                    at[self._submit(tasks.serve, packed, *given, gpu=whole)] = item
                for key, kind, content in self.news():
                    item = at.pop(key)
                    if kind != "answer":
                        lost.append(str(name(item)))
                        continue
                    kind, answer = pickle.loads(content)
                    if kind == "error":
                        raise answer
                    yield answer
        finally:
            self.end()
        workers.refuse_losses(lost)

    def close(self) -> None:
        """Let the workers go: those that were started end, others are free for other commands."""
        self.end()
        for folder in self._folders:
            with suppress(OSError):
                self._beacon(folder).unlink()
        for one in (self._client, self._started):
            if one is not None:
                with suppress(Exception):  # what is gone needs no farewell
                    one.close(timeout=processes.GRACE)

    def _window(self, whole: bool) -> int:
        """How many items are given away at once: enough that nobody waits for the next."""
        if whole:
            return self.places()
        self._connect()
        return 2 * sum(worker["nthreads"] for worker in self._workers().values())

    def _submit(self, task: Callable, *arguments: object, gpu: bool) -> str:
        self._connect()
        hosts = Counter(worker["host"] for worker in self._workers().values())
        has_gpus = any(GPU in worker["resources"] for worker in self._workers().values())
        lent = {} if has_gpus else {processes.SHARING: str(max(hosts.values(), default=1))}
        terms = replace(self._terms, settings=self._terms.settings | lent)
        future = self._client.submit(
            task,
            *arguments,
            terms,
            key=f"{self._topic}-{secrets.token_hex(4)}",
            pure=False,
            retries=RETRIES,
            resources={GPU: 1} if gpu and has_gpus else None,
        )
        self._futures[future.key] = future
        future.add_done_callback(lambda done: self._news.put((done.key, None)))
        return future.key

    def _outcome(self, future: Future) -> tuple[str, object]:
        """The last message of a task."""
        if future.status == "finished":
            kind, content = future.result()
            if kind == "unfit":
                raise UsageError(content)
            return kind, content
        if future.status != "error":
            raise self._gone()
        error = future.exception()
        if isinstance(error, KilledWorker | tasks.Lost):
            return "ended", LOST
        if isinstance(error, ImportError | AttributeError):
            raise UsageError(f"a worker {_lacks(error)}")
        return "ended", "".join(traceback.format_exception(error))

    def _workers(self) -> dict[str, dict]:
        """Who works now: address → what Dask knows of it."""
        if time.monotonic() - self._looked > TURN:
            try:
                before = self._present
                self._present = self._client.scheduler_info(n_workers=-1)["workers"]
            except (OSError, TimeoutError) as error:
                raise self._gone() from error
            self._looked = time.monotonic()
            if self._started and not self._started.workers:  # none of them comes back
                raise UsageError(
                    f"--cluster {self._words.text}: all its workers have ended (killed, or their "
                    "time was over); finished work is kept, the same command goes on"
                )
            if before and not self._present:
                say(f"--cluster {self._words.text}: no worker is left, waiting for one")
        return self._present

    def _gone(self) -> UsageError:
        return UsageError(
            f"--cluster {self._words.text}: the scheduler is gone; finished work is kept, start it "
            "and run the same command again"
        )

    def _connect(self) -> None:
        """Start or find the workers, wait for the first, and refuse those that are not as we."""
        if self._client is not None:
            return
        if self._words.kind == "address":
            self._greet()
        with interrupts.held(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions are compared below
            self._started = started(self._words)
            address = self._started or self._words.text
            try:
                self._client = Client(address, timeout=PATIENCE, set_as_default=False)
            except (OSError, TimeoutError) as error:
                raise self._gone() from error
        self._client.subscribe_topic(self._topic, self._hear)
        if not self._workers():
            where = "; `squeue --me` tells where its jobs stand, slurm-*.out how they fare"
            where *= self._words.kind == "slurm"
            say(f"--cluster {self._words.text}: waiting for its first worker{where}")
        while not self._workers():
            time.sleep(TURN)
        self._terms = self._make_terms()
        self._refuse_unfit()

    def _greet(self) -> None:
        """Refuse an address where no scheduler answers.

        A `Client` would wait for ever for what listens there and is silent, and one that could not
        connect ends in a traceback.
        """

        async def greet() -> None:
            terms = Security().get_connection_args("client")
            (await connect(self._words.text, timeout=PATIENCE, **terms)).abort()

        try:
            asyncio.run(asyncio.wait_for(greet(), PATIENCE))
        except Exception as error:  # whatever it is that listens there
            why = f" ({error})" if isinstance(error, TypeError | ValueError) else ""
            raise UsageError(
                f"--cluster {self._words.text}: no scheduler answers there{why}; start one (`dask "
                "scheduler`, and on each machine `dask worker ADDRESS`) or check the address"
            ) from error

    def _make_terms(self) -> tasks.Terms:
        beacons = {}
        for folder in sorted(self._folders):
            path = self._beacon(folder)
            beacons[str(path)] = secrets.token_hex(16)
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(beacons[str(path)], encoding="utf-8")
        sizes = {str(path.absolute()): tasks.size(path) for path in self._files}
        return tasks.Terms(self._topic, tasks.versions(), tasks.settings(), beacons, sizes)

    def _beacon(self, folder: Path) -> Path:
        return folder.absolute() / f".{self._topic}.part"

    def _refuse_unfit(self) -> None:
        for worker in self._workers().values():
            if worker["resources"].get(GPU, 0) > 1:  # they would all compute on its first
                raise UsageError(
                    f"worker {worker['name']} has several GPUs, and its runs would all be on one: "
                    "start a worker for each, CUDA_VISIBLE_DEVICES=N dask worker … --resources "
                    f"{GPU}=1"
                )
        answers = self._client.run(tasks.unfit, self._terms, on_error="return")
        for address, why in answers.items():
            if why:
                why = _lacks(why) if isinstance(why, Exception) else why
                raise UsageError(f"worker {address} {why}")

    def _hear(self, event: tuple[float, dict]) -> None:
        self._news.put((event[1]["key"], event[1]["line"]))


def _lacks(error: Exception) -> str:
    """Put into words why the suite's own function could not be called at all."""
    return f"has no mirkeras that fits this command ({error}): install the same in both places"


def _quiet() -> None:
    """Keep Dask's logs to itself: what matters of them is said by this suite."""
    if os.environ.get("MIRKERAS_VERBOSE"):
        return
    for name in [*logging.root.manager.loggerDict]:  # each has a level of its own
        if name.partition(".")[0] in ("distributed", "asyncio", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    before = os.environ.get("PYTHONWARNINGS")
    # where Ctrl-C ends all at once, Python's own housekeeper misses semaphores
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker"
    resource_tracker.ensure_running()
    del os.environ["PYTHONWARNINGS"]
    if before is not None:
        os.environ["PYTHONWARNINGS"] = before
