"""Segments of several tracks scored together, and the scores handed back to their tracks."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirkeras.audio import AudioError

if TYPE_CHECKING:
    from mirkeras.pretrained.inference import Score


@dataclass(eq=False)
class Track:
    """A file under way."""

    path: Path
    samples: int = 0
    frames: int = 0
    waiting: int = 0  # segments that are not yet scored
    ended: bool = False
    error: AudioError | None = None
    scored: deque[list[np.ndarray]] = field(default_factory=deque)  # by batch: scores, features

    def count(self, frames: np.ndarray) -> np.ndarray:
        """Count frames that pass by."""
        self.frames += len(frames)
        return frames

    @property
    def finished(self) -> bool:
        return self.ended and (self.error is not None or not self.waiting)


class Batch:
    """Segments that wait until enough for the network have come together."""

    def __init__(self, score: "Score", size: int) -> None:
        self._score, self._size = score, size
        self._parts: list[tuple[Track, np.ndarray]] = []
        self._count = 0

    def add(self, track: Track, segments: np.ndarray) -> None:
        """Take segments of a track (k, frames, bands); score whenever a batch is full."""
        while len(segments):
            part = segments[: self._size - self._count]
            segments = segments[len(part) :]
            self._parts.append((track, part))
            self._count += len(part)
            track.waiting += len(part)
            if self._count == self._size:
                self.flush()

    def flush(self) -> None:
        """Score what waits and hand the rows back to their tracks."""
        parts, self._parts, self._count = self._parts, [], 0
        if not parts:
            return
        outputs = self._score(np.concatenate([segments for _, segments in parts]))
        ends = np.cumsum([len(segments) for _, segments in parts])[:-1]
        rows = zip(*(np.split(output, ends) for output in outputs), strict=True)
        for (track, segments), scored in zip(parts, rows, strict=True):
            track.scored.append(list(scored))
            track.waiting -= len(segments)


def joined(scored: deque[list[np.ndarray]]) -> list[np.ndarray]:
    """Concatenate batch outputs, freeing each as it is copied."""
    count = sum(len(outputs[0]) for outputs in scored)
    wholes = [np.empty((count, *output.shape[1:]), np.float32) for output in scored[0]]
    start = 0
    while scored:
        outputs = scored.popleft()
        stop = start + len(outputs[0])
        for whole, part in zip(wholes, outputs, strict=True):
            whole[start:stop] = part
        start = stop
    return wholes
