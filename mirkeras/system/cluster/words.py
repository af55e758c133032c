"""What ``--cluster`` says, and the workers that it starts.

tcp://HOST:PORT      a scheduler that runs, with its workers
local, local:3       workers on this machine: one per GPU, else one per core; or so many
slurm:jobs=8,…       jobs of SLURM, one worker each; see `OPTIONS`
"""

import os
import re
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirkeras.system import processes
from mirkeras.system.errors import UsageError
from mirkeras.system.machine import cards

if TYPE_CHECKING:
    from distributed.deploy.spec import SpecCluster

#: What slurm takes, and what it is called by dask-jobqueue.
OPTIONS = {
    "jobs": "",
    "gres": "",
    "cores": "cores",
    "memory": "memory",
    "walltime": "walltime",
    "queue": "queue",
    "account": "account",
}
#: What a worker with a GPU has one of, and a run takes.
GPU = "GPU"


@dataclass(frozen=True)
class Words:
    """What ``--cluster`` says.

    Attributes
    ----------
    kind : str
        ``address``, ``local`` or ``slurm``.
    text : str
        As it was given.
    workers : int or None
        How many are to be started; None: by what this machine has.
    options : dict
        Of `OPTIONS`, without ``jobs``.
    """

    kind: str
    text: str
    workers: int | None = None
    options: dict[str, str] = field(default_factory=dict)


def read(text: str) -> Words:
    """Read what ``--cluster`` says.

    Raises
    ------
    ValueError
        It says nothing that is known.
    """
    kind, colon, rest = text.partition(":")
    if kind == "local":
        return Words(kind, text, _count(rest, text) if colon else None)
    if kind == "slurm":
        options = dict(_pairs(rest)) if colon else {}
        jobs = _count(options.pop("jobs", "1"), text)
        if "cores" in options:
            _count(options["cores"], text, "cores")
        return Words(kind, text, jobs, options)
    if not re.fullmatch(r"(\w+://)?[^/\s]+:\d+", text):
        raise ValueError(
            f"{text!r} is no cluster: give a scheduler's address (tcp://host:8786), local, local:N "
            "or slurm:jobs=N,…"
        )
    return Words("address", text)


def _count(word: str, text: str, what: str = "workers") -> int:
    if not word.isdecimal() or int(word) < 1:
        raise ValueError(f"{text!r}: {word!r} is no number of {what}")
    return int(word)


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for word in text.split(","):
        name, _, value = word.partition("=")
        if name not in OPTIONS or not value:
            raise ValueError(
                f"slurm takes {'=, '.join(OPTIONS)}=, separated by commas; not {word!r}"
            )
        if name == "memory" and not re.fullmatch(r"[\d.]*[1-9]\d* ?[kmgtp](i?b)?", value.lower()):
            raise ValueError(f"{word!r} is no size of memory: memory=16GB")
        # gpu, gpu:1, gpu:TYPE or gpu:TYPE:1
        if name == "gres" and not re.fullmatch(r"gpu(:[^:]*[^:\d][^:]*)?(:1)?", value):
            raise ValueError("a run takes one GPU: gres=gpu:1, and as many jobs as GPUs")
        pairs.append((name, value))
    return pairs


def started(words: Words) -> "SpecCluster | None":
    """Start the workers that are asked for; None where they run already.

    Raises
    ------
    UsageError
        SLURM is not here or refuses the jobs, or it is not said how large a job is.
    """
    if words.kind == "local":
        return _local(words.workers)
    if words.kind == "slurm":
        if not shutil.which("sbatch"):
            raise UsageError(
                "--cluster slurm: there is no sbatch here; run this command on a login node of the "
                "cluster, or use another --cluster"
            )
        cluster = slurm(words)
        try:
            cluster.sync(_submit, cluster, words.workers)
        except Exception as error:
            with suppress(AssertionError):  # it cancels what was taken, and then misses the others
                cluster.close()
            cluster.shutdown_on_close = False  # else Dask would wait for them when Python ends
            _, _, why = str(error).rpartition("stderr:\n")
            raise UsageError(
                f"--cluster {words.text}: SLURM did not take its jobs: "
                + "; ".join(why.strip().splitlines())
            ) from error
        return cluster
    return None


async def _submit(cluster: "SpecCluster", jobs: int) -> None:
    """Submit jobs, and raise what is said against one: Dask by itself logs it, and waits."""
    cluster.scale(jobs=jobs)
    await cluster._correct_state()


def _local(workers: int | None) -> "SpecCluster":
    """Start workers on this machine: each GPU has its own, the cores are divided."""
    import dask
    from distributed import Nanny, Scheduler
    from distributed.deploy.spec import SpecCluster

    cores, found = processes.usable_cores(), cards.found()
    workers = workers or len(found) or cores
    # Memory is the runs' own business: Dask would look at its own processes only.
    plain = {"nthreads": max(1, cores // workers), "memory_limit": 0, "dashboard": False}
    plain |= {"host": "127.0.0.1", "silence_logs": 50}
    spec = {}
    for number in range(workers):
        options = dict(plain)
        if number < len(found):
            options |= {"resources": {GPU: 1}, "env": {cards.VISIBLE: found[number].key}}
        elif found:  # it extracts features; whatever it imports, it takes nothing of a GPU
            options |= {"env": {cards.VISIBLE: ""}}
        spec[number] = {"cls": Nanny, "options": options}
    scheduler = {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": ":0"}
    scheduler = {"cls": Scheduler, "options": scheduler}
    # What starts a worker writes its variables into this very process, for good: a number of
    # threads of 1, and a seed of hashes. Each run's process gets those of the command.
    seed = os.environ.get("PYTHONHASHSEED")
    with dask.config.set({"distributed.nanny.pre-spawn-environ": {}}):
        cluster = SpecCluster(workers=spec, scheduler=scheduler)
    if seed is None:
        os.environ.pop("PYTHONHASHSEED", None)
    else:
        os.environ["PYTHONHASHSEED"] = seed
    return cluster


def slurm(words: Words) -> "SpecCluster":
    """Describe jobs of SLURM; none is submitted before the cluster is scaled.

    What is not said is as in ``~/.config/dask/jobqueue.yaml``, see dask-jobqueue.

    Raises
    ------
    UsageError
        As `started`.
    """
    answer = signal.getsignal(signal.SIGINT)
    from dask_jobqueue import SLURMCluster  # this import takes Ctrl-C over, and ends with status 0

    signal.signal(signal.SIGINT, answer)
    options = {OPTIONS[name]: value for name, value in words.options.items() if OPTIONS[name]}
    if "cores" in options:
        options["cores"] = int(options["cores"])
    directives, arguments = [], ["--no-dashboard"]
    if gres := words.options.get("gres"):
        directives, arguments = [f"--gres={gres}"], [*arguments, "--resources", f"{GPU}=1"]
    try:
        return SLURMCluster(
            processes=1,  # a run is a process of its own anyway
            job_extra_directives=directives,
            worker_extra_args=arguments,
            scheduler_options={"dashboard": False, "dashboard_address": ":0"},
            **options,
        )
    except ValueError as error:
        raise UsageError(
            f"--cluster {words.text}: say how large a job is, for example "
            f"slurm:jobs=8,cores=4,memory=16GB,walltime=12:00:00 ({error})"
        ) from error
