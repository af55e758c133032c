"""Peak memory of training on a cache of 20,000 tracks against one of 2,000.

    python -m tests.benchmarks.memory [--steps 5000] [--budget-mib 100]

The memory budget lies below both caches (4.1 GB and 0.4 GB), so both are streamed. Each size is
trained in a process of its own (normalisation first, then Time in batches of 10), which says its
peak resident memory at the end; pages of files that it maps count as its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mirkeras.cache.statistics import statistics
from mirkeras.system.machine import device
from tests.benchmarks.pipeline import BATCH, compiled, steps_per_second
from tests.benchmarks.synthetic import make_cache, make_feed, make_network

SIZES = (2_000, 20_000)


def train(folder: Path, tracks: int, steps: int, budget: int) -> None:
    """Train on a cache of noise and print the peak memory in MiB."""
    device.configure()
    cache = make_cache(folder / "noise", tracks)
    statistics(cache)
    feed = make_feed(cache, budget)
    if feed.resident:
        sys.exit("the budget is above the cache: nothing is streamed")
    data = feed.training(np.arange(len(feed.segments)), batch=BATCH, seed=0, drop_incomplete=True)
    steps_per_second(compiled(feed.attach(make_network("table1/time-1x60")), 20), data, steps)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(kibibytes / (1024 if sys.platform != "darwin" else 1024**2))


def measure(steps: int, budget_mib: int) -> None:
    """Print the peaks and their ratio."""
    peaks = []
    for tracks in SIZES:
        command = [sys.executable, "-m", "tests.benchmarks.memory", "--tracks", str(tracks)]
        command += ["--steps", str(steps), "--budget-mib", str(budget_mib)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peaks.append(float(done.stdout.split()[-1]))
        print(f"{tracks} tracks: peak {peaks[-1]:.0f} MiB")
    print(f"peak of {SIZES[1]} tracks / {SIZES[0]} tracks: ratio {peaks[1] / peaks[0]:.3f}")


def main() -> None:
    """Run the benchmark, or (with --tracks) one size of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--budget-mib", type=int, default=100)
    parser.add_argument("--tracks", type=int, help="train this size only (used by itself)")
    arguments = parser.parse_args()
    if not arguments.tracks:
        measure(arguments.steps, arguments.budget_mib)
        return
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder), arguments.tracks, arguments.steps, arguments.budget_mib * 2**20)


if __name__ == "__main__":
    main()
