"""Time and memory of a million tracks before the first batch, and of opening a cache of 20,000.

    python -m tests.benchmarks.sizes [--tracks 1000000] [--cached 20000]

Names, labels and groups are made up, a hundred classes and ten tracks per group; the features are
a few frames of one band, since nothing here reads more of them than their checksums. Every step is
told with its user and system time (which other programs on the machine disturb less than the
clock), the clock, and the peak of its process until then. Two processes do, one after the other,

- what ``mirkeras data check`` does with the tracks it has found: table, counts, copies, and
  ``index.csv`` (finding them, which is the file system's, is left out: no audio is made);
- what ``mirkeras train`` does before its runs begin: the index, the cache, and the checks of its
  plan, all of ten stratified folds that keep groups together among them; then what a run does
  before its first epoch: index and cache, labels, segments, and its fold.

Then a cache of 20,000 tracks of half a minute's mel bands is opened: for the first time, when all
frames are read and compared with their checksums, and as ever after.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES, PER_GROUP, FOLDS = 100, 10, 10
FRAMES = 20  # of a track of the million
MIB_OF_MAXRSS = 1024 if sys.platform != "darwin" else 1024**2


def timed(what: str, step: Callable, *arguments, **options) -> object:
    """Do a step, print its time and the peak memory so far, return what it returns."""
    begin, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = step(*arguments, **options)
    end, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
    seconds = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
    peak = end.ru_maxrss / MIB_OF_MAXRSS
    print(f"{what}: {seconds:.2f} s ({clock:.2f} by the clock), peak {peak:.0f} MiB", flush=True)
    return found


def names(tracks: int) -> list[str]:
    """Ids as a data set has them, sorted."""
    return [f"{number // 1000:04d}/artist-album-{number:07d}" for number in range(tracks)]


def label_of(number: int) -> str:
    """A class that is that of the whole group."""
    return f"class {number // PER_GROUP % CLASSES:02d}"


def prepared_of(folder: Path, index: pd.DataFrame):
    """Wrap an index up as a data set of one's own."""
    from data_prep.declare import DataSet
    from data_prep.prepare import Prepared

    dataset = DataSet(
        name="sizes", description="made up", licence="", layout="", index=lambda _: index
    )
    return Prepared(dataset, folder, index, folder)


def check(folder: Path, tracks: int) -> None:
    """Do what `mirkeras data check` does once it knows the files."""
    from data_prep import prepare
    from data_prep.fetch.counts import check_counts
    from data_prep.index import make_index

    rows = [(name, folder / f"{name}.mp3", label_of(number), float("nan"))
            for number, name in enumerate(names(tracks))]  # fmt: skip
    index = timed("data check, table", make_index, rows, folder)
    groups = [f"group {number // PER_GROUP:06d}" for number in range(tracks)]
    prepared = prepared_of(folder, index.assign(group=groups))
    timed("data check, counts", check_counts, prepared.dataset, folder, prepared.index)
    timed("data check, copies", prepare._report_copies, prepared)
    timed("data check, index.csv", prepare._write_index, prepared.index, folder / "index.csv")


def write(path: Path, tracks: int, frames: np.ndarray) -> None:
    """Write a cache in which all tracks have the same frames."""
    from mirkeras.cache.file import FeatureCache, write_cache

    nothing = pd.DataFrame({name: [] for name in ("track", "path", "reason", "digest")}, dtype=str)
    cache = FeatureCache(
        path=path,
        tracks=tuple(names(tracks)),
        offsets=np.arange(tracks + 1) * len(frames),
        bands=frames.shape[1],
        dtype=frames.dtype.name,
        identity={"min_frames": 1},
        fingerprint="0" * 64,
        rejected=nothing.assign(size=np.zeros(0, np.int64)),
        digests=("0" * 64,) * tracks,
    )
    write_cache(cache, (frames for _ in range(tracks)))


def train(folder: Path, tracks: int) -> None:
    """Do what `mirkeras train` does before the first epoch."""
    from data_prep.index import read_index
    from mirkeras.cache import open_cache
    from mirkeras.experiment.division import divide, tracks_of
    from mirkeras.experiment.setting import Setting
    from mirkeras.pipeline.labels import read_labels
    from mirkeras.pipeline.segments import consecutive
    from mirkeras.pipeline.splits import STRATIFIED
    from mirkeras.training.command import preflight
    from mirkeras.training.command.ready import CLEAN

    protocol = replace(CLEAN, folds=FOLDS)
    index = timed("train, index", read_index, folder / "index.csv")
    prepared = prepared_of(folder, index)
    split, folds = timed(
        "train, split and classes", preflight.choose_split, prepared, protocol, STRATIFIED, FOLDS
    )
    preflight.check_classes(prepared, split, folds)
    timed("train, leaks", preflight.leaks, prepared, protocol, split)
    del prepared, index
    cache = timed("train, cache", open_cache, folder / "million.h5")
    setting = Setting(folder, folder / "index.csv", {}, (), (), "", "", None, None, False)
    timed(
        f"train, {FOLDS} folds", preflight.check_division, protocol, {"": cache}, setting,
        split, folds, [0],
    )  # fmt: skip
    known = timed("run, index and cache", tracks_of, cache, folder / "index.csv")
    timed("run, labels", read_labels, known, ())
    segments = timed("run, segments", consecutive, cache.offsets, FRAMES)
    timed(
        "run, its fold", divide, protocol, segments, known,
        split=split, folds=folds, fold=0, seed=1,
    )  # fmt: skip


def opened(folder: Path, tracks: int) -> None:
    """Open a cache for the first time and once more."""
    from mirkeras.cache import open_cache

    timed(f"cache of {tracks} tracks, first time", open_cache, folder / "cached.h5")
    timed(f"cache of {tracks} tracks, opened again", open_cache, folder / "cached.h5")


STEPS = {"check": check, "train": train, "opened": opened}


def main() -> None:
    """Run the benchmark, or (with --step) one process of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--cached", type=int, default=20_000)
    parser.add_argument("--step", choices=STEPS, help="used by itself, as is --folder")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    counts = {"check": arguments.tracks, "train": arguments.tracks, "opened": arguments.cached}
    if arguments.step:
        STEPS[arguments.step](arguments.folder, counts[arguments.step])
        return
    with tempfile.TemporaryDirectory() as name:
        random = np.random.default_rng(0)
        write(Path(name, "million.h5"), arguments.tracks, np.ones((FRAMES, 1), np.int16))
        mel = random.uniform(0, 4, (1292, 40)).astype(np.float32)
        write(Path(name, "cached.h5"), arguments.cached, mel)
        for step in STEPS:
            command = [sys.executable, "-m", "tests.benchmarks.sizes", "--step", step]
            command += ["--folder", name, "--tracks", str(arguments.tracks)]
            subprocess.run([*command, "--cached", str(arguments.cached)], check=True)


if __name__ == "__main__":
    main()
