"""Windows and mel filterbanks as arrays, after the libraries that the papers' authors used."""

from collections.abc import Callable

import numpy as np

Bank = Callable[[int, int, int], np.ndarray]  # Hz, transform, bands → float32 (bands, bins)

# F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform",
# Proc. IEEE 66(1), 1978: the three-term window with -62 dB side lobes. It is not
# `scipy.signal.windows.blackmanharris`, which is the four-term window with -92 dB.
BLACKMAN_HARRIS_62 = (0.44959, 0.49364, 0.05677)


def blackmanharris62(size: int) -> np.ndarray:
    """Build the three-term Blackman-Harris window, symmetric as in Essentia, with peak near 1.

    Parameters
    ----------
    size
        Length in samples.

    Returns
    -------
    np.ndarray
        float64, shape (size,).
    """
    # `scipy.signal.windows.general_cosine` is the same sum, but importing it takes every extraction
    # process half a second.
    angle = np.linspace(0, 2 * np.pi, size)
    terms = [(-1) ** k * a * np.cos(k * angle) for k, a in enumerate(BLACKMAN_HARRIS_62)]
    return np.sum(terms, axis=0)


def hann(size: int) -> np.ndarray:
    """Build the periodic Hann window, the default of librosa: float64, shape (size,)."""
    # `scipy.signal.windows.hann` to the bit; importing that takes half a second.
    return 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, size + 1)[:-1])


def hann_symmetric(size: int) -> np.ndarray:
    """Build the symmetric Hann window, Essentia's: float64, shape (size,)."""
    return 0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, size))


def hertz_to_mel(hertz: np.ndarray | float) -> np.ndarray | float:
    """Convert Hz to mel by O'Shaughnessy's formula (the one of HTK)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


def audioset_mel(sample_rate: int, n_fft: int, bands: int) -> np.ndarray:
    """Build the filterbank of VGGish and YAMNet: triangles of height 1 from 125 to 7500 Hz.

    Their sides are straight in mel (HTK's), not in Hz, as in `mel_features.py` of both
    (tensorflow/models, research/audioset); to be applied to magnitudes.

    Returns
    -------
    np.ndarray
        float32, shape (bands, n_fft // 2 + 1).
    """
    edges = np.linspace(*hertz_to_mel(np.array([125.0, 7500.0])), bands + 2)
    mel = hertz_to_mel(np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1))
    return _triangles(edges, mel).astype(np.float32)


def htk_mel(sample_rate: int, n_fft: int, bands: int) -> np.ndarray:
    """Build torchaudio's filterbank: triangles of height 1 in Hz, their edges even in HTK's mel.

    To the bit `librosa.filters.mel` with ``htk=True, norm=None``.

    Returns
    -------
    np.ndarray
        float32, shape (bands, n_fft // 2 + 1).
    """
    edges = np.linspace(0.0, hertz_to_mel(sample_rate / 2), bands + 2)
    hertz = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    return _triangles(hertz, np.fft.rfftfreq(n_fft, 1.0 / sample_rate)).astype(np.float32)


def slaney_mel(sample_rate: int, n_fft: int, bands: int) -> np.ndarray:
    """Build librosa's filterbank: triangles of area 1 in Hz, their edges even in Slaney's mel.

    That scale is straight below 1 kHz, which is 15 mel, and logarithmic above. To the bit
    `librosa.filters.mel` with its defaults.

    Returns
    -------
    np.ndarray
        float32, shape (bands, n_fft // 2 + 1).
    """
    step, width, corner = np.log(6.4) / 27.0, 200.0 / 3, 1000.0 / (200.0 / 3)
    mel = np.linspace(0.0, corner + np.log(sample_rate / 2 / 1000.0) / step, bands + 2)
    hertz = np.where(mel < corner, width * mel, 1000.0 * np.exp(step * (mel - corner)))
    weights = _triangles(hertz, np.fft.rfftfreq(n_fft, 1.0 / sample_rate)).astype(np.float32)
    return (weights * (2.0 / (hertz[2:] - hertz[:-2]))[:, None]).astype(np.float32)


def _triangles(edges: np.ndarray, mel: np.ndarray) -> np.ndarray:
    """Heights of triangles with these edges at these places: (edges - 2, places)."""
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.clip(np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)), 0, 1)


def essentia_mel(sample_rate: int, n_fft: int, bands: int, highest: float) -> np.ndarray:
    """Build the filterbank of Essentia's `MelBands` and `MFCC` with their default settings.

    The defaults of 2.1-beta6, read from the algorithms' own parameter lists: from 0 Hz (to 22050 Hz
    and 11000 Hz, here to `highest`), warpingFormula "htkMel", weighting "warping" (the sides of a
    triangle are straight in mel, not in Hz), normalize "unit_sum", to be applied to the power
    spectrum.

    Parameters
    ----------
    sample_rate
        In Hz.
    n_fft
        Length of the Fourier transform in samples.
    highest
        In Hz, at most half the sample rate.

    Returns
    -------
    np.ndarray
        float32, shape (bands, n_fft // 2 + 1); every row sums to 1.

    Raises
    ------
    ValueError
        A band falls between two bins of the spectrum; Essentia refuses this too.
    """
    edges = np.linspace(0.0, hertz_to_mel(highest), bands + 2)
    mel = hertz_to_mel(np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1))
    # Older Essentia sources (triangularbands.cpp) also left out the last bin under a triangle when
    # its upper edge rounds down to that bin; 2.1-beta6 keeps it, as measured in the tests.
    weights = _triangles(edges, mel)
    total = weights.sum(axis=1, keepdims=True)
    if not total.all():
        raise ValueError(
            f"{bands} mel bands are too narrow for a {n_fft}-sample transform at {sample_rate} Hz; "
            "use fewer bands or a longer transform"
        )
    return (weights / total).astype(np.float32)
