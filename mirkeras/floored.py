"""Room `features`: decibels that go only so far below the loudest value of the track."""

from dataclasses import dataclass

import numpy as np

from mirkeras.logmel import LogMel
from mirkeras.recipe import Recipe

# Raise by one whenever a change of this module changes numbers: old caches are then refused.
IMPLEMENTATION = 1


@dataclass(frozen=True)
class Floored(Recipe):
    """Frames of another recipe, no value more than `depth` below the track's largest.

    What librosa's `power_to_db(top_db=…)` does. A frame depends on the whole track, so that it
    cannot be computed while the track is still being read.

    Attributes
    ----------
    name
        Name of this recipe.
    base
        The recipe of the frames, its values in decibels.
    depth
        In decibels.
    """

    name: str
    base: LogMel
    depth: float = 80.0

    @property
    def sample_rate(self) -> int:
        """That of the base, in Hz."""
        return self.base.sample_rate

    @property
    def hop(self) -> int:
        """That of the base, in samples."""
        return self.base.hop

    @property
    def bands(self) -> int:
        """Those of the base."""
        return self.base.bands

    @property
    def dtype(self) -> str:
        """That of the base."""
        return self.base.dtype

    @property
    def min_frames(self) -> int:
        """Those of the base."""
        return self.base.min_frames

    def identity(self) -> dict[str, str | int | float]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        own = {"name": self.name, "depth": self.depth, "floored": IMPLEMENTATION}
        return {**self.base.identity(), **own}

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that compute the base."""
        return self.base.libraries()

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute the frames of a track, see `Recipe.extract`."""
        frames = self.base.extract(samples)
        return np.maximum(frames, frames.max() - np.float32(self.depth))
