import os
import pickle

import numpy as np
import pytest
import soundfile

from mirkeras import audio
from mirkeras.audio import decoding
from mirkeras.system.errors import Note

RATE = 44100


def tone(seconds: float = 1.0, rate: int = RATE, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def refused(path) -> audio.AudioError:
    with pytest.raises(audio.AudioError) as caught:
        audio.load(path, sample_rate=RATE)
    assert str(path) in str(caught.value)
    assert caught.value.path == path
    return caught.value


def test_channels_are_averaged(tmp_path):
    channels = np.random.RandomState(0).uniform(-1, 1, (1000, 3)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
    samples = audio.load(tmp_path / "a.wav", sample_rate=RATE)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, channels.mean(axis=1), atol=1e-7)


def test_16_bit_mono_is_exact(tmp_path):
    steps = np.array([-32768, -1, 0, 1, 32767], np.int16)
    soundfile.write(tmp_path / "a.wav", steps, RATE)
    np.testing.assert_array_equal(audio.load(tmp_path / "a.wav", sample_rate=RATE), steps / 2**15)


def test_8_khz_8_bit_stereo_becomes_the_same_tone_at_44_khz(tmp_path):
    low = tone(1.0, 8000)
    soundfile.write(tmp_path / "a.wav", np.stack([low, low], 1), 8000, subtype="PCM_U8")
    samples = audio.load(tmp_path / "a.wav", sample_rate=RATE)
    assert samples.shape == (RATE,)
    middle = slice(2000, -2000)  # the ends ring
    np.testing.assert_allclose(samples[middle], tone(1.0, RATE)[middle], atol=2 / 128)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "aiff", "au", "mp3"])
def test_other_formats_keep_their_length(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(), RATE)
    samples = audio.load(path, sample_rate=RATE)
    assert samples.shape == (RATE,)
    np.testing.assert_allclose(samples[5000:-5000], tone()[5000:-5000], atol=0.05)


def test_missing(tmp_path):
    assert refused(tmp_path / "none.wav").reason == "missing"


def test_empty(tmp_path):
    (tmp_path / "bytes.wav").touch()
    soundfile.write(tmp_path / "samples.wav", np.zeros(0), RATE)
    assert refused(tmp_path / "bytes.wav").reason == "empty file"
    assert refused(tmp_path / "samples.wav").reason == "empty file"


def test_unreadable(tmp_path):
    (tmp_path / "text.wav").write_text("not audio at all\n" * 100)
    (tmp_path / "text.raw").write_text("not audio at all\n" * 100)
    soundfile.write(tmp_path / "whole.wav", tone(), RATE)
    (tmp_path / "header.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:20])
    for name in ("text.wav", "text.raw", "header.wav", "."):
        assert refused(tmp_path / name).reason == "unreadable"


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "mp3"])
@pytest.mark.parametrize("kept", [0.3, 0.98])
def test_truncated(tmp_path, suffix, kept):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(5), RATE)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    error = refused(path)
    assert error.reason == "unreadable"
    assert "truncated" in str(error)


def test_truncated_flac_is_unreadable(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, tone(5), RATE)
    path.write_bytes(path.read_bytes()[:-5000])
    assert refused(path).reason == "unreadable"


def test_header_without_its_samples_is_truncated_not_empty(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:44])
    assert "truncated" in str(refused(tmp_path / "a.wav"))


def test_a_recording_of_unknown_length_is_read(tmp_path):
    path = tmp_path / "piped.wav"
    soundfile.write(path, tone(), RATE)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # what ffmpeg writes to a pipe
    path.write_bytes(data)
    assert audio.load(path, sample_rate=RATE).shape == (RATE,)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite(tmp_path, value):
    samples = np.stack([tone(), tone()], 1).astype(np.float32)
    samples[100, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert refused(tmp_path / "a.wav").reason == "non-finite"


def test_silent_below_one_16_bit_step(tmp_path):
    path = tmp_path / "a.wav"
    samples = np.zeros(RATE, np.float32)
    samples[5] = -(2.0**-15)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    assert audio.load(path, sample_rate=RATE).min() == samples[5]
    soundfile.write(path, samples * 0.99, RATE, subtype="FLOAT")
    assert refused(path).reason == "silent"


def test_of_channels_that_cancel_the_first_is_taken(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(), -tone()], 1), RATE, subtype="FLOAT")
    with pytest.warns(
        Note, match=r"a\.wav: its channels cancel each other; the first one is taken"
    ):
        samples = audio.decode(tmp_path / "a.wav").samples
    np.testing.assert_array_equal(samples, tone().astype(np.float32))


def test_channels_that_cancel_only_in_the_beginning_are_mixed(tmp_path):
    there_and_back = np.concatenate([np.stack([tone(31), -tone(31)], 1), np.stack([tone()] * 2, 1)])
    soundfile.write(tmp_path / "a.wav", there_and_back, RATE, subtype="FLOAT")
    samples = audio.decode(tmp_path / "a.wav").samples
    assert not samples[: 31 * RATE].any()
    np.testing.assert_allclose(samples[31 * RATE :], tone(), atol=1e-6)


def test_nothing_left_after_resampling_is_too_short(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(1, 0.5), 192_000)
    assert refused(tmp_path / "a.wav").reason == "too short"


