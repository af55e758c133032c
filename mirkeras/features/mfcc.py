"""Mean and deviation of a track's cepstral coefficients: recipe `MfccStatistics`."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import ClassVar

import numpy as np

from mirkeras.features.recipe import Recipe, mono

# Raise by one whenever a change of this module changes numbers: old caches are then refused.
IMPLEMENTATION = 1


@dataclass(frozen=True)
class MfccStatistics(Recipe):
    """One row of 120 numbers for a track, whatever its length.

    Of 20 MFCCs, their differences from frame to frame and the differences of these (plain ones,
    `numpy.diff`): the mean of each over time, then its standard deviation; 0 where a track is too
    short to have any. librosa's defaults at 12 kHz: windows of 2048 samples every 512, 128 mel
    bands, decibels. The baseline of jordipons/elmarc and of
    jordipons/neural-classifiers-with-few-audio (`knn_mfcc.py`).
    """

    name: str = "pons2019-mfcc"
    sample_rate: int = 12000
    hop: int = 512
    coefficients: int = 20
    bands: int = 120

    dtype: ClassVar[str] = "float32"
    min_frames: ClassVar[int] = 1

    def identity(self) -> dict[str, str | int | float]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        return {**asdict(self), "transform": "librosa.mfcc", "implementation": IMPLEMENTATION}

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that compute this recipe."""
        return {name: version(name) for name in ("numpy", "scipy", "librosa")}

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute the row, float32 (1, 120), see `Recipe.extract`."""
        import librosa  # costs seconds; workers on other recipes never need it

        samples = np.ascontiguousarray(mono(samples), np.float32)
        found = librosa.feature.mfcc(
            y=samples, sr=self.sample_rate, n_mfcc=self.coefficients, hop_length=self.hop
        )
        row = []
        for order in range(3):
            differences = np.diff(found, n=order, axis=1)
            if not differences.shape[1]:
                differences = np.zeros((self.coefficients, 1), np.float32)
            row += [differences.mean(axis=1), differences.std(axis=1)]
        return np.concatenate(row).astype(np.float32)[None]
