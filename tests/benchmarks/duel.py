"""Networks of this suite against the same networks in plain PyTorch: what such benchmarks share.

First weights are copied from one to the other and the outputs compared: a difference above
`TOLERANCE` ends the benchmark. Then each contender gets a process of its own, so that neither's
threads or allocator are in the other's way, with the same number of threads; the processes work in
turn, in an order that changes direction with every repeat. A ratio is segments/s of ours by
segments/s of PyTorch in the same repeat, the median of the ratios is the result.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from mirkeras.system import processes

TOLERANCE = 1e-4

Work = dict[str, Callable[[], object]]  # kind of work ("training", "inference") → one batch of it


@dataclass(frozen=True)
class Contender:
    """A network in one framework, run in one way.

    Attributes
    ----------
    name
        For people.
    make
        Takes the contender and the number of threads, sets up its work.
    environment
        Variables that are set before its process starts.
    """

    name: str
    make: Callable[["Contender", int], Work]
    environment: tuple[tuple[str, str], ...] = ()


def parser(description: str) -> argparse.ArgumentParser:
    """Make a parser of the options that all duels have."""
    made = argparse.ArgumentParser(description=description)
    for name, default in (("steps", 4), ("repeats", 5), ("threads", 2)):
        made.add_argument(f"--{name}", type=int, default=default)
    return made


def set_up_keras(threads: int, deterministic: bool = True) -> None:
    """Set up TensorFlow as a run does, or without its determinism."""
    from mirkeras.system.machine import device  # before Keras

    # isort: split
    import keras
    import tensorflow as tf

    if deterministic:
        device.configure(threads=threads)
    else:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(0)


def set_up_torch(threads: int) -> None:
    """Set up PyTorch as it comes: eager."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)


def check_same_function(check: Callable, *arguments: object) -> None:
    """End the benchmark unless PyTorch is there and the networks compute the same.

    Parameters
    ----------
    check
        Runs in a process of its own, takes a pipe and `arguments`, and sends the largest
        difference of each comparison by its name.
    """
    if not importlib.util.find_spec("torch"):
        sys.exit("PyTorch is not installed: pip install -e '.[bench]'")
    with process(check, *arguments) as connection:
        differences: Mapping[str, float] = connection.recv()
    each = ", ".join(f"{name} {value:.1e}" for name, value in differences.items())
    print(f"largest difference: {each}", flush=True)
    if not all(value <= TOLERANCE for value in differences.values()):  # nor NaN
        sys.exit(f"the networks differ by more than {TOLERANCE}: no speed to compare")


def serve(connection: Connection, contender: Contender, threads: int) -> None:
    """Be a contender: take (kind of work, steps), send back the seconds, until told to end."""
    processes.begin()
    work = contender.make(contender, threads)
    for batch in work.values():
        batch(), batch()  # compiles, fills caches
    connection.send("ready")
    while order := connection.recv():
        kind, steps = order
        begin = time.perf_counter()
        for _ in range(steps):
            work[kind]()
        connection.send(time.perf_counter() - begin)


@contextmanager
def process(
    target: Callable, *arguments: object, environment: tuple[tuple[str, str], ...] = ()
) -> Iterator[Connection]:
    """Start a fresh process and give the pipe to it; it is ended with the block."""
    here, there = processes.SPAWN.Pipe()
    before = dict(os.environ)
    os.environ.update(environment)
    started = processes.SPAWN.Process(target=target, args=(there, *arguments))
    try:
        started.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    there.close()  # so that the end of the process is the end of the pipe
    try:
        yield here
    finally:
        started.kill()
        started.join()


def compare(
    ours: Sequence[Contender],
    theirs: Contender,
    targets: Mapping[str, float],
    batch: int,
    arguments: argparse.Namespace,
) -> None:
    """Time the contenders at all kinds of work and print the median ratios.

    Parameters
    ----------
    ours, theirs
        The contenders whose speeds are divided by that of the last one.
    targets
        Kind of work → the ratio it should reach.
    batch
        Segments per batch.
    arguments
        Of `parser`.
    """
    pipes: dict[str, Connection] = {}
    with ExitStack() as stack:
        for one in (*ours, theirs):
            started = process(serve, one, arguments.threads, environment=one.environment)
            pipes[one.name] = stack.enter_context(started)
            pipes[one.name].recv()  # ready; one after the other, warming up disturbs nobody
        for kind, target in targets.items():
            speeds = measure(pipes, kind, batch, arguments.steps, arguments.repeats)
            for one in ours:
                pairs = zip(speeds[one.name], speeds[theirs.name], strict=True)
                ratio = statistics.median(mine / other for mine, other in pairs)
                print(f"{kind}, {one.name} / {theirs.name}: median "
                      f"{statistics.median(speeds[one.name]):.1f} segments/s, ratio {ratio:.2f} "
                      f"(target {target})", flush=True)  # fmt: skip


def measure(
    pipes: Mapping[str, Connection], kind: str, batch: int, steps: int, repeats: int
) -> dict[str, list[float]]:
    """Time all contenders in turn: segments per second, one value per repeat."""
    speeds: dict[str, list[float]] = {name: [] for name in pipes}
    for repeat in range(repeats):
        for name in list(pipes)[:: -1 if repeat % 2 else 1]:
            pipes[name].send((kind, steps))
            speeds[name].append(steps * batch / pipes[name].recv())
        print(f"{kind}: " + ", ".join(f"{name} {s[-1]:.1f}/s" for name, s in speeds.items()),
              flush=True)  # fmt: skip
    return speeds
