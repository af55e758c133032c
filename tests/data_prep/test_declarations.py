"""The contract every declared data set must meet, and the helpers they share."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import data_prep
from data_prep.declare import Archive, DataError, DataSet
from data_prep.index import COLUMNS, find_layout, make_index

PUBLISHED = {
    "ballroom": {"total": 698, "classes": 8, "replicas": 13},
    "esc50": {"total": 2000, "classes": 50, "replicas": 0},
    "gtzan": {"total": 1000, "classes": 10, "replicas": 0},
    "music_speech": {"total": 128, "classes": 2, "replicas": 0},
    "tut_asc2017": {"total": 6300, "classes": 15, "replicas": 0},
    "urbansound8k": {"total": 8732, "classes": 10, "replicas": 0},
    "urbansound8k_partial": {"total": 1761, "classes": 10, "replicas": 0},
}


@pytest.mark.parametrize("name", data_prep.names())
def test_declaration_is_complete(name):
    dataset = data_prep.get(name)
    assert isinstance(dataset, DataSet)
    assert dataset.name == name
    assert len(dataset.description) > 20
    assert dataset.licence
    assert dataset.citation.count("{") == dataset.citation.count("}")
    # fetched, made, or brought by the user
    had = bool(dataset.archives), dataset.make is not None, dataset.own_audio
    assert sum(had) == 1 or (dataset.archives and dataset.own_audio)
    assert importlib.import_module(f"data_prep.sets.{name}").__doc__
    assert all(count is None or count > 0 for count in dataset.counts.values())
    assert dataset.classes == tuple(sorted(dataset.counts))
    if dataset.tags:
        assert not dataset.counts
        assert dataset.tracks > 0
        assert len(set(dataset.tags)) == len(dataset.tags) >= 2
        assert not any("|" in tag for tag in dataset.tags)
    else:
        assert dataset.tracks is None
        assert len(dataset.classes) >= 2
    assert dataset.layout.strip()


@pytest.mark.parametrize("name", data_prep.names())
def test_archives_are_verifiable(name):
    dataset = data_prep.get(name)
    filenames = [archive.filename for archive in dataset.archives]
    assert len(set(filenames)) == len(filenames)
    for archive in dataset.archives:
        for checksum in (archive.checksum, archive.reported):
            assert checksum is None or re.fullmatch(
                r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", checksum
            )
        assert archive.split in ("", *dataset.splits)
        assert archive.keep or not archive.split
        assert archive.urls
        for url in archive.urls:
            assert re.match(r"https?://[^/]+\.[^/]+/", url)
            assert url.endswith("/" + archive.filename)
        assert archive.max_unpacked > (archive.size or 0)
    if dataset.archives:
        assert not dataset.archives[0].optional
        assert dataset.citation.startswith("@")


@pytest.mark.parametrize("name", data_prep.names())
def test_replicas_and_known_bad_name_tracks_of_declared_classes(name):
    dataset = data_prep.get(name)
    named = [track for same in dataset.replicas for track in same]
    assert len(set(named)) == len(named)  # no track in two sets of replicas
    assert all(len(same) >= 2 for same in dataset.replicas)
    for track in (*named, *dataset.known_bad):
        label, _, stem = track.partition("/")
        assert label in dataset.counts or dataset.tags
        assert stem


@pytest.mark.parametrize("name", data_prep.names())
def test_splits_fit_the_set(name):
    dataset = data_prep.get(name)
    tracks = dataset.tracks or sum(count or 0 for count in dataset.counts.values())
    for split, parts in dataset.splits.items():
        assert split not in COLUMNS
        folds = [str(n + 1) for n in range(len(parts))]
        assert list(parts) in (["train", "validation", "test"], ["train", "test"], folds)
        assert not tracks or sum(parts.values()) <= tracks
    for split, parts in dataset.class_splits.items():
        if dataset.tags:  # a track may have several, and not every part is counted
            assert {*parts} <= {*dataset.splits[split]}
            assert all({*counts} <= {*dataset.tags} for counts in parts.values())
            continue
        sums = {part: sum(counts.values()) for part, counts in parts.items()}
        assert sums == dict(dataset.splits[split])
        assert all({*counts} == {*dataset.counts} for counts in parts.values())


@pytest.mark.parametrize("name", data_prep.names())
def test_index_of_an_empty_folder_is_an_empty_table(name, tmp_path):
    index = data_prep.get(name).index(tmp_path)
    assert tuple(index.columns)[: len(COLUMNS)] == COLUMNS
    assert len(index) == 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures(name):
    dataset = data_prep.get(name)
    assert sum(dataset.counts.values()) == PUBLISHED[name]["total"]
    assert len(dataset.classes) == PUBLISHED[name]["classes"]
    assert len(dataset.replicas) == PUBLISHED[name]["replicas"]


def test_ballroom_is_the_set_of_the_paper():
    ballroom = data_prep.get("ballroom")
    audio = ballroom.archives[0]
    assert audio.checksum == "md5:2872a3e52070bc342a4510a95e2fa0b8"
    assert audio.urls[0].endswith("mtg.upf.edu/ismir2004/contest/tempoContest/data1.tar.gz")
    # The most frequent class is the paper's baseline of 15.9 per cent.
    assert max(ballroom.counts, key=ballroom.counts.get) == "ChaChaCha"
    assert round(100 * ballroom.counts["ChaChaCha"] / 698, 1) == 15.9


def test_unknown_name_lists_the_declared_ones():
    for name in ("nope", "nope:a,b"):
        with pytest.raises(DataError, match=r"'nope.*ballroom, .*mini_ballroom, .*folder:"):
            data_prep.get(name)


def test_importing_declarations_does_not_load_tensorflow():
    script = (
        "import sys, data_prep, data_prep.prepare\n"
        "for name in data_prep.names(): data_prep.get(name)\n"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    top = Path(data_prep.__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", script], cwd=top).returncode == 0


def test_declarations_cannot_be_changed():
    with pytest.raises(AttributeError):
        data_prep.get("ballroom").name = "other"
    with pytest.raises(AttributeError):
        Archive("a", (), "md5:", None, 1).size = 2


def test_index_is_sorted_relative_and_grouped(tmp_path):
    tracks = [
        ("b/2", tmp_path / "x" / "2.wav", "b", 120),
        ("a/1", tmp_path / "1.wav", "a", float("nan")),
        ("c/3", tmp_path / "3.wav", "c", 90.5),
    ]
    index = make_index(iter(tracks), tmp_path, replicas=(("c/3", "b/2"),))
    assert index["track"].tolist() == ["a/1", "b/2", "c/3"]
    assert index["path"].tolist() == ["1.wav", "x/2.wav", "3.wav"]
    assert index["group"].tolist() == ["a/1", "b/2", "b/2"]
    assert index["tempo"].tolist()[1:] == [120.0, 90.5]


def test_two_files_for_one_track_are_refused(tmp_path):
    tracks = [("a/1", tmp_path / f"1.{kind}", "a", 0) for kind in ("wav", "ogg")]
    with pytest.raises(DataError, match=r"'a/1': 1\.ogg and 1\.wav"):
        make_index(tracks, tmp_path)


def test_name_that_is_no_unicode_is_refused(tmp_path):
    with pytest.raises(DataError, match="not valid Unicode"):
        make_index([("a/1", tmp_path / "\udcff.wav", "a", 0)], tmp_path)


def test_layout_is_found_at_the_root_or_one_deeper(tmp_path):
    assert find_layout(tmp_path / "absent", ["x"]) is None
    (tmp_path / "deeper" / "x").mkdir(parents=True)
    (tmp_path / ".hidden" / "x").mkdir(parents=True)
    assert find_layout(tmp_path, ["x", "y"]) == tmp_path / "deeper"
    (tmp_path / "x").mkdir()
    assert find_layout(tmp_path, ["x", "y"]) == tmp_path
    (tmp_path / "deeper" / "y").mkdir()
    assert find_layout(tmp_path, ["x", "y"]) == tmp_path / "deeper"


@pytest.mark.parametrize("place", ["", "a", "a/b"])
def test_layout_is_where_the_audio_is(tmp_path, place):
    names = ("x", "y", "z")
    for name in names:
        for folder, file in ((tmp_path / "A", "1.png"), (tmp_path / "a" / "A", "1.txt")):
            (folder / name / "deep").mkdir(parents=True)
            (folder / name / "deep" / file).touch()
    (tmp_path / "A" / "x" / "1.wav").touch()  # fewer than two
    for name in names[:2]:
        (tmp_path / place / name / "cd").mkdir(parents=True)
        (tmp_path / place / name / "cd" / "1.FLAC").touch()
    assert find_layout(tmp_path, names) == tmp_path / place
    assert find_layout(tmp_path, names, {".png"}) == tmp_path / "A"
