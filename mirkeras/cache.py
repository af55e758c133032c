"""Room `cache`: one HDF5 file per (data set, recipe), complete or refused.

While a cache is being built its tracks wait as shards in `<file>.partial/`; the file itself appears
by one rename, so a process killed at any moment leaves nothing that passes for complete. For that
last step the features need room twice. Two builds of the same data are equal byte for byte.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from mirkeras import audio, cachefile, extraction
from mirkeras.cachefile import CacheError, FeatureCache
from mirkeras.features import Recipe
from mirkeras.files import write_text

_REMEDY = "delete it, or use another cache root"


def identity(recipe: Recipe, min_frames: int) -> dict:
    """Return all that must be equal for two caches to hold the same numbers for the same audio."""
    return {
        "format": cachefile.FORMAT,
        "recipe": recipe.identity(),
        "audio": audio.identity(),
        "libraries": recipe.libraries(),
        "min_frames": min_frames,
    }


def statistics(cache: FeatureCache, tracks: Sequence[str] | None = None) -> tuple[float, float]:
    """Compute the scalar mean and standard deviation (population) of all values of some tracks.

    Parameters
    ----------
    cache
        The cache.
    tracks
        Track ids; all tracks by default. Only one track at a time is in memory.

    Returns
    -------
    tuple[float, float]
        Mean and standard deviation, accumulated in float64.
    """
    count, mean, squares = 0, 0.0, 0.0
    for name in cache.tracks if tracks is None else tracks:
        values = cache.track(name).astype(np.float64)
        # Chan, Golub & LeVeque (1983): merging centred sums loses no digits, unlike E[x²] - E[x]².
        difference, total = values.mean() - mean, count + values.size
        squares += values.var() * values.size + difference**2 * count * values.size / total
        mean += difference * values.size / total
        count = total
    if not count:
        raise ValueError("statistics need at least one track")
    return float(mean), float(np.sqrt(squares / count))


def open_cache(path: Path, recipe: Recipe | None = None) -> FeatureCache:
    """Open a complete cache.

    Parameters
    ----------
    path
        The HDF5 file.
    recipe
        If given, the cache must have been made by this recipe and by the decoder, resampler and
        library versions installed now.

    Raises
    ------
    CacheError
        The file is missing, damaged, incomplete or of another identity.
    """
    path = Path(path)
    if not path.is_file():
        raise CacheError(f"{path}: no such cache; build it with `mirkeras features`")
    try:
        cache = cachefile.read(path)
    except (OSError, KeyError, ValueError) as error:
        raise CacheError(f"{path}: damaged or not a cache ({error}); {_REMEDY}") from error
    if recipe is not None:
        _refuse_difference(cache, identity(recipe, cache.identity["min_frames"]))
    return cache


def _refuse_difference(cache: FeatureCache, wanted: dict) -> None:
    if difference := cachefile.first_difference(cache.identity, wanted):
        raise CacheError(f"{cache.path}: made differently ({difference}); {_REMEDY}")


def build(
    index: pd.DataFrame,
    root: Path,
    recipe: Recipe,
    path: Path,
    *,
    jobs: int | None = None,
    max_rejected: float = 0.05,
    min_frames: int = 80,
) -> FeatureCache:
    """Extract all tracks of an index into one cache, or open it if that has been done.

    An interrupted build goes on where it stopped, and ends with the same bytes. A second process
    that builds the same cache waits for the first.

    Parameters
    ----------
    index
        Columns track (unique id) and path (POSIX, relative to `root`).
    root
        Folder of the audio; only read.
    recipe
        The recipe.
    path
        The HDF5 file; `<stem>.rejected.csv` (track, path, reason, size) appears next to it.
    jobs
        Number of processes; by default one per processor.
    max_rejected
        Largest share of unusable tracks; one track is always allowed unless this is 0.
    min_frames
        Tracks with fewer frames are unusable.

    Raises
    ------
    CacheError
        Too many tracks are unusable, the disk is full, a worker was killed, or `path` holds a cache
        of another identity or other data. Finished work is kept for the next call.
    """
    path, root = Path(path), Path(root)
    wanted = identity(recipe, min_frames)
    tasks = _tasks(index, root, recipe, path, wanted)
    if path.exists() and not _partial(path).exists():
        return _reused(path, wanted, tasks)
    with _explained(path), _exclusive(path):
        if not path.exists():
            _build(path, root, wanted, tasks, jobs, max_rejected)
        cache = _reused(path, wanted, tasks)
        shutil.rmtree(_partial(path), ignore_errors=True)
    return cache


def _build(
    path: Path,
    root: Path,
    wanted: dict,
    tasks: list[extraction.Task],
    jobs: int | None,
    max_rejected: float,
) -> None:
    _start_work(_partial(path), wanted)
    # In a small set one track may always be unusable, unless none may.
    allowed = max(1, int(max_rejected * len(tasks))) if max_rejected else 0
    done, rejected = _extract_all(tasks, jobs, allowed)
    table = _report(path, root, rejected)
    if len(rejected) > allowed or not done:
        limit = f"at most {allowed} of {len(tasks)} ({max_rejected:.0%}) may be"
        raise CacheError(
            f"{path}: not built; {len(rejected)} of {len(done) + len(rejected)} tracks read are "
            f"unusable, {limit if done or not allowed else 'none is left'}; "
            f"{path.with_suffix('.rejected.csv')} names them and says why"
        )
    assembled = _partial(path) / "assembled.h5"
    cachefile.write(assembled, wanted, done, table)
    os.replace(assembled, path)


def _tasks(
    index: pd.DataFrame, root: Path, recipe: Recipe, path: Path, wanted: dict
) -> list[extraction.Task]:
    """List what to extract, sorted by track, so that the order of the index does not matter."""
    if index.empty or index["track"].duplicated().any():
        raise CacheError(f"{path}: the index must hold at least one track, and each only once")
    tag = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
    return [
        extraction.Task(
            track=track,
            path=root / relative,
            # Track ids hold slashes and any letters; a hash is a safe file name.
            shard=_partial(path) / f"{hashlib.sha256(track.encode()).hexdigest()[:32]}.npz",
            recipe=recipe,
            identity=tag,
            min_frames=wanted["min_frames"],
        )
        for track, relative in sorted(zip(index["track"], index["path"], strict=True))
    ]


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _reused(path: Path, wanted: dict, tasks: list[extraction.Task]) -> FeatureCache:
    """Open a finished cache if it has the wanted identity and its audio files look unchanged."""
    cache = open_cache(path)
    _refuse_difference(cache, wanted)
    found = dict(zip(cache.tracks, cache.sizes.tolist(), strict=True))
    found |= dict(zip(cache.rejected["track"], cache.rejected["size"].tolist(), strict=True))
    now = {task.track: extraction.file_size(task.path) for task in tasks}
    for track in sorted(now.keys() | found.keys()):
        if now.get(track) != found.get(track):
            sizes = f"{found.get(track, 'no')} -> {now.get(track, 'no')} bytes"
            raise CacheError(f"{path}: made from other data (track {track}: {sizes}); {_REMEDY}")
    return cache


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of one cache; the system drops it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"{path}: another process is building this cache; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what may stop a build into a message that says how to go on."""
    kept = "finished tracks are kept: run the same command again to go on"
    try:
        yield
    except KeyboardInterrupt:
        _say(f"\n{path}: interrupted; {kept}")
        raise
    except BrokenProcessPool as error:
        cause = "a worker process was killed, for want of memory? Then use fewer jobs"
        raise CacheError(f"{path}: cannot be built: {cause}; {kept}") from error
    except OSError as error:
        full = error.errno in (ENOSPC, EDQUOT, EFBIG)
        cause = f"{os.strerror(error.errno)}; make room" if full else error
        raise CacheError(f"{path}: cannot be built: {cause}; {kept}") from error


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _start_work(partial: Path, wanted: dict) -> None:
    """Make the folder of shards, discarding one that belongs to another identity."""
    marker = partial / "identity.json"
    if partial.exists():
        found = json.loads(marker.read_text()) if marker.exists() else {"format": "unknown"}
        difference = cachefile.first_difference(found, wanted)
        if not difference:
            for rest in partial.glob(".*.part*"):  # of a killed build: half-written files
                rest.unlink()
            return
        _say(f"{partial}: unfinished work discarded, it was made differently ({difference})")
        shutil.rmtree(partial)
    partial.mkdir()
    write_text(marker, json.dumps(wanted))


