"""A cache proves itself whole; what the system refuses is not called damage."""

import errno
import fcntl
import os
import random
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import cache, features
from mirkeras.cache import file, kept
from mirkeras.features import extraction

RECIPE = features.RECIPES["cbmi2016"]
INDEX = pd.DataFrame({"track": ["é0", "1", "2"], "path": ["0.wav", "1.wav", "2.wav"]})


def extract_here(tracks, jobs):
    yield from map(extraction.extract_track, tracks)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("audio")
    for i in range(3):
        samples = np.random.RandomState(i).uniform(-0.5, 0.5, 44100 * 2)
        soundfile.write(root / f"{i}.wav", samples, 44100)
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("cache") / "cbmi2016.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "extract_all", extract_here)
        return cache.build_cache(INDEX, root, RECIPE, path)


@pytest.fixture
def path(finished, tmp_path):
    return Path(shutil.copy(finished.path, tmp_path / "cbmi2016.h5"))


def flip(path: Path, place: int, bit: int) -> None:
    with open(path, "r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 1 << bit]))


def test_every_flipped_bit_of_the_tables_is_noticed(finished, path):
    chance, begin = random.Random(0), finished._position_in_file
    assert begin + finished.memmap().nbytes == path.stat().st_size
    for place in [*range(80), *chance.sample(range(80, begin), 200)]:
        bit = chance.randrange(8)
        flip(path, place, bit)
        with pytest.raises(cache.CacheError, match=r"cbmi2016\.h5 is damaged .*delete it"):
            cache.open_cache(path)
        flip(path, place, bit)
    assert cache.open_cache(path).fingerprint == finished.fingerprint


@pytest.mark.parametrize("size", [0, 3, 511, 512, 3000, -1])
def test_a_cut_file_is_noticed(size, path):
    os.truncate(path, size if size >= 0 else path.stat().st_size + size)
    with pytest.raises(cache.CacheError, match=r"cbmi2016\.h5 is damaged"):
        cache.open_cache(path)


@pytest.mark.parametrize("content", [b"\0" * 99_000, b"text", b"\x89HDF\r\n\x1a\n" + b"\0" * 9999])
def test_other_content_is_noticed(content, path):
    path.write_bytes(content)
    with pytest.raises(cache.CacheError, match=r"cbmi2016\.h5 is damaged .*delete it"):
        cache.open_cache(path)


def test_a_flipped_bit_of_the_frames_is_noticed_and_only_that_track_extracted(
    finished, path, root, monkeypatch, capfd
):
    chance, begin, again = random.Random(1), finished._position_in_file, []

    def watched(tracks, jobs):
        again.extend(tasks[0].track for tasks in tracks)
        yield from extract_here(tracks, jobs)

    monkeypatch.setattr(extraction, "extract_all", watched)
    row = finished.bands * 4
    for _ in range(10):
        place = chance.randrange(begin, path.stat().st_size)
        status = path.stat()
        flip(path, place, chance.randrange(8))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        number = np.searchsorted(finished.offsets, (place - begin) // row, side="right") - 1
        track = finished.tracks[number]
        with pytest.raises(cache.CacheError, match=f"features of 1 track.* are damaged .'{track}'"):
            cache.open_cache(path)
        cache.build_cache(INDEX, root, RECIPE, path)
        assert again.pop() == track
        assert not again
        assert path.read_bytes() == finished.path.read_bytes()
    assert "the features of 1 track(s) are damaged" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "Permission denied"),
        (errno.EIO, "the disk or the network fails"),
        (errno.ESTALE, "the disk or the network fails"),
        (errno.EMFILE, "ulimit"),
        (errno.ENOSPC, "make room"),
        (errno.EAGAIN, "in use by another process"),
        (errno.EBUSY, "in use by another process"),
        (errno.ENOMEM, "close other programs"),
    ],
)
def test_what_the_system_refuses_is_not_damage(number, words, path, root, monkeypatch):
    def refuse(path):
        raise OSError(number, "told by a library, errno = 0")

    monkeypatch.setattr(kept, "read_cache", refuse)
    for function in (cache.open_cache, lambda p: cache.build_cache(INDEX, root, RECIPE, p)):
        with pytest.raises(cache.CacheError, match=f"cbmi2016.h5: .*{words}") as caught:
            function(path)
        assert "damaged" not in str(caught.value)
        assert "delete" not in str(caught.value)
    assert path.exists()


