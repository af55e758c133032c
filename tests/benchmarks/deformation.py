"""Constant-Q extraction and augmentation: one process against all cores, and against no work left.

    python -m tests.benchmarks.deformation [--tracks 24] [--seconds 30] [--jobs N] [--repeats 3]

Caches of `schindler2016-cqt-80` and `schindler2016-mel-augmented` (48 deformed segments a track)
are built from WAV files (22,050 Hz, 16 bit, mono, made for the occasion), everything included:
starting the processes, decoding, features, checksums, shards, the final file. A track takes the
constant-Q transform a tenth of the time, so there every file counts as ten tracks.

- Processes: the time of one process by that of all (``--jobs``, by default one per core), built in
  turn; the median of the ratios is the result. Above 1, more processes are faster. The files of
  both must be equal byte for byte.
- Nothing twice: the same build once more. How many tracks it extracts is counted, and must be 0.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from mirkeras import cache
from mirkeras.features import RECIPES, extraction
from mirkeras.system import processes
from tests.benchmarks.extraction import timed

RATE = 22_050
#: Recipe → how often every file is listed.
COPIES = {"schindler2016-cqt-80": 10, "schindler2016-mel-augmented": 1}


def make_files(root: Path, tracks: int, seconds: float) -> list[str]:
    """Write noisy chords as WAV files and return their names."""
    root.mkdir()
    random, time_axis = np.random.RandomState(0), np.arange(int(RATE * seconds)) / RATE
    names = [f"{number:04d}.wav" for number in range(tracks)]
    for name in names:
        chord = sum(np.sin(2 * np.pi * f * time_axis) for f in random.uniform(100, 2000, 3)) / 6
        soundfile.write(root / name, chord + random.uniform(-0.1, 0.1, time_axis.size), RATE)
    return names


def index_of(names: Sequence[str], copies: int) -> pd.DataFrame:
    """List every file as so many tracks."""
    rows = [(f"{copy}/{name}", name) for copy in range(copies) for name in names]
    return pd.DataFrame(rows, columns=["track", "path"])


@contextmanager
def counted() -> Iterator[list[int]]:
    """Note how many tracks each build inside the block has extracted."""
    run, counts = extraction.extract_all, []

    def counting(tracks: Sequence, jobs: int | None) -> Iterator:
        counts.append(len(tracks))
        return run(tracks, jobs)

    extraction.extract_all = counting
    try:
        yield counts
    finally:
        extraction.extract_all = run


def measure(root: Path, index: pd.DataFrame, recipe: str, jobs: int, repeats: int) -> float:
    """Print every pair of times and return the median ratio; end if the bytes differ."""
    ratios = []
    for number in range(repeats):
        paths = {count: root.parent / recipe / f"{number}-{count}.h5" for count in (1, jobs)}
        seconds = {
            count: timed(cache.build_cache, index, root, RECIPES[recipe], path, jobs=count)
            for count, path in paths.items()
        }
        if paths[1].read_bytes() != paths[jobs].read_bytes():
            sys.exit(f"{recipe}: 1 and {jobs} processes do not make the same bytes")
        ratios.append(seconds[1] / seconds[jobs])
        print(f"{recipe}: 1 process {seconds[1]:.2f} s, {jobs} processes {seconds[jobs]:.2f} s, "
              f"ratio {ratios[-1]:.2f}", flush=True)  # fmt: skip
    return statistics.median(ratios)


def build_twice(root: Path, index: pd.DataFrame, recipe: str, jobs: int) -> None:
    """Print how many tracks a build and the same build again extract; end unless all and none."""
    path = root.parent / recipe / "again.h5"
    with counted() as counts:
        first, second = (
            timed(cache.build_cache, index, root, RECIPES[recipe], path, jobs=jobs)
            for _ in range(2)
        )
    # A build that finds its file does not even get to the extraction.
    extracted = [*counts, 0][:2]
    print(f"{recipe}: {extracted[0]} tracks extracted in {first:.2f} s, again: {extracted[1]} in "
          f"{second:.2f} s")  # fmt: skip
    if extracted != [len(index), 0]:
        sys.exit(f"{recipe}: {len(index)} tracks and then 0 were expected")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=24, help="number of files")
    parser.add_argument("--seconds", type=float, default=30, help="length of each file")
    parser.add_argument("--jobs", type=int, default=processes.usable_cores(), help="processes")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.jobs < 2:
        parser.error("one process against one: give --jobs 2 or more")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "audio"
        names = make_files(root, options.tracks, options.seconds)
        for recipe, copies in COPIES.items():
            index = index_of(names, copies)
            ratio = measure(root, index, recipe, options.jobs, options.repeats)
            print(f"{recipe}: {len(index)} tracks of {options.seconds:g} s, {options.jobs} "
                  f"processes against one: {ratio:.2f} x")  # fmt: skip
            build_twice(root, index, recipe, options.jobs)


if __name__ == "__main__":
    main()
