"""The HDF5 file of a cache: its layout, how it is written and read.

    user block        512 bytes: where the frames begin, bytes of the file, SHA-256 of the tables
    offsets           int64 (tracks + 1,): track i is frames[offsets[i]:offsets[i + 1]]
    tracks            UTF-8 names, sorted
    digests           SHA-256 of the audio files, hexadecimal
    checksums         uint32 (tracks,): CRC-32 of each track's frames as stored
    rejected/...      track, path, reason, size, digest of the tracks that were set aside
    attributes        identity (JSON) and fingerprint
    frames            float32 or int16 (total_frames, bands), the tracks one after another

All data sets are uncompressed and contiguous, and the frames come last: what is before them, the
tables, is one piece of bytes under one digest. HDF5 opens only files whose tables are proven whole,
and never writes to a disk: it ends the process where that is full. Nothing in a file depends on
time, process count or interruptions.
"""

import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np
import pandas as pd

from mirkeras.storage.files import reading, require_room, whole_file
from mirkeras.system.errors import ExpectedError
from mirkeras.system.processes import usable_cores

# Part of every identity and so of every finished run: raise by one when what is stored means
# something else, not when the layout of the file changes.
FORMAT = 1

# What is stored, and what a stored 1 stands for.
SCALES = {"float32": 1.0, "int16": 2.0**-15}

_MAGIC = b"mirkeras cache 2"
_EARLIER = b"\x89HDF"  # the first layout had no user block, no digests and no checksums
_BLOCK = 512
# Tracks that a thread compares with their checksums before it takes the next, and bytes it holds.
_AT_ONCE, _PIECE = 256, 1 << 18
_COLUMNS = ("track", "path", "reason", "digest")


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
    dtype
        What is stored: "float32", or "int16" where 32768 stands for 1.
    identity
        What defines the numbers: recipe, decoder, resampler, libraries, `min_frames`.
    fingerprint
        SHA-256 over the names and the audio bytes of all tracks.
    rejected
        Columns track, path, reason, size, digest: the tracks that were set aside.
    digests
        SHA-256 of each track's audio file; () where that is unknown.
    checksums
        uint32, shape (tracks,): CRC-32 of each track's frames; None where there are none.
    seen
        How the file looked when it was opened; None if nobody would replace it.
    """

    path: Path
    tracks: tuple[str, ...]
    offsets: np.ndarray
    bands: int
    dtype: str
    identity: dict
    fingerprint: str
    rejected: pd.DataFrame
    digests: tuple[str, ...] = ()
    checksums: np.ndarray | None = None
    seen: tuple[int, int, int] | None = None
    _position_in_file: int = 0

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
        with open(self.path, "rb") as file:
            self._refuse_another(os.fstat(file.fileno()))
            return np.memmap(file, self.dtype, "r", offset=self._position_in_file, shape=shape)

    def raw_segments(self, first: np.ndarray, length: int) -> np.ndarray:
        """Read segments by their first frames, as stored: `dtype` (segments, length, bands).

        Positional reads: nothing stays mapped, so memory does not grow with what was read, and
        `tests/benchmarks/pipeline.py` finds them hardly slower than a batch already in memory.

        Raises
        ------
        CacheError
            If the file ends before a segment does, or is another one than was opened.
        """
        segments = np.empty((len(first), length, self.bands), self.dtype)
        row = self.bands * segments.itemsize
        file = os.open(self.path, os.O_RDONLY)
        try:
            self._refuse_another(os.fstat(file))
            for segment, start in zip(segments, first.tolist(), strict=True):
                place = self._position_in_file + start * row
                if os.preadv(file, [segment], place) != segment.nbytes:
                    raise self._cut()
        finally:
            os.close(file)
        return segments

    def _cut(self) -> CacheError:
        return CacheError(f"{self.path} is shorter than it says; delete it and run again")

    def _refuse_another(self, status: os.stat_result) -> None:
        if self.seen is not None and self.seen != _look(status):
            raise CacheError(
                f"{self.path}: replaced while it was being read, its data set has changed; run the "
                "same command again"
            )

    def segments(self, first: np.ndarray, length: int) -> np.ndarray:
        """Read segments as `raw_segments` does, as float32; int16 scaled to [-1, 1]."""
        return self._scaled(self.raw_segments(first, length))

    def stored(self, number: int) -> np.ndarray:
        """Read a track by its number, as stored: `dtype` (time, band)."""
        start, end = self.offsets[number : number + 2]
        return self.raw_segments(np.array([start]), int(end - start))[0]

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
        return self._scaled(self.stored(self._positions[name]))

    def _scaled(self, stored: np.ndarray) -> np.ndarray:
        return stored if self.scale == 1 else stored * np.float32(self.scale)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {track: i for i, track in enumerate(self.tracks)}


def damaged_tracks(cache: FeatureCache) -> list[str]:
    """Read all frames; return the tracks whose frames are not those that were written.

    Raises
    ------
    CacheError
        If the file ends before its tracks do, or is another one than was opened.
    """
    firsts = range(0, len(cache.tracks), _AT_ONCE)
    with ThreadPoolExecutor(usable_cores()) as pool:  # reading and CRC need no GIL
        parts = list(pool.map(partial(_checksums, cache), firsts))
    found = np.concatenate(parts) if parts else cache.checksums
    return [cache.tracks[number] for number in np.flatnonzero(found != cache.checksums)]


def _checksums(cache: FeatureCache, first: int) -> np.ndarray:
    """Read `_AT_ONCE` tracks, in pieces of one size whatever theirs; return each one's CRC-32."""
    row = cache.bands * np.dtype(cache.dtype).itemsize
    bounds = cache.offsets[first : first + _AT_ONCE + 1] * row
    piece, found = memoryview(bytearray(_PIECE)), []
    with open(cache.path, "rb") as file:
        cache._refuse_another(os.fstat(file.fileno()))
        file.seek(cache._position_in_file + int(bounds[0]))
        for left in np.diff(bounds).tolist():
            checksum = 0
            while left:
                count = file.readinto(piece[:left])
                if not count:
                    raise cache._cut()
                checksum, left = zlib.crc32(piece[:count], checksum), left - count
            found.append(checksum)
    return np.array(found, np.uint32)