def test_errors_travel_between_processes(tmp_path):
    error = pickle.loads(pickle.dumps(audio.AudioError(tmp_path, "silent", "peak 0")))
    assert (error.path, error.reason, str(error)) == (
        tmp_path,
        "silent",
        f"{tmp_path}: silent (peak 0)",
    )


def test_one_decoding_serves_several_rates(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    recording = audio.decode(tmp_path / "a.wav")
    assert recording.sample_rate == RATE
    for rate, samples in ((RATE, 44100), (22050, 22050), (8000, 8000)):
        resampled = recording.at(rate)
        assert resampled.shape == (samples,)
        assert resampled.dtype == np.float32
        np.testing.assert_array_equal(resampled, audio.load(tmp_path / "a.wav", sample_rate=rate))
        np.testing.assert_allclose(resampled[500:-500], tone(1.0, rate)[500:-500], atol=1e-3)


def frames_only(data: bytes) -> bytes:
    """Leave out the first frame, which says how many there are."""
    tag = max(data.find(b"Xing"), data.find(b"Info"))
    return data[data.index(b"\xff\xfb", tag) :]


def mp3(path, seconds: float, mode: str, level: float, rate: int = RATE) -> bytes:
    """Write noise of growing loudness, so that variable bit rates vary."""
    random = np.random.RandomState(0)
    samples = random.uniform(-1, 1, int(seconds * rate)) * np.linspace(
        1e-4, 0.9, int(seconds * rate)
    )
    soundfile.write(path, samples, rate, bitrate_mode=mode, compression_level=level)
    return path.read_bytes()


def test_an_mp3_that_goes_on_behind_its_end(tmp_path):
    path = tmp_path / "a.mp3"
    first = mp3(path, 6, "VARIABLE", 0.5)
    second = mp3(path, 3, "CONSTANT", 0.5, rate=48_000)
    joins = {"joined": first + first, "rates": first + second}
    for name, data in joins.items():
        path.write_bytes(data)
        error = refused(path)
        assert error.reason == "unreadable", name
        assert "audio goes on behind" in error.detail, name
        assert "ffmpeg -i in.mp3 -c copy out.mp3" in error.detail, name


def test_what_follows_an_mp3_and_is_no_sound(tmp_path):
    path = tmp_path / "a.mp3"
    whole = mp3(path, 2, "VARIABLE", 0.5)
    cover = np.random.RandomState(0).bytes(1_000_000)
    ape = b"APETAGEX" + bytes(24) + cover + b"APETAGEX" + bytes(24)
    for rest in (
        b"TAG" + bytes(125),
        ape,
        b"LYRICSBEGIN" + b"la " * 999,
        bytes(9999),
        b"\xff" * 9999,
    ):
        path.write_bytes(whole + rest)
        assert audio.load(path, sample_rate=RATE).shape == (2 * RATE,)


@pytest.mark.parametrize("level", [0, 0.5])
def test_an_mp3_that_does_not_tell_its_length_is_read_to_its_end(tmp_path, level):
    path = tmp_path / "a.mp3"
    frames = frames_only(mp3(path, 5, "CONSTANT", level))
    tag = b"ID3\3\0\0\0\0\x10\0" + bytes(2048)  # from both, libsndfile promises too much
    for data in (frames, frames + b"TAG" + bytes(125), tag + frames):
        path.write_bytes(data)
        assert audio.load(path, sample_rate=RATE).size == 193 * 1152


def test_an_mp3_behind_other_bytes(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"<html>" * 300 + mp3(path, 2, "VARIABLE", 0.5))
    assert audio.load(path, sample_rate=RATE).shape == (2 * RATE,)


def test_joined_ogg_files(tmp_path):
    soundfile.write(tmp_path / "a.ogg", tone(2), RATE)
    soundfile.write(tmp_path / "b.ogg", tone(3), RATE)
    path = tmp_path / "c.ogg"
    path.write_bytes((tmp_path / "a.ogg").read_bytes() + (tmp_path / "b.ogg").read_bytes())
    assert "ends after 2.00 s" in refused(path).detail


@pytest.mark.parametrize(("rate", "channels"), [(2 * 10**9, 1), (10**8, 1), (2 * 10**6, 1000)])
def test_a_header_that_claims_absurd_things(tmp_path, rate, channels):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1000 * 60, 0.5), RATE)
    data = bytearray(path.read_bytes())
    data[22:28] = channels.to_bytes(2, "little") + rate.to_bytes(4, "little")
    data[32:34] = (2 * channels).to_bytes(2, "little")
    path.write_bytes(data)
    assert refused(path).reason == "implausible"


def test_memory_that_does_not_suffice(tmp_path, monkeypatch):
    def full(*arguments):
        raise MemoryError

    soundfile.write(tmp_path / "a.wav", tone(), RATE)
    monkeypatch.setattr(decoding, "_mix", full)
    assert "memory" in refused(tmp_path / "a.wav").detail


def test_text_by_the_name_of_music(tmp_path):
    for name in ("a.mp3", "a.wav", "a.raw", "a.m4a"):
        (tmp_path / name).write_text("not audio at all\n" * 1000)
        assert refused(tmp_path / name).detail.startswith("no audio that libsndfile knows; ")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert refused(tmp_path / "a.wav").detail == "no regular file"
