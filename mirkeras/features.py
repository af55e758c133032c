"""Room `features`: mono samples become log-mel frames, by a named and frozen recipe.

A recipe is data. The two recipes of Pons, Lidy & Serra (CBMI 2016) use the same window and differ
in the library that makes the mel spectrum:

`cbmi2016`
    The authors' front-end, rebuilt from Essentia 2.1-beta6 (`load_datasets.py` of their code):
    window of area 2, triangles that sum to 1, so a full-scale sine gives a mel energy below 1.
`cbmi2016-librosa`
    The same analysis as a librosa user would write it: window of peak 1, Slaney's mel scale and
    area normalisation. Its energies are thousands of times larger, so the same compression
    acts further up the logarithm.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version

import numpy as np
import scipy.fft
from scipy.sparse import csr_array

from mirkeras import filterbanks

# Raise by one whenever a change of this room changes numbers: old caches are then refused.
IMPLEMENTATION = 1

# Frames per Fourier transform call: 256 frames of 2048 samples are 2 MiB, which stays in the
# processor's cache.
_BLOCK_FRAMES = 256


@dataclass(frozen=True)
class Recipe:
    """What turns samples into frames.

    Attributes
    ----------
    name
        Name of the recipe and of its cache file.
    sample_rate
        In Hz, mono.
    window
        Key of `WINDOWS`.
    n_fft
        Length of window and transform in samples.
    hop
        Distance of two frames in samples.
    bands
        Number of mel bands.
    filterbank
        Key of `SPECTRA`: whose mel spectrum.
    compression
        Key of `COMPRESSIONS`.
    """

    name: str
    sample_rate: int
    window: str
    n_fft: int
    hop: int
    bands: int
    filterbank: str
    compression: str

    def identity(self) -> dict[str, str | int]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        return {**asdict(self), "implementation": IMPLEMENTATION}

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that compute this recipe."""
        names = ["numpy", "scipy"] + ["librosa"] * (self.filterbank == "librosa")
        return {name: version(name) for name in names}


def extract(audio: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Compute log-compressed mel frames.

    Parameters
    ----------
    audio
        Mono samples at `recipe.sample_rate`, shape (samples,).
    recipe
        The recipe.

    Returns
    -------
    np.ndarray
        float32, shape (time, band), at least 0.

    Raises
    ------
    ValueError
        `audio` is empty or not one-dimensional.
    """
    return COMPRESSIONS[recipe.compression](mel_energies(audio, recipe))


def mel_energies(audio: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Compute mel energies (power) before compression; arguments and shape as `extract`."""
    if audio.ndim != 1 or not audio.size:
        raise ValueError(f"audio must be mono samples, shape (samples,), not {audio.shape}")
    return SPECTRA[recipe.filterbank](np.ascontiguousarray(audio, np.float32), recipe)


def _essentia(audio: np.ndarray, recipe: Recipe) -> np.ndarray:
    """FrameGenerator, Windowing, Spectrum and MelBands of Essentia, with their defaults."""
    window, weights = _essentia_arrays(recipe)
    blocks = [
        np.square(np.abs(scipy.fft.rfft(frames * window, axis=1))) @ weights
        for frames in _centred_frames(audio, recipe)
    ]
    return np.concatenate(blocks)


@lru_cache(maxsize=8)
def _essentia_arrays(recipe: Recipe) -> tuple[np.ndarray, csr_array]:
    """Return the window (n_fft,) and the filterbank (bins, bands), both float32."""
    window = WINDOWS[recipe.window](recipe.n_fft)
    # Windowing(normalized=True): area 1, then doubled for the half of the energy that sits at
    # negative frequencies. Its zero-phase rotation does not change magnitudes.
    window = (window * (2.0 / np.abs(window).sum())).astype(np.float32)
    bank = filterbanks.essentia_mel(recipe.sample_rate, recipe.n_fft, recipe.bands)
    # A dense product would go to BLAS, whose last bit depends on the number of threads.
    return window, csr_array(bank.T)


def _centred_frames(audio: np.ndarray, recipe: Recipe) -> Iterator[np.ndarray]:
    """Yield blocks of frames, shape (up to _BLOCK_FRAMES, n_fft), zeros beyond both ends.

    FrameCutter(startFromZero=False): the first frame is centred on sample 0, and the last is the
    first one whose centre lies at or beyond the end. That makes ceil(samples / hop) + 1 frames.
    """
    frames = -(-audio.size // recipe.hop) + 1
    padded = np.zeros((frames - 1) * recipe.hop + recipe.n_fft, np.float32)
    start = recipe.n_fft // 2
    padded[start : start + audio.size] = audio
    view = np.lib.stride_tricks.sliding_window_view(padded, recipe.n_fft)[:: recipe.hop]
    for first in range(0, frames, _BLOCK_FRAMES):
        yield view[first : first + _BLOCK_FRAMES]


def _librosa(audio: np.ndarray, recipe: Recipe) -> np.ndarray:
    """librosa's mel spectrogram; its frame count is 1 + samples // hop."""
    import librosa  # costs seconds; workers on an Essentia recipe never need it

    energies = librosa.feature.melspectrogram(
        y=audio,
        sr=recipe.sample_rate,
        n_fft=recipe.n_fft,
        hop_length=recipe.hop,
        win_length=recipe.n_fft,
        window=WINDOWS[recipe.window](recipe.n_fft),
        center=True,
        pad_mode="constant",
        power=2.0,
        n_mels=recipe.bands,
        fmin=0.0,
        fmax=recipe.sample_rate / 2,
        htk=False,
        norm="slaney",
    )
    return np.ascontiguousarray(energies.T, np.float32)


def _log10_10000(energies: np.ndarray) -> np.ndarray:
    """log10(10000 x + 1), in float32: float16 would overflow at x = 6.6."""
    return np.log1p(np.float32(10000) * energies) / np.log(np.float32(10))


WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "blackmanharris62": filterbanks.blackmanharris62,
}
SPECTRA: dict[str, Callable[[np.ndarray, Recipe], np.ndarray]] = {
    "essentia": _essentia,
    "librosa": _librosa,
}
COMPRESSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log10(10000x+1)": _log10_10000,
}


def _cbmi2016(name: str, filterbank: str) -> Recipe:
    # The paper says "Blackman Harris window, 2048, 50 % overlap"; which of the family, the 62 dB
    # one, is in the authors' code.
    return Recipe(
        name=name,
        sample_rate=44100,
        window="blackmanharris62",
        n_fft=2048,
        hop=1024,
        bands=40,
        filterbank=filterbank,
        compression="log10(10000x+1)",
    )


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _cbmi2016("cbmi2016", "essentia"),
        _cbmi2016("cbmi2016-librosa", "librosa"),
    )
}
