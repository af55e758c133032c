import errno
import fcntl
import hashlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import audio, cache, cachefile, extraction, features

RECIPE = features.RECIPES["cbmi2016"]
REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from mirkeras import cache, features

if __name__ == "__main__":
    root, path = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(p.name for p in root.iterdir())
    index = pd.DataFrame({"track": files, "path": files})
    cache.build(index, root, features.RECIPES["cbmi2016"], path, jobs=2)
"""


def noise(seed: int, seconds: float) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-0.5, 0.5, int(44100 * seconds))


def index_of(root: Path) -> pd.DataFrame:
    files = sorted(path.name for path in root.iterdir())
    return pd.DataFrame({"track": [f"Ré/{Path(f).stem}" for f in files], "path": files})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five good tracks of different lengths; only read by the tests."""
    root = tmp_path_factory.mktemp("audio")
    for i in range(5):
        soundfile.write(root / f"{i}.wav", noise(i, 2 + i / 3), 44100)
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """An uninterrupted cache of the five tracks; only read by the tests."""
    path = tmp_path_factory.mktemp("finished") / "cbmi2016.h5"
    return cache.build(index_of(root), root, RECIPE, path, jobs=1)


@pytest.fixture
def copied(root, finished, tmp_path):
    """Copies of audio and cache that a test may spoil: (audio root, cache file)."""
    own = Path(shutil.copytree(root, tmp_path / "audio"))
    path = Path(shutil.copy(finished.path, tmp_path / "cbmi2016.h5"))
    return own, path


def test_a_cache_holds_every_tracks_frames(root, finished):
    frames = [
        features.extract(audio.load(root / f"{i}.wav", sample_rate=44100), RECIPE) for i in range(5)
    ]
    assert finished.tracks == ("Ré/0", "Ré/1", "Ré/2", "Ré/3", "Ré/4")
    assert finished.bands == 40
    np.testing.assert_array_equal(np.diff(finished.offsets), [len(f) for f in frames])
    np.testing.assert_array_equal(finished.memmap(), np.concatenate(frames))
    np.testing.assert_array_equal(finished.track("Ré/3"), frames[3])
    assert finished.memmap().flags.aligned
    assert not finished.memmap().flags.writeable
    with pytest.raises(KeyError, match="not in the data set"):
        finished.track("Ré/9")


def test_statistics_are_those_of_all_values(finished):
    everything = finished.memmap().astype(np.float64)
    assert cache.statistics(finished) == pytest.approx((everything.mean(), everything.std()))
    some = np.concatenate([finished.track("Ré/1"), finished.track("Ré/4")]).astype(np.float64)
    assert cache.statistics(finished, ["Ré/4", "Ré/1"]) == pytest.approx((some.mean(), some.std()))
    with pytest.raises(ValueError, match="at least one"):
        cache.statistics(finished, [])


def test_the_file_depends_on_the_data_only(root, finished, tmp_path):
    shuffled = index_of(root).sample(frac=1, random_state=1)
    again = cache.build(shuffled, root, RECIPE, tmp_path / "cbmi2016.h5", jobs=2)
    assert again.path.read_bytes() == finished.path.read_bytes()


def test_the_fingerprint_is_of_names_and_audio_bytes(root, finished):
    lines = [
        f"Ré/{i}\0{hashlib.sha256((root / f'{i}.wav').read_bytes()).hexdigest()}\n"
        for i in range(5)
    ]
    assert finished.fingerprint == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_complete_cache_is_opened_without_a_word(root, finished, capfd, monkeypatch):
    monkeypatch.setattr(extraction, "run", None)
    again = cache.build(index_of(root), root, RECIPE, finished.path)
    assert again.fingerprint == finished.fingerprint
    assert cache.open_cache(finished.path, RECIPE).tracks == finished.tracks
    assert capfd.readouterr() == ("", "")


def test_another_identity_is_refused(root, finished, monkeypatch):
    index, path = index_of(root), finished.path
    with pytest.raises(cache.CacheError, match=r"cbmi2016\.h5.*hop 1024 -> 512.*delete it"):
        cache.build(index, root, replace(RECIPE, hop=512), path)
    with pytest.raises(cache.CacheError, match="hop 1024 -> 512"):
        cache.open_cache(path, replace(RECIPE, hop=512))
    with pytest.raises(cache.CacheError, match="min_frames 80 -> 250"):
        cache.build(index, root, RECIPE, path, min_frames=250)
    monkeypatch.setattr(features, "version", lambda name: "9.9")
    with pytest.raises(cache.CacheError, match=r"numpy \S+ -> 9\.9"):
        cache.open_cache(path, RECIPE)
    monkeypatch.setattr(audio.soxr, "__version__", "9.9")
    with pytest.raises(cache.CacheError, match=r"resampler soxr \S+ HQ -> soxr 9\.9 HQ"):
        cache.open_cache(path, RECIPE)


