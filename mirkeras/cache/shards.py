"""Build caches track by track so that an interrupted build resumes.

While a cache is being built its tracks wait as shards in `<file>.partial/`; the file itself appears
by one rename, so a process killed at any moment leaves nothing that passes for complete. For that
last step the features need space twice. Two builds of the same data are equal byte for byte.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from errno import EDQUOT, EFBIG, ENOSPC
from operator import attrgetter
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from mirkeras.cache.file import CacheError, first_difference, write_cache
from mirkeras.features import Recipe, extraction
from mirkeras.system.errors import say
from mirkeras.system.files import locked, sweep, write_text
from mirkeras.system.tables import write_csv


@dataclass(frozen=True, eq=False)
class Build:
    """One cache to build.

    Attributes
    ----------
    identity
        What defines the numbers, plain values.
    tasks
        One per track, sorted by track.
    max_rejected
        Largest share of unusable tracks; one track is always allowed unless this is 0.
    """

    path: Path
    root: Path
    identity: dict
    tasks: list[extraction.Task]
    max_rejected: float

    @property
    def partial(self) -> Path:
        """Folder of the shards."""
        return partial_folder(self.path)

    @property
    def allowed(self) -> int:
        """How many tracks may be unusable."""
        # In a small set one track may always be unusable, unless none may.
        return max(1, int(self.max_rejected * len(self.tasks))) if self.max_rejected else 0


@dataclass(frozen=True)
class _Found:
    """What became of the tracks of one build."""

    done: list[extraction.Extracted] = field(default_factory=list)
    rejected: list[extraction.Extracted] = field(default_factory=list)

    def add(self, outcome: extraction.Extracted) -> None:
        (self.rejected if outcome.reason else self.done).append(outcome)


def list_tasks(
    index: pd.DataFrame,
    root: Path,
    recipe: Recipe,
    path: Path,
    identity: dict,
    max_rejected: float,
) -> Build:
    """List what to extract, sorted by track, so that the order of the index does not matter.

    Raises
    ------
    CacheError
        The index is empty or names a track twice.
    """
    if index.empty or index["track"].duplicated().any():
        raise CacheError(f"{path}: the index must hold at least one track, and each only once")
    tag = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    tasks = [
        extraction.Task(
            track=track,
            path=root / relative,
            # Track ids hold slashes and any letters; a hash is a safe file name.
            shard=partial_folder(path) / f"{hashlib.sha256(track.encode()).hexdigest()[:32]}.npz",
            recipe=recipe,
            identity=tag,
            min_frames=identity["min_frames"],
        )
        for track, relative in sorted(zip(index["track"], index["path"], strict=True))
    ]
    return Build(path, root, identity, tasks, max_rejected)


def partial_folder(path: Path) -> Path:
    """Return where the shards of a cache file wait."""
    return path.with_name(f"{path.name}.partial")


def make(builds: Sequence[Build], jobs: int | None) -> None:
    """Build caches of the same tracks that do not exist yet, decoding every track once.

    Raises
    ------
    CacheError
        Too many tracks are unusable for one of them; then none is written, all shards are kept.
    """
    if not builds:
        return
    for build in builds:
        _start_work(build)
    found = _extract_all(builds, jobs)
    for build in builds:  # all before the first is written: a refusal left the others incomplete
        _refuse_too_many(build, found[build])
    for build in builds:
        table = _report(build, found[build].rejected)
        assembled = build.partial / "assembled.h5"
        write_cache(assembled, build.identity, found[build].done, table)
        os.replace(assembled, build.path)
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
    kept = "finished tracks are kept: run the same command again to go on"
    try:
        yield
    except KeyboardInterrupt:
        say(f"\n{paths}: interrupted; {kept}")
        raise
    except BrokenProcessPool as error:
        cause = "a worker process was killed, for want of memory? Then use fewer jobs"
        raise CacheError(f"{paths}: cannot be built: {cause}; {kept}") from error
    except OSError as error:
        full = error.errno in (ENOSPC, EDQUOT, EFBIG)
        cause = f"{os.strerror(error.errno)}; make room" if full else error
        raise CacheError(f"{paths}: cannot be built: {cause}; {kept}") from error


def _start_work(build: Build) -> None:
    """Make the folder of shards, discarding one that belongs to another identity."""
    partial, marker = build.partial, build.partial / "identity.json"
    if partial.exists():
        found = json.loads(marker.read_text()) if marker.exists() else {"format": "unknown"}
        difference = first_difference(found, build.identity)
        if not difference:
            sweep(partial)
            return
        say(f"{partial}: unfinished work discarded, it was made differently ({difference})")
        shutil.rmtree(partial)
    partial.mkdir()
    write_text(marker, json.dumps(build.identity))


def _extract_all(builds: Sequence[Build], jobs: int | None) -> dict[Build, _Found]:
    """Extract what is not done yet; the outcomes of each build are sorted by track.

    Stops early when a build has more rejected tracks than it may have.
    """
    # What earlier, interrupted builds left as valid shards, and by track what they did not.
    found: dict[Build, _Found] = {}
    missing: dict[str, list[extraction.Task]] = {}
    for build in builds:
        outcomes = {task: extraction.finished(task) for task in build.tasks}
        done = [outcome for outcome in outcomes.values() if outcome]
        if done:
            say(f"{build.partial}: going on, {len(done)} of {len(build.tasks)} tracks are done")
        found[build] = _Found(done=done)
        for task in build.tasks:
            if outcomes[task] is None:
                missing.setdefault(task.track, []).append(task)

    left, total = list(missing.values()), len(builds[0].tasks)
    of = {build.partial: parts for build, parts in found.items()}
    progress = {"initial": total - len(left), "unit": "track", "desc": "features", "disable": None}
    with (
        tqdm(total=total, **progress) as bar,
        closing(extraction.extract_all(left, jobs)) as tracks,
    ):
        for outcomes in tracks:
            for outcome in outcomes:
                of[outcome.task.shard.parent].add(outcome)
            bar.update()
            if any(len(parts.rejected) > build.allowed for build, parts in found.items()):
                break
    for parts in found.values():
        for part in (parts.done, parts.rejected):
            part.sort(key=attrgetter("task.track"))
    return found


def _refuse_too_many(build: Build, found: _Found) -> None:
    rejected, done, allowed = len(found.rejected), len(found.done), build.allowed
    if rejected <= allowed and done:
        return
    _report(build, found.rejected)
    limit = f"at most {allowed} of {len(build.tasks)} ({build.max_rejected:.0%}) may be"
    raise CacheError(
        f"{build.path}: not built; {rejected} of {done + rejected} tracks read are "
        f"unusable, {limit if done or not allowed else 'none is left'}; "
        f"{build.path.with_suffix('.rejected.csv')} names them and says why"
    )


def _report(build: Build, rejected: list[extraction.Extracted]) -> pd.DataFrame:
    """Tabulate the rejected tracks, and write the table next to the cache."""
    rows = [
        (o.task.track, o.task.path.relative_to(build.root).as_posix(), o.reason, o.size)
        for o in rejected
    ]
    table = pd.DataFrame(rows, columns=["track", "path", "reason", "size"])
    report = build.path.with_suffix(".rejected.csv")
    write_csv(table, report)
    return table
