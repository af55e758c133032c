"""A cache follows its data set, and ends with the bytes of one that is built anew."""

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import cache, features
from mirkeras.cache.file import FeatureCache
from mirkeras.features import extraction
from mirkeras.storage import memory

RECIPE = features.RECIPES["cbmi2016"]


def noise(path: Path, seed: int, seconds: float = 2.0) -> None:
    samples = np.random.RandomState(seed).uniform(-0.5, 0.5, int(44100 * seconds))
    soundfile.write(path, samples, 44100)


def index_of(root: Path) -> pd.DataFrame:
    files = sorted(path.name for path in root.iterdir())
    return pd.DataFrame({"track": [Path(file).stem for file in files], "path": files})


@pytest.fixture
def extracted(monkeypatch):
    """Extract in this process; the names of the files that were."""
    names = []

    def here(tracks, jobs):
        names.extend(tasks[0].path.name for tasks in tracks)
        yield from map(extraction.extract_track, tracks)

    monkeypatch.setattr(extraction, "extract_all", here)
    return names


def build(root: Path, path: Path) -> FeatureCache:
    return cache.build_cache(index_of(root), root, RECIPE, path, max_rejected=0.5)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "audio"
    root.mkdir()
    for i in range(3):
        noise(root / f"{i}.wav", i)
    (root / "bad.wav").write_text("no audio")
    return root


@pytest.fixture
def path(root, tmp_path, extracted):
    """The cache of the folder; it was extracted once."""
    path = tmp_path / "cache" / "cbmi2016.h5"
    build(root, path)
    extracted.clear()
    return path


def touch(root: Path) -> None:
    os.utime(root / "0.wav")


def replace_by_equal_size(root: Path) -> None:
    noise(root / "0.wav", 9)


