"""`folder:PATH` whose folders are the parts of a split."""

import pytest

import data_prep
from data_prep.declare import DataError
from data_prep.prepare import prepare
from tests.data_prep.test_folder import touch


def run(root, tmp_path, layout=None):
    places = {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache"}
    return prepare(f"folder:{root}", **places, layout=layout)


def fill(root, *parts, tracks=2, classes=("jazz", "rock")):
    for part in parts:
        touch(*(root / part / name / f"{i}.wav" for name in classes for i in range(tracks)))
    return root


@pytest.mark.parametrize(
    "parts",
    [("train", "test"), ("Training", "Validation", "Testing"), ("train_clips", "dev", "eval")],
)
def test_folders_called_like_parts_are_asked_about(tmp_path, parts):
    root = fill(tmp_path / "d", *parts)
    names = ", ".join(sorted(parts))
    with pytest.raises(DataError, match=rf"folders are {names}\. Are they the parts of a split.*"):
        run(root, tmp_path)
    assert run(root, tmp_path, "classes").classes == tuple(sorted(parts))
    prepared = run(root, tmp_path, "split")
    assert prepared.classes == ("jazz", "rock")
    assert {*prepared.index["folders"]} == {"train", "validation", "test"}


@pytest.mark.parametrize("names", [("train", "car"), ("trainer", "tester"), ("test1", "test2")])
def test_other_names_are_classes(tmp_path, names):
    touch(*(tmp_path / "d" / name / "1.wav" for name in names))
    assert run(tmp_path / "d", tmp_path).classes == tuple(sorted(names))


def test_folders_make_a_named_split(tmp_path, capsys):
    root = fill(tmp_path / "d", "train", "val", "test")
    touch(root / "notes.txt", root / "pictures" / "1.png", root / "test" / "stray.wav")
    prepared = run(root, tmp_path, "split")
    expected = {"train": "train", "val": "validation", "test": "test"}
    for track, part, label in prepared.index[["track", "folders", "label"]].itertuples(index=False):
        folder, name, _ = track.split("/")
        assert (expected[folder], name) == (part, label)
    assert prepared.home.name == data_prep.get(f"folder:{root}", "split").name
    assert prepared.home.name.endswith("-split")
    assert "3 files left out (3 × outside any class folder (" in capsys.readouterr().out


def test_a_tenth_of_each_class_validates_where_no_folder_does(tmp_path):
    root = fill(tmp_path / "d", "train", "test", tracks=20)
    first = run(root, tmp_path, "split").index
    held = first[first["folders"] == "validation"]
    assert held["label"].value_counts().to_dict() == {"jazz": 2, "rock": 2}
    assert held["track"].str.startswith("train/").all()
    (root / "train" / "jazz" / "0.wav").rename(root / "train" / "jazz" / "0.ogg")
    assert run(root, tmp_path, "split").index["folders"].tolist() == first["folders"].tolist()


def test_copies_in_two_parts_are_said(tmp_path, capsys):
    root = fill(tmp_path / "d", "train", "test")
    for part in ("train", "test"):
        (root / part / "jazz" / "0.wav").write_text("the same")
    run(root, tmp_path, "split")
    said = capsys.readouterr().out
    assert "more than one part of the split (test/jazz/0.wav = train/jazz/0.wav)" in said


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("train", "valid"), "needs one folder train, one test and .*found: train, valid"),
        (("train", "test", "dev", "val"), "found: dev, test, train, val"),
        (("a", "b"), "found: none of them"),
    ],
)
def test_parts_that_are_none_are_refused(tmp_path, parts, message):
    with pytest.raises(DataError, match=message):
        run(fill(tmp_path / "d", *parts), tmp_path, "split")


def test_every_class_is_trained_on(tmp_path):
    root = fill(tmp_path / "d", "train", "test")
    touch(root / "test" / "funk" / "1.wav")
    with pytest.raises(DataError, match=r"d/test: no training folder for funk"):
        run(root, tmp_path, "split")
    fill(root, "train", classes=("funk",), tracks=1)
    with pytest.raises(DataError, match="'funk' has one training track: none is left to validate"):
        run(root, tmp_path, "split")


def test_declared_sets_have_a_layout_of_their_own():
    with pytest.raises(DataError, match=r"--layout .* gtzan has its own"):
        data_prep.get("gtzan", "split")
