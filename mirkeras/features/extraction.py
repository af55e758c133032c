"""Extraction by processes: every track becomes shards, files that are whole or worthless.

A track is decoded once for all recipes that are wanted of it; each recipe gets a shard of its own.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from errno import EINVAL, ENOENT, ENOMEM
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from mirkeras import audio
from mirkeras.audio import foreign
from mirkeras.audio.decoding import as_audio_error
from mirkeras.features.recipe import Recipe
from mirkeras.storage.arrays import write_archive
from mirkeras.storage.files import sha256
from mirkeras.storage.memory import Memory, Stamp
from mirkeras.system.jobs import Whose
from mirkeras.system.workers import work


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
    digest
        SHA-256 of the audio file, "" if it cannot be read.
    reason
        Why the track was rejected, "" if it was not.
    seen
        How the file looked before it was read.
    """

    task: Task
    size: int
    frames: int
    digest: str
    reason: str
    seen: Stamp


def extract_all(tracks: Sequence[Sequence[Task]], jobs: Whose = None) -> Iterator[list[Extracted]]:
    """Extract tracks by several processes and yield the outcomes as they come.

    Parameters
    ----------
    tracks
        What to do, the tasks of one track together: they share its decoding.
    jobs
        Number of processes; by default one per processor; or who else extracts.

    Yields
    ------
    list of Extracted
        The outcomes of one track, one per task; the tracks in no fixed order.

    Raises
    ------
    OSError
        A shard could not be written.
    WorkersLost
        Workers were killed.
    """
    yield from work(extract_track, tracks, jobs, name=lambda tasks: tasks[0].path)


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
    except MemoryError as error:
        raise OSError(ENOMEM, os.strerror(ENOMEM), str(tasks[0].path)) from error
    except Exception as error:
        error.add_note(f"while extracting {tasks[0].path}")
        raise


def _extract_track(tasks: Sequence[Task]) -> list[Extracted]:
    path, outcomes = tasks[0].path, []
    seen = Stamp.of(path)
    recording, reason = _decoded(path)
    digest = digest_of(path)
    # The samples may then be of other audio than the digest.
    if Stamp.of(path).look != seen.look or not (digest or reason):
        digest, reason = "", "changed while it was read"

    def outcome(task: Task, frames: int = 0, reason: str = "") -> Extracted:
        return Extracted(task, seen.size, frames, digest, reason, seen)

    if reason:
        return [outcome(task, reason=reason) for task in tasks]
    # Rate after rate: no more than one resampled copy of the track is held.
    rate = attrgetter("recipe.sample_rate")
    for sample_rate, group in groupby(sorted(tasks, key=rate), rate):
        same = list(group)
        try:
            samples = recording.at(sample_rate)
            extracted = [task.recipe.extract(samples) for task in same]
        except Exception as error:
            reason = _words(as_audio_error(path, error))
            outcomes += [outcome(task, reason=reason) for task in same]
            continue
        for task, frames in zip(same, extracted, strict=True):
            if len(frames) < (least := task.min_frames):
                reason = f"too short: {len(frames)} frames, at least {least} are needed"
                outcomes.append(outcome(task, reason=reason))
                continue
            write_shard(task, frames, digest)
            outcomes.append(outcome(task, len(frames)))
    return outcomes


def _decoded(path: Path) -> tuple[audio.decoding.Recording | None, str]:
    """Decode a file, or say why that is impossible."""
    try:
        return audio.decode(path), ""
    except audio.AudioError as error:
        return None, _words(error)


def _words(error: audio.AudioError) -> str:
    return f"{error.reason}: {error.detail}".removesuffix(": ")


def digest_of(path: Path, known: Memory | None = None) -> str:
    """Tell the audio of a file from any other: by SHA-256, and what decodes it if not libsndfile.

    Parameters
    ----------
    known
        Remembers the hashes of files.

    Returns
    -------
    str
        Hexadecimal digits, perhaps a space and the decoder; "" if the file cannot be read.
    """
    return foreign.sealed(path, known.recall(path, _hashed) if known else _hashed(path))


def _hashed(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:
        return ""


def write_shard(task: Task, frames: np.ndarray, digest: str) -> None:
    """Write a shard whole or not at all; `digest` is that of the audio."""
    record = np.array(json.dumps(_expected_record(task, digest)))
    write_archive(task.shard, record=record, frames=frames)


def read_shard(task: Task, digest: str) -> np.ndarray | None:
    """Read the frames (time, band) from a finished shard.

    Returns None if there is no shard, if it is torn or altered (the archive carries checksums),
    or if it belongs to another identity or to other audio than that of `digest`.

    Raises
    ------
    OSError
        The system refuses to read it: then it may be whole.
    """
    try:
        with np.load(task.shard, allow_pickle=False) as archive:
            record = json.loads(str(archive["record"]))
            frames = archive["frames"]
    except Exception as error:  # a damaged archive may raise almost anything: it is made again
        if isinstance(error, OSError) and error.errno not in (None, ENOENT, EINVAL):
            raise
        return None
    return frames if record == _expected_record(task, digest) else None


def finished(task: Task, digest: str) -> Extracted | None:
    """Return the outcome that a valid shard of an earlier build stands for, or None."""
    frames = read_shard(task, digest)
    if frames is None:
        return None
    seen = Stamp.of(task.path)
    return Extracted(task, seen.size, len(frames), digest, "", seen)


def _expected_record(task: Task, digest: str) -> dict[str, str]:
    """Describe what a shard must be about: this track, this identity, this audio."""
    return {"track": task.track, "identity": task.identity, "digest": digest}
