"""Mono samples become frames, by a named and frozen recipe.

The package is a function, too: ``mirkeras.features("song.mp3", "musicnn")``.
"""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from mirkeras.features.recipe import Recipe
from mirkeras.features.recipes import RECIPES, find_recipe


class _Callable(ModuleType):
    """This package, as something that can be called."""

    def __call__(self, path: str | Path, recipe: str) -> np.ndarray:
        """Compute the frames of a file by a recipe: (time, band).

        Raises
        ------
        AudioError
            The file cannot be read.
        ValueError
            There is no such recipe; the message lists them.

        Examples
        --------
        >>> mk.features("song.mp3", "musicnn").shape                     # doctest: +SKIP
        (1876, 96)
        """
        from mirkeras import audio

        chosen = find_recipe(recipe)
        return chosen.extract(audio.load(Path(path), sample_rate=chosen.sample_rate))


sys.modules[__name__].__class__ = _Callable