def test_other_data_is_refused(copied):
    root, path = copied
    soundfile.write(root / "2.wav", noise(9, 3.1), 44100)
    with pytest.raises(cache.CacheError, match=r"track Ré/2: \d+ -> \d+ bytes"):
        cache.build(index_of(root), root, RECIPE, path)
    with pytest.raises(cache.CacheError, match=r"track Ré/0: \d+ -> no bytes"):
        cache.build(index_of(root)[1:2], root, RECIPE, path)


def test_files_that_are_no_complete_cache_are_refused(copied, tmp_path):
    _, path = copied
    with pytest.raises(cache.CacheError, match="no such cache"):
        cache.open_cache(tmp_path / "none.h5")
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:2000], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(cache.CacheError, match=r"cbmi2016\.h5: damaged"):
            cache.open_cache(path)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file.attrs["complete"]
    with pytest.raises(cache.CacheError, match="never finished"):
        cache.open_cache(path)


def test_an_index_must_name_each_track_once(root, tmp_path):
    index = index_of(root)
    for wrong in (index[:0], pd.concat([index, index[:1]])):
        with pytest.raises(cache.CacheError, match="only once"):
            cache.build(wrong, root, RECIPE, tmp_path / "cbmi2016.h5")


@pytest.fixture
def spoiled(root, tmp_path):
    """The good tracks, a poor but good one, and six bad ones."""
    own = Path(shutil.copytree(root, tmp_path / "audio"))
    soundfile.write(own / "poor.wav", noise(8, 3)[::5].reshape(-1, 2), 8000, subtype="PCM_U8")
    (own / "bytes.wav").touch()
    (own / "text.wav").write_text("not audio at all")
    (own / "cut.wav").write_bytes((own / "1.wav").read_bytes()[:50_000])
    soundfile.write(own / "silent.wav", np.zeros(100_000), 44100)
    soundfile.write(own / "nan.wav", np.full(100_000, np.nan), 44100, subtype="FLOAT")
    soundfile.write(own / "short.wav", noise(8, 0.5), 44100)
    return own


def test_bad_tracks_are_set_aside_with_reasons(spoiled, tmp_path):
    index = index_of(spoiled)
    index.loc[len(index)] = ["Ré/gone", "gone.wav"]
    built = cache.build(index, spoiled, RECIPE, tmp_path / "c.h5", jobs=1, max_rejected=0.6)
    assert len(built.tracks) == 6
    assert len(built.track("Ré/poor")) > 80
    reasons = built.rejected.set_index("track")["reason"].str.split(":").str[0].to_dict()
    assert reasons == {
        "Ré/bytes": "empty file",
        "Ré/cut": "unreadable",
        "Ré/gone": "missing",
        "Ré/nan": "non-finite",
        "Ré/short": "too short",
        "Ré/silent": "silent",
        "Ré/text": "unreadable",
    }
    report = pd.read_csv(tmp_path / "c.rejected.csv")
    assert report.equals(built.rejected.astype(report.dtypes))
    with pytest.raises(KeyError, match="set aside, silent"):
        built.track("Ré/silent")
    assert cache.build(index, spoiled, RECIPE, tmp_path / "c.h5").tracks == built.tracks
    (spoiled / "gone.wav").write_bytes((spoiled / "0.wav").read_bytes())
    with pytest.raises(cache.CacheError, match=r"Ré/gone: -1 -> \d+ bytes"):
        cache.build(index, spoiled, RECIPE, tmp_path / "c.h5")


def test_too_many_bad_tracks_stop_the_job_but_keep_the_work(spoiled, finished, tmp_path):
    path = tmp_path / "cache" / "cbmi2016.h5"
    with pytest.raises(cache.CacheError, match=r"2 of \d+ tracks .* at most 1 of 12 \(10%\)"):
        cache.build(index_of(spoiled), spoiled, RECIPE, path, jobs=1, max_rejected=0.1)
    assert not path.exists()
    assert len(pd.read_csv(path.with_suffix(".rejected.csv"))) == 2
    assert list(cache._partial(path).glob("*.npz"))
    good = index_of(spoiled)[lambda index: index["track"].isin(finished.tracks)]
    built = cache.build(good, spoiled, RECIPE, path, jobs=1)
    assert built.path.read_bytes() == finished.path.read_bytes()


def test_no_bad_track_passes_a_share_of_zero_nor_a_set_of_one(tmp_path):
    root = tmp_path / "audio"
    root.mkdir()
    (root / "bad.wav").touch()
    for share in (0, 0.05):
        with pytest.raises(cache.CacheError, match="1 of 1 tracks"):
            cache.build(index_of(root), root, RECIPE, tmp_path / "c.h5", max_rejected=share)


def interrupted(root: Path, path: Path, monkeypatch) -> None:
    """Leave finished shards and no cache, as a full disk does."""

    def write(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cachefile, "_write_frames", write)
        with pytest.raises(cache.CacheError, match="No space left"):
            cache.build(index_of(root), root, RECIPE, path, jobs=1)


