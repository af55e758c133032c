"""Room `features`: log-compressed mel frames, computed as the papers' libraries compute them."""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import ClassVar

import numpy as np

from mirkeras.recipe import Recipe, mono
from mirkeras.spectra import COMPRESSIONS, SPECTRA

# Raise by one whenever a change of this file, `spectra` or `filterbanks` changes numbers: old
# caches are then refused.
IMPLEMENTATION = 1

# Spectra and compressions of which a frame depends on nothing but the samples under its window.
_LOCAL_SPECTRA = frozenset({"librosa", "torchaudio"})  # Essentia's has frames of its own at the end
_LOCAL_COMPRESSIONS = frozenset(
    {"log10(10000x+1)", "ln(10x+1)", "ln(x+1e-6)", "log10(x)", "10log10(x)"}
)


@dataclass(frozen=True)
class LogMel(Recipe):
    """Log-compressed mel frames; attributes beside those of `Recipe`:

    Attributes
    ----------
    window
        Key of `spectra.WINDOWS`.
    n_fft
        Length of the transform in samples.
    filterbank
        Key of `spectra.SPECTRA`: whose mel spectrum.
    compression
        Key of `spectra.COMPRESSIONS`.
    window_length
        In samples; a shorter window lies in the middle of zeros. None: `n_fft`.
    power
        Exponent of the magnitudes that the bands sum. None: 2.
    centred
        False: the first frame starts at sample 0 and the last ends within the track. None: every
        frame is centred on a multiple of the hop.
    edges
        What lies beyond both ends of the track under centred frames: "reflect" (the samples
        mirrored, as librosa before 0.10 and torchaudio have it). None: zeros.
    """

    name: str
    sample_rate: int
    window: str
    n_fft: int
    hop: int
    bands: int
    filterbank: str
    compression: str
    window_length: int | None = None
    power: float | None = None
    min_frames: int = 80
    centred: bool | None = None
    edges: str | None = None

    dtype: ClassVar[str] = "float32"

    @property
    def local(self) -> bool:
        """Whether frames can be computed piece by piece, see `mirkeras.streaming`."""
        return self.filterbank in _LOCAL_SPECTRA and self.compression in _LOCAL_COMPRESSIONS

    def identity(self) -> dict[str, str | int | float]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        # Fields added later are left out where unused, so that older caches keep their identity;
        # `min_frames` changes no frame.
        chosen = {key: value for key, value in asdict(self).items() if value is not None}
        del chosen["min_frames"]
        return {**chosen, "implementation": IMPLEMENTATION}

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that compute this recipe."""
        names = ["numpy", "scipy"] + ["librosa"] * (self.filterbank != "essentia")
        return {name: version(name) for name in names}

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute log-compressed mel frames, see `Recipe.extract`."""
        return COMPRESSIONS[self.compression](self.energies(samples))

    def energies(self, samples: np.ndarray) -> np.ndarray:
        """Compute the mel bands before compression; arguments and shape as `extract`."""
        samples = np.ascontiguousarray(mono(samples), np.float32)
        return SPECTRA[self.filterbank](samples, self)
