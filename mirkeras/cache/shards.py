"""Build caches track by track so that an interrupted build resumes.

While a cache is being built its tracks wait as shards in `<file>.partial/`; the file itself appears
by one rename, so a process killed at any moment leaves nothing that passes for complete. For that
last step the features need space twice. A cache that exists is followed: tracks that it holds are
copied from it, the others become shards. Two builds of the same data are equal byte for byte,
whatever was there before.
"""

import json
import math
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pandas as pd
from tqdm import tqdm

from mirkeras.cache import foreseen
from mirkeras.cache.build import Build
from mirkeras.cache.file import (
    CacheError,
    FeatureCache,
    fingerprint,
    first_difference,
    write_cache,
)
from mirkeras.cache.kept import Kept, kept_of
from mirkeras.features import extraction
from mirkeras.storage.files import locked, read_json, sweep, write_text
from mirkeras.storage.memory import Memory, Stamp
from mirkeras.storage.tables import write_csv
from mirkeras.system.errors import explained, say
from mirkeras.system.estimate import BAR, Remaining, still
from mirkeras.system.jobs import Whose, hands
from mirkeras.system.workers import WorkersLost


def make(builds: Sequence[Build], jobs: Whose, audio: Memory) -> None:
    """Build caches of the same tracks, decoding every track once.

    Parameters
    ----------
    audio
        Remembers the digests of audio files.

    Raises
    ------
    CacheError
        Too many tracks are unusable for one of them, or all of a class; then none is written, all
        shards are kept.
    """
    kept = {build: kept_of(build, audio) for build in builds}
    left = [build for build in builds if not kept[build].is_all]  # others may have made them
    for build in set(builds) - set(left):
        shutil.rmtree(build.partial, ignore_errors=True)
    if not left:
        return
    for build in left:
        if kept[build].cache is not None:
            say(kept[build].said())
        _start_work(build)
    found = {build: _with_shards(build, kept[build], audio) for build in left}
    _extract_missing(found, jobs, audio)
    tables = {build: _report(build, found[build].rejected) for build in left}
    for build in left:  # all before the first is written
        refuse_losses(build, tables[build]["track"])
    for build in left:
        _assemble(build, found[build], kept[build], tables[build])
        os.replace(build.assembled, build.path)
        shutil.rmtree(build.partial, ignore_errors=True)  # the next one needs the space


@contextmanager
def exclusive(builds: Sequence[Build]) -> Iterator[None]:
    """Hold the locks of caches; the system drops them when the process ends, however it ends."""
    with ExitStack() as locks:
        # in one order for everyone: two processes never wait for each other
        for path in sorted(build.path for build in builds):
            waiting = f"{path}: another process is building this cache; waiting for it"
            locks.enter_context(locked(path.with_name(f".{path.name}.lock"), waiting))
        yield


@contextmanager
def as_cache_errors(builds: Sequence[Build]) -> Iterator[None]:
    """Turn what may stop a build into a message that says how to go on."""
    paths = ", ".join(str(build.path) for build in builds)
    try:
        yield
    except (OSError, MemoryError, WorkersLost) as error:
        raise CacheError(f"{paths}: cannot be built: {explained(error)}") from error


def _start_work(build: Build) -> None:
    """Make the folder of shards, discarding one that belongs to another identity."""
    partial, marker = build.partial, build.partial / "identity.json"
    if partial.exists():
        found = None
        with suppress(OSError, ValueError):
            found = read_json(marker)
        known = found if isinstance(found, dict) else {"format": "unknown"}
        difference = first_difference(known, build.identity)
        if not difference:
            sweep(partial)
            return
        say(f"{partial}: unfinished work discarded, it was made differently ({difference})")
        shutil.rmtree(partial)
    partial.mkdir()
    write_text(marker, json.dumps(build.identity))


def _with_shards(build: Build, kept: Kept, audio: Memory) -> Kept:
    """Add to what a cache holds what earlier, interrupted builds left as valid shards."""
    outcomes = [
        extraction.finished(task, extraction.digest_of(task.path, audio))
        if task.shard.exists()
        else None
        for task in kept.missing
    ]
    done = [outcome for outcome in outcomes if outcome]
    if done:
        say(f"{build.partial}: going on, {len(done)} of {len(build.tasks)} tracks are done")
    missing = [task for task, got in zip(kept.missing, outcomes, strict=True) if not got]
    return replace(kept, done=kept.done + done, rejected=[*kept.rejected], missing=missing)


