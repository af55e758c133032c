"""Log-compressed mel frames, computed as the papers' libraries compute them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from itertools import pairwise
from typing import ClassVar

import numpy as np
import scipy.fft
from scipy.sparse import csr_array

from mirkeras.features import filterbanks
from mirkeras.features.recipe import Recipe, mono

# Raise by one whenever a change of this file or of `filterbanks` changes numbers: old caches are
# then refused. The second is that of recipes with a `depth`.
IMPLEMENTATION = 1
FLOORED = 1

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
        Key of `WINDOWS`.
    n_fft
        Length of the transform in samples.
    filterbank
        Key of `SPECTRA`: whose mel spectrum.
    compression
        Key of `COMPRESSIONS`.
    window_length
        In samples; a shorter window lies in the middle of zeros (Essentia: zeros follow, and frames
        are as long as the window). None: `n_fft`.
    power
        Exponent of the magnitudes that the bands sum. None: 2.
    centred
        False: the first frame starts at sample 0 and the last ends within the track. None: every
        frame is centred on a multiple of the hop.
    edges
        What lies beyond both ends of the track under centred frames: "reflect" (the samples
        mirrored, as librosa before 0.10 and torchaudio have it). None: zeros.
    depth
        Decibels below the track's loudest value at which values end, as librosa's `top_db` has it.
        A frame then depends on the whole track. None: no end.
    highest
        Where the last band ends, in Hz (Essentia only). None: half the sample rate.
    context
        How often the first and the last frame are repeated before and behind the track, so that
        every frame can stand in the middle of a segment. None: not at all.
    filled
        Frames that the frames of a shorter track are repeated to fill. None: they are not.
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
    depth: float | None = None
    highest: float | None = None
    context: int | None = None
    filled: int | None = None

    dtype: ClassVar[str] = "float32"

    @property
    def local(self) -> bool:
        """Whether frames can be computed piece by piece, see `mirkeras.features.stream`."""
        kinds = self.filterbank in _LOCAL_SPECTRA and self.compression in _LOCAL_COMPRESSIONS
        whole = (self.depth, self.context, self.filled)
        return kinds and whole == (None, None, None)

    def identity(self) -> dict[str, str | int | float]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        # Fields added later are left out where unused, so that older caches keep their identity;
        # `min_frames` changes no frame.
        chosen = {key: value for key, value in asdict(self).items() if value is not None}
        del chosen["min_frames"]
        depth = chosen.pop("depth", None)
        floored = {} if depth is None else {"depth": depth, "floored": FLOORED}
        return {**chosen, "implementation": IMPLEMENTATION, **floored}

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that compute this recipe.

        librosa only defines it: it is among them so that older caches keep their identity.
        """
        names = ["numpy", "scipy"] + ["librosa"] * (self.filterbank in ("librosa", "torchaudio"))
        return {name: version(name) for name in names}

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute log-compressed mel frames, see `Recipe.extract`."""
        frames = COMPRESSIONS[self.compression](self.energies(samples))
        if self.context is not None:
            frames = np.pad(frames, ((self.context, self.context), (0, 0)), mode="edge")
        if self.filled is not None and 0 < len(frames) < self.filled:
            frames = np.tile(frames, (-(-self.filled // len(frames)), 1))[: self.filled]
        if self.depth is None:
            return frames
        return np.maximum(frames, frames.max() - np.float32(self.depth))

    def energies(self, samples: np.ndarray) -> np.ndarray:
        """Compute the mel bands before compression; arguments and shape as `extract`."""
        samples = np.ascontiguousarray(mono(samples), np.float32)
        return SPECTRA[self.filterbank](samples, self)


# Frames per Fourier transform call: 256 frames of 2048 samples are 2 MiB, which stays in the
# processor's cache.
_BLOCK_FRAMES = 256
# The same of librosa (`util.MAX_MEM_BLOCK`), in bytes of float32 samples.
_LIBROSA_BLOCK = 2**18


def _essentia(audio: np.ndarray, recipe: LogMel) -> np.ndarray:
    """FrameGenerator, Windowing, Spectrum and MelBands of Essentia, with their defaults."""
    window, weights = essentia_arrays(recipe)
    blocks = [
        np.square(np.abs(scipy.fft.rfft(frames * window, recipe.n_fft, axis=1))) @ weights
        for frames in _centred_frames(audio, recipe)
    ]
    return np.concatenate(blocks)


@lru_cache(maxsize=8)
def essentia_arrays(recipe: LogMel) -> tuple[np.ndarray, csr_array]:
    """Return the window (window_length,) and the filterbank (bins, bands), both float32."""
    if recipe.power is not None:
        raise ValueError(f"{recipe.name}: Essentia's spectrum has its own power")
    window = WINDOWS[recipe.window](recipe.window_length or recipe.n_fft)
    # Windowing(normalized=True): area 1, then doubled for the half of the energy that sits at
    # negative frequencies. Its zero-phase rotation does not change magnitudes.
    window = (window * (2.0 / np.abs(window).sum())).astype(np.float32)
    bank = filterbanks.essentia_mel(
        recipe.sample_rate, recipe.n_fft, recipe.bands, recipe.highest or recipe.sample_rate / 2
    )
    # A dense product would go to BLAS, whose last bit depends on the number of threads.
    return window, csr_array(bank.T)


def _centred_frames(audio: np.ndarray, recipe: LogMel) -> Iterator[np.ndarray]:
    """Yield blocks of frames, shape (up to _BLOCK_FRAMES, window_length), zeros beyond both ends.

    FrameCutter(startFromZero=False): the first frame is centred on sample 0, and the last is the
    first one whose centre lies at or beyond the end. That makes ceil(samples / hop) + 1 frames.
    """
    frames, length = -(-audio.size // recipe.hop) + 1, recipe.window_length or recipe.n_fft
    padded = np.zeros((frames - 1) * recipe.hop + length, np.float32)
    start = length // 2
    padded[start : start + audio.size] = audio
    view = np.lib.stride_tricks.sliding_window_view(padded, length)[:: recipe.hop]
    for first in range(0, frames, _BLOCK_FRAMES):
        yield view[first : first + _BLOCK_FRAMES]


def _librosa(audio: np.ndarray, recipe: LogMel) -> np.ndarray:
    """librosa's mel spectrogram, see `_mel`: Slaney's scale, bands of area 1."""
    return _mel(audio, recipe, filterbanks.slaney_mel)


def _torchaudio(audio: np.ndarray, recipe: LogMel) -> np.ndarray:
    """torchaudio's mel spectrogram, see `_mel`: HTK's scale, bands of height 1."""
    return _mel(audio, recipe, filterbanks.htk_mel)


def _mel(audio: np.ndarray, recipe: LogMel, bank: filterbanks.Bank) -> np.ndarray:
    """Compute a mel spectrogram: `librosa.feature.melspectrogram` to the bit.

    Without librosa, whose import takes longer than the mel spectrogram of an album.

    Centred: 1 + samples // hop frames, each centred on a multiple of hop. Else as many as lie
    within the samples (none if they are fewer than a transform).
    """
    n_fft, length = recipe.n_fft, recipe.window_length or recipe.n_fft
    before = (n_fft - length) // 2
    window = np.pad(WINDOWS[recipe.window](length), (before, n_fft - length - before))
    inner = slice(0, None)
    if recipe.centred is not False:
        audio, inner = _padded(audio, recipe)
    elif audio.size < n_fft:
        return np.zeros((0, recipe.bands), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(audio, n_fft)[:: recipe.hop]
    # How many frames are transformed together shows in the last bit: blocks are librosa's.
    first, last, _ = inner.indices(len(frames))
    cuts = range(first, last, max(1, _LIBROSA_BLOCK // (n_fft * 4)))
    spectra = np.empty((len(frames), n_fft // 2 + 1), np.complex64)
    for start, stop in pairwise(sorted({0, *cuts, last, len(frames)})):
        spectra[start:stop] = scipy.fft.rfft(window * frames[start:stop])
    energies = np.abs(spectra) ** (2.0 if recipe.power is None else recipe.power)
    # The order of a product shows there too.
    mel = bank(recipe.sample_rate, n_fft, recipe.bands) @ energies.T
    return np.ascontiguousarray(mel.T)


def _padded(audio: np.ndarray, recipe: LogMel) -> tuple[np.ndarray, slice]:
    """Put before and behind a track what librosa does; say which frames see neither."""
    half, hop, mode = recipe.n_fft // 2, recipe.hop, recipe.edges or "constant"
    # An odd transform gets one zero too few at the end: the last frame would be missing where hop
    # divides the number of samples.
    audio = np.pad(audio, (0, recipe.n_fft % 2))
    first, last = -(-half // hop), (audio.size + half - recipe.n_fft) // hop + 1
    if first >= last:  # some see both
        return np.pad(audio, half, mode), slice(0, None)
    # Of its end it mirrors what the last frames see, which may lack the last sample of half a
    # transform: that is then mirrored once more.
    begin, end = np.pad(audio, (half, 0), mode), np.pad(audio[last * hop - half :], (0, half), mode)
    return np.concatenate([begin[: last * hop], end]), slice(first, last)


def _log10_10000(energies: np.ndarray) -> np.ndarray:
    """log10(10000 x + 1), in float32: float16 would overflow at x = 6.6."""
    return np.log1p(np.float32(10000) * energies) / np.log(np.float32(10))


def _ln_10(energies: np.ndarray) -> np.ndarray:
    """Natural log of 10 x + 1."""
    return np.log1p(np.float32(10) * energies)


def _ln_100000(energies: np.ndarray) -> np.ndarray:
    """Natural log of 100000 x + 1."""
    return np.log1p(np.float32(100_000) * energies)


def _ln_1e6(energies: np.ndarray) -> np.ndarray:
    """Natural log of x + 0.000001."""
    return np.log(energies + np.float32(1e-6))


def _ln_thousandth(energies: np.ndarray) -> np.ndarray:
    """Natural log of x + 0.001."""
    return np.log(energies + np.float32(0.001))


def _ln_hundredth(energies: np.ndarray) -> np.ndarray:
    """Natural log of x + 0.01."""
    return np.log(energies + np.float32(0.01))


def _log10_epsilon(energies: np.ndarray) -> np.ndarray:
    """log10 of x + 2.2e-16, the resolution of float64: silence is -15.7."""
    return np.log10(energies + np.float32(np.finfo(np.float64).eps))


def _linear(energies: np.ndarray) -> np.ndarray:
    """The bands as they are: the network has a logarithm of its own."""
    return energies


def _log10(energies: np.ndarray) -> np.ndarray:
    """log10 of x, 0 where x is 0: the group's notebook replaces minus infinity by 0."""
    return np.log10(energies, out=np.zeros_like(energies), where=energies > 0)


