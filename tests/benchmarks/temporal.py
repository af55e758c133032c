"""Long temporal filters as one matrix product against the same as plain convolutions.

    python -m tests.benchmarks.temporal [--batches 4] [--repeats 3]

Networks of Pons & Serra (ICASSP 2017) train on noise, batch 50. The plain ones are what is saved
and loaded: the same layers without the product. The ratio is steps/s by steps/s in the same repeat,
the median is the result.
"""

import argparse
import statistics
import time

import numpy as np

from mirkeras.system.machine import device

BATCH, CLASSES = 50, 8
NETWORKS = {"P": (0, 1), "O+P": (1, 1), "2P": (0, 2)}


def compiled(network):
    """Compile a network, and train it for one batch so that its graph is there."""
    import keras

    network.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    network.fit(*noise(1), batch_size=BATCH, verbose=0)
    return network


def noise(batches: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw segments and labels."""
    random = np.random.RandomState(0)
    segments = random.randn(batches * BATCH, 250, 40).astype("float32")
    return segments, random.randint(0, CLASSES, len(segments))


def steps_per_second(network, data: tuple[np.ndarray, np.ndarray]) -> float:
    """Time one epoch."""
    start = time.perf_counter()
    network.fit(*data, batch_size=BATCH, verbose=0)
    return len(data[0]) / BATCH / (time.perf_counter() - start)


def measure(name: str, batches: int, repeats: int) -> None:
    """Print the speeds of every repeat and the median ratio."""
    import keras

    from reproductions.pons_icassp2017.models import temporal

    onsets, patterns = NETWORKS[name]
    product = compiled(temporal(CLASSES, onsets=onsets, patterns=patterns))
    plain = compiled(keras.Model.from_config(product.get_config()))
    data, ratios = noise(batches), []
    for _ in range(repeats):
        speeds = [steps_per_second(network, data) for network in (product, plain)]
        ratios.append(speeds[0] / speeds[1])
        print(f"{name}: product {speeds[0]:.2f} steps/s, convolutions {speeds[1]:.2f} steps/s")
    print(f"{name}: median ratio {statistics.median(ratios):.2f}")


def main() -> None:
    """Run the benchmark."""
    import keras

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("batches", 4), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    device.configure()
    keras.utils.set_random_seed(0)
    for name in NETWORKS:
        measure(name, arguments.batches, arguments.repeats)


if __name__ == "__main__":
    main()
