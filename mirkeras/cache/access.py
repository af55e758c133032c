"""Open the caches of a data set, building first what is missing or has changed."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from mirkeras.audio import decoding
from mirkeras.cache import shards
from mirkeras.cache.build import Build, list_tasks
from mirkeras.cache.file import FORMAT, CacheError, FeatureCache
from mirkeras.cache.kept import kept_of, read_or_refuse, refuse_difference, verified
from mirkeras.features import Recipe, extraction
from mirkeras.storage.memory import Memory
from mirkeras.system.jobs import Whose

#: Beside the caches: the digests of the audio files.
AUDIO = ".audio.json"


def identity(recipe: Recipe, min_frames: int) -> dict:
    """Return all that must be equal for two caches to hold the same numbers for the same audio."""
    return {
        "format": FORMAT,
        "recipe": recipe.identity(),
        "audio": decoding.identity(),
        "libraries": recipe.libraries(),
        "min_frames": min_frames,
    }


def open_cache(path: Path, recipe: Recipe | None = None) -> FeatureCache:
    """Open a complete cache.

    Parameters
    ----------
    recipe
        If given, the cache must have been made by this recipe and by the decoder, resampler and
        library versions installed now.

    Raises
    ------
    CacheError
        The file is missing, damaged, held by another process, incomplete, of another identity, or
        of an earlier layout.
    """
    path = Path(path)
    if not path.is_file():
        raise CacheError(f"{path}: no such cache; build it with `mirkeras features`")
    cache = read_or_refuse(path)
    if recipe is not None:
        refuse_difference(cache, identity(recipe, cache.identity.get("min_frames")))
    if cache.checksums is None:
        raise CacheError(
            f"{path}: made by an earlier version; run `mirkeras features` on its data set: what "
            "can be proven to be of the same audio is taken over"
        )
    if damaged := verified(cache):
        raise CacheError(
            f"{path}: the features of {len(damaged)} track(s) are damaged ({damaged[0]!r}, …); run "
            "`mirkeras features` on its data set: only these are extracted anew"
        )
    return cache


def build_cache(
    index: pd.DataFrame,
    root: Path,
    recipe: Recipe,
    path: Path,
    *,
    jobs: Whose = None,
    max_rejected: float = 0.05,
    members: Mapping[str, Collection[str]] | None = None,
    min_frames: int | None = None,
) -> FeatureCache:
    """Extract all tracks of an index into one cache, or open it if that has been done.

    As `build_all` for a single recipe; `min_frames` is its least number of frames per track.
    """
    path = Path(path)
    least = None if min_frames is None else {path: min_frames}
    options = {"jobs": jobs, "max_rejected": max_rejected, "members": members}
    return build_all(index, root, {path: recipe}, **options, min_frames=least)[path]


def build_all(
    index: pd.DataFrame,
    root: Path,
    recipes: Mapping[Path, Recipe],
    *,
    jobs: Whose = None,
    max_rejected: float = 0.05,
    members: Mapping[str, Collection[str]] | None = None,
    min_frames: Mapping[Path, int] | None = None,
) -> dict[Path, FeatureCache]:
    """Extract all tracks of an index into one cache per recipe, or open those that exist.

    Every track is decoded once for all recipes that still need it. An interrupted build goes on
    where it stopped, and ends with the same bytes. A second process that builds one of the caches
    waits for the first. A cache follows its data set: files whose content it does not know are
    extracted, those that are gone leave it, and it ends as if built anew.

    Parameters
    ----------
    index
        Columns track (unique id) and path (POSIX, relative to `root`).
    root
        Folder of the audio; only read.
    recipes
        For each HDF5 file its recipe; `<stem>.rejected.csv` (track, path, reason, size) appears
        next to the file.
    jobs
        Number of processes; by default one per processor; or who else extracts.
    max_rejected
        Largest share of unusable tracks in each cache; one track is always allowed unless this
        is 0. A track may be unusable for one recipe and fine for another. All are looked at and
        named, however many.
    members
        The tracks of each class or tag; of each at least one must be usable.
    min_frames
        For each file the least number of frames of a usable track, by default its recipe's.

    Returns
    -------
    dict
        For each file of `recipes` its opened cache.

    Raises
    ------
    CacheError
        Too many tracks are unusable, or all of a class or tag; the disk is full, a worker was
        killed, or a file is damaged, in use, or holds a cache of another identity. Finished work is
        kept for the next call.
    """
    if not recipes:
        return {}
    builds = _builds(index, root, recipes, max_rejected, members or {}, min_frames or {})
    audio = Memory(builds[0].path.parent / AUDIO)
    try:
        # What exists is checked before hours go into the rest.
        left = [build for build in builds if not _is_done(build, audio)]
        with shards.as_cache_errors(left), shards.exclusive(left):
            shards.make(left, jobs, audio)
    finally:
        audio.save()
    return {path: open_cache(path) for path in recipes}


def list_missing(
    index: pd.DataFrame, root: Path, recipes: Mapping[Path, Recipe]
) -> tuple[dict[str, FeatureCache], list[list[extraction.Task]]]:
    """Tell what `build_all` would do, without doing it.

    Returns
    -------
    (dict, list)
        By recipe, the caches that are complete; what there is to extract, a track's tasks together.

    Raises
    ------
    CacheError
        As `build_all`, of a cache that exists.
    """
    complete, missing = {}, {}
    for build in _builds(index, root, recipes, 0, {}, {}):
        kept = kept_of(build, Memory(build.path.parent / AUDIO))
        if kept.is_all:
            complete[build.path.stem] = kept.cache
        for task in kept.missing:
            if not task.shard.exists():
                missing.setdefault(task.track, []).append(task)
    return complete, [*missing.values()]


def _builds(
    index: pd.DataFrame,
    root: Path,
    recipes: Mapping[Path, Recipe],
    max_rejected: float,
    members: Mapping[str, Collection[str]],
    min_frames: Mapping[Path, int],
) -> list[Build]:
    return [
        list_tasks(
            index,
            Path(root),
            recipe,
            Path(path),
            identity(recipe, min_frames.get(path, recipe.min_frames)),
            max_rejected,
            members,
        )
        for path, recipe in recipes.items()
    ]


def _is_done(build: Build, audio: Memory) -> bool:
    kept = kept_of(build, audio)
    if not kept.is_all or build.partial.exists():
        return False
    shards.refuse_losses(build, kept.cache.rejected["track"])
    return True
