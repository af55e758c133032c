"""The parallel networks of Schindler et al. against the same networks in plain PyTorch.

    pip install -e ".[bench]"
    python -m tests.benchmarks.parallel [--networks shallow,deep] [--steps 20] [--repeats 5]
        [--threads 2] [--variants]

Both have 2,060,642 (shallow) and 1,280,002 (deep) parameters, take batches of 15 segments of noise
that lie in memory, and train with the paper's Adam and the L1 penalty of 0.0001 on all weights.
PyTorch's are written as its users write them: convolution (``padding="same"``), LeakyReLU, pool;
logits and cross-entropy; the penalty is added to the loss. `tests.benchmarks.duel` says how they
are compared and timed; beside the outputs, the losses (with penalty) must agree.

``--variants`` adds ours without TensorFlow's determinism, and without it compiled by XLA.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import numpy as np

from mirkeras.system import processes
from tests.benchmarks import duel

NETWORKS = ("shallow", "deep")
BATCH, CLASSES, BANDS, FRAMES = 15, 10, 80, 80
PENALTY, RATE, SLOPE = 1e-4, 5e-5, 0.3
TARGETS = {"training": 1.2, "inference": 1.2}


@dataclass(frozen=True)
class Contender(duel.Contender):
    """A contender with one of `NETWORKS`; determinism and XLA are ours alone."""

    network: str = ""
    deterministic: bool = True
    xla: bool = False


def noise() -> tuple[np.ndarray, np.ndarray]:
    """Make a batch: segments (batch, time, band), about as log-mel, float32; classes, int64."""
    random = np.random.RandomState(0)
    segments = random.normal(-2, 2, (BATCH, FRAMES, BANDS)).astype(np.float32)
    return segments, random.randint(CLASSES, size=BATCH)


def build(network: str):
    """Build one of ours as the paper's protocol does, compiled except for how it is run."""
    import keras

    from reproductions.schindler_gtzan import models

    made = {"shallow": models.shallow, "deep": models.deep}[network](CLASSES)
    adam = keras.optimizers.Adam(RATE, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    return made, {"optimizer": adam, "loss": "sparse_categorical_crossentropy"}


def keras_work(contender: Contender, threads: int) -> duel.Work:
    """Set up ours as a run does, unless the contender says otherwise."""
    duel.set_up_keras(threads, contender.deterministic)
    import tensorflow as tf

    network, options = build(contender.network)
    network.compile(**options, jit_compile=contender.xla)
    segments, classes = (tf.constant(values) for values in noise())
    return {
        "training": lambda: network.train_on_batch(segments, classes),
        "inference": lambda: network.predict_on_batch(segments),
    }


def torch_network(network: str):
    """Write a network down as PyTorch users do; takes (batch, band, time), gives logits."""
    import torch
    from torch import nn

    def block(before: int, filters: int, kernel: tuple, pool: tuple) -> list[nn.Module]:
        convolution = nn.Conv2d(before, filters, kernel, padding="same")
        return [convolution, nn.LeakyReLU(SLOPE), nn.MaxPool2d(pool)]

    def branch(*blocks: tuple[int, tuple, tuple]) -> nn.Sequential:
        layers, before = [], 1
        for filters, kernel, pool in blocks:
            layers += block(before, filters, kernel, pool)
            before = filters
        return nn.Sequential(*layers, nn.Flatten())

    class Parallel(nn.Module):
        def __init__(self, first: nn.Module, second: nn.Module, values: int, dropout: float):
            super().__init__()
            self.first, self.second = first, second
            self.dense = nn.Linear(values, 200)
            self.dropout = nn.Dropout(dropout)
            self.scores = nn.Linear(200, CLASSES)

        def forward(self, x):
            x = x.unsqueeze(1)
            x = torch.cat([self.first(x), self.second(x)], dim=1)
            x = nn.functional.leaky_relu(self.dense(x), SLOPE)
            return self.scores(self.dropout(x))

    if network == "shallow":
        first = branch((16, (10, 23), (1, 20)))
        second = branch((16, (21, 20), (20, 1)))
        return Parallel(first, second, 2 * 5120, 0.1)
    first = branch(
        (16, (10, 23), (2, 2)), (32, (5, 11), (2, 2)), (64, (3, 5), (2, 2)), (128, (2, 4), (1, 5))
    )
    second = branch(
        (16, (21, 10), (2, 2)), (32, (10, 5), (2, 2)), (64, (5, 3), (2, 2)), (128, (4, 2), (5, 1))
    )
    return Parallel(first, second, 2 * 2560, 0.25)


def torch_loss(network, segments, classes):
    """Cross-entropy and the penalty on all weights."""
    import torch

    penalty = sum(weight.abs().sum() for weight in network.parameters())
    return torch.nn.functional.cross_entropy(network(segments), classes) + PENALTY * penalty


def torch_work(contender: Contender, threads: int) -> duel.Work:
    """Set up PyTorch's."""
    duel.set_up_torch(threads)
    import torch

    network = torch_network(contender.network)
    adam = torch.optim.Adam(network.parameters(), RATE, betas=(0.9, 0.999), eps=1e-8)
    segments, classes = torch_batch()

    def train() -> float:
        network.train()
        adam.zero_grad()
        loss = torch_loss(network, segments, classes)
        loss.backward()
        adam.step()
        return loss.item()

    def predict() -> np.ndarray:
        network.eval()
        with torch.inference_mode():
            return network(segments).softmax(dim=1).numpy()

    return {"training": train, "inference": predict}


def torch_batch():
    """Make the same batch as PyTorch takes it: (batch, band, time)."""
    import torch

    segments, classes = noise()
    return torch.from_numpy(segments.transpose(0, 2, 1).copy()), torch.from_numpy(classes)


def check(connection: Connection, network: str) -> None:
    """Send the largest differences of outputs and of losses, ours and PyTorch's."""
    processes.begin()
    import torch

    from mirkeras.system import backend  # noqa: F401 - before anything that imports Keras

    (ours, options), theirs = build(network), torch_network(network).eval()
    ours.compile(**options)
    copy_weights(ours, theirs)
    segments, classes = torch_batch()
    with torch.inference_mode():
        scores = theirs(segments).softmax(dim=1).numpy()
        loss = torch_loss(theirs, segments, classes).item()
    expected = ours.predict_on_batch(noise()[0])
    if np.ptp(expected, axis=0).max() < 100 * duel.TOLERANCE:
        sys.exit("all segments get the same scores: the comparison would prove nothing")
    differences = {"outputs": scores - expected, "loss": loss - ours.test_on_batch(*noise())}
    connection.send({name: float(np.abs(values).max()) for name, values in differences.items()})


def copy_weights(ours, theirs) -> None:
    """Copy all weights to PyTorch; biases get random values first, to be more than zeros."""
    from torch import nn

    random = np.random.RandomState(1)
    for layer in ours.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, random.uniform(-0.1, 0.1, bias.shape)])
    for name, branch in (("frequency", theirs.first), ("temporal", theirs.second)):
        convolutions = [module for module in branch if isinstance(module, nn.Conv2d)]
        for number, module in enumerate(convolutions, start=1):
            kernel, bias = ours.get_layer(f"{name}_conv{number}").get_weights()
            set_weights(module, kernel.transpose(3, 2, 1, 0), bias)  # from (time, band, in, out)
    kernel, bias = ours.get_layer("dense").get_weights()
    set_weights(theirs.dense, reordered(kernel, ours), bias)
    kernel, bias = ours.get_layer("scores").get_weights()
    set_weights(theirs.scores, kernel.T, bias)


