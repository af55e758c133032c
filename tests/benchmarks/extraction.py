"""Extraction against the plain loop that one would write with librosa.

    python -m tests.benchmarks.extraction [--tracks 80] [--seconds 30] [--jobs 2] [--repeats 3]

The same WAV files (44.1 kHz, 16 bit, stereo, made for the occasion) are read

- by `librosa.load(sr=44100)` and `librosa.feature.melspectrogram`, one file after the other in this
  process, results thrown away; librosa is warm, its import and first call are not counted;
- by `mirkeras.cache.build_cache` with its worker processes, from nothing to a finished cache file:
  starting the processes, decoding, features, checksums of the audio, shards, the final file.

Both run in turn, in this order, `--repeats` times; the ratio of each pair counts, and the median
of the ratios is the result. Above 1, mirkeras is faster.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import soundfile

from mirkeras import cache
from mirkeras.features import RECIPES


def make_files(root: Path, tracks: int, seconds: float) -> pd.DataFrame:
    """Write noisy chords as stereo WAV files and return their index."""
    random, time_axis = np.random.RandomState(0), np.arange(int(44100 * seconds)) / 44100
    for i in range(tracks):
        chord = sum(np.sin(2 * np.pi * f * time_axis) for f in random.uniform(100, 2000, 3)) / 6
        noise = random.uniform(-0.1, 0.1, (time_axis.size, 2))
        soundfile.write(root / f"{i:04d}.wav", chord[:, None] + noise, 44100)
    names = [f"{i:04d}.wav" for i in range(tracks)]
    return pd.DataFrame({"track": names, "path": names})


def plain_loop(root: Path, index: pd.DataFrame) -> None:
    """Do what most scripts do."""
    for name in index["path"]:
        audio, rate = librosa.load(root / name, sr=44100)
        librosa.feature.melspectrogram(y=audio, sr=rate, n_fft=2048, hop_length=1024, n_mels=40)


def timed(function, *arguments, **options) -> float:
    """Return how long a call takes, in seconds."""
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def measure(
    folder: Path, tracks: int, seconds: float, jobs: int, repeats: int, recipe: str
) -> float:
    """Print every pair of times and return the median ratio."""
    root = folder / "audio"
    root.mkdir()
    index = make_files(root, tracks, seconds)
    plain_loop(root, index[:2])  # librosa loads and compiles parts of itself at the first call
    ratios = []
    for i in range(repeats):
        plain = timed(plain_loop, root, index)
        target = folder / f"{i}" / f"{recipe}.h5"
        ours = timed(cache.build_cache, index, root, RECIPES[recipe], target, jobs=jobs)
        ratios.append(plain / ours)
        print(
            f"plain loop {plain:.2f} s, mirkeras {ours:.2f} s, ratio {ratios[-1]:.2f}", flush=True
        )
    return statistics.median(ratios)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=80)
    parser.add_argument("--seconds", type=float, default=30, help="length of each track")
    parser.add_argument("--jobs", type=int, default=2, help="processes of mirkeras")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--recipe", choices=RECIPES, default="cbmi2016")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ratio = measure(Path(folder), **vars(options))
    print(
        f"{options.tracks} tracks of {options.seconds:g} s, {options.jobs} processes: {ratio:.2f} x"
    )


if __name__ == "__main__":
    main()
