"""MSD and TAGTRAUM with a few songs: lists kept, audio brought, what is missing said."""

import dataclasses
import zipfile

import numpy as np
import pytest

import data_prep
from data_prep.declare import DataError
from data_prep.fetch.lists import archive_folder
from data_prep.prepare import prepare
from data_prep.sets import msd, tagtraum
from tests.data_prep.miniature import pickled

SONGS = [f"TRAAA{letter}{letter}128F42{n:05X}" for n, letter in enumerate("ABCDEFGH")]
COUNTS = {"train": 4, "validation": 2, "test": 2}


@pytest.fixture
def places(tmp_path):
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


@pytest.fixture
def root(places, monkeypatch):
    """The user's folder with all songs but one of training and one of testing."""
    for module, split in ((msd, "msd-lee"), (tagtraum, "tagtraum-lee")):
        monkeypatch.setitem(module.SPLITS, split, COUNTS)
        few = {"splits": {split: COUNTS}} | ({"tracks": 8} if module is msd else {})
        monkeypatch.setattr(module, "DATASET", dataclasses.replace(module.DATASET, **few))
    root = places["data_root"] / "msd"
    (root / "any" / "folder").mkdir(parents=True)
    for song in SONGS[1:-1]:
        (root / "any" / "folder" / f"{song}.clip.mp3").touch()
    for stray in ("notes.txt", "TRAAAAA128F4200000x.mp3", f"{SONGS[0]}.txt", "other.mp3"):
        (root / stray).touch()
    return root


def put_msd(place):
    place.mkdir(parents=True, exist_ok=True)
    (place / "filtered_list_train.cP").write_bytes(pickled(SONGS[:6]))
    (place / "filtered_list_test.cP").write_bytes(pickled(SONGS[6:]))
    rows = np.eye(8, len(msd.TAGS), dtype=bool) | np.eye(8, len(msd.TAGS), k=3, dtype=bool)
    for part, these in (("train", slice(4)), ("valid", slice(4, 6)), ("test", slice(6, 8))):
        (place / f"{part}_x_msd_id.txt").write_text("\n".join(SONGS[these]) + "\n")
        np.save(place / f"{part}_y.npy", rows[these])


def put_tagtraum(place, genre="New Age"):
    place.mkdir(parents=True, exist_ok=True)
    (place / "train_list.cP").write_bytes(pickled(SONGS[:6]))
    (place / "test_list.cP").write_bytes(pickled(SONGS[6:]))
    text = "# comments first\n" + "".join(f"{song}\t{genre}\n" for song in SONGS)
    with zipfile.ZipFile(place / "msd_tagtraum_cd2c.cls.zip", "w") as packed:
        packed.writestr("msd_tagtraum_cd2c.cls", text)


@pytest.mark.parametrize("beside", [True, False])
def test_msd_finds_audio_by_id_and_tells_what_is_missing(root, places, capsys, beside):
    put_msd(root if beside else archive_folder(root))
    index = prepare("msd", **places).index
    assert index["track"].tolist() == SONGS[1:-1]
    assert index["label"][0] == "pop|electronic"
    assert index["msd-lee"].tolist() == ["train"] * 3 + ["validation"] * 2 + ["test"]
    assert "1 of 4 in train, 0 of 2 in validation, 1 of 2 in test" in capsys.readouterr().out


def test_tagtraum_shares_the_audio(root, places, capsys):
    put_tagtraum(archive_folder(root))
    prepared = prepare("tagtraum", **places)
    assert prepared.root == root
    assert prepared.home.name == "tagtraum"
    assert len(prepared.classes) == 15
    assert prepared.index["label"].tolist() == ["New Age"] * 6
    assert "1 of 4 in train" in capsys.readouterr().out


def test_lists_that_are_not_the_published_ones_are_refused(root, places):
    put_tagtraum(root, genre="Polka")
    with pytest.raises(DataError, match=r"8 songs .* none of the 15 genres.*'Polka'"):
        prepare("tagtraum", **places)
    put_msd(root)
    np.save(root / "test_y.npy", np.zeros((2, 49)))
    with pytest.raises(DataError, match=r"test_y\.npy: shape \(2, 49\)"):
        prepare("msd", **places)
    np.save(root / "test_y.npy", np.array([["a"], [None]], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"test_y\.npy is no array of numbers"):
        prepare("msd", **places)
    (root / "filtered_list_test.cP").write_bytes(pickled(SONGS[6:7]))
    with pytest.raises(DataError, match=r"filtered_list_test\.cP 1 \(2 expected\)"):
        prepare("msd", **places)


@pytest.mark.parametrize("name", ["msd", "tagtraum"])
def test_absent_audio_and_absent_lists_are_said(places, name, root):
    with pytest.raises(DataError, match=r"could not be fetched[\s\S]*not tried \(offline\)"):
        prepare(name, **places)
    {"msd": put_msd, "tagtraum": put_tagtraum}[name](archive_folder(root))
    for song in root.rglob("TR*.mp3"):
        song.unlink()
    with pytest.raises(DataError, match=f"No audio of {name} was found below"):
        prepare(name, **places)
    elsewhere = places | {"data_root": places["data_root"] / "elsewhere"}
    with pytest.raises(DataError, match=r"bring your own to .*msd"):
        prepare(name, **elsewhere)


def test_published_counts():
    assert data_prep.get("msd").tracks == 241_889
    assert sum(data_prep.get("tagtraum").splits["tagtraum-lee"].values()) == 189_189
    assert len(data_prep.get("msd").tags) == 50
    assert len(data_prep.get("tagtraum").classes) == 15
