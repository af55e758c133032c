import os
import threading
from itertools import islice, repeat

import numpy as np
import pytest
import soundfile

from mirkeras import audio
from mirkeras.audio import AudioError, stream
from mirkeras.features import RECIPES, find_recipe
from mirkeras.features import stream as feature_stream
from mirkeras.pipeline import segments
from mirkeras.system import threads


def noise(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    random = np.random.RandomState(seed)
    samples = random.uniform(-0.3, 0.3, (int(seconds * rate), channels))
    return samples + 0.4 * np.sin(2 * np.pi * 330 * np.arange(len(samples)) / rate)[:, None]


def joined(path, rate: int = 16_000, seconds: float = 0.7) -> np.ndarray:
    pieces = list(stream.blocks(path, rate, seconds))
    assert all(piece.dtype == np.float32 and piece.size for piece in pieces)
    return np.concatenate(pieces)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize(
    ("rate", "channels"), [(8000, 1), (16_000, 2), (22_050, 1), (44_100, 2), (96_000, 5)]
)
def test_pieces_are_the_whole(tmp_path, suffix, rate, channels):
    if suffix == "mp3" and rate == 96_000:
        rate, channels = 48_000, 2  # the most that MP3 has
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(3.2, rate, channels), rate)
    whole = audio.load(path, sample_rate=16_000)
    pieces = joined(path)
    assert pieces.shape == whole.shape
    np.testing.assert_allclose(pieces, whole, atol=1e-6)


LOCAL = ["musicnn", "won2020", "lidy2016-11025", "lee2018-mel-729-243", "lee2018-mel-729-729"]


@pytest.mark.parametrize("name", LOCAL)
def test_frames_of_pieces_are_the_recipes(name):
    recipe = find_recipe(name)
    assert recipe.local
    for size in (3 * recipe.sample_rate + 77, 300 * recipe.hop, recipe.n_fft + 1, recipe.n_fft):
        samples = noise(size / recipe.sample_rate + 1, recipe.sample_rate)[:size, 0]
        samples = samples.astype(np.float32)
        whole = recipe.extract(samples)
        for step in (recipe.sample_rate, 1000, size):
            pieces = (samples[i : i + step] for i in range(0, size, step))
            frames = np.concatenate(list(feature_stream.frames(pieces, recipe)))
            assert frames.shape == whole.shape
            # A Fourier transform of a few frames at once rounds otherwise than one of many.
            np.testing.assert_allclose(frames, whole, atol=3e-4 if name == "won2020" else 3e-5)


@pytest.mark.parametrize("name", ["cbmi2016", "schindler2016-cqt-80", "waveform-22050"])
def test_a_recipe_that_needs_the_whole_track_gets_it(name):
    recipe = find_recipe(name)
    samples = noise(1, recipe.sample_rate)[:, 0].astype(np.float32)
    (frames,) = feature_stream.frames(np.array_split(samples, 3), recipe)
    np.testing.assert_array_equal(frames, recipe.extract(samples))


def test_frames_come_before_the_track_has_ended():
    recipe = RECIPES["musicnn"]
    endless = repeat(np.full(16_000, 0.1, np.float32))
    assert sum(map(len, islice(feature_stream.frames(endless, recipe), 5))) > 5 * 60


def refused(path, seconds: float = 0.5) -> AudioError:
    """Read to the end: the error is the one that `audio.load` raises."""
    with pytest.raises(AudioError) as whole:
        audio.load(path, sample_rate=16_000)
    with pytest.raises(AudioError) as pieces:
        joined(path, seconds=seconds)
    assert pieces.value.path == path
    assert pieces.value.reason == whole.value.reason
    return pieces.value


