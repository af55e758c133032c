"""What headers claim of length, over all containers: sizes left open, cut files, wrong sizes."""

import io
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirkeras import audio
from mirkeras.audio import containers, decoding
from mirkeras.system.errors import Note

RATE, SECONDS = 44_100, 3
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE * SECONDS, 2)).astype(np.float32)
MONO = NOISE.mean(axis=1)

FORMATS = ("WAV", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "VOC", "AVR", "NIST")


def written(kind: str, samples: np.ndarray = NOISE) -> bytearray:
    buffer = io.BytesIO()
    subtype = None if kind in ("OGG", "MP3") else "PCM_16"
    soundfile.write(buffer, samples, RATE, format=kind, subtype=subtype)
    return bytearray(buffer.getvalue())


CONTENTS = {kind: bytes(written(kind)) for kind in FORMATS}


def put(tmp_path: Path, data: bytes, ending: str = "x") -> Path:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(data)
    return path


def set_bytes(data: bytes, place: int, new: bytes) -> bytes:
    return data[:place] + new + data[place + len(new) :]


def riff(size: int) -> Callable[[bytes], bytes]:
    return lambda data: set_bytes(data, data.index(b"data") + 4, struct.pack("<I", size))


def both(size: int) -> Callable[[bytes], bytes]:
    return lambda data: set_bytes(riff(size)(data), 4, struct.pack("<I", size))


def ds64(size: int) -> Callable[[bytes], bytes]:
    return lambda data: set_bytes(data, data.index(b"ds64") + 16, struct.pack("<Q", size))


def caf(size: int) -> Callable[[bytes], bytes]:
    return lambda data: set_bytes(data, data.index(b"data") + 4, struct.pack(">q", size))


