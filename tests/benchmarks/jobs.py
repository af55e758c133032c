"""All folds of the four headline rows with ``--jobs 2`` against ``--jobs 1``.

    python -m tests.benchmarks.jobs [--tracks 24] [--folds 2] [--epochs 10] [--repeats 2]

Both train the same runs with the paper's own command, on audio made for the occasion whose features
are cached before; with one job the run may use all cores, with two each gets its share. Starting
Python and TensorFlow counts, as it does for a user. The ratio is throughput by throughput, that is
time of ``--jobs 1`` by time of ``--jobs 2``, pair by pair; the median is the result.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import make_classes


def seconds(folder: Path, out: str, jobs: int, folds: int, epochs: int) -> float:
    """Train the headline rows from nothing but the cache; returns the time it took."""
    command = [sys.executable, "-m", "reproductions.pons_cbmi2016.train"]
    command += ["--dataset", f"folder:{folder / 'audio'}", "--cache-root", str(folder / "cache")]
    command += ["--out", str(folder / out), "--jobs", str(jobs)]
    command += ["--folds", str(folds), "--epochs", str(epochs)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    """Print every pair of times and the median ratio."""
    make_classes(folder / "audio", arguments.tracks, seconds=12)
    seconds(folder, "warm-up", jobs=2, folds=2, epochs=1)  # fills the cache
    ratios = []
    for repeat in range(arguments.repeats):
        times = {
            jobs: seconds(folder, f"{jobs}-{repeat}", jobs, arguments.folds, arguments.epochs)
            for jobs in (1, 2)
        }
        ratios.append(times[1] / times[2])
        print(f"--jobs 1: {times[1]:.1f} s, --jobs 2: {times[2]:.1f} s, ratio {ratios[-1]:.2f}")
    print(f"throughput of --jobs 2 / --jobs 1: median ratio {statistics.median(ratios):.2f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("tracks", 24), ("folds", 2), ("epochs", 10), ("repeats", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), parser.parse_args())


if __name__ == "__main__":
    main()
