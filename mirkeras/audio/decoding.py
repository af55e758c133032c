"""A file becomes mono float32 samples at one rate, or an error that says why not.

Whole files; `mirkeras.audio.stream` gives the same samples piece by piece.
"""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from mirkeras.audio import containers, foreign, mpeg
from mirkeras.system.errors import Note
from mirkeras.system.quiet import silenced

# A clip whose loudest sample stays below one step of 16-bit audio (-90.3 dBFS) holds no music.
SILENCE_PEAK = 2.0**-15
RESAMPLER_QUALITY = "HQ"

# Louder than this (12 dB above full scale) is no music but another unit.
LOUDEST = 4.0
# Sample rates in Hz that sound is recorded at.
SLOWEST, FASTEST = 4_000, 400_000
# Channels whose mean has less than this share of the first one's energy cancel each other.
CANCELLED = 1e-3
# What a file may lack of the length that its header states: seconds, or a frame of its codec.
TOLERANCE = 0.05
_FRAME = {"MP3": 1152, "FLAC": 4608}

_LONGEST_FRAME = 1441  # bytes, of an MP3 (layer 3, 320 kbit/s at 32 kHz)
# libsndfile's error numbers of a format that it does not know, and of a damaged header
_UNRECOGNISED, _MALFORMED = 1, 3

_PIECE = 30.0  # seconds that are decoded at once
# Values at most, whatever rate and channels a damaged header claims: 64 MiB.
_PIECE_VALUES = 2**24
_HEAD = 2**16  # bytes in which the first frame of an MP3 must lie, behind others


class AudioError(ValueError):
    """A file that cannot be used as audio.

    Parameters
    ----------
    reason
        One of "missing", "empty file", "unreadable", "implausible", "too short", "silent",
        "non-finite".
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


def identity(path: Path | None = None) -> dict[str, str]:
    """Name everything between a file and its samples, as plain strings for a cache's identity.

    Without a path for all files that libsndfile decodes.
    """
    usual = f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}"
    return {
        "decoder": (path and foreign.decoder(path)) or usual,
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
        A file in any format that libsndfile reads, with any number of channels; or that FFmpeg
        reads, where the extra ``formats`` is installed.

    Raises
    ------
    AudioError
        "missing": no such file. "empty file": no bytes, or a header without samples.
        "unreadable": not audio, or truncated (noticeably fewer samples than the header promises),
        or audio goes on behind the end that the header states. "implausible": a sample rate or a
        peak that no recording has. "non-finite": NaN or infinity among the samples. "silent": the
        mono peak is below `SILENCE_PEAK`.

    Warns
    -----
    Note
        The file lacks an instant of what its header promises, or its channels cancel each other
        and the first one is taken alone.
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
        Its bytes.
    read_from
        The same as they should be (see `containers.mended`), at the position that is reached.
    failure
        What ended the reading before its end, None if nothing did.
    """

    def __init__(self, path: Path, source: BinaryIO, read_from: BinaryIO | None = None) -> None:
        self.path, self.source, self.failure = path, source, None
        self.read_from, self._given = read_from or source, 0
        real = isinstance(self.read_from, io.FileIO) and os.name != "nt"
        with silenced():  # mpg123 has much to say, for no file by name
            super().__init__(source.fileno() if real else self.read_from, closefd=False)

    def seekable(self) -> bool:
        return False

    def block(self, count: int) -> np.ndarray:
        """Decode at most so many samples: float32 (samples, channels); none at the end.

        Where the decoder fails, what it had decoded until then is given.
        """
        if self.failure:
            return np.zeros((0, self.channels), np.float32)
        count = min(count, max(1, self.frames - self._given))  # no room for what will not come
        samples = np.full((count, self.channels), np.nan, np.float32)
        try:
            with silenced():
                samples = self.read(out=samples)
            self._given += len(samples)
            return samples
        except soundfile.LibsndfileError as error:
            self.failure = error.error_string.rstrip(".") or "broken or truncated"
            untouched = np.isnan(samples).all(axis=1)
            return samples[: untouched.argmax() if untouched.any() else count]

    def promised(self) -> float:
        """Return the samples (per channel) that the header promises, see `containers.promised`."""
        return containers.promised(self.format, self.extra_info, self.frames, self._told_by)

    def goes_on(self) -> bool:
        """Whether audio lies behind the end that the header states."""
        return containers.goes_on(self.format, self.extra_info, self._told_by)

    @property
    def _told_by(self) -> BinaryIO:
        return self.read_from if self.format == "MP3" else self.source


