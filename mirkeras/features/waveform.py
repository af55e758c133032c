"""The samples themselves as frames: recipe `Waveform`."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mirkeras.features.recipe import Recipe, mono

# Raise by one whenever a change of waveforms changes numbers: old caches are then refused.
IMPLEMENTATION = 1


@dataclass(frozen=True)
class Waveform(Recipe):
    """The samples themselves, one per frame, as 16-bit integers.

    Half the size of float32 on disk and in memory, and exact for the 16-bit audio of most data
    sets where nothing was resampled or averaged; elsewhere the rounding noise is at -98 dBFS.

    Attributes
    ----------
    sample_rate
        In Hz.
    short
        Whether tracks of any length are kept.
    """

    sample_rate: int
    short: bool = False

    hop: ClassVar[int] = 1
    bands: ClassVar[int] = 1
    dtype: ClassVar[str] = "int16"

    @property
    def name(self) -> str:
        """``waveform-<Hz>``, or ``waveform-<Hz>-short``."""
        return f"waveform-{self.sample_rate}{'-short' * self.short}"

    @property
    def min_frames(self) -> int:
        """2.75 s: a segment of any of the seven networks of Lee et al. 2018, Table 3."""
        return 1 if self.short else int(2.75 * self.sample_rate)

    def identity(self) -> dict[str, str | int | float]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        return {
            "name": self.name,
            "sample_rate": self.sample_rate,
            "dtype": self.dtype,
            "full_scale": 2**15,
            "implementation": IMPLEMENTATION,
        }

    def libraries(self) -> dict[str, str]:
        """Return nothing: rounding is exact, in whatever version; `audio` resamples."""
        return {}

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Round to 16 bits and clip, int16 (time, 1), see `Recipe.extract`."""
        steps = np.rint(mono(samples) * np.float32(2**15))
        return np.clip(steps, -(2**15), 2**15 - 1).astype(np.int16)[:, None]