def reordered(kernel: np.ndarray, ours) -> np.ndarray:
    """Reorder the dense kernel from our flat (time, band, filter) to their (filter, band, time)."""
    parts, start = [], 0
    for name in ("frequency", "temporal"):
        shape = ours.get_layer(f"{name}_features").input.shape[1:]
        part = kernel[start : start + np.prod(shape)].reshape(*shape, -1)
        parts.append(part.transpose(3, 2, 1, 0).reshape(kernel.shape[1], -1))
        start += np.prod(shape)
    return np.concatenate(parts, axis=1)


def set_weights(module, weight: np.ndarray, bias: np.ndarray) -> None:
    """Set the weights of a PyTorch module."""
    import torch

    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight.copy()))
        module.bias.copy_(torch.from_numpy(bias))


def run(network: str, arguments: argparse.Namespace) -> None:
    """Check and time one network."""
    duel.check_same_function(check, network)
    ours = [Contender(f"keras {network}", keras_work, network=network)]
    if arguments.variants:
        free = replace(ours[0], name=f"keras {network}, not deterministic", deterministic=False)
        # Keras refuses XLA under determinism.
        ours += [free, replace(free, name=f"keras {network}, XLA", xla=True)]
    theirs = Contender(f"torch {network}", torch_work, network=network)
    duel.compare(ours, theirs, TARGETS, BATCH, arguments)


def main() -> None:
    """Run the benchmark."""
    parser = duel.parser(__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--variants", action="store_true", help="time other settings of ours too")
    parser.set_defaults(steps=20)  # a batch is a fraction of SampleCNN's
    arguments = parser.parse_args()
    chosen = arguments.networks.split(",")
    if unknown := set(chosen) - set(NETWORKS):
        parser.error(f"unknown networks {', '.join(sorted(unknown))}; known: shallow, deep")
    for network in chosen:
        run(network, arguments)


if __name__ == "__main__":
    main()
