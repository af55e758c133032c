"""Caches of several recipes from one decoding, and caches of waveforms."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import audio, cache, features
from mirkeras.cache import build
from mirkeras.cache.file import SCALES
from mirkeras.cache.statistics import statistics
from mirkeras.features import extraction
from mirkeras.features.waveform import Waveform

RECIPES = {
    "mel.h5": features.RECIPES["cbmi2016"],
    "low.h5": Waveform(8000),
    "high.h5": Waveform(44100),
}
REPOSITORY = Path(__file__).parents[3]


def write_noise(root: Path, tracks: int, seconds: float) -> Path:
    root.mkdir(exist_ok=True)
    for i in range(tracks):
        samples = np.random.RandomState(i).uniform(-0.5, 0.5, int(44100 * seconds))
        soundfile.write(root / f"{i}.wav", samples, 44100)
    return root


def index_of(root: Path) -> pd.DataFrame:
    files = sorted(path.name for path in root.iterdir())
    return pd.DataFrame({"track": files, "path": files})


def in_folder(folder: Path) -> dict[Path, features.Recipe]:
    return {folder / name: recipe for name, recipe in RECIPES.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Four good tracks; only read by the tests."""
    return write_noise(tmp_path_factory.mktemp("audio"), 4, 3.0)


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """Caches of all recipes, each built on its own, by name; only read by the tests."""
    folder = tmp_path_factory.mktemp("single")
    return {
        name: cache.build_cache(index_of(root), root, recipe, folder / name, jobs=1)
        for name, recipe in RECIPES.items()
    }


def test_together_they_are_what_each_is_alone(root, finished, tmp_path):
    built = cache.build_all(index_of(root), root, in_folder(tmp_path), jobs=2)
    assert [path.name for path in built] == list(RECIPES)
    for path, features_ in built.items():
        assert features_.path == path
        assert path.read_bytes() == finished[path.name].path.read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_a_track_is_decoded_and_hashed_once(root, tmp_path, monkeypatch):
    calls = {"decode": 0, "checksum": 0}

    def counted(name, function):
        def call(*arguments):
            calls[name] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(audio, "decode", counted("decode", audio.decode))
    monkeypatch.setattr(extraction, "sha256", counted("checksum", extraction.sha256))
    tasks = [
        extraction.Task("0", root / "0.wav", tmp_path / f"{name}.npz", recipe, "tag", 80)
        for name, recipe in RECIPES.items()
    ]
    outcomes = extraction.extract_track(tasks)
    assert {outcome.task for outcome in outcomes} == set(tasks)
    assert calls == {"decode": 1, "checksum": 1}


def test_only_missing_caches_are_built(root, finished, tmp_path, monkeypatch):
    cache.build_cache(index_of(root), root, RECIPES["low.h5"], tmp_path / "low.h5", jobs=1)
    run, seen = extraction.extract_all, []

    def watched(tracks, jobs):
        seen.extend(task.recipe for tasks in tracks for task in tasks)
        return run(tracks, jobs)

    monkeypatch.setattr(extraction, "extract_all", watched)
    cache.build_all(index_of(root), root, in_folder(tmp_path), jobs=1)
    assert set(seen) == {RECIPES["mel.h5"], RECIPES["high.h5"]}
    assert (tmp_path / "high.h5").read_bytes() == finished["high.h5"].path.read_bytes()


def test_a_cache_made_differently_is_refused_before_any_work(root, tmp_path, monkeypatch):
    cache.build_cache(index_of(root), root, RECIPES["low.h5"], tmp_path / "high.h5", jobs=1)
    monkeypatch.setattr(extraction, "extract_all", None)
    with pytest.raises(cache.CacheError, match=r"high\.h5: made differently.*8000.*44100"):
        cache.build_all(index_of(root), root, in_folder(tmp_path))
    assert not list(tmp_path.glob("*.partial"))


def test_a_track_may_be_too_short_for_one_recipe_only(root, tmp_path):
    audio_root = write_noise(tmp_path / "audio", 4, 3.0)
    soundfile.write(audio_root / "short.wav", np.full(44100, 0.5), 44100)  # one second
    paths = in_folder(tmp_path)
    least = {tmp_path / "high.h5": 50_000, tmp_path / "low.h5": 1}
    built = cache.build_all(index_of(audio_root), audio_root, paths, jobs=1, min_frames=least)
    rejected = {
        path.name: features_.rejected["track"].tolist() for path, features_ in built.items()
    }
    assert rejected == {"mel.h5": ["short.wav"], "low.h5": [], "high.h5": ["short.wav"]}
    reasons = {
        path.name: features_.rejected["reason"].tolist() for path, features_ in built.items()
    }
    assert reasons["high.h5"] == ["too short: 44100 frames, at least 50000 are needed"]
    assert reasons["mel.h5"] == ["too short: 45 frames, at least 80 are needed"]
    assert len(built[tmp_path / "low.h5"].track("short.wav")) == 8000


