"""What the header of a file claims of its length, against what the file holds.

Recorders that write to a pipe cannot know the length and leave 0 or the largest number there;
copies are cut; sizes are counted wrongly by a few bytes. libsndfile tells what it found in its log.
"""

import io
import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from mirkeras.audio import mpeg

# A size of this order means "not known".
_UNKNOWN = 0x7F000000
_UNKNOWN_LONG = 2**62
_HEAD = 2**16  # bytes in which the first frame of an MP3 must lie, behind its tag
_PIECE = 2**20  # bytes of a file that are held at once
_FLAC_LENGTH = slice(21, 26)  # the last 36 bits are the number of samples, 0: not known
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FIRST_PAGE, _LAST_PAGE = 2, 4  # flags of a page of Ogg
_FLAC_START = re.compile(rb"fLaC[\0\x80]\0\0\x22")  # 8 bytes

# libsndfile notes when a chunk promises more bytes than the file has, then quietly decodes what is
# left. The names are those of WAV, AIFF and AU; of W64 and RF64 only the whole file is compared.
_SHORT_CHUNK = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)", re.M
)
_SHORT_MATRIX = re.compile(r"seems to be truncated\. (\d+) <--> (\d+)")
# Behind the audio lies what is no chunk of this container.
_NO_CHUNK = re.compile(r"Unknown chunk marker(?: \(\w+\))? at position (0x)?(\w+)|Should be >= 0")
# Containers that state a number of frames: where it stands in the log.
_FRAMES = {
    "AIFF": re.compile(r"^\s*Frames\s*:\s*(\d+)", re.M),
    "AVR": re.compile(r"^\s*Frames\s*:\s*(\d+)", re.M),
    "MAT5": re.compile(r"Cols\s*:\s*(\d+)"),
}


class Mended(io.RawIOBase):
    """A file as it should have been written: bytes put before it or replaced; nothing is written.

    Parameters
    ----------
    start
        Where the file is taken to begin.
    before
        Bytes that are put there.
    replaced
        Position in the file → bytes that stand there instead.
    """

    def __init__(
        self, source: BinaryIO, replaced: dict[int, bytes], start: int = 0, before: bytes = b""
    ) -> None:
        self._source, self._start, self._before, self._replaced = source, start, before, replaced
        self._size = len(before) + source.seek(0, os.SEEK_END) - start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray) -> int:
        wanted = memoryview(buffer).cast("B")
        if self._at < len(self._before):
            data = self._before[self._at : self._at + len(wanted)]
        else:
            place = self._source.seek(self._start + self._at - len(self._before))
            data = bytearray(self._source.read(len(wanted)))
            for position, new in self._replaced.items():
                for number, byte in enumerate(new, position - place):
                    if 0 <= number < len(data):
                        data[number] = byte
        wanted[: len(data)] = data
        self._at += len(data)
        return len(data)


def mended(source: BinaryIO) -> BinaryIO | None:
    """Give a file whose header leaves its length open a length; None where nothing is open.

    WAV, RF64, AU, CAF with a size of 0 or the largest; MP3 of variable bit rate without the number
    of its frames, whose end libsndfile would guess far too early. A FLAC loses its length: all its
    frames are decoded then, and `promised` says whether they are too few.
    """
    head = _read(source, 0, 12)
    kind, size = head[:4], source.seek(0, os.SEEK_END)
    if kind in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        replaced = _mended_wave(source, size, ">" if kind == b"RIFX" else "<")
    elif kind in (b".snd", b"dns."):
        at, told = struct.unpack((">" if kind == b".snd" else "<") + "II", head[4:12])
        # 0xffffffff is how this format itself says that it does not know
        replaced = {8: b"\xff\xff\xff\xff"} if told == 0 and size > at else {}
    elif kind == b"caff":
        replaced = _mended_caf(source, size)
    elif kind == b"fLaC":
        length = _read(source, _FLAC_LENGTH.start, 5)
        replaced = {_FLAC_LENGTH.start: bytes([length[0] & 0xF0, 0, 0, 0, 0])} if length[4:] else {}
    else:
        return _mended_mp3(source)  # it may begin with anything
    return Mended(source, replaced) if replaced else None


