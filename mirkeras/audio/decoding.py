"""A file becomes mono float32 samples at one rate, or an error that says why not.

Whole files; `mirkeras.audio.stream` gives the same samples piece by piece.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from mirkeras.audio import mpeg

# A clip whose loudest sample stays below one step of 16-bit audio (-90.3 dBFS) holds no music.
SILENCE_PEAK = 2.0**-15
RESAMPLER_QUALITY = "HQ"

# libsndfile notes in its log when a data chunk promises more bytes than the file has, then
# quietly decodes what is left. The names are those of WAV, AIFF and AU.
_SHORT_CHUNK = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.M)
# A recorder that writes to a pipe cannot know the length and stores a size of this order.
_UNKNOWN_LENGTH = 0x7FFF0000
_UNRECOGNISED = 1  # libsndfile's error number of a format that it does not know

_PIECE = 30.0  # seconds that are decoded at once
# Values at most, whatever rate and channels a damaged header claims: 64 MiB.
_PIECE_VALUES = 2**24
_HEAD = 2**16  # bytes in which the first frame of an MP3 must lie, behind its tag


class AudioError(ValueError):
    """A file that cannot be used as audio.

    Parameters
    ----------
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
        "unreadable": not audio, or truncated (fewer samples than the header promises), or an MP3
        or Ogg that goes on behind the end that libsndfile sees.
        "non-finite": NaN or infinity among the samples. "silent": the mono peak is below
        `SILENCE_PEAK`.
    """
    path = Path(path)
    with opened(path) as file:
        mono = np.concatenate(list(pieces(file)))
        return Recording(path, mono, file.samplerate)


def load(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Decode a file to mono at one sample rate in Hz: float32, shape (samples,).

    Raises
    ------
    AudioError
        As `decode` and `Recording.at` do.
    """
    return decode(path).at(sample_rate)


class _Forward(soundfile.SoundFile):
    """A file that is read once, from its beginning to its end.

    After each read `soundfile` seeks to where it is. In an MP3 file that breaks the frames behind,
    which need bits of the ones before: samples differ by up to 0.3 of full scale.

    Attributes
    ----------
    source
        Its bytes, at the position that the decoder has reached.
    """

    def __init__(self, path: Path, source: BinaryIO) -> None:
        self.path, self.source = path, source
        real = isinstance(source, io.FileIO) and os.name != "nt"
        super().__init__(source.fileno() if real else source, closefd=False)

    def seekable(self) -> bool:
        return False


@contextmanager
def opened(path: Path) -> Iterator[_Forward]:
    """Open a file; what libsndfile or the system objects to, now or later, is an AudioError.

    Raises
    ------
    AudioError
        "missing", "empty file" (no bytes) or "unreadable".
    """
    try:
        if not path.exists():
            raise AudioError(path, "missing")
        if not path.is_file():  # a pipe without a writer would be waited for
            raise AudioError(path, "unreadable", "no regular file")
        if path.stat().st_size == 0:
            raise AudioError(path, "empty file", "zero bytes")
        with open(path, "rb", buffering=0) as source, _recognised(path, source) as file:
            if short := _missing_bytes(file.extra_info):
                raise AudioError(
                    path, "unreadable", f"truncated: {short} bytes of audio are missing"
                )
            yield file
    except soundfile.LibsndfileError as error:
        detail = error.error_string.rstrip(".") or "broken or truncated"
        raise AudioError(path, "unreadable", detail) from error
    except OSError as error:
        raise AudioError(path, "unreadable", error.strerror or "broken or truncated") from error
    except MemoryError as error:
        raise AudioError(path, "unreadable", "memory does not suffice to decode it") from error


def _recognised(path: Path, source: io.FileIO) -> _Forward:
    """Open what libsndfile knows by its first bytes, or an MP3 behind others."""
    try:
        return _Forward(path, source)
    except soundfile.LibsndfileError as error:
        if error.code != _UNRECOGNISED:
            raise
    source.seek(0)
    start = mpeg.first_frame(source.read(_HEAD)) if path.suffix.lower() == ".mp3" else None
    if start is None:
        raise AudioError(path, "unreadable", "no audio that libsndfile knows")
    source.seek(start)
    return _Forward(path, io.BytesIO(source.read()))


def pieces(file: _Forward, seconds: float = _PIECE) -> Iterator[np.ndarray]:
    """Decode a file piece by piece.

    Parameters
    ----------
    file
        As `opened` gives it; can be read once.
    seconds
        Length of a piece at most.

    Yields
    ------
    np.ndarray
        Mono, float32, shape (samples,), at the file's rate.

    Raises
    ------
    AudioError
        As `decode` does, as soon as it is known.
    """
    size = min(int(seconds * file.samplerate), _PIECE_VALUES // file.channels)
    decoded, peak = 0, 0.0
    while count := min(max(1, size), file.frames - decoded):
        samples = file.read(count, dtype="float32", always_2d=True)
        if not len(samples):
            break
        mono = _mix(samples)
        decoded, peak = decoded + len(mono), max(peak, _peak(file.path, mono))
        yield mono
    _check_length(file, decoded)
    if peak < SILENCE_PEAK:
        raise AudioError(file.path, "silent", f"peak {peak:.1e} of full scale")


def _check_length(file: _Forward, decoded: int) -> None:
    """Refuse a file of which not all was decoded, or that has no samples."""
    if decoded < file.frames and not (file.format == "MP3" and _guessed(file.source)):
        raise AudioError(
            file.path, "unreadable", f"truncated: {decoded} of {file.frames} samples decoded"
        )
    if not decoded:
        raise AudioError(file.path, "empty file", "no samples")
    rest = file.source.read() if file.format in ("MP3", "OGG") else b""
    goes_on = b"OggS" in rest if file.format == "OGG" else mpeg.first_frame(rest) is not None
    if goes_on:
        name = f"in{file.path.suffix} -c copy out{file.path.suffix}"
        raise AudioError(
            file.path,
            "unreadable",
            f"the decoder ends after {decoded / file.samplerate:.2f} s, but {len(rest)} bytes with "
            f"audio are left: files joined, or a wrong length; rewrite it, e.g. ffmpeg -i {name}",
        )


def _guessed(source: BinaryIO) -> bool:
    """Whether the length of an MP3 is but libsndfile's guess: no frame says it."""
    reached, start = source.tell(), 0
    source.seek(0)
    while size := mpeg.id3_size(source.read(10)):
        start += size
        source.seek(start)
    source.seek(start)
    guessed = not mpeg.tells_length(source.read(_HEAD))
    source.seek(reached)
    return guessed


def _missing_bytes(log: str) -> int:
    """Return how many bytes libsndfile's log says the audio data lacks."""
    sizes = [(int(promised), int(found)) for promised, found in _SHORT_CHUNK.findall(log)]
    return sum(max(0, promised - found) for promised, found in sizes if promised < _UNKNOWN_LENGTH)


def _mix(samples: np.ndarray) -> np.ndarray:
    """Average channels: float32 (samples, channels) → (samples,)."""
    # A product with a vector is ten times faster than `mean(axis=1)` over two columns.
    return samples @ np.full(samples.shape[1], 1 / samples.shape[1], np.float32)


def _peak(path: Path, mono: np.ndarray) -> float:
    """Return the largest magnitude; refuse NaN and infinity, which would poison a training set."""
    low, high = float(mono.min()), float(mono.max())  # NaN and infinity survive both
    if not np.isfinite(low) or not np.isfinite(high):
        raise AudioError(path, "non-finite", "NaN or infinity among the samples")
    return max(-low, high)