def _extract_missing(found: dict[Build, Kept], jobs: Whose, audio: Memory) -> None:
    """Extract what is not done yet; the outcomes of each build are sorted by track."""
    missing: dict[str, list[extraction.Task]] = {}
    for task in (task for kept in found.values() for task in kept.missing):
        missing.setdefault(task.track, []).append(task)
    left, total = list(missing.values()), len(next(iter(found)).tasks)
    foreseen.tell(left, jobs)
    of = {build.partial: kept for build, kept in found.items()}
    # what a track takes goes by its length, and that by its file's
    sizes = (max(0, Stamp.of(tasks[0].path).size) for tasks in left)
    remaining = Remaining(sum(sizes), hands(jobs).places() if left else 1)
    progress = {"initial": total - len(left), "unit": "track", "desc": "features", "disable": None}
    with (
        tqdm(total=total, bar_format=BAR, **progress) as bar,
        closing(extraction.extract_all(left, jobs)) as tracks,
    ):
        for outcomes in tracks:
            for outcome in outcomes:
                kept = of[outcome.task.shard.parent]
                (kept.rejected if outcome.reason else kept.done).append(outcome)
                digest, _, _ = outcome.digest.partition(" ")  # without a decoder
                audio.remember(outcome.task.path, outcome.seen, digest)
            remaining.add(max(0, outcomes[0].size))
            bar.set_postfix_str(still(remaining.left()), refresh=False)
            bar.update()
    for kept in found.values():
        for outcomes in (kept.done, kept.rejected):
            outcomes.sort(key=attrgetter("task.track"))


def _assemble(build: Build, found: Kept, kept: Kept, rejected: pd.DataFrame) -> None:
    """Write a cache from what is kept of an old one and from shards."""
    recipe, done = build.tasks[0].recipe, found.done
    tracks = [(outcome.task.track, outcome.digest) for outcome in done]
    described = FeatureCache(
        path=build.assembled,
        tracks=tuple(track for track, _ in tracks),
        digests=tuple(digest for _, digest in tracks),
        offsets=np.cumsum([0, *(outcome.frames for outcome in done)], dtype=np.int64),
        bands=recipe.bands,
        dtype=recipe.dtype,
        identity=build.identity,
        fingerprint=fingerprint(tracks),
        rejected=rejected,
    )
    write_cache(described, (_frames(outcome, kept) for outcome in done))


def _frames(outcome: extraction.Extracted, kept: Kept) -> np.ndarray:
    """Read a track's frames from the old cache, else from its shard."""
    if (number := kept.places.get(outcome.digest)) is not None:
        return kept.cache.stored(number)
    frames = extraction.read_shard(outcome.task, outcome.digest)
    if frames is None:
        raise CacheError(f"{outcome.task.shard}: damaged; run the same command again, it is remade")
    return frames


def refuse_losses(build: Build, rejected: Collection[str]) -> None:
    """Refuse to go on without too many tracks, or without all of a class or tag.

    Raises
    ------
    CacheError
        The message says what to do.
    """
    lost, total, unusable = len(rejected), len(build.tasks), {*rejected}
    gone = [name for name, tracks in build.members.items() if unusable.issuperset(tracks)]
    if lost == total:
        why, remedy = "none is left", "mend them"
    elif lost > build.allowed:
        why = f"at most {build.allowed} of {total} ({build.max_rejected:.0%}) may be"
        remedy = (
            f"mend or remove them, or go on without them: --allow-bad {_rounded_up(lost / total)}"
        )
    elif gone:
        why = f"among them every one of {', '.join(map(repr, gone))}"
        remedy = "mend some of those, or take that class or tag out of the data set"
    else:
        return
    state = "not used" if build.path.exists() else "not built"
    raise CacheError(
        f"{build.path}: {state}; {lost} of {total} tracks are unusable, {why}; "
        f"{build.path.with_suffix('.rejected.csv')} names them and says why: {remedy}"
    )


def _rounded_up(share: float) -> float:
    return math.ceil(100 * share) / 100


def _report(build: Build, rejected: list[extraction.Extracted]) -> pd.DataFrame:
    """Tabulate the rejected tracks, and write the table next to the cache."""
    rows = [
        (o.task.track, o.task.path.relative_to(build.root).as_posix(), o.reason, o.size, o.digest)
        for o in rejected
    ]
    table = pd.DataFrame(rows, columns=["track", "path", "reason", "size", "digest"])
    report = build.path.with_suffix(".rejected.csv")
    sweep(report.parent, [report.name])  # the lock is ours
    write_csv(table.drop(columns="digest"), report)
    return table
