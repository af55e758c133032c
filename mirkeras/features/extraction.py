"""Extraction by processes: every track becomes shards, files that are whole or worthless.

A track is decoded once for all recipes that are wanted of it; each recipe gets a shard of its own.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from mirkeras import audio
from mirkeras.features.recipe import Recipe
from mirkeras.system import processes
from mirkeras.system.files import sha256, whole_file


@dataclass(frozen=True)
class Task:
    """One track to extract by one recipe.

    Attributes
    ----------
    identity
        Tag of the cache this shard is for.
    min_frames
        Tracks with fewer frames are rejected.
    """

    track: str
    path: Path
    shard: Path
    recipe: Recipe
    identity: str
    min_frames: int


@dataclass(frozen=True)
class Extracted:
    """What became of a task.

    Attributes
    ----------
    size
        Bytes of the audio file, -1 if it is missing.
    frames
        Number of frames in the shard, 0 if the track was rejected.
    checksum
        SHA-256 of the audio file, "" if the track was rejected.
    reason
        Why the track was rejected, "" if it was not.
    """

    task: Task
    size: int
    frames: int
    checksum: str
    reason: str


def extract_all(
    tracks: Sequence[Sequence[Task]], jobs: int | None = None
) -> Iterator[list[Extracted]]:
    """Extract tracks by several processes and yield the outcomes as they come.

    Parameters
    ----------
    tracks
        What to do, the tasks of one track together: they share its decoding.
    jobs
        Number of processes; by default one per processor.

    Yields
    ------
    list of Extracted
        The outcomes of one track, one per task; the tracks in no fixed order.

    Raises
    ------
    OSError
        A shard could not be written.
    concurrent.futures.process.BrokenProcessPool
        A worker was killed.
    """
    jobs = min(jobs or processes.usable_cores(), len(tracks)) or 1
    pool = ProcessPoolExecutor(jobs, mp_context=processes.SPAWN, initializer=processes.begin)
    try:
        with (
            processes.light_start()
        ):  # a spawning pool starts its processes at the first submissions
            futures = [pool.submit(extract_track, tasks) for tasks in tracks]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def extract_track(tasks: Sequence[Task]) -> list[Extracted]:
    """Decode one track, compute its frames by every recipe, write its shards (in a worker).

    Parameters
    ----------
    tasks
        All of the same track and file.

    Raises
    ------
    OSError
        A shard could not be written; nothing of that one is left.
    """
    try:
        return _extract_track(tasks)
    except Exception as error:
        error.add_note(f"while extracting {tasks[0].path}")
        raise


def _extract_track(tasks: Sequence[Task]) -> list[Extracted]:
    path = tasks[0].path
    size, outcomes = file_size(path), []
    try:
        recording = audio.decode(path)
    except audio.AudioError as error:
        return [_rejected(task, size, error) for task in tasks]
    checksum = sha256(path)
    # Rate after rate: no more than one resampled copy of the track is held.
    rate = attrgetter("recipe.sample_rate")
    for sample_rate, group in groupby(sorted(tasks, key=rate), rate):
        same = list(group)
        try:
            samples = recording.at(sample_rate)
        except audio.AudioError as error:
            outcomes += [_rejected(task, size, error) for task in same]
            continue
        for task in same:
            frames, least = task.recipe.extract(samples), task.min_frames
            if len(frames) < least:
                reason = f"too short: {len(frames)} frames, at least {least} are needed"
                outcomes.append(Extracted(task, size, 0, "", reason))
                continue
            write_shard(task, frames, checksum)
            outcomes.append(Extracted(task, size, len(frames), checksum, ""))
    return outcomes


def _rejected(task: Task, size: int, error: audio.AudioError) -> Extracted:
    return Extracted(task, size, 0, "", f"{error.reason}: {error.detail}".removesuffix(": "))


def file_size(path: Path) -> int:
    """Return the size of a file in bytes, -1 if there is no such file."""
    return path.stat().st_size if path.exists() else -1


def write_shard(task: Task, frames: np.ndarray, checksum: str) -> None:
    """Write a shard whole or not at all."""
    record = {**_expected_record(task), "checksum": checksum}
    with whole_file(task.shard) as temporary:
        np.savez(temporary, record=np.array(json.dumps(record)), frames=frames)


def read_shard(task: Task) -> tuple[np.ndarray, str] | None:
    """Read the frames (time, band) and the audio's checksum from a finished shard.

    Returns None if there is no shard, if it is torn or altered (the archive carries checksums),
    or if it belongs to another identity or to an audio file that has changed since.
    """
    try:
        with np.load(task.shard, allow_pickle=False) as archive:
            record = json.loads(str(archive["record"]))
            frames = archive["frames"]
        checksum = record.pop("checksum")
        return (frames, checksum) if record == _expected_record(task) else None
    except Exception:  # a damaged archive may raise almost anything, and redoing it is always right
        return None


def finished(task: Task) -> Extracted | None:
    """Return the outcome that a valid shard of an earlier build stands for, or None."""
    shard = read_shard(task)
    return shard and Extracted(task, file_size(task.path), len(shard[0]), shard[1], "")


def _expected_record(task: Task) -> dict[str, str | int]:
    """Describe what a shard must be about: this track, this identity, this version of the file."""
    status = task.path.stat()
    return {
        "track": task.track,
        "identity": task.identity,
        "size": status.st_size,
        "modified": status.st_mtime_ns,
    }