def read_cache(path: Path) -> FeatureCache:
    """Read a cache's tables, of the present layout or an earlier one.

    Raises
    ------
    OSError
        The file cannot be read, or another process is writing it.
    ValueError
        The file is damaged, unfinished, or no cache.
    """
    with reading(path) as file:
        if file.read(len(_EARLIER)) == _EARLIER:
            return _read_earlier(path, file)
        file.seek(0)
        position = _proven(file)
        with h5py.File(file, "r") as tables:
            return FeatureCache(
                digests=_texts(tables["digests"]),
                checksums=tables["checksums"][()],
                seen=_look(os.fstat(file.fileno())),
                _position_in_file=position,
                **_common(path, tables, _COLUMNS),
            )


def _proven(file: BinaryIO) -> int:
    """Compare a file's tables with their digest; return where its frames begin.

    Raises
    ------
    ValueError
        A byte of them differs, or the file is longer or shorter than it was.
    """
    head, size = file.read(_BLOCK), os.fstat(file.fileno()).st_size
    position, digest = int.from_bytes(head[16:24], "little"), head[32:64]
    if head != _user_block(position, size, digest):
        raise ValueError("its head is not that of a cache of this size")
    if hashlib.sha256(file.read(position - _BLOCK)).digest() != digest:
        raise ValueError("its tables are not what was written")
    return position


def _user_block(position: int, size: int, digest: bytes) -> bytes:
    facts = _MAGIC + struct.pack("<QQ32s", position, size, digest)
    return (facts + struct.pack("<I", zlib.crc32(facts))).ljust(_BLOCK, b"\0")


def _read_earlier(path: Path, file: BinaryIO) -> FeatureCache:
    """Read a file of the first layout: its digests are unknown, and it cannot prove itself."""
    try:
        with h5py.File(file, "r") as tables:
            return _unproven(path, tables)
    except OSError:
        raise
    except Exception as error:  # HDF5 and JSON raise almost anything at a damaged file
        raise ValueError(str(error)) from error


def _unproven(path: Path, file: h5py.File) -> FeatureCache:
    if not file.attrs.get("complete", False):
        raise ValueError("it was never finished")
    common = _common(path, file, _COLUMNS[:-1])
    offsets, frames = common["offsets"], file["frames"]
    if len(offsets) != len(common["tracks"]) + 1 or (np.diff(offsets) <= 0).any():
        raise ValueError("its offsets are no offsets")
    if (offsets[0], offsets[-1]) != (0, len(frames)):
        raise ValueError("its offsets do not cover its frames")
    common["rejected"]["digest"] = ""
    position = frames.id.get_offset()
    return FeatureCache(seen=_look(path.stat()), _position_in_file=position, **common)


