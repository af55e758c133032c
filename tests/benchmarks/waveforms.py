"""Waveforms from disk: reading alone, and training against one constant batch in memory.

    python -m tests.benchmarks.waveforms [--tracks 300] [--batches 300] [--steps 4] [--repeats 5]

The cache is int16 noise, 300 tracks of 640,512 samples (29 s at 22,050 Hz), 384 MB, in the page
cache: it is read through once before. Segments are 59,049 samples long, drawn in random order by
the streamed feed in batches of 23.

- Reading: how many segments/s the feed delivers as float32 when nothing else is done. The median
  of the repeats is the result.
- Training: `table5/22050` of Lee et al. 2018 (paper widths) takes the same number of steps on one
  batch that lies in memory from the start and on the streamed feed, in turn. A ratio is steps/s of
  the feed by steps/s of the constant batch in the same repeat; their median is the result.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

# isort: off
from mirkeras.system.machine import device  # before anything that imports Keras

# isort: on
import keras
import numpy as np
import tensorflow as tf

from mirkeras.cache import FeatureCache
from mirkeras.pipeline.feed import Feed, open_feed
from mirkeras.pipeline.segments import consecutive
from reproductions.lee_samplecnn.models import NETWORKS
from tests.benchmarks.pipeline import steps_per_second
from tests.benchmarks.synthetic import make_waveforms

BATCH, SAMPLES, TAGS = 23, 59_049, 50
ROW = "table5/22050"


def tagged(segments: int) -> np.ndarray:
    """Draw tags, about as rare as those of MagnaTagATune: float32 (segments, 50)."""
    return (np.random.RandomState(0).uniform(size=(segments, TAGS)) < 0.07).astype(np.float32)


def open_streamed(cache: FeatureCache) -> Feed:
    """Open the feed that reads from disk, and read the file once: its pages stay in memory."""
    segments = consecutive(cache.offsets, SAMPLES)
    feed = open_feed(cache, segments, tagged(len(segments)), memory_budget=0)
    for first in np.split(segments.first, range(100, len(segments), 100)):
        cache.raw_segments(first, SAMPLES)
    return feed


def batches_of(feed: Feed) -> tf.data.Dataset:
    """Endless random batches, as a run gets them."""
    everything = np.arange(len(feed.segments))
    return feed.training(everything, batch=BATCH, seed=0, drop_incomplete=True)


def reading(feed: Feed, batches: int, repeats: int) -> None:
    """Print segments/s of every repeat and their median."""
    delivered = iter(batches_of(feed))
    for _ in range(10):  # threads start, functions are traced
        next(delivered)
    speeds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(batches):
            next(delivered)
        speeds.append(batches * BATCH / (time.perf_counter() - start))
        print(f"reading: {speeds[-1]:.0f} segments/s", flush=True)
    print(f"reading: median {statistics.median(speeds):.0f} segments/s")


def compiled() -> keras.Model:
    """Build the network and compile it as a run does."""
    model = NETWORKS[ROW].build(TAGS)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "binary_crossentropy")
    return model


def constant_batch() -> tf.data.Dataset:
    """Make an endless data set of one batch."""
    samples = np.random.RandomState(0).uniform(-1, 1, (BATCH, SAMPLES, 1)).astype(np.float32)
    return tf.data.Dataset.from_tensors((tf.constant(samples), tf.constant(tagged(BATCH)))).repeat()


def training(feed: Feed, steps: int, repeats: int) -> None:
    """Print the speeds of every repeat and the median ratio."""
    contenders = {
        "constant": (compiled(), constant_batch()),
        "streamed": (feed.attach(compiled()), batches_of(feed)),
    }
    for model, data in contenders.values():
        steps_per_second(model, data, 2)  # compiles
    ratios = []
    for _ in range(repeats):
        speed = {name: steps_per_second(*pair, steps) for name, pair in contenders.items()}
        ratios.append(speed["streamed"] / speed["constant"])
        each = ", ".join(f"{name} {value:.3f} steps/s" for name, value in speed.items())
        print(f"{ROW}: {each}, ratio {ratios[-1]:.3f}", flush=True)
    print(f"{ROW}: streamed / constant batch: median ratio {statistics.median(ratios):.3f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=300)
    parser.add_argument("--batches", type=int, default=300, help="read per repeat")
    parser.add_argument("--steps", type=int, default=4, help="trained per repeat")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    device.configure()
    with tempfile.TemporaryDirectory() as folder:
        feed = open_streamed(make_waveforms(Path(folder) / "noise", arguments.tracks))
        reading(feed, arguments.batches, arguments.repeats)
        training(feed, arguments.steps, arguments.repeats)


if __name__ == "__main__":
    main()