@contextmanager
def opened(path: Path) -> Iterator[_Forward | foreign.Foreign]:
    """Open a file; whatever is raised while it is read, now or later, is an AudioError.

    Raises
    ------
    AudioError
        "missing", "empty file" (no bytes), "implausible" (sample rate) or "unreadable".
    """
    try:
        if not path.exists():
            raise AudioError(path, "missing")
        if not path.is_file():  # a pipe without a writer would be waited for
            raise AudioError(path, "unreadable", "no regular file")
        if path.stat().st_size == 0:
            raise AudioError(path, "empty file", "zero bytes")
        with open(path, "rb", buffering=0) as source, _recognised(path, source) as file:
            if not SLOWEST <= file.samplerate <= FASTEST:
                detail = f"a sample rate of {file.samplerate} Hz, {SLOWEST} to {FASTEST} are taken"
                raise AudioError(path, "implausible", detail)
            yield file
    except AudioError:
        raise
    except Exception as error:
        raise as_audio_error(path, error) from error


def as_audio_error(path: Path, error: Exception) -> AudioError:
    """Put whatever is raised while a file is read or worked on into words: it ends no whole job."""
    match error:
        case AudioError():
            return error
        case soundfile.LibsndfileError():
            detail = error.error_string.rstrip(".") or "broken or truncated"
            detail = f"{detail}; {foreign.remedy(path)}"
        case OSError():
            detail = error.strerror or "broken or truncated"
        case MemoryError():
            detail = "memory does not suffice for it"
        case _:
            detail = f"{type(error).__name__}: {error}"
    return AudioError(path, "unreadable", detail)


def _recognised(path: Path, source: io.FileIO) -> _Forward | foreign.Foreign:
    """Open what libsndfile knows by its first bytes, an MP3 behind others, or what FFmpeg knows."""
    better = containers.mended(source)
    source.seek(0)
    try:
        return _Forward(path, source, better)
    except soundfile.LibsndfileError as error:
        failure = error
    if failure.code == _UNRECOGNISED and path.suffix.lower() == ".mp3":
        source.seek(0)
        start = mpeg.first_frame(source.read(_HEAD))
        if start is not None:
            return _Forward(path, containers.Mended(source, {}, start))
    # what libsndfile knows and finds malformed, FFmpeg would take as far as it goes
    if failure.code != _MALFORMED and foreign.available() and foreign.knows(path):
        if source.seek(0) == 0 and source.read(4) == b"OggS" and not containers.ends_ogg(source):
            raise AudioError(path, "unreadable", "truncated: its last page is missing")
        return foreign.Foreign(path)
    if failure.code == _UNRECOGNISED:
        detail = f"no audio that libsndfile knows; {foreign.remedy(path)}"
        raise AudioError(path, "unreadable", detail)
    raise failure


def pieces(file: _Forward | foreign.Foreign, seconds: float = _PIECE) -> Iterator[np.ndarray]:
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
    size = _samples_at_once(file, seconds)
    decoded, peak, first_alone = 0, 0.0, None  # not known yet
    while len(samples := file.block(size)):
        mono = samples[:, 0].copy() if first_alone else _mix(samples)
        if first_alone is None and _cancels(samples, mono):
            first_alone = _cancel_throughout(file.path)
            if first_alone:
                mono = samples[:, 0].copy()
                _note(file.path, "its channels cancel each other; the first one is taken alone")
        decoded, peak = decoded + len(mono), max(peak, _peak(file.path, mono))
        if first_alone is None and peak >= SILENCE_PEAK:
            first_alone = False
        yield mono
    _check_length(file, decoded)
    if peak < SILENCE_PEAK:
        raise AudioError(file.path, "silent", f"peak {peak:.1e} of full scale")


