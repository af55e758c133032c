"""Training from the pipeline against training on one constant batch in memory.

    python -m tests.benchmarks.pipeline [--steps 400] [--repeats 5]

The same network, compiled the same way, takes the same number of steps (batch 10)

- on one batch that lies in memory from the start, repeated: no data work at all;
- on segments drawn by the pipeline, resident in memory and streamed from the page cache.

Each repeat times the three in turn; a ratio is steps/s of the pipeline by steps/s of the constant
batch in the same repeat, the median of the ratios is the result.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from mirkeras.system.machine import device
from tests.benchmarks.synthetic import BANDS, CLASSES, FRAMES, make_cache, make_feed, make_network

BATCH = 10
ROWS = ("table1/time-1x60", "table1/black-box-12x8")


def compiled(model, steps_per_execution: int):
    """Compile as a run does."""
    import keras

    model.compile(
        keras.optimizers.SGD(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return model


def steps_per_second(model, data, steps: int) -> float:
    """Time one epoch of `steps` steps."""
    start = time.perf_counter()
    model.fit(data, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
    return steps / (time.perf_counter() - start)


def constant_batch():
    """Make an endless data set of one batch."""
    import tensorflow as tf

    random = np.random.RandomState(0)
    segments = tf.constant(random.uniform(0, 4, (BATCH, FRAMES, BANDS)), tf.float32)
    labels = tf.constant(random.randint(0, CLASSES, BATCH), tf.int32)
    return tf.data.Dataset.from_tensors((segments, labels)).repeat()


def measure(folder: Path, row: str, steps: int, repeats: int) -> None:
    """Print the speeds of every repeat and the median ratios."""
    cache = make_cache(folder / "noise", tracks=300)
    contenders = {"constant": (compiled(make_network(row), 20), constant_batch())}
    for name, budget in (("resident", 2**40), ("streamed", 0)):
        feed = make_feed(cache, budget)
        everything = np.arange(len(feed.segments))
        data = feed.training(everything, batch=BATCH, seed=0, drop_incomplete=True)
        contenders[name] = (compiled(feed.attach(make_network(row)), 20), data)
    for model, data in contenders.values():
        steps_per_second(model, data, 40)  # compiles
    ratios: dict[str, list[float]] = {"resident": [], "streamed": []}
    for _ in range(repeats):
        speed = {name: steps_per_second(*pair, steps) for name, pair in contenders.items()}
        print(f"{row}: " + ", ".join(f"{name} {value:.0f}/s" for name, value in speed.items()))
        for name, values in ratios.items():
            values.append(speed[name] / speed["constant"])
    for name, values in ratios.items():
        print(f"{row}: {name} / constant batch: median ratio {statistics.median(values):.3f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    device.configure()
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            measure(Path(folder), row, arguments.steps, arguments.repeats)


if __name__ == "__main__":
    main()
