"""MPEG audio frames in bytes: what `mirkeras.audio.decoding` asks about an MP3 beside its samples.

An MP3 has no header of its own, only frames; their headers are those of ISO/IEC 11172-3, 2.4.1.3,
and 13818-3. The number of frames is told by the first one, if at all: "Xing" or "Info" (LAME) or
"VBRI" (Fraunhofer). Where it is not, libsndfile guesses the length from the file's size: too short
where the bit rate varies, too long where there are tags or padding bytes.
"""

import io
import re
import struct
from typing import BinaryIO

_SYNC = re.compile(rb"\xff[\xe2-\xff]")
# Frames in a row that are no coincidence: in a megabyte of random bytes (a cover), fewer than 1e-6.
_ROW = 3
_HEADER = 4  # bytes
_GAP = 2**20  # bytes between frames at most: a cover, a tag
# kbit/s by version (MPEG-1; 2 and 2.5) and layer, for the indices 1 to 14.
_RATES = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HERTZ = (44_100, 48_000, 32_000)


def first_frame(data: bytes) -> int | None:
    """Find where frames begin that follow each other, three at least; None if there are none."""
    for sync in _SYNC.finditer(data):
        if _in_a_row(data, sync.start()):
            return sync.start()
    return None


def tells_length(data: bytes) -> bool:
    """Whether the first frame says how many there are; `data` is the beginning of the sound."""
    start = first_frame(data)
    if start is None:
        return False
    if b"VBRI" in data[start : start + _frame_size(data[start : start + _HEADER])]:
        return True
    place = place_of_count(data)
    return place is not None and any(data[place : place + 4])


def place_of_count(data: bytes) -> int | None:
    """Find the number of frames that "Xing" or "Info" states in the first frame, None without."""
    start = first_frame(data)
    if start is None:
        return None
    tag = start + _HEADER + _side_size(data[start : start + _HEADER])
    is_one = data[tag : tag + 4] in (b"Xing", b"Info") and not any(data[start + _HEADER : tag])
    # a flag says whether the number stands there; what is not silent is no such frame
    return tag + 8 if is_one and data[tag + 7] & 1 else None


def count_frames(source: BinaryIO, start: int) -> tuple[int, bool]:
    """Count frames like the first one, the last may be cut; tell whether the bit rate varies.

    The first one lies at `start` or within `_GAP` bytes behind it.
    """
    file = io.BufferedReader(source, _GAP)  # a long file is not held in memory

    def read(at: int, count: int) -> bytes:
        file.seek(at)
        return file.read(count)

    first, count, rates = first_frame(read(start, _GAP)), 0, set()
    at = None if first is None else start + first
    kind = None if at is None else _kind(read(at, _HEADER))
    while at is not None:
        header = read(at, _HEADER)
        size = _frame_size(header)
        if size and _kind(header) == kind:
            count, at = count + 1, at + size
            rates.add(header[2] >> 4)
        elif (onward := first_frame(read(at + 1, _GAP))) is not None:
            at += 1 + onward
            if _kind(read(at, _HEADER)) != kind:
                break  # another stream, joined
        else:
            break
    file.detach()
    return count, len(rates) > 1


def samples_in(header: bytes) -> int:
    """Return the samples (per channel) of a frame."""
    layer, first = 4 - (header[1] >> 1 & 3), header[1] >> 3 & 3 == 3
    return 384 if layer == 1 else 576 if layer == 3 and not first else 1152


def count_frame(header: bytes, frames: int) -> bytes:
    """Make the frame that says how many follow, of the kind of theirs (`header`: 4 bytes)."""
    bytes_ = bytearray(header)
    bytes_[1] |= 1  # no checksum
    bytes_[2] = bytes_[2] & 0x0D | 9 << 4  # a bit rate at which it is large enough, no padding
    content = bytes(_side_size(header)) + b"Xing" + struct.pack(">II", 1, frames)
    return (bytes(bytes_) + content).ljust(_frame_size(bytes(bytes_)), b"\0")


def _side_size(header: bytes) -> int:
    """Return the bytes between a header and the sound."""
    first, mono = header[1] >> 3 & 3 == 3, header[3] >> 6 == 3
    return {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[first, mono]


def id3_size(data: bytes) -> int:
    """Return the bytes of the ID3v2 tag that the data begin with, 0 if they do not."""
    if len(data) < 10 or data[:3] != b"ID3":
        return 0
    size = 0
    for byte in data[6:10]:  # seven bits in each, so that no tag looks like a frame
        size = size << 7 | byte & 0x7F
    return size + (20 if data[5] & 0x10 else 10)


def _in_a_row(data: bytes, start: int) -> bool:
    """Whether a row of frames begins here, all of one version, layer and sample rate."""
    kind = None
    for _ in range(_ROW):
        header = data[start : start + _HEADER]
        size = _frame_size(header)
        if not size or kind not in (None, _kind(header)):
            return False
        kind, start = _kind(header), start + size
    return True


def _kind(header: bytes) -> tuple[int, int]:
    """Return the bits that no two frames of a stream differ in."""
    return header[1] & 0x1E, header[2] & 0x0C


def _frame_size(header: bytes) -> int:
    """Return the bytes of a frame, 0 for what is no header or does not tell ("free format")."""
    if len(header) < _HEADER or header[0] != 0xFF or header[1] < 0xE0:
        return 0
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)  # version: 3 MPEG-1, 2, 0 for 2.5
    index, hertz, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or index in (0, 15) or hertz == 3:
        return 0
    bits = 1000 * _RATES[1 if version == 3 else 2, layer][index - 1]
    rate = _HERTZ[hertz] >> {3: 0, 2: 1, 0: 2}[version]
    if layer == 1:
        return 4 * (12 * bits // rate + padding)
    return samples_in(header) // 8 * bits // rate + padding