def replace_and_set_times_back(root: Path) -> None:
    status = (root / "0.wav").stat()
    noise(root / "0.wav", 9)
    os.utime(root / "0.wav", ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_from_elsewhere(root: Path) -> None:
    status = (root / "0.wav").stat()
    noise(root.parent / "new.wav", 9)
    os.utime(root.parent / "new.wav", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(root.parent / "new.wav", root / "0.wav")


def copy_over(root: Path) -> None:
    shutil.copy(root / "1.wav", root / "0.wav")


def swap(root: Path) -> None:
    for old, new in (("0", "x"), ("1", "0"), ("x", "1")):
        (root / f"{old}.wav").rename(root / f"{new}.wav")


def add(root: Path) -> None:
    noise(root / "00.wav", 9)  # between others
    noise(root / "z.wav", 10)


def remove(root: Path) -> None:
    (root / "1.wav").unlink()


def rename(root: Path) -> None:
    (root / "0.wav").rename(root / "renamed.wav")


def add_and_remove(root: Path) -> None:
    remove(root)
    add(root)


def mend(root: Path) -> None:
    noise(root / "bad.wav", 9)


def spoil(root: Path) -> None:
    (root / "2.wav").write_text("no audio either")


def remove_the_bad(root: Path) -> None:
    (root / "bad.wav").unlink()


@pytest.mark.parametrize(
    ("change", "files"),
    [
        (touch, []),
        (replace_by_equal_size, ["0.wav"]),
        (replace_and_set_times_back, ["0.wav"]),
        (replace_from_elsewhere, ["0.wav"]),
        (copy_over, []),
        (swap, []),
        (add, ["00.wav", "z.wav"]),
        (remove, []),
        (rename, []),
        (add_and_remove, ["00.wav", "z.wav"]),
        (mend, ["bad.wav"]),
        (spoil, ["2.wav"]),
        (remove_the_bad, []),
    ],
)
@pytest.mark.parametrize("coarse", [False, True], ids=["remembered", "unsettled"])
def test_only_what_is_new_is_extracted(change, files, coarse, root, path, extracted, monkeypatch):
    monkeypatch.setattr(memory, "_TICK", 10**12 if coarse else 0)
    build(root, path)
    change(root)
    followed = build(root, path)
    assert extracted == files
    anew = build(root, root.parent / "anew" / path.name)
    assert path.read_bytes() == anew.path.read_bytes()
    assert followed.fingerprint == anew.fingerprint
    report = path.with_suffix(".rejected.csv")
    assert report.read_bytes() == anew.path.with_suffix(".rejected.csv").read_bytes()
    assert not list(path.parent.glob("*.partial"))


def test_an_untouched_folder_is_not_read_again(root, path, monkeypatch):
    monkeypatch.setattr(memory, "_TICK", -1)
    build(root, path)
    before = path.stat()
    monkeypatch.setattr(extraction, "sha256", None)
    monkeypatch.setattr(FeatureCache, "stored", None)
    monkeypatch.setattr(extraction, "extract_all", None)
    build(root, path)
    assert path.stat() == before


@pytest.mark.parametrize("content", ["", "null", "[]", '{"a": 1}', "\udcff", "{" * 10])
def test_a_spoiled_memory_only_costs_time(content, root, path):
    before = path.read_bytes()
    for name in (".audio.json", f".{path.name}.seen"):
        (path.parent / name).write_text(content, errors="surrogateescape")
    replace_by_equal_size(root)
    build(root, path)
    assert path.read_bytes() != before


def test_people_hear_what_is_kept(root, path, capfd):
    add(root)
    build(root, path)
    assert "4 tracks are kept, 2 are new or changed" in capfd.readouterr().err


def test_a_reader_notices_that_the_cache_was_replaced(root, path):
    old = cache.open_cache(path)
    add(root)
    build(root, path)
    for read in (old.memmap, lambda: old.track("0"), lambda: old.segments(np.array([0]), 9)):
        with pytest.raises(cache.CacheError, match="replaced while it was being read"):
            read()


def as_first_layout(path: Path, root: Path) -> None:
    """Write a cache as the first versions did."""
    found = cache.open_cache(path)
    frames = np.array(found.memmap())
    path.unlink()
    with h5py.File(path, "w") as file:
        file["offsets"], file["frames"] = found.offsets, frames
        file["tracks"] = np.array(found.tracks, h5py.string_dtype("utf-8", 1))
        file["sizes"] = [(root / f"{track}.wav").stat().st_size for track in found.tracks]
        for name in ("track", "path", "reason"):
            texts = [text.encode() for text in found.rejected[name]]
            file[f"rejected/{name}"] = np.array(texts, h5py.string_dtype("utf-8", 99))
        file["rejected/size"] = found.rejected["size"].to_numpy(np.int64)
        file.attrs["identity"] = np.bytes_(json.dumps(found.identity))
        file.attrs["fingerprint"] = np.bytes_(found.fingerprint)
        file.attrs["complete"] = True


@pytest.mark.parametrize(
    ("change", "files"),
    [
        (touch, ["bad.wav"]),  # what was set aside is tried again: its content was not kept
        (add, ["00.wav", "bad.wav", "z.wav"]),
        (remove, ["0.wav", "2.wav", "bad.wav"]),
        (replace_by_equal_size, ["0.wav", "1.wav", "2.wav", "bad.wav"]),
    ],
)
def test_a_cache_of_the_first_layout_is_taken_over_if_its_audio_is_proven(
    change, files, root, path, extracted, capfd
):
    as_first_layout(path, root)
    with pytest.raises(cache.CacheError, match="made by an earlier version; run"):
        cache.open_cache(path)
    change(root)
    build(root, path)
    assert sorted(extracted) == files
    assert "made by an earlier version" in capfd.readouterr().err
    assert path.read_bytes() == build(root, root.parent / "anew" / path.name).path.read_bytes()


@pytest.mark.parametrize(
    ("spoil_file", "why"),
    [
        (lambda file: file.attrs.pop("complete"), "never finished"),
        (lambda file: file["offsets"].write_direct(np.zeros(4, np.int64)), "are no offsets"),
        (lambda file: file["offsets"].write_direct(np.array([0, 1, 2, 3])), "do not cover"),
        (lambda file: file.attrs.pop("identity"), "identity"),
        (lambda file: file.pop("rejected/path"), "path"),
    ],
)
def test_a_damaged_cache_of_the_first_layout_is_refused(spoil_file, why, root, path):
    as_first_layout(path, root)
    with h5py.File(path, "r+") as file:
        spoil_file(file)
    for function in (cache.open_cache, lambda path: build(root, path)):
        with pytest.raises(cache.CacheError, match=f"cbmi2016.h5 is damaged .*{why}.*delete it"):
            function(path)
