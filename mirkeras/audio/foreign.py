"""Formats that libsndfile does not know (m4a, aac, wma, webm, …), decoded by FFmpeg through PyAV.

PyAV comes with the extra ``formats``; without it such a file is refused with a remedy.
"""

import importlib.util
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

# Endings of music in them, lower case.
ENDINGS = frozenset(
    (
        *(".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".asf", ".dff", ".dsf", ".dts", ".eac3"),
        *(".g722", ".m4a", ".m4b", ".m4p", ".m4r", ".mka", ".mkv", ".mp4", ".mpc", ".mpp", ".ra"),
        *(".rm", ".shn", ".spx", ".tak", ".tta", ".weba", ".webm", ".wma", ".wv"),
    )
)
# Bare frames: FFmpeg guesses their length by the bit rate.
_NO_LENGTH = frozenset(("aac", "ac3", "amr", "dts", "eac3", "g722", "loas", "mp3"))


#: What installs it; part of every remedy.
EXTRA = "pip install 'mirkeras[formats]'"


@cache
def available() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def decoder(path: Path) -> str:
    """Name what decodes a file of these endings; "" for any other file."""
    if path.suffix.lower() not in ENDINGS:
        return ""
    return f"PyAV {version('av')}" if available() else "not decoded"


def sealed(path: Path, digest: str) -> str:
    """Add to a file's digest what decodes it: another version may decode otherwise."""
    return f"{digest} {decoder(path)}".strip() if digest else ""


def remedy(path: Path) -> str:
    """Say how a file can be made readable."""
    if available():  # and it did not help
        return f"if it is music: ffmpeg -i in{path.suffix} out.flac"
    return f"{EXTRA}, or ffmpeg -i in{path.suffix} out.flac"


def knows(path: Path) -> bool:
    """Whether FFmpeg finds sound in a file."""
    import av

    try:
        with av.open(str(path)) as container:
            return bool(container.streams.audio)
    except (av.FFmpegError, OSError, ValueError):
        return False


class Foreign:
    """A file that is read once, from its beginning to its end, like one of libsndfile's.

    Attributes
    ----------
    samplerate, channels : int
    failure : str or None
        What ended the reading before its end.
    """

    format = "FFmpeg"

    def __init__(self, path: Path) -> None:
        import av

        self.path, self.failure = path, None
        self._container = av.open(str(path))
        self._stream = self._container.streams.audio[0]
        self._stream.thread_type = "NONE"
        self.samplerate = self._stream.rate
        self.channels = self._stream.channels
        self._frames = self._decoded()
        self._held = np.zeros((0, self.channels), np.float32)

    def __enter__(self) -> "Foreign":
        return self

    def __exit__(self, *failure: object) -> None:
        self._container.close()

    def _decoded(self) -> Iterator[np.ndarray]:
        """Give block after block: float32 (samples, channels)."""
        import av

        convert = av.AudioResampler(format="fltp", layout=self._stream.layout, rate=self.samplerate)
        try:
            for frame in self._container.decode(self._stream):
                for block in convert.resample(frame):
                    yield block.to_ndarray().T
        except av.FFmpegError as error:
            self.failure = error.strerror or "broken or truncated"
        for block in convert.resample(None):
            yield block.to_ndarray().T

    def block(self, count: int) -> np.ndarray:
        """Decode at most so many samples: float32 (samples, channels); none at the end."""
        blocks, held = [self._held], len(self._held)
        while held < count and (block := next(self._frames, None)) is not None:
            blocks.append(block)
            held += len(block)
        samples = np.concatenate(blocks)
        self._held = samples[count:]
        return np.ascontiguousarray(samples[:count])

    def promised(self) -> float:
        """Return the samples that the header promises; nan where it does not say."""
        stream = self._stream
        if self._container.format.name in _NO_LENGTH:
            return float("nan")
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base) * self.samplerate
        if self._container.duration:
            return self._container.duration / 1e6 * self.samplerate
        return float("nan")

    def goes_on(self) -> bool:
        """FFmpeg reads all there is."""
        return False