def _extract_all(
    tasks: list[extraction.Task], jobs: int | None, allowed: int
) -> tuple[list[extraction.Outcome], list[extraction.Outcome]]:
    """Extract what is not done yet; return accepted and rejected outcomes, each sorted by track.

    Stops early when more than `allowed` tracks are rejected.
    """
    done = [outcome for task in tasks if (outcome := extraction.finished(task))]
    if done:
        _say(f"{tasks[0].shard.parent}: going on, {len(done)} of {len(tasks)} tracks are done")
    known = {outcome.task for outcome in done}
    left = [task for task in tasks if task not in known]
    rejected: list[extraction.Outcome] = []
    bar = tqdm(total=len(tasks), initial=len(done), unit="track", desc="features", disable=None)
    with bar, closing(extraction.run(left, jobs)) as outcomes:
        for outcome in outcomes:
            (rejected if outcome.reason else done).append(outcome)
            bar.update()
            if len(rejected) > allowed:
                break
    by_track = attrgetter("task.track")
    return sorted(done, key=by_track), sorted(rejected, key=by_track)


def _report(path: Path, root: Path, rejected: list[extraction.Outcome]) -> pd.DataFrame:
    """Tabulate the rejected tracks, and write the table next to the cache."""
    rows = [
        (o.task.track, o.task.path.relative_to(root).as_posix(), o.reason, o.size) for o in rejected
    ]
    table = pd.DataFrame(rows, columns=["track", "path", "reason", "size"])
    write_text(path.with_suffix(".rejected.csv"), table.to_csv(index=False, lineterminator="\n"))
    return table