def _read(source: BinaryIO, at: int, count: int) -> bytes:
    source.seek(at)
    return source.read(count)


def _pieces(source: BinaryIO, at: int, overlap: int = 0) -> Iterator[bytes]:
    """Read a file from a place on; every piece begins with the last bytes of the one before."""
    source.seek(at)
    kept = b""
    while block := source.read(_PIECE):
        piece = kept + block
        yield piece
        kept = piece[len(piece) - overlap :]


def _chunks(source: BinaryIO, at: int, form: str) -> Iterator[tuple[bytes, int, int, int]]:
    """List chunks: name, where the size stands, where the contents begin, the size."""
    width = 4 + struct.calcsize(form)
    end = source.seek(0, os.SEEK_END)
    while at < end and len(head := _read(source, at, width)) == width:
        size = struct.unpack(form, head[4:])[0]
        yield head[:4], at + 4, at + width, size
        at += width + max(0, size) + (size % 2 if width == 8 else 0)


def _mended_wave(source: BinaryIO, size: int, order: str) -> dict[int, bytes]:
    long_size, replaced = None, {}
    for name, place, begin, told in _chunks(source, 12, order + "I"):
        if name == b"ds64" and told >= 28:
            long_size = (begin + 8, struct.unpack("<Q", _read(source, begin + 8, 8))[0])
        if name != b"data":
            continue
        rest = size - begin
        if long_size and (long_size[1] == 0 or long_size[1] >= _UNKNOWN_LONG) and rest:
            replaced = {long_size[0]: struct.pack("<Q", rest)}
        elif told == 0 and rest and not _is_chunk(_read(source, begin, 8), rest, order):
            replaced = {place: b"\xff\xff\xff\xff"}
        break
    return replaced


def _is_chunk(head: bytes, rest: int, order: str) -> bool:
    """Whether a chunk can begin so: a recording without samples may still carry its title."""
    readable = head[:4].isascii() and head[:4].decode("ascii").isprintable()
    return len(head) == 8 and readable and struct.unpack(order + "I", head[4:])[0] <= rest


def _mended_caf(source: BinaryIO, size: int) -> dict[int, bytes]:
    for name, place, begin, told in _chunks(source, 8, ">q"):
        if name == b"data" and told in (-1, 0) and size > begin:
            return {place: struct.pack(">q", size - begin)}
    return {}


def _mended_mp3(source: BinaryIO) -> BinaryIO | None:
    """Let the first frame of an MP3 say how many there are; None if it does, or is no MP3."""
    start = _behind_tags(source)
    head = _read(source, start, _HEAD)
    if mpeg.first_frame(head) is None or mpeg.tells_length(head):
        return None
    frames, varies = mpeg.count_frames(source, start)
    if not varies:
        return None  # libsndfile's guess is the best there is; see `promised`
    if place := mpeg.place_of_count(head):  # there, and zero; that frame has no sound
        return Mended(source, {start + place: struct.pack(">I", frames - 1)})
    begin = mpeg.first_frame(head)
    return Mended(source, {}, start + begin, mpeg.count_frame(head[begin : begin + 4], frames))


def _behind_tags(source: BinaryIO) -> int:
    start = 0
    while size := mpeg.id3_size(_read(source, start, 10)):
        start += size
    return start


def _counted(source: BinaryIO) -> int:
    """Count the samples of an MP3 that does not say how many there are; 0 for one that does."""
    reached, start = source.tell(), _behind_tags(source)
    samples, head = 0, _read(source, start, _HEAD)
    if not mpeg.tells_length(head) and (first := mpeg.first_frame(head)) is not None:
        frames, _ = mpeg.count_frames(source, start)
        samples = frames * mpeg.samples_in(head[first : first + 4])
    source.seek(reached)
    return samples


def bytes_before(source: BinaryIO) -> int:
    """Count bytes of an MP3 between its tags and its first frame: what stood there is lost."""
    reached = source.tell()
    first = mpeg.first_frame(_read(source, _behind_tags(source), _HEAD))
    source.seek(reached)
    return first or 0


