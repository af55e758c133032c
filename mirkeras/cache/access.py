"""Open the caches of a data set, building first what is missing."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from mirkeras.audio import decoding
from mirkeras.cache import shards
from mirkeras.cache.file import FORMAT, CacheError, FeatureCache, first_difference, read_cache
from mirkeras.features import Recipe, extraction

_REMEDY = "delete it, or use another cache root"


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
        The file is missing, damaged, incomplete or of another identity.
    """
    path = Path(path)
    if not path.is_file():
        raise CacheError(f"{path}: no such cache; build it with `mirkeras features`")
    try:
        cache = read_cache(path)
    except (OSError, KeyError, ValueError) as error:
        raise CacheError(f"{path}: damaged or not a cache ({error}); {_REMEDY}") from error
    if recipe is not None:
        _refuse_difference(cache, identity(recipe, cache.identity["min_frames"]))
    return cache


def _refuse_difference(cache: FeatureCache, wanted: dict) -> None:
    if difference := first_difference(cache.identity, wanted):
        raise CacheError(f"{cache.path}: made differently ({difference}); {_REMEDY}")


def build_cache(
    index: pd.DataFrame,
    root: Path,
    recipe: Recipe,
    path: Path,
    *,
    jobs: int | None = None,
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
    jobs: int | None = None,
    max_rejected: float = 0.05,
    members: Mapping[str, Collection[str]] | None = None,
    min_frames: Mapping[Path, int] | None = None,
) -> dict[Path, FeatureCache]:
    """Extract all tracks of an index into one cache per recipe, or open those that exist.

    Every track is decoded once for all recipes that still need it. An interrupted build goes on
    where it stopped, and ends with the same bytes. A second process that builds one of the caches
    waits for the first.

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
        Number of processes; by default one per processor.
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
        killed, or a file holds a cache of another identity or other data. Finished work is kept for
        the next call.
    """
    least = min_frames or {}
    builds = {}
    for path, recipe in recipes.items():
        wanted = identity(recipe, least.get(path, recipe.min_frames))
        builds[path] = shards.list_tasks(
            index, Path(root), recipe, Path(path), wanted, max_rejected, members or {}
        )
    left = [plan for plan in builds.values() if not plan.path.exists() or plan.partial.exists()]
    # What exists is checked before hours go into the rest.
    caches = {path: _reused(plan) for path, plan in builds.items() if plan not in left}
    with shards.as_cache_errors(left), shards.exclusive(left):
        shards.make([plan for plan in left if not plan.path.exists()], jobs)
        for path, plan in builds.items():
            if plan in left:
                caches[path] = _reused(plan)
                shutil.rmtree(plan.partial, ignore_errors=True)
    return {path: caches[path] for path in recipes}


def _reused(build: shards.Build) -> FeatureCache:
    """Open a finished cache if it has the wanted identity and its audio files look unchanged."""
    cache = open_cache(build.path)
    _refuse_difference(cache, build.identity)
    found = dict(zip(cache.tracks, cache.sizes.tolist(), strict=True))
    found |= dict(zip(cache.rejected["track"], cache.rejected["size"].tolist(), strict=True))
    now = {task.track: extraction.file_size(task.path) for task in build.tasks}
    for track in sorted(now.keys() | found.keys()):
        if now.get(track) != found.get(track):
            sizes = f"{found.get(track, 'no')} -> {now.get(track, 'no')} bytes"
            raise CacheError(
                f"{build.path}: made from other data (track {track}: {sizes}); {_REMEDY}"
            )
    shards.refuse_losses(build, cache.rejected["track"])
    return cache
