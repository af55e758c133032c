"""Room `audio`: a file becomes mono float32 samples at one rate, or an error that says why not.

Whole files; `mirkeras.streaming` gives the same samples piece by piece.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

# A clip whose loudest sample stays below one step of 16-bit audio (-90.3 dBFS) holds no music.
SILENCE_PEAK = 2.0**-15
RESAMPLER_QUALITY = "HQ"

# libsndfile notes in its log when a data chunk promises more bytes than the file has, then
# quietly decodes what is left. The names are those of WAV, AIFF and AU.
_SHORT_CHUNK = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.M)
# A recorder that writes to a pipe cannot know the length and stores a size of this order.
_UNKNOWN_LENGTH = 0x7FFF0000


class AudioError(ValueError):
    """A file that cannot be used as audio.

    Parameters
    ----------
    path
        The file.
    reason
        One of "missing", "empty file", "unreadable", "too short", "silent", "non-finite".
    detail
        What exactly was found; becomes part of the message.
    """

    def __init__(self, path: str | Path, reason: str, detail: str = "") -> None:
        self.path = Path(path)
        self.reason = reason
        self.detail = detail
        super().__init__(f"{path}: {reason}" + (f" ({detail})" if detail else ""))

    def __reduce__(self):
        # The default rebuilds an exception from its message alone, which fails between processes.
        return type(self), (self.path, self.reason, self.detail)


def identity() -> dict[str, str]:
    """Name everything between a file and its samples, as plain strings for a cache's identity."""
    return {
        "decoder": f"soundfile {soundfile.__version__}, "
        f"libsndfile {soundfile.__libsndfile_version__}",
        "mono": "mean over channels",
        "resampler": f"soxr {soxr.__version__} {RESAMPLER_QUALITY}",
    }


@dataclass(frozen=True, eq=False)
class Recording:
    """A decoded file, at its own rate; several rates can be had from one decoding.

    Attributes
    ----------
    path
        The file.
    samples
        float32, shape (samples,), nominally within [-1, 1]; the mean of the channels.
    sample_rate
        The file's own rate in Hz.
    """

    path: Path
    samples: np.ndarray
    sample_rate: int

    def at(self, sample_rate: int) -> np.ndarray:
        """Resample to a rate in Hz by soxr at quality "HQ": float32, shape (samples,).

        Raises
        ------
        AudioError
            "too short": nothing is left after resampling.
        """
        samples = self.samples
        if self.sample_rate != sample_rate:
            samples = soxr.resample(
                samples, self.sample_rate, sample_rate, quality=RESAMPLER_QUALITY
            )
            if not samples.size:
                raise AudioError(self.path, "too short", f"no sample is left at {sample_rate} Hz")
        return np.ascontiguousarray(samples, np.float32)


def decode(path: str | Path) -> Recording:
    """Decode a file to mono at its own sample rate.

    Parameters
    ----------
    path
        A file in any format that libsndfile reads, with any number of channels.

    Raises
    ------
    AudioError
        "missing": no such file. "empty file": no bytes, or a header without samples.
        "unreadable": not audio, or truncated (fewer samples than the header promises).
        "non-finite": NaN or infinity among the samples. "silent": the mono peak is below
        `SILENCE_PEAK`.
    """
    path = Path(path)
    with opened(path) as file:
        promised, rate = file.frames, file.samplerate
        samples = file.read(dtype="float32", always_2d=True)
    check_length(path, len(samples), promised)
    mono = mix(samples)
    check_silence(path, peak(path, mono))
    return Recording(path, mono, rate)


def load(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Decode a file to mono at one sample rate in Hz: float32, shape (samples,).

    Raises
    ------
    AudioError
        As `decode` and `Recording.at` do.
    """
    return decode(path).at(sample_rate)


@contextmanager
def opened(
    path: Path, kind: type[soundfile.SoundFile] = soundfile.SoundFile
) -> Iterator[soundfile.SoundFile]:
    """Open a file; what libsndfile or the system objects to, now or later, is an AudioError.

    Raises
    ------
    AudioError
        "missing", "empty file" (no bytes) or "unreadable".
    """
    try:
        if not path.exists():
            raise AudioError(path, "missing")
        if path.is_file() and path.stat().st_size == 0:
            raise AudioError(path, "empty file", "zero bytes")
        # As bytes: a name that is no valid UTF-8 cannot be encoded once more.
        with kind(str(path) if os.name == "nt" else os.fsencode(path)) as file:
            if short := _missing_bytes(file.extra_info):
                raise AudioError(
                    path, "unreadable", f"truncated: {short} bytes of audio are missing"
                )
            yield file
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        # A raw-data suffix (.raw) makes soundfile ask for parameters: TypeError.
        raise AudioError(path, "unreadable", str(error) or "broken or truncated") from error


def check_length(path: Path, decoded: int, promised: int) -> None:
    """Refuse a file with fewer samples than its header promises, or with none."""
    if decoded < promised:
        raise AudioError(path, "unreadable", f"truncated: {decoded} of {promised} samples decoded")
    if not decoded:
        raise AudioError(path, "empty file", "no samples")


def _missing_bytes(log: str) -> int:
    """Return how many bytes libsndfile's log says the audio data lacks."""
    sizes = [(int(promised), int(found)) for promised, found in _SHORT_CHUNK.findall(log)]
    return sum(max(0, promised - found) for promised, found in sizes if promised < _UNKNOWN_LENGTH)


def mix(samples: np.ndarray) -> np.ndarray:
    """Average channels: float32 (samples, channels) → (samples,)."""
    # A product with a vector is ten times faster than `mean(axis=1)` over two columns.
    return samples @ np.full(samples.shape[1], 1 / samples.shape[1], np.float32)


def peak(path: Path, mono: np.ndarray) -> float:
    """Return the largest magnitude; refuse NaN and infinity, which would poison a training set."""
    low, high = float(mono.min()), float(mono.max())  # NaN and infinity survive both
    if not np.isfinite(low) or not np.isfinite(high):
        raise AudioError(path, "non-finite", "NaN or infinity among the samples")
    return max(-low, high)


def check_silence(path: Path, peak: float) -> None:
    """Refuse samples that would dilute a training set."""
    if peak < SILENCE_PEAK:
        raise AudioError(path, "silent", f"peak {peak:.1e} of full scale")
