"""What a finished cache still holds of its data set: files come, go, change, or are touched."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from mirkeras.audio import foreign
from mirkeras.cache.build import Build
from mirkeras.cache.file import (
    CacheError,
    FeatureCache,
    damaged_tracks,
    fingerprint,
    first_difference,
    read_cache,
)
from mirkeras.features import extraction
from mirkeras.storage.files import about
from mirkeras.storage.memory import Memory, Stamp
from mirkeras.system.errors import unusable

REMEDY = "delete it, or use another cache root"


@dataclass(frozen=True)
class Kept:
    """What a build need not do again.

    Attributes
    ----------
    cache
        The finished cache, None if there is none.
    done, rejected
        The outcomes it stands for, sorted by track.
    missing
        Tasks of which it knows nothing: new files, other content, damaged frames.
    places
        Digest of audio → number of the track with its frames.
    note
        What people must hear of it.
    """

    cache: FeatureCache | None = None
    done: list[extraction.Extracted] = field(default_factory=list)
    rejected: list[extraction.Extracted] = field(default_factory=list)
    missing: list[extraction.Task] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def is_all(self) -> bool:
        """Whether the cache is just what a build would make."""
        if self.cache is None or self.cache.checksums is None or self.missing:
            return False
        tracks = [(outcome.task.track, outcome.digest) for outcome in self.done]
        rejected = [outcome.task.track for outcome in self.rejected]
        same = fingerprint(tracks) == self.cache.fingerprint
        return same and rejected == self.cache.rejected["track"].tolist()

    def said(self) -> str:
        """What becomes of the cache, for people."""
        kept = len(self.done) + len(self.rejected)
        return (
            f"{self.cache.path}: {self.note}{kept} tracks are kept, {len(self.missing)} are new or "
            "changed"
        )


def read_or_refuse(path: Path) -> FeatureCache:
    """Read a cache of whatever layout.

    Raises
    ------
    CacheError
        It is damaged, never finished, or cannot be read now.
    """
    try:
        return read_cache(path)
    except (OSError, ValueError, MemoryError) as error:
        raise CacheError(unusable(path, error, REMEDY)) from error


def refuse_difference(cache: FeatureCache, wanted: dict) -> None:
    """Refuse a cache whose numbers were made in another way."""
    if difference := first_difference(cache.identity, wanted):
        raise CacheError(f"{cache.path}: made differently ({difference}); {REMEDY}")


def verified(cache: FeatureCache) -> list[str]:
    """Return the damaged tracks of a cache; it is read once, and again after it was touched."""
    memory = Memory(cache.path.with_name(f".{cache.path.name}.seen"))
    with about(cache.path):
        damaged = memory.recall(cache.path, lambda _: "\0".join(damaged_tracks(cache)))
    memory.save()
    return damaged.split("\0") if damaged else []


def kept_of(build: Build, audio: Memory) -> Kept:
    """Compare a finished cache with the files of its data set.

    Parameters
    ----------
    audio
        Remembers the digests of audio files.

    Raises
    ------
    CacheError
        The cache is damaged, held by another process, or of another identity.
    """
    if not build.path.exists():
        return Kept(missing=build.tasks)
    cache, note = read_or_refuse(build.path), ""
    refuse_difference(cache, build.identity)
    if cache.checksums is None:
        damaged, (cache, note) = [], _with_digests(cache, build, audio)
    elif damaged := verified(cache):
        note = f"the features of {len(damaged)} track(s) are damaged ({damaged[0]!r}, …); "
    return _compared(cache, set(damaged), build, audio, note)


def _compared(
    cache: FeatureCache, damaged: set[str], build: Build, audio: Memory, note: str
) -> Kept:
    sound = zip(cache.digests, cache.tracks, range(len(cache.tracks)), strict=True)
    places = {digest: number for digest, track, number in sound if track not in damaged}
    columns = (cache.rejected[name] for name in ("track", "path", "digest"))
    reasons = dict(zip(zip(*columns, strict=True), cache.rejected["reason"], strict=True))
    kept = Kept(cache, places=places, note=note)
    for task in build.tasks:
        digest, seen = extraction.digest_of(task.path, audio), Stamp.of(task.path)
        relative = task.path.relative_to(build.root).as_posix()
        if (number := places.get(digest)) is not None:
            frames = int(cache.offsets[number + 1] - cache.offsets[number])
            kept.done.append(extraction.Extracted(task, seen.size, frames, digest, "", seen))
        elif (reason := reasons.get((task.track, relative, digest))) and not (
            foreign.EXTRA in reason and foreign.available()  # installed since
        ):
            kept.rejected.append(extraction.Extracted(task, seen.size, 0, digest, reason, seen))
        else:
            kept.missing.append(task)
    return kept


def _with_digests(cache: FeatureCache, build: Build, audio: Memory) -> tuple[FeatureCache, str]:
    """Find the digests of a cache of the first layout, which kept only one of all of them together.

    Where any of its audio was changed or removed since, the others cannot be told from it.
    """
    paths = {task.track: task.path for task in build.tasks}
    digests = tuple(
        extraction.digest_of(paths[track], audio) if track in paths else ""
        for track in cache.tracks
    )
    if fingerprint(zip(cache.tracks, digests, strict=True)) != cache.fingerprint:
        note = "made by an earlier version, which cannot tell what has changed since; "
        return replace(cache, tracks=()), note
    note = "made by an earlier version from the audio that is there: its features are taken over; "
    return replace(cache, digests=digests), note
