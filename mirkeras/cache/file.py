"""The HDF5 file of a cache: its layout, how it is written and read.

All data sets are uncompressed and contiguous:

    frames            float32 or int16 (total_frames, bands), the tracks one after another
    offsets           int64 (tracks + 1,): track i is frames[offsets[i]:offsets[i + 1]]
    tracks            UTF-8 names, sorted
    sizes             int64 (tracks,): bytes of the audio files
    rejected/...      track, path, reason, size of the tracks that were set aside
    attributes        identity (JSON), fingerprint, and, written last, complete

Nothing in it depends on time, process count or interruptions.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from mirkeras.features import extraction
from mirkeras.system.errors import ExpectedError
from mirkeras.system.files import whole_file

# Raise by one when the layout of the file changes.
FORMAT = 1

# What is stored, and what a stored 1 stands for.
SCALES = {"float32": 1.0, "int16": 2.0**-15}


class CacheError(ExpectedError):
    """A cache that cannot be built or must not be used; the message says what to do."""


@dataclass(frozen=True, eq=False)
class FeatureCache:
    """An opened, complete cache. It holds no file handle, so it may be sent to other processes.

    Attributes
    ----------
    tracks
        Track ids, sorted.
    offsets
        int64, shape (tracks + 1,): the first frame of every track, then the total.
    sizes
        int64, shape (tracks,): bytes of the audio files.
    dtype
        What is stored: "float32", or "int16" where 32768 stands for 1.
    identity
        What defines the numbers: recipe, decoder, resampler, libraries, `min_frames`.
    fingerprint
        SHA-256 over the names and the audio bytes of all tracks.
    rejected
        Columns track, path, reason, size: the tracks that were set aside.
    """

    path: Path
    tracks: tuple[str, ...]
    offsets: np.ndarray
    sizes: np.ndarray
    bands: int
    dtype: str
    identity: dict
    fingerprint: str
    rejected: pd.DataFrame
    _position_in_file: int

    @property
    def scale(self) -> float:
        """What a stored 1 stands for: 1.0 for float32, 1/32768 for int16."""
        return SCALES[self.dtype]

    @property
    def set_aside(self) -> str:
        """How many tracks are unusable, why, and where they are named."""
        if self.rejected.empty:
            return "0 track(s) set aside"
        reasons = self.rejected["reason"].str.partition(":")[0].value_counts()
        why = ", ".join(f"{count} × {reason}" for reason, count in reasons.items())
        report = self.path.with_suffix(".rejected.csv")
        return f"{len(self.rejected)} track(s) set aside ({why}), named in {report}"

    def memmap(self) -> np.memmap:
        """Map all frames as stored, read-only (total_frames, bands), without HDF5's global lock."""
        shape = (int(self.offsets[-1]), self.bands)
        return np.memmap(self.path, self.dtype, "r", offset=self._position_in_file, shape=shape)

    def raw_segments(self, first: np.ndarray, length: int) -> np.ndarray:
        """Read segments by their first frames, as stored: `dtype` (segments, length, bands).

        Positional reads: nothing stays mapped, so memory does not grow with what was read, and
        `tests/benchmarks/pipeline.py` finds them hardly slower than a batch already in memory.

        Raises
        ------
        CacheError
            If the file ends before a segment does.
        """
        segments = np.empty((len(first), length, self.bands), self.dtype)
        row = self.bands * segments.itemsize
        file = os.open(self.path, os.O_RDONLY)
        try:
            for segment, start in zip(segments, first.tolist(), strict=True):
                place = self._position_in_file + start * row
                if os.preadv(file, [segment], place) != segment.nbytes:
                    raise CacheError(
                        f"{self.path} is shorter than it says; delete it and run again"
                    )
        finally:
            os.close(file)
        return segments

    def segments(self, first: np.ndarray, length: int) -> np.ndarray:
        """Read segments as `raw_segments` does, as float32; int16 scaled to [-1, 1]."""
        return self._scaled(self.raw_segments(first, length))

    def track(self, name: str) -> np.ndarray:
        """Read one track's frames, float32 (time, band), int16 scaled to [-1, 1].

        Raises
        ------
        KeyError
            The track is not in the cache.
        """
        if name not in self._positions:
            reasons = self.rejected.loc[self.rejected["track"] == name, "reason"]
            why = f"set aside, {reasons.iloc[0]}" if len(reasons) else "not in the data set"
            raise KeyError(f"{self.path}: no track {name!r} ({why})")
        i = self._positions[name]
        return self._scaled(np.array(self.memmap()[self.offsets[i] : self.offsets[i + 1]]))

    def _scaled(self, stored: np.ndarray) -> np.ndarray:
        return stored if self.scale == 1 else stored * np.float32(self.scale)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {track: i for i, track in enumerate(self.tracks)}