def test_bad_files_are_refused_as_whole_ones_are(tmp_path):
    assert refused(tmp_path / "none.wav").reason == "missing"
    (tmp_path / "bytes.mp3").touch()
    assert refused(tmp_path / "bytes.mp3").reason == "empty file"
    soundfile.write(tmp_path / "samples.wav", np.zeros(0), 44_100)
    assert refused(tmp_path / "samples.wav").reason == "empty file"
    (tmp_path / "text.mp3").write_text("not audio at all\n" * 100)
    assert refused(tmp_path / "text.mp3").reason == "unreadable"
    assert refused(tmp_path).reason == "unreadable"
    soundfile.write(tmp_path / "silent.flac", np.zeros(100_000), 44_100)
    assert refused(tmp_path / "silent.flac").reason == "silent"
    soundfile.write(tmp_path / "short.wav", np.full(1, 0.5), 192_000)
    assert refused(tmp_path / "short.wav").reason == "too short"
    late = noise(2, 8000).astype(np.float32)
    late[-3] = np.nan
    soundfile.write(tmp_path / "nan.wav", late, 8000, subtype="FLOAT")
    assert refused(tmp_path / "nan.wav").reason == "non-finite"


@pytest.mark.parametrize("suffix", ["wav", "aiff", "mp3", "flac"])
def test_truncated(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(5, 44_100), 44_100)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    assert refused(path).reason == "unreadable"


@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
def test_joined_files_are_refused_behind_the_first(tmp_path, suffix):
    data = b""
    for number in range(2):
        path = tmp_path / f"{number}.{suffix}"
        soundfile.write(path, noise(3, 44_100, seed=number), 44_100)
        data += path.read_bytes()
    path.write_bytes(data)
    assert "audio goes on behind" in refused(path).detail


def test_a_rate_beyond_all_memory_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1, 16_000), 16_000)
    data = bytearray(path.read_bytes())
    data[24:28] = (2 * 10**9).to_bytes(4, "little")
    path.write_bytes(data)
    assert refused(path).reason == "implausible"


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
def test_a_file_that_shrinks_while_it_is_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(30, 44_100), 44_100)
    pieces = stream.blocks(path, 16_000, 1.0)
    next(pieces)
    os.truncate(path, 20_000)
    with pytest.raises(AudioError, match="unreadable") as error:
        list(pieces)
    assert error.value.path == path


def test_a_name_that_is_no_text(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9\n,.wav")
    with open(path, "wb") as file:
        soundfile.write(file, noise(1, 16_000), 16_000, format="WAV")
    assert len(joined(path)) == len(audio.load(path, sample_rate=16_000)) == 16_000


def test_segments():
    frames = np.arange(25 * 2, dtype=np.float32).reshape(25, 2)
    for step in (1, 4, 25):
        pieces = [frames[i : i + step] for i in range(0, 25, step)]
        for hop in (1, 3, 10):
            cut = np.concatenate(list(segments.stream_segments(pieces, 10, hop)))
            starts = range(0, 16, hop)
            np.testing.assert_array_equal(cut, [frames[i : i + 10] for i in starts])


def test_a_short_track_is_repeated():
    frames = np.arange(4, dtype=np.float32)[:, None]
    (cut,) = segments.stream_segments([frames[:3], frames[3:]], 10, 10)
    np.testing.assert_array_equal(cut[0, :, 0], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
    assert list(segments.stream_segments([frames[:0]], 10, 10)) == []


def counting(made: list):
    """Make a function for `ahead` that notes what it made, five items for each argument."""

    def function(argument):
        for number in range(5):
            made.append((argument, number))
            yield number

    return function


def test_ahead_keeps_the_order_and_little_else():
    made, taken = [], []
    for argument, items in threads.ahead(counting(made), range(50), threads=3):
        for item in items:
            taken.append((argument, item))
            # two wait in the queue and one in the hands of each thread
            assert len(made) - len(taken) <= 3 * 3
    assert taken == [(argument, number) for argument in range(50) for number in range(5)]


def test_ahead_ends_its_threads_when_nobody_listens():
    before = threading.active_count()
    pairs = threads.ahead(counting([]), iter(int, None), threads=3)
    next(next(pairs)[1])
    assert threading.active_count() == before + 3
    pairs.close()
    assert threading.active_count() == before


def test_ahead_passes_errors_on():
    def function(argument):
        yield argument
        if argument == 1:
            raise AudioError("b.wav", "silent")

    results = []
    for argument, items in threads.ahead(function, range(3), threads=2):
        try:
            results += items
        except AudioError as error:
            results.append((argument, error.reason))
    assert results == [0, 1, (1, "silent"), 2]
