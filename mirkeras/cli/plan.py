"""``--plan``: what a command would do and need, told without doing it."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_prep import expected
from data_prep.prepare import Prepared
from mirkeras import cache
from mirkeras.cache import foreseen as extraction
from mirkeras.cache.file import CacheError
from mirkeras.cli import options
from mirkeras.features import Recipe
from mirkeras.system.errors import shown
from mirkeras.system.jobs import Whose, hands


def data(arguments: argparse.Namespace) -> Prepared:
    """Return the data set, or what stands for one that is not here."""
    if not expected.is_absent(arguments.dataset, arguments.data_root):
        return options.prepared(arguments, offline=True)
    found = expected.expect(arguments.dataset, arguments.data_root, arguments.cache_root)
    print(shown(expected.said(found)))
    return found


def features(
    prepared: Prepared, wanted: Mapping[Path, Recipe], whose: Whose
) -> tuple[dict[str, cache.FeatureCache], dict[str, int]]:
    """Say what features need, none of which is extracted.

    Returns
    -------
    (dict, dict)
        By recipe, the caches that are here; and where one is missing the frames of a usual track.
    """
    found = {}
    for path, recipe in wanted.items():
        try:
            found[path.stem] = cache.open_cache(path, recipe)
        except CacheError:
            continue
    missing = {path: recipe for path, recipe in wanted.items() if path.stem not in found}
    frames = {name: int(np.median(np.diff(one.offsets))) for name, one in found.items()}
    if not missing:
        print(f"features: {len(found)} recipe(s), all here")
        return found, {}
    tracks = cache.list_tracks(prepared.index, prepared.root, missing)
    tracks = [tasks for tasks in tracks if not all(task.shard.exists() for task in tasks)] or tracks
    if (prepared.root / prepared.index.path.iloc[0]).exists():
        each = extraction.foresee(tracks, whose)
        if each is None:
            raise CacheError(f"{prepared.root}: none of the tracks that were tried can be read")
    else:
        each = extraction.foresee_noise(prepared.dataset.seconds, [*missing.values()])
    print(each.said(len(tracks), len(missing), hands(whose).places()))
    return found, frames | each.frames
