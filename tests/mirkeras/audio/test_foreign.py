"""Formats that libsndfile does not know; made and decoded by PyAV where it is installed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import audio, cache
from mirkeras.audio import decoding, foreign, formats, stream
from mirkeras.features import extraction, find_recipe

RATE, SECONDS = 44_100, 4
TIME = np.arange(RATE * SECONDS) / RATE
TONES = (0.3 * np.sin(2 * np.pi * np.outer([330, 495], TIME))).astype(np.float32)

#: Ending → encoder.
ENCODERS = {
    "m4a": "aac",
    "alac.m4a": "alac",
    "aac": "aac",
    "wma": "wmav2",
    "webm": "libopus",
    "ac3": "ac3",
}


def encode(path: Path, encoder: str, samples: np.ndarray = TONES) -> Path:
    av = pytest.importorskip("av")
    rate = 48_000 if encoder in ("libopus", "ac3") else RATE
    with av.open(str(path), "w") as container:
        stream_ = container.add_stream(encoder, rate=rate, layout="stereo")
        stream_.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.rate = RATE
        resampler = av.AudioResampler(
            format=stream_.format, layout="stereo", rate=rate, frame_size=stream_.frame_size or 1024
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream_.encode(piece))
        container.mux(stream_.encode(None))
    return path


@pytest.mark.parametrize("ending", ENCODERS)
def test_what_ffmpeg_knows_is_decoded(tmp_path, ending):
    path = encode(tmp_path / f"a.{ending}", ENCODERS[ending])
    samples = audio.load(path, sample_rate=RATE)
    assert abs(len(samples) - RATE * SECONDS) < 0.06 * RATE
    middle = slice(RATE, 2 * RATE)
    level = np.abs(np.fft.rfft(samples[middle] * np.hanning(RATE))) * 4 / RATE
    assert level[[330, 495]] == pytest.approx([0.15, 0.15], abs=0.01)
    assert np.delete(level, [*range(325, 335), *range(490, 500)]).max() < 0.01
    pieces = list(stream.blocks(path, RATE, seconds=0.7))
    np.testing.assert_array_equal(np.concatenate(pieces), samples)


@pytest.mark.parametrize("ending", ["m4a", "alac.m4a", "wma"])
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_what_was_cut_is_refused(tmp_path, ending, share):
    path = encode(tmp_path / f"a.{ending}", ENCODERS[ending])
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(audio.AudioError, match="unreadable"):
        audio.decode(path)


@pytest.mark.parametrize("name", ["a.mp3", "a.wav"])
def test_another_ending_does_not_matter(tmp_path, name):
    path = encode(tmp_path / "a.m4a", "aac").rename(tmp_path / name)
    assert audio.decode(path).sample_rate == RATE


def test_endings_and_digests_follow_the_installed(monkeypatch):
    monkeypatch.setattr(foreign, "available", lambda: False)
    assert formats.undecoded() >= {".m4a", ".wma", ".aac", ".webm"}
    assert not formats.audio_extensions() & formats.undecoded()
    assert foreign.sealed(Path("a.M4A"), "1f") == "1f not decoded"
    assert foreign.sealed(Path("a.wav"), "1f") == "1f"
    monkeypatch.setattr(foreign, "available", lambda: True)
    monkeypatch.setattr(foreign, "version", lambda name: f"1.2 of {name}")
    assert formats.undecoded() == set()
    assert ".m4a" in formats.audio_extensions()
    assert foreign.sealed(Path("a.M4A"), "1f") == "1f PyAV 1.2 of av"
    assert foreign.sealed(Path("a.m4a"), "") == ""
    assert decoding.identity(Path("a.m4a"))["decoder"] == "PyAV 1.2 of av"
    assert decoding.identity(Path("a.wav")) == decoding.identity()


def test_without_it_the_remedy_is_told(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.m4a", "aac")
    monkeypatch.setattr(foreign, "available", lambda: False)
    with pytest.raises(audio.AudioError, match=r"mirkeras\[formats\]', or ffmpeg -i in.m4a out"):
        audio.decode(path)


def test_text_is_no_music_for_ffmpeg_either(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "a.m4a").write_text("not audio at all\n" * 1000)
    with pytest.raises(audio.AudioError, match=r"if it is music: ffmpeg -i in.m4a out.flac"):
        audio.decode(tmp_path / "a.m4a")


def test_what_libsndfile_finds_malformed_is_not_taken_as_far_as_it_goes(tmp_path):
    pytest.importorskip("av")
    soundfile.write(tmp_path / "a.caf", TONES.T, RATE)
    data = (tmp_path / "a.caf").read_bytes()
    (tmp_path / "a.caf").write_bytes(data[: len(data) // 2])
    with pytest.raises(audio.AudioError, match="unreadable"):
        audio.decode(tmp_path / "a.caf")


def test_a_cache_knows_such_files_again(tmp_path):
    path = encode(tmp_path / "a.m4a", "aac")
    index = pd.DataFrame({"track": ["a"], "path": ["a.m4a"]})
    recipe, built = find_recipe("cbmi2016"), tmp_path / "c.h5"
    first = cache.build_cache(index, tmp_path, recipe, built, jobs=1)
    inode = built.stat().st_ino
    assert first.digests == (extraction.digest_of(path),)
    cache.build_cache(index, tmp_path, recipe, built, jobs=1)
    assert built.stat().st_ino == inode