def _samples_at_once(file: _Forward | foreign.Foreign, seconds: float) -> int:
    return max(1, min(int(seconds * file.samplerate), _PIECE_VALUES // file.channels))


def _note(path: Path, text: str) -> None:
    warnings.warn(f"{path}: {text}", Note, stacklevel=2)


def _check_length(file: _Forward | foreign.Foreign, decoded: int) -> None:
    """Refuse a file of which not all was decoded, or that has no samples."""
    missing = file.promised() - decoded  # nan: nothing was promised
    tolerated = max(TOLERANCE * file.samplerate, _FRAME.get(file.format, 0))
    if missing > tolerated or (file.failure and not missing <= tolerated):
        whole = decoded + missing
        of = f"{whole:.0f}" if np.isfinite(whole) else "more"
        why = f"; {file.failure}" if file.failure else ""
        detail = f"truncated or damaged: {decoded} of {of} samples decoded{why}"
        raise AudioError(file.path, "unreadable", detail)
    if not decoded:
        raise AudioError(file.path, "empty file", "no samples")
    if file.goes_on():
        name = f"in{file.path.suffix} -c copy out{file.path.suffix}"
        raise AudioError(
            file.path,
            "unreadable",
            f"the decoder ends after {decoded / file.samplerate:.2f} s, but audio goes on behind "
            f"that: files joined, or a wrong length; rewrite it, e.g. ffmpeg -i {name}",
        )
    if file.format == "MP3" and (lost := containers.bytes_before(file.source)) > _LONGEST_FRAME:
        _note(file.path, f"{lost} bytes before its first frame are no sound; used as it is")
    if missing > 0 or file.failure or missing < -tolerated:
        milliseconds = 1000 * abs(missing) / file.samplerate
        how = "longer" if missing < 0 else "shorter"
        _note(file.path, f"{milliseconds:.3g} ms {how} than its header says; used as it is")


def _mix(samples: np.ndarray) -> np.ndarray:
    """Average channels: float32 (samples, channels) → (samples,)."""
    # A product with a vector is ten times faster than `mean(axis=1)` over two columns.
    return samples @ np.full(samples.shape[1], 1 / samples.shape[1], np.float32)


def _energy(channel: np.ndarray) -> float:
    return float(channel @ channel)


def _cancels(samples: np.ndarray, mono: np.ndarray) -> bool:
    """Whether channels (samples, channels) are inverse to each other: a wrong cable, karaoke."""
    return samples.shape[1] > 1 and _energy(mono) < CANCELLED * _energy(samples[:, 0])


def _cancel_throughout(path: Path) -> bool:
    """Whether they do so in the whole file, of which the beginning is suspicious."""
    mixed, first = 0.0, 0.0
    with opened(path) as file:
        size = _samples_at_once(file, _PIECE)
        while len(samples := file.block(size)):
            mixed += _energy(_mix(samples))
            first += _energy(samples[:, 0])
    return mixed < CANCELLED * first


def _peak(path: Path, mono: np.ndarray) -> float:
    """Return the largest magnitude; refuse NaN, infinity and other units, which would poison a
    training set.
    """
    low, high = float(mono.min()), float(mono.max())  # NaN and infinity survive both
    if not np.isfinite(low) or not np.isfinite(high):
        raise AudioError(path, "non-finite", "NaN or infinity among the samples")
    peak = max(-low, high)
    if peak > LOUDEST:
        is_16_bit = 2**8 < peak <= 2**16
        cause = "16-bit units in a float file" if is_16_bit else "another unit, or damage"
        unit = 2**15 if is_16_bit else f"{peak:.3g}"
        how = f"ffmpeg -i in{path.suffix} -af volume=1/{unit} -c:a pcm_f32le out.wav brings it back"
        detail = f"a peak of {peak:.3g} × full scale: {cause}; {how}"
        raise AudioError(path, "implausible", detail)
    return peak
