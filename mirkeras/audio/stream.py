"""Decode and resample long files in constant memory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soxr

from mirkeras.audio import decoding
from mirkeras.audio.decoding import AudioError


def blocks(path: str | Path, sample_rate: int, seconds: float = 30.0) -> Iterator[np.ndarray]:
    """Decode a file piece by piece.

    Parameters
    ----------
    sample_rate
        In Hz, of the result.
    seconds
        Length of a piece at most: by default long enough that nobody waits for Python, short enough
        to be held several times.

    Yields
    ------
    np.ndarray
        Mono, float32, shape (samples,), not empty; joined they are `audio.load`'s samples.

    Raises
    ------
    AudioError
        As `audio.load` does, as soon as it is known: damage in the middle of the file, or the lack
        of any sound in it, after the pieces before. A file that becomes shorter meanwhile is
        "unreadable".
    """
    path, left = Path(path), 0
    with decoding.opened(path) as file:
        resample = _resampler(file.samplerate, sample_rate)
        for mono in decoding.pieces(file, seconds):
            if (piece := resample(mono, False)).size:
                left += piece.size
                yield piece
    if (piece := resample(np.zeros(0, np.float32), True)).size:
        yield piece
    elif not left:
        raise AudioError(path, "too short", f"no sample is left at {sample_rate} Hz")


def _resampler(before: int, after: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Make what resamples piece after piece: takes samples and whether they are the last."""
    if before == after:
        return lambda samples, last: samples
    stream = soxr.ResampleStream(
        before, after, 1, dtype="float32", quality=decoding.RESAMPLER_QUALITY
    )
    return stream.resample_chunk