def _common(path: Path, file: h5py.File, columns: Sequence[str]) -> dict[str, object]:
    dtype = file["frames"].dtype.name
    if dtype not in SCALES:
        raise ValueError(f"frames of an unknown kind, {dtype}")
    rejected = {name: _texts(file["rejected"][name]) for name in columns}
    table = pd.DataFrame(rejected | {"size": file["rejected"]["size"][()]})
    return {
        "path": path,
        "tracks": _texts(file["tracks"]),
        "offsets": file["offsets"][()],
        "bands": file["frames"].shape[1],
        "dtype": dtype,
        "identity": dict(json.loads(file.attrs["identity"])),
        "fingerprint": file.attrs["fingerprint"].decode(),
        "rejected": table[["track", "path", "reason", "size", *columns[3:]]],
    }


def write_cache(cache: FeatureCache, frames: Iterable[np.ndarray]) -> None:
    """Write a whole cache.

    Parameters
    ----------
    cache
        What it is to be, and where; the checksums follow from the frames.
    frames
        Of one track after the other, `cache.dtype` (time, band).

    Raises
    ------
    OSError
        The file cannot be written; nothing of it is left.
    """
    row = cache.bands * np.dtype(cache.dtype).itemsize
    begin = len(_tables(cache, np.zeros(len(cache.tracks), np.uint32)))
    size = begin + int(cache.offsets[-1]) * row
    require_room(cache.path.parent, size)
    with whole_file(cache.path) as temporary, open(temporary, "wb") as file:
        file.seek(begin)
        checksums = []
        for values in map(np.ascontiguousarray, frames):
            file.write(values.data)
            checksums.append(zlib.crc32(values))
        if file.tell() != size:
            raise ValueError(f"{cache.path}: {file.tell()} bytes of frames, not {size}")
        tables = _tables(cache, np.array(checksums, np.uint32))[_BLOCK:]
        file.seek(0)
        file.write(_user_block(begin, size, hashlib.sha256(tables).digest()) + tables)


def _tables(cache: FeatureCache, checksums: np.ndarray) -> bytes:
    """Lay out all that comes before the frames, which HDF5 only reserves a place for."""
    memory = io.BytesIO()
    aligned = {"alignment_threshold": 1, "alignment_interval": 8}
    with h5py.File(memory, "w", userblock_size=_BLOCK, **aligned) as file:
        file["offsets"] = cache.offsets
        file["tracks"] = _encoded(cache.tracks)
        file["digests"] = _encoded(cache.digests)
        file["checksums"] = checksums
        for name in _COLUMNS:
            file[f"rejected/{name}"] = _encoded(cache.rejected[name])
        file["rejected/size"] = cache.rejected["size"].to_numpy(np.int64)
        file.attrs["identity"] = np.bytes_(json.dumps(cache.identity))
        file.attrs["fingerprint"] = np.bytes_(cache.fingerprint)
        reserved = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        reserved.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        reserved.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        shape = (int(cache.offsets[-1]), cache.bands)
        begin = file.create_dataset("frames", shape, cache.dtype, dcpl=reserved).id.get_offset()
    tables = memory.getvalue()
    if len(tables) > begin:
        raise RuntimeError(f"HDF5 {h5py.version.hdf5_version} puts something behind the frames")
    return tables.ljust(begin, b"\0")


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


def fingerprint(tracks: Iterable[tuple[str, str]]) -> str:
    """Digest the tracks of a cache, each with the digest of its audio."""
    lines = (f"{track}\0{digest}\n" for track, digest in tracks)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _look(status: os.stat_result) -> tuple[int, int, int]:
    """What tells one file from another at the same place."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def _encoded(texts: Sequence[str]) -> np.ndarray:
    """Encode texts at one fixed length: variable ones would go to a heap in no fixed layout."""
    encoded = [text.encode() for text in texts]
    length = max(1, *map(len, encoded)) if encoded else 1
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", length))


def _texts(column: h5py.Dataset) -> tuple[str, ...]:
    return tuple(text.decode() for text in column[()])