def test_a_full_disk_keeps_the_work_and_no_half_file(root, finished, tmp_path, monkeypatch, capfd):
    path = tmp_path / "cbmi2016.h5"
    interrupted(root, path, monkeypatch)
    assert not path.exists()
    assert not list(tmp_path.rglob("*.h5"))
    cache.build(index_of(root), root, RECIPE, path, jobs=1)
    assert "5 of 5 tracks are done" in capfd.readouterr().err
    assert path.read_bytes() == finished.path.read_bytes()
    assert not cache._partial(path).exists()


def test_spoiled_shards_are_made_again(root, finished, tmp_path, monkeypatch, capfd):
    path = tmp_path / "cbmi2016.h5"
    interrupted(root, path, monkeypatch)
    torn, altered, *_ = sorted(cache._partial(path).glob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:5000])
    content = bytearray(altered.read_bytes())
    content[5000] ^= 1
    altered.write_bytes(content)
    cache.build(index_of(root), root, RECIPE, path, jobs=1)
    assert "3 of 5 tracks are done" in capfd.readouterr().err
    assert path.read_bytes() == finished.path.read_bytes()


def test_unfinished_work_of_another_identity_is_discarded(
    root, finished, tmp_path, monkeypatch, capfd
):
    path = tmp_path / "cbmi2016.h5"
    with monkeypatch.context() as patch:
        patch.setattr(features, "version", lambda name: "1.0")
        interrupted(root, path, patch)
    cache.build(index_of(root), root, RECIPE, path, jobs=1)
    messages = capfd.readouterr().err
    assert "discarded" in messages
    assert "numpy 1.0 -> " in messages
    assert "tracks are done" not in messages
    assert path.read_bytes() == finished.path.read_bytes()


def test_work_left_beside_a_finished_cache_is_removed(copied):
    root, path = copied
    cache._partial(path).mkdir()
    cache.build(index_of(root), root, RECIPE, path)
    assert not cache._partial(path).exists()


def after_the_first_outcome(action):
    """Return an `extraction.run` that does something bad once the first track is done."""
    run = extraction.run

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


def test_a_killed_worker_is_explained(root, tmp_path, monkeypatch):
    path = tmp_path / "cbmi2016.h5"
    # the pool needs work to miss the worker
    index = pd.concat(
        [index_of(root).assign(track=lambda t, i=i: t["track"] + str(i)) for i in range(20)]
    )
    monkeypatch.setattr(extraction, "run", after_the_first_outcome(kill_workers))
    with pytest.raises(cache.CacheError, match="worker process"):
        cache.build(index, root, RECIPE, path, jobs=1)
    assert not path.exists()
    assert list(cache._partial(path).glob("*.npz"))


def test_ctrl_c_says_how_to_go_on(root, finished, tmp_path, monkeypatch, capfd):
    path = tmp_path / "cbmi2016.h5"
    with monkeypatch.context() as patch:
        patch.setattr(extraction, "run", after_the_first_outcome(press_ctrl_c))
        with pytest.raises(KeyboardInterrupt):
            cache.build(index_of(root), root, RECIPE, path, jobs=1)
    assert "run the same command again" in capfd.readouterr().err
    cache.build(index_of(root), root, RECIPE, path, jobs=1)
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
    files = sorted(path.name for path in root.iterdir())
    index = pd.DataFrame({"track": files, "path": files})
    made = cache.build(index, root, RECIPE, tmp_path / "made" / "cbmi2016.h5", jobs=1).path
    path = tmp_path / "cbmi2016.h5"
    with (tmp_path / ".cbmi2016.h5.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = start(root, path)
        assert "waiting" in second.stderr.readline()
        shutil.copy(made, path)
        before = path.stat().st_mtime_ns
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert path.stat().st_mtime_ns == before


def kill_and_resume(tmp_path: Path, kills: int, seed: int) -> None:
    """Kill a build at random moments, resume it each time, compare with an uninterrupted one."""
    root, chance = tmp_path / "audio", random.Random(seed)
    root.mkdir()
    for i in range(40):
        soundfile.write(root / f"{i}.wav", noise(i, 8), 44100)
    whole, path = tmp_path / "whole" / "cbmi2016.h5", tmp_path / "killed" / "cbmi2016.h5"
    for file in (whole, path):
        file.parent.mkdir()
    assert start(root, whole).wait() == 0
    for number in range(kills):
        kill_one(root, path, chance, number * 40 // kills)
        if path.exists():  # the kill came after the end
            assert path.read_bytes() == whole.read_bytes()
        else:
            with pytest.raises(cache.CacheError):
                cache.open_cache(path)
    assert start(root, path).wait() == 0
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(p.name for p in path.parent.iterdir()) == [
        ".cbmi2016.h5.lock",
        "cbmi2016.h5",
        "cbmi2016.rejected.csv",
        "program.py",
    ]


def kill_one(root: Path, path: Path, chance: random.Random, shards: int) -> None:
    """Start a build, let it come to a number of shards and a little further, and kill it."""
    builder = start(root, path)
    while builder.poll() is None and len(list(cache._partial(path).glob("*.npz"))) < shards:
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
