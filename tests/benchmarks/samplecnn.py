"""SampleCNN 3^9 in Keras on TensorFlow against the same network in plain PyTorch.

    pip install -e ".[bench]"
    python -m tests.benchmarks.samplecnn [--steps 4] [--repeats 5] [--threads 2] [--variants]

Both have the paper's widths (2,460,466 parameters) and the same optimiser, and take batches of 23
segments of noise that lie in memory. First weights are copied from one to the other and the outputs
compared: a difference above 1e-4 ends the benchmark. Then each framework gets a process of its own,
so that neither's threads or allocator are in the other's way, with the same number of threads; the
processes work in turn, in an order that changes direction with every repeat. A ratio is segments/s
of Keras by segments/s of PyTorch in the same repeat, the median of the ratios is the result.

``--variants`` adds other ways of running ours: without TensorFlow's determinism, compiled by XLA
(which needs that), without oneDNN's kernels, with the pool before the ReLU (max and ReLU commute,
so that is the same function).
"""

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from mirkeras import workers

ROW = "table5/22050"
BATCH, TAGS, SAMPLES = 23, 50, 59_049
TOLERANCE = 1e-4
TARGETS = {"training": 1.5, "inference": 2.0}

Work = dict[str, Callable[[], object]]  # "training" and "inference" → one batch of it


@dataclass(frozen=True)
class Contender:
    """A network in one framework, run in one way; `environment` is set before its process starts.

    Attributes other than `name` and `make` are ours alone: XLA, determinism, pool before ReLU.
    """

    name: str
    make: Callable[["Contender", int], Work]
    xla: bool = False
    deterministic: bool = True
    pool_first: bool = False
    environment: tuple[tuple[str, str], ...] = ()


def noise() -> tuple[np.ndarray, np.ndarray]:
    """Make a batch: segments (batch, time, band) within [-1, 1] and tags, float32."""
    random = np.random.RandomState(0)
    segments = random.uniform(-1, 1, (BATCH, SAMPLES, 1))
    return segments.astype(np.float32), (random.rand(BATCH, TAGS) < 0.1).astype(np.float32)


def keras_work(contender: Contender, threads: int) -> Work:
    """Set up ours as a run does, unless the contender says otherwise."""
    from mirkeras import device  # before Keras

    # isort: split
    import keras
    import tensorflow as tf

    from reproductions.lee_samplecnn.models import NETWORKS

    if contender.deterministic:
        device.configure(threads=threads)
    else:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(0)
    network = NETWORKS[ROW].build(TAGS)
    network = pool_first(network) if contender.pool_first else network
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
    # Under determinism and on a CPU, Keras' own choice ("auto") is no XLA.
    network.compile(optimizer, "binary_crossentropy", jit_compile=contender.xla)
    if network.jit_compile != contender.xla:
        sys.exit(f"{contender.name}: Keras did not take the setting for XLA")
    segments, tags = (tf.constant(values) for values in noise())
    return {
        "training": lambda: network.train_on_batch(segments, tags),
        "inference": lambda: network.predict_on_batch(segments),
    }


def pool_first(network):
    """Rebuild a network with each pool moved before its ReLU, weights kept."""
    import keras

    chain = network.layers[1:]
    for place, layer in enumerate(chain):
        if isinstance(layer, keras.layers.MaxPooling1D):
            chain[place - 1 : place + 1] = [layer, chain[place - 1]]
    moved = keras.Sequential([network.layers[0], *chain])
    if moved.count_params() != network.count_params():
        sys.exit("moving the pools changed the network")
    return moved


def torch_network():
    """Write the network down as PyTorch users do; takes (batch, channel, time)."""
    from torch import nn

    def convolution(before: int, filters: int, kernel: int, **options) -> list[nn.Module]:
        # PyTorch's momentum is the weight of the new value, Keras' that of the old one.
        norm = nn.BatchNorm1d(filters, eps=1e-5, momentum=0.01)
        return [nn.Conv1d(before, filters, kernel, **options), norm, nn.ReLU()]

    parts = convolution(1, 128, 3, stride=3)
    before = 128
    for filters in (128, 128, 256, 256, 256, 256, 256, 512, 512):
        parts += [*convolution(before, filters, 3, padding=1), nn.MaxPool1d(3)]
        before = filters
    parts += [*convolution(512, 512, 1), nn.Dropout(0.5), nn.Flatten()]
    return nn.Sequential(*parts, nn.Linear(512, TAGS), nn.Sigmoid())


