"""Constant-Q frames: the transform's definition, short tracks, interrupted and killed builds."""

import errno
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import cache
from mirkeras.cache import shards
from mirkeras.cache.build import partial_folder
from mirkeras.features import Recipe
from mirkeras.features.constantq import C1, ConstantQ

RATE = 22_050
REPOSITORY = Path(__file__).parents[3]
RECIPE = ConstantQ("schindler2016-cqt-80", bands=80)
NOISE = np.random.RandomState(0).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)
#: A program that builds a cache of all files of a folder by the recipe that an expression makes.
PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from mirkeras import cache
from mirkeras.features import augmented, constantq, recipes

root, path = Path(sys.argv[1]), Path(sys.argv[2])
files = sorted(p.name for p in root.iterdir())
index = pd.DataFrame({"track": files, "path": files})
cache.build_cache(index, root, eval(sys.argv[3]), path, jobs=2)
"""


def write_noise(root: Path, tracks: int, seconds: float) -> pd.DataFrame:
    """Write tracks of noise and return their index."""
    root.mkdir()
    names = [f"{number:02d}.wav" for number in range(tracks)]
    for number, name in enumerate(names):
        samples = np.random.RandomState(number).uniform(-0.5, 0.5, int(seconds * RATE))
        soundfile.write(root / name, samples, RATE)
    return pd.DataFrame({"track": names, "path": names})


def resumed_is_whole(tmp_path: Path, recipe: Recipe, monkeypatch, capfd) -> None:
    """Assert: two processes, or one that takes up an interrupted build, make the same bytes."""
    root, whole, resumed = (tmp_path / name for name in ("audio", "whole.h5", "resumed.h5"))
    index = write_noise(root, 3, 3)

    def full_disk(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_cache", full_disk)
        with pytest.raises(cache.CacheError, match="No space left"):
            cache.build_cache(index, root, recipe, whole, jobs=2)
    waiting = shutil.copytree(partial_folder(whole), partial_folder(resumed))
    for lost in sorted(Path(waiting).glob("*.npz"))[:2]:
        lost.unlink()
    assert len(cache.build_cache(index, root, recipe, whole, jobs=2).tracks) == 3
    cache.build_cache(index, root, recipe, resumed, jobs=1)
    assert resumed.read_bytes() == whole.read_bytes()
    said = capfd.readouterr().err
    assert "whole.h5.partial: going on, 3 of 3 tracks are done" in said
    assert "resumed.h5.partial: going on, 1 of 3 tracks are done" in said


def killed_is_whole(tmp_path: Path, recipe: Recipe, expression: str, seconds: float) -> None:
    """Assert: a build that `kill -9` ends three times ends with the bytes of an unbroken one."""
    index, folder = write_noise(tmp_path / "audio", 24, seconds), tmp_path / "audio"
    whole = cache.build_cache(index, folder, recipe, tmp_path / "whole.h5", jobs=2).path
    path, chance = tmp_path / "killed.h5", random.Random(1)
    for done in (0, 6, 15):
        kill_at(done, [str(folder), str(path), expression], path, chance)
        assert not path.exists()
        assert done <= len(list(partial_folder(path).glob("[!.]*.npz"))) < 24
    cache.build_cache(index, folder, recipe, path, jobs=1)
    assert path.read_bytes() == whole.read_bytes()


def kill_at(done: int, arguments: list[str], path: Path, chance: random.Random) -> None:
    """Start a build, wait for a number of finished tracks, kill it with its workers."""
    program = path.with_name("program.py")
    program.write_text(PROGRAM)
    builder = subprocess.Popen(
        [sys.executable, str(program), *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    partial = partial_folder(path)
    while builder.poll() is None and len(list(partial.glob("[!.]*.npz"))) < done:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))
    os.killpg(builder.pid, signal.SIGKILL)
    assert builder.wait(timeout=30) == -signal.SIGKILL


@pytest.mark.parametrize("bands", [80, 84])
@pytest.mark.parametrize("hertz", [C1, 440, 440 * 2 ** (33 / 12)])
def test_a_tone_is_loudest_in_the_band_of_its_semitone(bands, hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(3 * RATE) / RATE).astype(np.float32)
    frames = ConstantQ("tone", bands).extract(tone)
    assert frames.argmax(axis=1)[100:160].tolist() == [round(12 * np.log2(hertz / C1))] * 60


def test_frames_are_the_plain_definition():
    """Sums over the samples around a frame's centre, in float64: no spectra, no resampling."""
    frames = RECIPE.extract(NOISE)
    relative = (2 ** (1 / 6) - 1) / (2 ** (1 / 6) + 1)  # width of a band by its frequency
    for band, frame in ((30, 100), (45, 131), (71, 129), (79, 130)):
        hertz = C1 * 2 ** (band / 12)
        length = RATE / hertz / relative
        places = np.arange(-length // 2, length // 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(places)) / len(places))
        wave = window / window.sum() * np.exp(-2j * np.pi * hertz / RATE * places)
        around = NOISE[frame * 256 + places.astype(int)].astype(np.float64)
        magnitude = abs(around @ wave) * np.sqrt(length)
        assert np.exp(frames[frame, band]) == pytest.approx(magnitude, rel=0.03)


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 5000, RATE - 1, RATE, 40_000])
def test_a_frame_at_every_hop_without_warnings(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = RECIPE.extract(NOISE[:samples])
    assert frames.shape == (1 + samples // 256, 80)
    assert frames.dtype == np.float32
    assert frames.flags.c_contiguous


def test_silence_is_the_logarithm_of_the_offset():
    np.testing.assert_array_equal(
        RECIPE.extract(np.zeros(RATE, np.float32)), np.log(np.float32(1e-6))
    )


@pytest.mark.parametrize("shape", [(0,), (2, RATE)])
def test_anything_but_mono_samples_is_refused(shape):
    with pytest.raises(ValueError, match="mono"):
        RECIPE.extract(np.zeros(shape, np.float32))


def test_the_recipe_is_plain_and_travels_between_processes():
    identity = RECIPE.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["name"] == RECIPE.name
    assert identity != ConstantQ("schindler2016-cqt-80", bands=84).identity()
    assert pickle.loads(pickle.dumps(RECIPE)) == RECIPE
    assert {"librosa", "soxr"} <= RECIPE.libraries().keys()
    assert RECIPE.deformed == 0


@pytest.mark.long  # what is tested of deformed copies in short
def test_processes_and_interruptions_change_no_byte(tmp_path, monkeypatch, capfd):
    resumed_is_whole(tmp_path, RECIPE, monkeypatch, capfd)


@pytest.mark.long
def test_a_killed_build_ends_with_the_same_bytes(tmp_path):
    killed_is_whole(tmp_path, RECIPE, 'constantq.ConstantQ("schindler2016-cqt-80", 80)', 30)