def read_cache(path: Path) -> FeatureCache:
    """Read a cache's tables; OSError, KeyError or ValueError if it is damaged or unfinished."""
    with h5py.File(path, "r") as file:
        if not file.attrs.get("complete", False):
            raise ValueError("it was never finished")
        dtype = file["frames"].dtype.name
        if dtype not in SCALES:
            raise ValueError(f"frames of an unknown kind, {dtype}")
        columns = {name: file["rejected"][name][()] for name in ("track", "path", "reason", "size")}
        return FeatureCache(
            path=path,
            tracks=tuple(_decoded(file["tracks"][()])),
            offsets=file["offsets"][()],
            sizes=file["sizes"][()],
            bands=file["frames"].shape[1],
            dtype=dtype,
            identity=json.loads(file.attrs["identity"]),
            fingerprint=file.attrs["fingerprint"].decode(),
            rejected=pd.DataFrame(
                {k: v if k == "size" else _decoded(v) for k, v in columns.items()}
            ),
            _position_in_file=file["frames"].id.get_offset(),
        )


def write_cache(
    path: Path, identity: dict, done: Sequence[extraction.Extracted], rejected: pd.DataFrame
) -> None:
    """Write a whole cache from finished shards.

    Parameters
    ----------
    path
        File to write; it appears whole or not at all.
    identity
        What defines the numbers, plain values.
    done
        The outcomes of the accepted tracks, sorted by track.
    rejected
        Columns track, path, reason, size.

    Raises
    ------
    CacheError
        A shard or its audio file changed since it was finished.
    OSError
        The file could not be written.
    """
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        _write_tables(file, done, rejected)
        _write_frames(file, done)
        file.attrs["identity"] = np.bytes_(json.dumps(identity))
        file.attrs["fingerprint"] = np.bytes_(_fingerprint(done))
        file.flush()
        file.attrs["complete"] = True


def first_difference(found: dict, wanted: dict) -> str:
    """Describe where two identities part, e.g. "hop 1024 -> 512"; "" if they are equal."""
    for key in {**wanted, **found}:
        old, new = found.get(key), wanted.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            inner = first_difference(old, new)
            if inner:
                return inner
        elif old != new:
            return f"{key} {old} -> {new}"
    return ""


def _write_tables(
    file: h5py.File, done: Sequence[extraction.Extracted], rejected: pd.DataFrame
) -> None:
    offsets = np.cumsum([0, *(outcome.frames for outcome in done)], dtype=np.int64)
    file.create_dataset("offsets", data=offsets)
    file.create_dataset("tracks", data=_encoded([outcome.task.track for outcome in done]))
    sizes = np.array([outcome.size for outcome in done], np.int64)
    file.create_dataset("sizes", data=sizes)
    for name in ("track", "path", "reason"):
        file.create_dataset(f"rejected/{name}", data=_encoded(rejected[name]))
    file.create_dataset("rejected/size", data=rejected["size"].to_numpy(np.int64))


def _write_frames(file: h5py.File, done: Sequence[extraction.Extracted]) -> None:
    total, recipe = sum(outcome.frames for outcome in done), done[0].task.recipe
    frames = file.create_dataset("frames", (total, recipe.bands), recipe.dtype)
    start = 0
    for outcome in done:
        shard = extraction.read_shard(outcome.task)
        if shard is None:
            raise CacheError(
                f"{outcome.task.path}: changed while the cache was being built; run it again"
            )
        frames[start : start + outcome.frames] = shard[0]
        start += outcome.frames


def _encoded(texts: Sequence[str]) -> np.ndarray:
    """Encode texts at one fixed length: variable ones would go to a heap in no fixed layout."""
    encoded = [text.encode() for text in texts]
    length = max((len(text) for text in encoded), default=1)
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", length))


def _decoded(texts: np.ndarray) -> list[str]:
    return [text.decode() for text in texts]


def _fingerprint(done: Sequence[extraction.Extracted]) -> str:
    lines = (f"{outcome.task.track}\0{outcome.checksum}\n" for outcome in done)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