def torch_work(contender: Contender, threads: int) -> Work:
    """Set up PyTorch's: eager, as it comes."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = torch_network()
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True)
    entropy = torch.nn.BCELoss()
    segments, tags = (torch.from_numpy(values) for values in noise())
    segments = segments.reshape(BATCH, 1, SAMPLES)

    def train() -> float:
        network.train()
        optimizer.zero_grad()
        loss = entropy(network(segments), tags)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict() -> np.ndarray:
        network.eval()
        with torch.inference_mode():
            return network(segments).numpy()

    return {"training": train, "inference": predict}


OURS = Contender("keras", keras_work)
THEIRS = Contender("torch", torch_work)
VARIANTS = (
    # Keras refuses XLA under determinism.
    Contender("keras, XLA", keras_work, xla=True, deterministic=False),
    Contender("keras, no oneDNN", keras_work, environment=(("TF_ENABLE_ONEDNN_OPTS", "0"),)),
    Contender("keras, not deterministic", keras_work, deterministic=False),
    Contender("keras, pool before ReLU", keras_work, pool_first=True),
)


def check(connection: Connection) -> None:
    """Send the largest differences between outputs: PyTorch's to ours, pool first to ours."""
    workers.begin()
    import torch

    from mirkeras import quiet  # noqa: F401 - before anything that imports Keras
    from reproductions.lee_samplecnn.models import NETWORKS

    ours, theirs = NETWORKS[ROW].build(TAGS), torch_network().eval()
    copy_weights(ours, theirs)
    segments = noise()[0][:2]
    with torch.inference_mode():
        scores = theirs(torch.from_numpy(segments).reshape(2, 1, SAMPLES)).numpy()
    expected = ours.predict_on_batch(segments)
    moved = pool_first(ours).predict_on_batch(segments)
    if np.ptp(expected, axis=0).max() < 100 * TOLERANCE:
        sys.exit("both segments get the same scores: the comparison would prove nothing")
    connection.send((abs(scores - expected).max(), abs(moved - expected).max()))


def copy_weights(ours, theirs) -> None:
    """Copy all weights to PyTorch; batch norm gets random ones first, to be more than identity."""
    import torch

    random = np.random.RandomState(1)
    layers = [layer for layer in ours.layers if layer.weights]
    modules = [module for module in theirs if list(module.parameters())]
    for layer, module in zip(layers, modules, strict=True):
        if layer.name.startswith("bn"):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
        values = [torch.from_numpy(value.T.copy()) for value in layer.get_weights()]
        names = ("weight", "bias", "running_mean", "running_var")
        for name, value in zip(names, values, strict=False):  # only batch norm has all four
            with torch.no_grad():
                getattr(module, name).copy_(value)


def serve(connection: Connection, contender: Contender, threads: int) -> None:
    """Be a contender: take (kind of work, steps), send back the seconds, until told to end."""
    workers.begin()
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
    here, there = workers.SPAWN.Pipe()
    before = dict(os.environ)
    os.environ.update(environment)
    started = workers.SPAWN.Process(target=target, args=(there, *arguments))
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


def check_same_function() -> None:
    """End the benchmark unless the networks compute the same."""
    with process(check) as connection:
        differences = connection.recv()
    print(f"largest difference of outputs: torch {differences[0]:.1e}, pool before ReLU "
          f"{differences[1]:.1e}")  # fmt: skip
    if max(differences) > TOLERANCE:
        sys.exit(f"the networks differ by more than {TOLERANCE}: no speed to compare")


def measure(
    pipes: dict[str, Connection], kind: str, steps: int, repeats: int
) -> dict[str, list[float]]:
    """Time all contenders in turn: segments per second, one value per repeat."""
    speeds: dict[str, list[float]] = {name: [] for name in pipes}
    for repeat in range(repeats):
        for name in list(pipes)[:: -1 if repeat % 2 else 1]:
            pipes[name].send((kind, steps))
            speeds[name].append(steps * BATCH / pipes[name].recv())
        print(f"{kind}: " + ", ".join(f"{name} {s[-1]:.1f}/s" for name, s in speeds.items()),
              flush=True)  # fmt: skip
    return speeds


def compare(contenders: list[Contender], arguments: argparse.Namespace) -> None:
    """Time the contenders at both kinds of work and print the median ratios."""
    pipes: dict[str, Connection] = {}
    with ExitStack() as stack:
        for one in contenders:
            started = process(serve, one, arguments.threads, environment=one.environment)
            pipes[one.name] = stack.enter_context(started)
            pipes[one.name].recv()  # ready; one after the other, warming up disturbs nobody
        for kind, target in TARGETS.items():
            speeds = measure(pipes, kind, arguments.steps, arguments.repeats)
            for name in [one.name for one in contenders if one is not THEIRS]:
                pairs = zip(speeds[name], speeds[THEIRS.name], strict=True)
                ratio = statistics.median(ours / theirs for ours, theirs in pairs)
                print(f"{kind}, {name} / torch: median {statistics.median(speeds[name]):.1f} "
                      f"segments/s, ratio {ratio:.2f} (target {target})")  # fmt: skip


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("steps", 4), ("repeats", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--variants", action="store_true", help="time other settings of ours too")
    arguments = parser.parse_args()
    if not importlib.util.find_spec("torch"):
        sys.exit("PyTorch is not installed: pip install -e '.[bench]'")
    check_same_function()
    compare([OURS, *(VARIANTS if arguments.variants else ()), THEIRS], arguments)


if __name__ == "__main__":
    main()