def _decibels(energies: np.ndarray) -> np.ndarray:
    """10 log10 of x, at least -100: torchaudio's AmplitudeToDB."""
    return 10 * np.log10(np.maximum(energies, np.float32(1e-10)))


def _decibels_of_square(energies: np.ndarray) -> np.ndarray:
    """10 log10 of x², at least -100."""
    return _decibels(np.square(energies))


WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "blackmanharris62": filterbanks.blackmanharris62,
    "hann": filterbanks.hann,
    "hann-symmetric": filterbanks.hann_symmetric,
}


def _audioset(audio: np.ndarray, recipe: LogMel) -> np.ndarray:
    """VGGish's and YAMNet's: windows within the track, zeros behind each, magnitudes.

    None where the track is shorter than a window.
    """
    length = recipe.window_length or recipe.n_fft
    if audio.size < length:
        return np.zeros((0, recipe.bands), np.float32)
    window = WINDOWS[recipe.window](length).astype(np.float32)
    weights = filterbanks.audioset_mel(recipe.sample_rate, recipe.n_fft, recipe.bands).T
    frames = np.lib.stride_tricks.sliding_window_view(audio, length)[:: recipe.hop]
    blocks = [
        np.abs(scipy.fft.rfft(frames[at : at + _BLOCK_FRAMES] * window, recipe.n_fft)) @ weights
        for at in range(0, len(frames), _BLOCK_FRAMES)
    ]
    return np.concatenate(blocks)


SPECTRA: dict[str, Callable[[np.ndarray, LogMel], np.ndarray]] = {
    "audioset": _audioset,
    "essentia": _essentia,
    "librosa": _librosa,
    "torchaudio": _torchaudio,
}


COMPRESSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log10(10000x+1)": _log10_10000,
    "ln(10x+1)": _ln_10,
    "ln(100000x+1)": _ln_100000,
    "ln(x+1e-6)": _ln_1e6,
    "log10(x)": _log10,
    "10log10(x)": _decibels,
    "10log10(x^2)": _decibels_of_square,
    "ln(x+0.001)": _ln_thousandth,
    "ln(x+0.01)": _ln_hundredth,
    "log10(x+2.2e-16)": _log10_epsilon,
    "x": _linear,
}