def flac(samples: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        head = int.from_bytes(data[21:26]) >> 36 << 36
        return set_bytes(data, 21, (head | samples).to_bytes(5))

    return change


def aiff(data: bytes) -> bytes:  # as SoX writes it to a pipe
    size, frames = 0x7F000000, 0x7F000000 // 4
    data = set_bytes(data, 4, struct.pack(">I", size + 80))
    data = set_bytes(data, data.index(b"COMM") + 10, struct.pack(">I", frames))
    return set_bytes(data, data.index(b"SSND") + 4, struct.pack(">I", size + 8))


OPEN = {
    "AIFF": ("AIFF", aiff),
    "WAV 0": ("WAV", riff(0)),
    "WAV all ones": ("WAV", riff(0xFFFFFFFF)),
    "WAV both 0": ("WAV", both(0)),
    "WAV both all ones": ("WAV", both(0xFFFFFFFF)),
    "WAV signed": ("WAV", both(0x7FFFFFFF)),
    "RF64 0": ("RF64", ds64(0)),
    "RF64 all ones": ("RF64", ds64(2**64 - 1)),
    "CAF -1": ("CAF", caf(-1)),
    "CAF 0": ("CAF", caf(0)),
    "AU 0": ("AU", lambda data: set_bytes(data, 8, bytes(4))),
    "AU all ones": ("AU", lambda data: set_bytes(data, 8, b"\xff" * 4)),
    "FLAC 0": ("FLAC", flac(0)),
    "FLAC half": ("FLAC", flac(RATE * SECONDS // 2)),
    "FLAC one": ("FLAC", flac(1)),
}


@pytest.mark.filterwarnings("ignore::mirkeras.system.errors.Note")
@pytest.mark.parametrize("name", OPEN)
def test_a_length_that_is_left_open_is_what_there_is(tmp_path, name):
    kind, change = OPEN[name]
    decoded = audio.decode(put(tmp_path, change(CONTENTS[kind])))
    assert decoded.samples.shape == MONO.shape
    np.testing.assert_allclose(decoded.samples, MONO, atol=2**-14)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_whole_file_is_taken_without_a_word(tmp_path, kind, recwarn):
    assert abs(len(audio.decode(put(tmp_path, CONTENTS[kind])).samples) - len(MONO)) <= 1152
    assert not [warning for warning in recwarn if warning.category is Note]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 0.93])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_was_cut_is_refused(tmp_path, kind, share):
    data = CONTENTS[kind]
    with pytest.raises(audio.AudioError, match="unreadable"):
        audio.decode(put(tmp_path, data[: int(share * len(data))]))


@pytest.mark.parametrize("missing", [100, 1000])
@pytest.mark.parametrize("kind", ["WAV", "RF64", "W64", "AIFF", "AU"])
def test_a_few_samples_less_are_noted(tmp_path, kind, missing):
    with pytest.warns(Note, match=r"a\.x: [\d.]+ ms shorter than its header says; used as it is"):
        decoded = audio.decode(put(tmp_path, CONTENTS[kind][:-missing]))
    assert len(MONO) - missing <= len(decoded.samples) < len(MONO)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_audio_behind_the_length_of_a_wav_is_refused(tmp_path, share):
    size = int(share * len(MONO)) * 4
    with pytest.raises(audio.AudioError, match="audio goes on behind"):
        audio.decode(put(tmp_path, riff(size)(CONTENTS["WAV"])))


@pytest.mark.parametrize("cut", range(9))
@pytest.mark.parametrize("kind", ["FLAC", "MP3"])
def test_a_joined_file_is_found_wherever_a_piece_of_it_ends(tmp_path, monkeypatch, kind, cut):
    first, second = CONTENTS[kind], bytes(written(kind, NOISE[:RATE]))
    monkeypatch.setattr(containers, "_PIECE", len(first) + cut)
    with pytest.raises(audio.AudioError, match="audio goes on behind"):
        audio.decode(put(tmp_path, first + second, kind.lower()))


def long(kind: str) -> bytes:
    """A file of some 20 MB; of MP3 the frame that says how many there are is left out."""
    data = CONTENTS[kind]
    if kind == "MP3":
        frames = data[data.index(b"\xff\xfb", max(data.find(b"Xing"), data.find(b"Info"))) :]
        return frames * (20_000_000 // len(frames))
    return bytes(written(kind, np.tile(NOISE, (40, 1))))


# pages of an Ogg are read one by one, and making a long one takes long
@pytest.mark.parametrize(
    "kind", [*(kind for kind in FORMATS if kind != "OGG"), "silence behind a WAV"]
)
def test_what_a_header_says_is_compared_without_the_file_in_memory(tmp_path, kind):
    data = long(kind) if kind in FORMATS else CONTENTS["WAV"] + bytes(20_000_000)
    path = put(tmp_path, data, "mp3" if kind == "MP3" else "x")
    tracemalloc.start()
    with decoding.opened(path) as file:
        file.promised()
        file.goes_on()
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000 < len(data) / 2


def test_every_page_of_an_ogg_counts(tmp_path):
    data = CONTENTS["OGG"]
    pages = [found.start() for found in re.finditer(b"OggS", data)]
    for cut in [*pages[2:], *(page + 40 for page in pages[2:]), len(data) - 1]:
        with pytest.raises(audio.AudioError, match="unreadable"):
            audio.decode(put(tmp_path, data[:cut]))


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_a_lost_beginning_of_an_mp3_is_noted(tmp_path, share):
    data = CONTENTS["MP3"]
    lost = int(share * len(data))
    with pytest.warns(Note, match=r"a\.x: \d+ bytes before its first frame are no sound"):
        decoded = audio.decode(put(tmp_path, bytes(lost) + data[lost:]))
    assert len(decoded.samples) < (1 - share / 2) * len(MONO)


def test_a_title_behind_a_recording_without_samples_is_no_sound(tmp_path):
    empty = bytes(written("WAV", NOISE[:0]))
    title = b"LIST" + struct.pack("<I", 12) + b"INFOINAM" + bytes(4)
    data = empty[: empty.index(b"data") + 8] + title
    with pytest.raises(audio.AudioError, match="empty file"):
        audio.decode(put(tmp_path, set_bytes(data, 4, struct.pack("<I", len(data) - 8))))


@pytest.mark.parametrize("rate", [1, 50, 3_999, 400_001, 2**31 - 1])
def test_an_implausible_rate_is_refused_before_anything_is_decoded(tmp_path, rate):
    data = set_bytes(CONTENTS["WAV"], 24, struct.pack("<I", rate))
    with pytest.raises(audio.AudioError, match=f"implausible .a sample rate of {rate} Hz, 4000 to"):
        audio.decode(put(tmp_path, data))


@pytest.mark.parametrize(
    ("peak", "said"), [(5, "another unit"), (32_768, "16-bit units"), (3e38, "another unit")]
)
def test_an_implausible_peak_is_refused(tmp_path, peak, said):
    path = tmp_path / "a.wav"
    soundfile.write(path, NOISE / np.abs(NOISE.mean(axis=1)).max() * peak, RATE, subtype="FLOAT")
    with pytest.raises(audio.AudioError, match=f"implausible .*full scale: {said}.*ffmpeg -i in"):
        audio.decode(path)


def test_a_float_file_may_exceed_full_scale_a_little(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, 4 * NOISE, RATE, subtype="FLOAT")
    np.testing.assert_allclose(audio.decode(path).samples, 4 * MONO, atol=1e-6)
