"""Constant-Q frames, bands a semitone apart.

The recipes that `mirkeras.features.recipes` lists by it:

`schindler2016-cqt-80`
    The constant-Q input of the reproduction of Schindler, Lidy & Rauber (FMT 2016), as its code
    computes it (lun3x/DeepLearningReimplement, gztan_utils.py): hop 256 at 22,050 Hz, 12 bands an
    octave from C1, magnitudes. Its 80 bands are 6.67 octaves; the report says seven.
`schindler2016-cqt-84`
    The same with seven whole octaves, which the report proposes.
"""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import ClassVar

import numpy as np

from mirkeras.features.logmel import COMPRESSIONS
from mirkeras.features.recipe import Recipe, mono

# Raise by one whenever a change of this module changes numbers: old caches are then refused.
IMPLEMENTATION = 1

# As a number: librosa 1.0 no longer rounds the frequencies of note names, 0.11 does.
C1 = 440 * 2 ** (-45 / 12)  # Hz, 45 semitones below A4


@dataclass(frozen=True)
class ConstantQ(Recipe):
    """Magnitudes of a constant-Q transform, ln(x + 1e-6); attributes beside those of `Recipe`:

    Attributes
    ----------
    per_octave
        Bands per octave.
    lowest
        Centre of the lowest band in Hz.
    """

    name: str
    bands: int
    sample_rate: int = 22050
    hop: int = 256
    per_octave: int = 12
    lowest: float = C1
    min_frames: int = 80

    dtype: ClassVar[str] = "float32"

    def identity(self) -> dict[str, str | int | float]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        chosen = asdict(self)
        del chosen["min_frames"]  # it changes no frame
        return {
            **chosen,
            "transform": "librosa.cqt",
            "compression": "ln(x+1e-6)",
            "implementation": IMPLEMENTATION,
        }

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that compute this recipe.

        soxr halves the rate from octave to octave, numba computes the filters' phases.
        """
        return {name: version(name) for name in ("numpy", "scipy", "librosa", "numba", "soxr")}

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute 1 + samples // hop frames, each centred on a multiple of hop.

        Arguments, shape and errors as `Recipe.extract`. The octaves' rates are halved by soxr in
        one thread and the filters are a sparse product outside BLAS, so the bytes depend neither
        on the number of threads nor on that of processes.
        """
        samples = np.ascontiguousarray(mono(samples), np.float32)
        frames = 1 + samples.size // self.hop
        # Of a track below a second the lowest octave may have no sample left, which librosa
        # refuses: such a track gets more of the zeros that follow every track.
        lacking = max(0, self.sample_rate - samples.size)
        magnitudes = self._magnitudes(np.pad(samples, (0, lacking)))[:, :frames]
        return COMPRESSIONS["ln(x+1e-6)"](np.ascontiguousarray(magnitudes.T))

    def _magnitudes(self, samples: np.ndarray) -> np.ndarray:
        """Magnitudes, float32 (band, time)."""
        import librosa  # costs seconds; workers on other recipes never need it

        transform = librosa.cqt(
            y=samples,
            sr=self.sample_rate,
            hop_length=self.hop,
            fmin=self.lowest,
            n_bins=self.bands,
            bins_per_octave=self.per_octave,
            tuning=0.0,
            filter_scale=1,
            norm=1,
            sparsity=0.01,
            window="hann",
            scale=True,
            pad_mode="constant",
            res_type="soxr_hq",
            dtype=np.complex64,
        )
        return np.abs(transform)