def test_too_many_bad_tracks_for_one_recipe_keep_the_work_for_all(root, finished, tmp_path):
    paths = in_folder(tmp_path)
    with pytest.raises(cache.CacheError, match=r"high\.h5: not built; 4 of 4 tracks are unus"):
        cache.build_all(
            index_of(root), root, paths, jobs=1, min_frames={tmp_path / "high.h5": 10**6}
        )
    assert not list(tmp_path.glob("*.h5"))
    assert list(build.partial_folder(tmp_path / "low.h5").glob("*.npz"))
    built = cache.build_all(index_of(root), root, paths, jobs=1)
    for path in built:
        assert path.read_bytes() == finished[path.name].path.read_bytes()


def test_a_waveform_cache_holds_16_bits_and_gives_floats(root, finished):
    waveform = finished["high.h5"]
    stored, rate = soundfile.read(root / "2.wav", dtype="int16")
    assert (rate, waveform.dtype, waveform.scale, waveform.bands) == (44100, "int16", 2**-15, 1)
    samples = waveform.memmap()[waveform.offsets[2] : waveform.offsets[3]]
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples[:, 0], stored)
    track = waveform.track("2.wav")
    assert track.dtype == np.float32
    np.testing.assert_array_equal(track[:, 0], stored / 2**15)
    assert statistics(waveform, ["2.wav"]) == pytest.approx((track.mean(), track.std()), 1e-4)


def test_waveform_segments_are_read_raw_or_scaled(finished):
    waveform = finished["low.h5"]
    first = np.array([7, 20_000, 3])
    raw = waveform.raw_segments(first, 729)
    assert raw.dtype == np.int16
    np.testing.assert_array_equal(raw, [waveform.memmap()[f : f + 729] for f in first])
    scaled = waveform.segments(first, 729)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, raw / 2**15)
    with pytest.raises(cache.CacheError, match="shorter than it says"):
        waveform.raw_segments(np.array([10**9]), 729)


def test_float_segments_are_as_stored(finished):
    mel = finished["mel.h5"]
    assert (mel.dtype, mel.scale) == ("float32", 1.0)
    first = np.array([5, 100])
    np.testing.assert_array_equal(mel.segments(first, 9), mel.raw_segments(first, 9))


PROGRAM = """
import sys
from pathlib import Path
from mirkeras import cache
from tests.mirkeras.cache.test_cache_all import in_folder, index_of

root, folder = Path(sys.argv[1]), Path(sys.argv[2])
cache.build_all(index_of(root), root, in_folder(folder), jobs=2)
"""


def kill_a_build(root: Path, folder: Path, moment: str) -> None:
    """Start a build of all recipes and kill it as soon as a file of that form is there."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", PROGRAM, str(root), str(folder)]
    builder = subprocess.Popen(
        command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while builder.poll() is None and not list(folder.glob(moment)):
        time.sleep(0.001)
    if builder.poll() is None:
        os.killpg(builder.pid, signal.SIGKILL)
    builder.wait(timeout=30)


@pytest.mark.long
def test_builds_killed_at_any_stage_end_with_the_same_bytes(tmp_path):
    root, folder = write_noise(tmp_path / "audio", 8, 4), tmp_path / "killed"
    folder.mkdir()
    whole = cache.build_all(index_of(root), root, in_folder(tmp_path / "whole"), jobs=2)
    # the first shards are there; the first cache is finished; the last one is being written
    for moment in ("*.partial/*.npz", "low.h5.partial/*assembled*", "high.h5.partial/*assembled*"):
        kill_a_build(root, folder, moment)
        for path in whole:  # a file under its own name is whole, whatever happened
            if (folder / path.name).exists():
                assert (folder / path.name).read_bytes() == path.read_bytes()
    cache.build_all(index_of(root), root, in_folder(folder), jobs=2)
    for path in whole:
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert not list(folder.glob("*.partial"))


def test_every_kind_of_recipe_has_a_scale():
    kinds = {recipe.dtype for recipe in (*features.RECIPES.values(), Waveform(8000))}
    assert kinds == set(SCALES)