def promised(kind: str, log: str, frames: int, source: BinaryIO) -> float:
    """Return how many samples (per channel) the header promises; inf: more than there are by an
    unknown number, nan: it does not say.

    Parameters
    ----------
    kind, log, frames
        libsndfile's name of the container, what it noted, and the samples that it found.
    """
    if kind == "FLAC" and (head := _peeked(source, 42))[:4] == b"fLaC":
        return int.from_bytes(head[_FLAC_LENGTH]) % 2**36 or float("nan")
    if kind == "MP3" and (counted := _counted(source)):
        return counted
    if frames >= _UNKNOWN_LONG:
        return float("nan")  # a stream
    if kind == "OGG" and not ends_ogg(source):
        return float("inf")
    if "Seems to be a truncated file" in log:  # VOC
        return float("inf")
    short = [(int(told), int(found)) for told, found in _SHORT_CHUNK.findall(log)]
    short += [(int(told), int(found)) for found, told in _SHORT_MATRIX.findall(log)]
    unknown = _UNKNOWN_LONG if kind in ("W64", "RF64") else _UNKNOWN
    most = float(frames)
    for told, found in short:
        if found < told < unknown:
            most = max(most, frames * told / found if frames else float("inf"))
    is_open = any(told >= unknown for told, _ in short)
    if kind in _FRAMES and not is_open and (stated := _FRAMES[kind].findall(log)):
        most = max(most, int(stated[-1]))
    if kind == "NIST" and (stated := re.search(rb"sample_count -i (\d+)", _peeked(source, 1024))):
        most = max(most, int(stated[1]))
    return most


def _peeked(source: BinaryIO, count: int) -> bytes:
    reached = source.tell()
    data = _read(source, 0, count)
    source.seek(reached)
    return data


def ends_ogg(source: BinaryIO) -> bool:
    """Whether the last page is whole and says that it is the last."""
    return bool(_ogg_pages(source)[-1] & _LAST_PAGE)


def _ogg_pages(source: BinaryIO) -> list[int]:
    """List the flags of all pages up to the first that is cut or damaged (RFC 3533)."""
    reached, at, flags = source.tell(), 0, [0]
    while len(head := _read(source, at, 27 + 255)) >= 27 and head[:4] == b"OggS":
        length = 27 + head[26] + sum(head[27 : 27 + head[26]])
        page = _read(source, at, length)
        if len(page) < length or _ogg_checksum(page) != int.from_bytes(page[22:26], "little"):
            break
        flags.append(head[5])
        at += length
    source.seek(reached)
    return flags


def _ogg_checksum(page: bytes) -> int:
    """Compute the CRC-32 of Ogg: zlib's with all bits the other way round, begun and ended at 0."""
    turned = (page[:22] + bytes(4) + page[26:]).translate(_TURNED)
    return int(f"{zlib.crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)


def goes_on(kind: str, log: str, source: BinaryIO) -> bool:
    """Whether what looks like audio lies behind the end that the header states.

    `source` is where the decoder left it.
    """
    if kind == "OGG":
        pages = _ogg_pages(source)[1:]
        seconds = [at for at, flags in enumerate(pages) if at and flags & _FIRST_PAGE]
        return seconds != [*range(1, len(seconds) + 1)]  # those of streams beside it come at once
    if kind == "MP3":
        rest = _pieces(source, source.tell(), _HEAD)
        return any(mpeg.first_frame(piece) is not None for piece in rest)
    if kind == "FLAC":
        return sum(len(_FLAC_START.findall(piece)) for piece in _pieces(source, 0, 7)) > 1
    size = source.seek(0, os.SEEK_END)
    if kind == "AU":
        head = _read(source, 0, 12)
        begin, told = struct.unpack((">" if head[:1] == b"." else "<") + "II", head[4:12])
        position = begin + told if 0 < told < _UNKNOWN else size
    elif kind != "W64" and (found := _NO_CHUNK.search(log)):
        position = int(found[2], 16 if found[1] else 10) if found[2] else 0
    else:
        return False
    if _read(source, position, 8).startswith((b"ID3", b"TAG", b"APETAGEX")):
        return False
    return any(piece.strip(b"\0") for piece in _pieces(source, position))
