"""SampleCNN 3^9 in Keras on TensorFlow against the same network in plain PyTorch.

    pip install -e ".[bench]"
    python -m tests.benchmarks.samplecnn [--steps 4] [--repeats 5] [--threads 2] [--variants]

Both have the paper's widths (2,460,466 parameters) and the same optimiser, and take batches of 23
segments of noise that lie in memory. `tests.benchmarks.duel` says how they are compared and timed.

``--variants`` adds other ways of running ours: without TensorFlow's determinism, compiled by XLA
(which needs that), without oneDNN's kernels, with the pool before the ReLU (max and ReLU commute,
so that is the same function).
"""

import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from mirkeras.system import processes
from tests.benchmarks import duel

ROW = "table5/22050"
BATCH, TAGS, SAMPLES = 23, 50, 59_049
TARGETS = {"training": 1.5, "inference": 2.0}


@dataclass(frozen=True)
class Contender(duel.Contender):
    """A contender; the further attributes are ours alone: XLA, determinism, pool before ReLU."""

    xla: bool = False
    deterministic: bool = True
    pool_first: bool = False


def noise() -> tuple[np.ndarray, np.ndarray]:
    """Make a batch: segments (batch, time, band) within [-1, 1] and tags, float32."""
    random = np.random.RandomState(0)
    segments = random.uniform(-1, 1, (BATCH, SAMPLES, 1))
    return segments.astype(np.float32), (random.rand(BATCH, TAGS) < 0.1).astype(np.float32)


def keras_work(contender: Contender, threads: int) -> duel.Work:
    """Set up ours as a run does, unless the contender says otherwise."""
    duel.set_up_keras(threads, contender.deterministic)
    import keras
    import tensorflow as tf

    from reproductions.lee_samplecnn.models import NETWORKS

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


def torch_work(contender: Contender, threads: int) -> duel.Work:
    """Set up PyTorch's."""
    duel.set_up_torch(threads)
    import torch

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
    processes.begin()
    import torch

    from mirkeras.system import backend  # noqa: F401 - before anything that imports Keras
    from reproductions.lee_samplecnn.models import NETWORKS

    ours, theirs = NETWORKS[ROW].build(TAGS), torch_network().eval()
    copy_weights(ours, theirs)
    segments = noise()[0][:2]
    with torch.inference_mode():
        scores = theirs(torch.from_numpy(segments).reshape(2, 1, SAMPLES)).numpy()
    expected = ours.predict_on_batch(segments)
    moved = pool_first(ours).predict_on_batch(segments)
    if np.ptp(expected, axis=0).max() < 100 * duel.TOLERANCE:
        sys.exit("both segments get the same scores: the comparison would prove nothing")
    differences = {"torch": scores - expected, "pool before ReLU": moved - expected}
    connection.send({name: float(abs(values).max()) for name, values in differences.items()})


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


def main() -> None:
    """Run the benchmark."""
    parser = duel.parser(__doc__.splitlines()[0])
    parser.add_argument("--variants", action="store_true", help="time other settings of ours too")
    arguments = parser.parse_args()
    duel.check_same_function(check)
    ours = [OURS, *(VARIANTS if arguments.variants else ())]
    duel.compare(ours, THEIRS, TARGETS, BATCH, arguments)


if __name__ == "__main__":
    main()
