"""Interrupted builds of the cache: nothing half-done passes for complete, nothing done is lost."""

import errno
import fcntl
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import cache, features
from mirkeras.cache import shards
from mirkeras.cache.build import partial_folder
from mirkeras.features import extraction, logmel

RECIPE = features.RECIPES["cbmi2016"]
REPOSITORY = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from mirkeras import cache, features

if __name__ == "__main__":
    root, path = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(p.name for p in root.iterdir())
    index = pd.DataFrame({"track": files, "path": files})
    cache.build_cache(index, root, features.RECIPES["cbmi2016"], path, jobs=2)
"""


def index_of(root: Path) -> pd.DataFrame:
    """Return the index that `PROGRAM` makes."""
    files = sorted(path.name for path in root.iterdir())
    return pd.DataFrame({"track": files, "path": files})


def write_noise(root: Path, tracks: int, seconds: float) -> Path:
    root.mkdir(exist_ok=True)
    for i in range(tracks):
        samples = np.random.RandomState(i).uniform(-0.5, 0.5, int(44100 * seconds))
        soundfile.write(root / f"{i}.wav", samples, 44100)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five good tracks; only read by the tests."""
    return write_noise(tmp_path_factory.mktemp("audio"), 5, 2.5)


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """An uninterrupted cache of the five tracks; only read by the tests."""
    path = tmp_path_factory.mktemp("finished") / "cbmi2016.h5"
    return cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)


def interrupted(root: Path, path: Path, monkeypatch) -> None:
    """Leave finished shards and no cache, as a full disk does."""

    def write(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shards, "write_cache", write)
        with pytest.raises(cache.CacheError, match="No space left"):
            cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)


def test_a_full_disk_keeps_the_work_and_no_half_file(root, finished, tmp_path, monkeypatch, capfd):
    path = tmp_path / "cbmi2016.h5"
    interrupted(root, path, monkeypatch)
    assert not path.exists()
    assert not list(tmp_path.rglob("*.h5"))
    cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    assert "5 of 5 tracks are done" in capfd.readouterr().err
    assert path.read_bytes() == finished.path.read_bytes()
    assert not partial_folder(path).exists()


def test_spoiled_shards_are_made_again(root, finished, tmp_path, monkeypatch, capfd):
    path = tmp_path / "cbmi2016.h5"
    interrupted(root, path, monkeypatch)
    torn, altered, *_ = sorted(partial_folder(path).glob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:5000])
    content = bytearray(altered.read_bytes())
    content[5000] ^= 1
    altered.write_bytes(content)
    cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    assert "3 of 5 tracks are done" in capfd.readouterr().err
    assert path.read_bytes() == finished.path.read_bytes()


def test_what_a_kill_left_of_the_report_is_removed(root, finished, tmp_path):
    path, ours, others = (
        tmp_path / name
        for name in (
            "cbmi2016.h5",
            ".cbmi2016.rejected.0123abcd.part.csv",
            ".musicnn.rejected.0123abcd.part.csv",  # may be under way
        )
    )
    ours.touch()
    others.touch()
    cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    assert path.read_bytes() == finished.path.read_bytes()
    assert (ours.exists(), others.exists()) == (False, True)


def test_unfinished_work_of_another_identity_is_discarded(
    root, finished, tmp_path, monkeypatch, capfd
):
    path = tmp_path / "cbmi2016.h5"
    with monkeypatch.context() as patch:
        patch.setattr(logmel, "version", lambda name: "1.0")
        interrupted(root, path, patch)
    cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    messages = capfd.readouterr().err
    assert "discarded" in messages
    assert "numpy 1.0 -> " in messages
    assert "tracks are done" not in messages
    assert path.read_bytes() == finished.path.read_bytes()


def after_the_first_outcome(action):
    """Return an `extraction.run` that does something bad once the first track is done."""
    run = extraction.extract_all

    def spoiled_run(tasks, jobs):
        for i, outcome in enumerate(run(tasks, jobs)):
            if i == 0:
                action()
            yield outcome

    return spoiled_run


def kill_workers() -> None:
    for child in multiprocessing.active_children():
        child.kill()
    time.sleep(0.2)


def press_ctrl_c() -> None:
    raise KeyboardInterrupt


