"""Compute the frames of long files piece by piece."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from mirkeras.features.logmel import LogMel
from mirkeras.features.recipe import Recipe


def frames(pieces: Iterable[np.ndarray], recipe: Recipe) -> Iterator[np.ndarray]:
    """Compute the frames of a track from pieces of its samples.

    Parameters
    ----------
    pieces
        Samples at the recipe's rate, as of `blocks`, of any lengths.
    recipe
        A recipe whose frames depend on far samples (`LogMel.local` says which do not) gets all
        samples at once, so that the whole track is held in memory.

    Yields
    ------
    np.ndarray
        Shape (time, band); joined they are `recipe.extract` of the joined samples but for rounding:
        float32 transforms of few frames and of many differ, by up to 1e-4 of an energy.
    """
    if not (isinstance(recipe, LogMel) and recipe.local):
        yield recipe.extract(np.concatenate(list(pieces)))
        return
    inner = replace(recipe, centred=False, edges=None)
    edge = recipe.n_fft // 2 if recipe.centred is not False else 0
    held, begun = np.zeros(0, np.float32), False
    for piece in pieces:
        held = np.concatenate([held, piece])
        if not begun and held.size > recipe.n_fft:
            held, begun = _pad(held, (edge, 0), recipe), True
        # What the far edge will be made of is kept back: a reflection leaves out the last sample.
        count = (held.size - edge - 1 - recipe.n_fft) // recipe.hop + 1 if begun else 0
        if count > 0:
            yield inner.extract(held[: (count - 1) * recipe.hop + recipe.n_fft])
            held = held[count * recipe.hop :]
    if not begun:
        yield recipe.extract(held)
        return
    # The zero behind an odd transform: see `logmel`.
    held = np.pad(held, (0, recipe.n_fft % 2 if edge else 0))
    yield inner.extract(_pad(held, (0, edge), recipe))


def _pad(samples: np.ndarray, widths: tuple[int, int], recipe: LogMel) -> np.ndarray:
    """Put before and behind the samples what the recipe sees there."""
    return np.pad(samples, widths, mode=recipe.edges or "constant")
