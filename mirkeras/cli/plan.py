"""``--plan``: what a command would do and need, told without doing it."""

import argparse
from collections.abc import Mapping, Sequence
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
) -> tuple[dict[str, cache.FeatureCache], dict[str, int], tuple[float, int]]:
    """Say what features need, none of which is extracted.

    Returns
    -------
    (dict, dict, (float, int))
        By recipe, the caches that are here; where one is missing the frames of a usual track; the
        seconds and the bytes that what is missing takes.
    """
    found, tracks = cache.list_missing(prepared.index, prepared.root, wanted)
    if len(found) == len(wanted):
        print(f"features: {len(found)} recipe(s), all here")
        return found, {}, (0.0, 0)
    missing = [recipe for path, recipe in wanted.items() if path.stem not in found]
    if not (prepared.root / prepared.index.path.iloc[0]).exists():
        each = extraction.foresee_noise(prepared.dataset.seconds, missing)
    else:
        # tried by all recipes that some track lacks, whichever it is
        _, every = cache.list_missing(prepared.index, prepared.root, _elsewhere(missing))
        each = extraction.foresee(every, whose)
        if each is None:
            raise CacheError(f"{prepared.root}: none of the tracks that were tried can be read")
    places = hands(whose).places()
    print(each.said(len(tracks), places))
    frames = {name: int(np.median(np.diff(one.offsets))) for name, one in found.items()}
    needs = each.seconds(len(tracks), places), each.bytes * len(prepared.index)
    return found, frames | each.frames, needs


def _elsewhere(recipes: Sequence[Recipe]) -> dict[Path, Recipe]:
    """Name caches that do not exist."""
    return {Path("/nowhere") / f"{recipe.name}.h5": recipe for recipe in recipes}