def test_a_killed_worker_costs_its_track_and_names_it(root, finished, tmp_path, monkeypatch):
    path = tmp_path / "cbmi2016.h5"
    with monkeypatch.context() as patch:
        patch.setattr(extraction, "extract_all", after_the_first_outcome(kill_workers))
        with pytest.raises(cache.CacheError, match="ended from outside") as caught:
            cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    (lost,) = [name for name in index_of(root)["path"] if str(root / name) in str(caught.value)]
    assert not path.exists()
    shards = partial_folder(path).glob("[!.]*.npz")
    assert len(list(shards)) == len(index_of(root)) - 1
    assert lost
    cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    assert path.read_bytes() == finished.path.read_bytes()


def test_ctrl_c_keeps_what_is_finished(root, finished, tmp_path, monkeypatch, capfd):
    path = tmp_path / "cbmi2016.h5"
    with monkeypatch.context() as patch:
        patch.setattr(extraction, "extract_all", after_the_first_outcome(press_ctrl_c))
        with pytest.raises(KeyboardInterrupt):
            cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    assert not [name for name in os.listdir(partial_folder(path)) if ".part" in name]
    assert "Traceback" not in capfd.readouterr().err
    cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)
    assert "of 5 tracks are done" in capfd.readouterr().err
    assert path.read_bytes() == finished.path.read_bytes()


def start(root: Path, path: Path, **options) -> subprocess.Popen:
    program = path.parent / "program.py"
    program.write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, str(program), str(root), str(path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def test_workers_that_cannot_write_are_explained(root, tmp_path):
    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    builder = start(root, tmp_path / "cbmi2016.h5", preexec_fn=no_large_files)
    _, errors = builder.communicate(timeout=60)
    assert "CacheError" in errors
    assert "File too large; make room" in errors
    assert not list(tmp_path.rglob("*.npz"))


def test_a_second_builder_waits_for_the_first(root, finished, tmp_path):
    path = tmp_path / "cbmi2016.h5"
    with (tmp_path / ".cbmi2016.h5.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = start(root, path)
        assert "waiting" in second.stderr.readline()
        shutil.copy(finished.path, path)
        before = path.stat().st_mtime_ns
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert path.stat().st_mtime_ns == before


def kill_and_resume(tmp_path: Path, kills: int, seed: int) -> None:
    """Kill a build at random moments, resume it each time, compare with an uninterrupted one."""
    root, chance = write_noise(tmp_path / "audio", 40, 8), random.Random(seed)
    path = tmp_path / "killed" / "cbmi2016.h5"
    path.parent.mkdir()
    index = index_of(root)
    whole = cache.build_cache(index, root, RECIPE, tmp_path / "whole" / "cbmi2016.h5", jobs=2).path
    for number in range(kills):
        kill_one(root, path, chance, number * 40 // (kills - 1))
        if path.exists():  # the kill came after the end
            assert path.read_bytes() == whole.read_bytes()
        else:
            with pytest.raises(cache.CacheError):
                cache.open_cache(path)
    cache.build_cache(index, root, RECIPE, path, jobs=2)
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(p.name for p in path.parent.iterdir()) == [
        ".audio.json",
        ".cbmi2016.h5.lock",
        "cbmi2016.h5",
        "cbmi2016.rejected.csv",
        "program.py",
    ]


def kill_one(root: Path, path: Path, chance: random.Random, shards: int) -> None:
    """Start a build, let it come to a number of shards and a little further, and kill it."""
    builder = start(root, path)
    while builder.poll() is None and len(list(partial_folder(path).glob("*.npz"))) < shards:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))
    # Sometimes the workers die too, sometimes they are left to notice.
    kill = chance.choice([os.kill, os.killpg])
    if builder.poll() is None:
        kill(builder.pid, signal.SIGKILL)
    builder.communicate(timeout=30)


def test_a_build_killed_three_times_ends_with_the_same_bytes(tmp_path):
    kill_and_resume(tmp_path, kills=3, seed=1)


@pytest.mark.long
def test_a_build_killed_ten_times_ends_with_the_same_bytes(tmp_path):
    kill_and_resume(tmp_path, kills=10, seed=2)