def test_a_cache_that_another_program_writes_is_in_use(path):
    held = r"cbmi2016\.h5: in use by another process, \S+ \(process \d+\): close it or wait"
    with h5py.File(path, "r+"), pytest.raises(cache.CacheError, match=held):
        cache.open_cache(path)
    with h5py.File(path, "r"):  # readers disturb nobody
        assert cache.open_cache(path).tracks
    with open(path) as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HDF5_USE_FILE_LOCKING", "FALSE")
            assert cache.open_cache(path).tracks


def test_a_file_system_without_locks_serves(path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert cache.open_cache(path).tracks


def test_a_cache_that_has_no_room_is_not_begun(finished, root, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "extract_all", extract_here)
    usage = shutil.disk_usage(tmp_path)
    need = finished.path.stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=need - 1))
        with pytest.raises(cache.CacheError, match=rf"{need:,} bytes are needed.*make room"):
            cache.build_cache(INDEX, root, RECIPE, tmp_path / "c.h5")
    assert not list(tmp_path.rglob("*.h5"))
    built = cache.build_cache(INDEX, root, RECIPE, tmp_path / "c.h5")
    assert built.path.read_bytes() == finished.path.read_bytes()


PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from mirkeras import cache, features
from mirkeras.system.errors import as_command
from mirkeras.features import extraction

def here(tracks, jobs):
    yield from map(extraction.extract_track, tracks)

@as_command
def build():
    extraction.extract_all = here
    root, path = Path(sys.argv[1]), Path(sys.argv[2])
    index = pd.DataFrame({"track": ["é0", "1", "2"], "path": ["0.wav", "1.wav", "2.wav"]})
    cache.build_cache(index, root, features.RECIPES["cbmi2016"], path)
    return 0

sys.exit(build())
"""


@pytest.mark.long
def test_a_disk_full_at_any_moment_is_one_line_and_resumes_to_the_same_bytes(
    finished, root, tmp_path
):
    path, whole = tmp_path / "cbmi2016.h5", finished.path.stat().st_size
    for limit in map(int, np.linspace(100, whole - 1, 10)):
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(root), str(path)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit)),
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 1
        errors = [line for line in ended.stderr.splitlines() if line.startswith("error")]
        assert len(errors) == 1
        assert "File too large; make room" in errors[0]
        assert "Traceback" not in ended.stderr
        assert not path.exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "extract_all", extract_here)
        cache.build_cache(INDEX, root, RECIPE, path)
    assert path.read_bytes() == finished.path.read_bytes()
    assert file.read_cache(path).tracks == ("1", "2", "é0")


@pytest.mark.parametrize(("at_once", "piece"), [(256, 1 << 18), (1, 7), (3, 64)])
def test_damaged_tracks_are_those_that_differ_whatever_their_lengths(
    at_once: int, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_AT_ONCE", at_once)
    monkeypatch.setattr(file, "_PIECE", piece)
    random = np.random.default_rng(0)
    lengths = [1, 300, 2, 1, 1, 5, 40, 1]
    names = tuple(f"{number}.wav" for number in range(len(lengths)))
    columns = ("track", "path", "reason", "digest")
    rejected = pd.DataFrame({name: [] for name in columns}, dtype=str).assign(size=0)
    kept = cache.FeatureCache(
        path=tmp_path / "made.h5",
        tracks=names,
        offsets=np.cumsum([0, *lengths]),
        bands=3,
        dtype="int16",
        identity={},
        fingerprint="",
        rejected=rejected,
        digests=("",) * len(names),
    )
    frames = [random.integers(-9, 9, (length, 3), np.int16) for length in lengths]
    file.write_cache(kept, frames)
    assert file.damaged_tracks(file.read_cache(kept.path)) == []
    begin = kept.path.stat().st_size - 6 * sum(lengths)
    flip(kept.path, begin, 3)  # the first track's first byte
    flip(kept.path, begin + 6 * 301 - 1, 0)  # the second's last
    flip(kept.path, begin + 6 * sum(lengths) - 1, 7)  # the last's last
    damaged = file.read_cache(kept.path)
    assert file.damaged_tracks(damaged) == ["0.wav", "1.wav", "7.wav"]
    os.truncate(kept.path, begin + 6 * 200)
    with pytest.raises(cache.CacheError, match="shorter than it says"):
        file.damaged_tracks(replace(damaged, seen=None))
    with pytest.raises(cache.CacheError, match="replaced while it was being read"):
        file.damaged_tracks(damaged)
