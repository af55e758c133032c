"""GTZAN and its subsets, on empty files of the published names."""

import hashlib
import shutil
from dataclasses import replace

import pytest

import data_prep
from data_prep.declare import DataError
from data_prep.fetch.lists import archive_folder
from data_prep.prepare import prepare
from data_prep.sets import gtzan
from mirkeras.pipeline.splits import named_folds
from tests.data_prep.miniature import LISTS

TRIO = "gtzan:classical,jazz,rock"


@pytest.fixture
def places(tmp_path):
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


def fill(root, genres=gtzan.GENRES, ending=".wav"):
    for genre in genres:
        (root / genre).mkdir(parents=True)
        for number in range(100):
            (root / genre / f"{genre}.{number:05d}{ending}").touch()


def test_split_lists_that_are_missing_are_named_with_their_place(places, capsys):
    fill(places["data_root"] / "gtzan" / "genres")
    prepared = prepare("gtzan", **places)
    assert "fault-filtered" not in prepared.index.columns
    said = capsys.readouterr().out
    for needed in ("the split fault-filtered", "train_filtered.txt", "raw.githubusercontent.com",
                   "the split sturm-3folds", "f3_test.txt",
                   str(archive_folder(prepared.root))):  # fmt: skip
        assert needed in said


@pytest.mark.parametrize("ending", [".wav", ".au", ".ogg"])
def test_known_bad_track_may_be_absent_and_no_other(places, ending):
    root = places["data_root"] / "gtzan"
    fill(root, ending=ending)
    (root / "jazz" / f"jazz.00054{ending}").unlink()
    assert len(prepare("gtzan", **places).index) == 999
    (root / "jazz" / f"jazz.00053{ending}").unlink()
    with pytest.raises(DataError, match=r"jazz +100 expected +98 found <"):
        prepare("gtzan", **places)


def test_the_copy_of_kaggle_is_found_two_folders_deep_and_said(places, capsys):
    root = places["data_root"] / "gtzan"
    for genre in gtzan.GENRES:
        (root / "Data" / "images_original" / genre).mkdir(parents=True)
        (root / "Data" / "images_original" / genre / f"{genre}00000.png").touch()
    fill(root / "Data" / "genres_original")
    index = prepare("gtzan", **places).index
    assert len(index) == 1000
    assert index["path"].iloc[0] == "Data/genres_original/blues/blues.00000.wav"
    assert f"{root} (audio in Data/genres_original); index" in capsys.readouterr().out


def test_subset_shares_the_audio_and_nothing_else(places):
    root = places["data_root"] / "gtzan"
    fill(root)
    prepared = prepare("gtzan:rock,jazz", **places)
    assert prepared.dataset.name == prepared.home.name == "gtzan-jazz-rock"
    assert prepared.root == root
    assert prepared.classes == ("jazz", "rock")
    assert prepared.index["label"].value_counts().to_dict() == {"jazz": 100, "rock": 100}
    assert prepared.dataset.splits["fault-filtered"] == {"train": 87, "validation": 41, "test": 59}
    assert prepared.dataset.splits["sturm-3folds"] == {"1": 62, "2": 62, "3": 63}
    assert "Sturm 2013" in prepared.dataset.repeats
    assert prepared.dataset.known_bad == gtzan.KNOWN_BAD
    assert data_prep.get("gtzan:pop,rock").known_bad == ()


def test_incomplete_set_hints_at_the_subset(places):
    fill(places["data_root"] / "gtzan", ("classical", "jazz", "rock"))
    with pytest.raises(DataError, match=TRIO):
        prepare("gtzan", **places)
    assert len(prepare(TRIO, **places).index) == 300


@pytest.mark.parametrize("classes", ["", "jazz", "jazz,jazz", "jazz,polka"])
def test_impossible_subsets_are_refused(classes):
    with pytest.raises(DataError, match="at least two different classes of blues, classical"):
        data_prep.get(f"gtzan:{classes}")


def test_sets_with_tags_have_no_subsets():
    with pytest.raises(DataError, match="has tags, no classes"):
        data_prep.get("magnatagatune:guitar,piano")


def write_folds(folder, monkeypatch, folds):
    """Write lists of folds in the published form and make them the declared ones."""
    folder.mkdir(parents=True)
    sums = {}
    for fold, stems in folds.items():
        text = "".join(f"./{stem}.wav\n" for stem in stems)
        (folder / f"f{fold}_test.txt").write_text(text)
        sums[f"f{fold}_test.txt"] = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    archives = tuple(
        replace(archive, checksum=sums.get(archive.filename, archive.checksum))
        for archive in gtzan.ARCHIVES
    )
    counts = {"sturm-3folds": {fold: len(stems) for fold, stems in folds.items()}}
    dataset = replace(gtzan.DATASET, archives=archives, splits=counts, class_splits={})
    monkeypatch.setattr(gtzan, "DATASET", dataset)


def test_folds_are_read_from_the_published_form(places, monkeypatch):
    root = places["data_root"] / "gtzan"
    fill(root)
    folds = {"1": ["blues_00012"], "2": ["jazz_00054", "rock_00001"], "3": ["hiphop_00099"]}
    write_folds(archive_folder(root), monkeypatch, folds)
    index = prepare("gtzan", **places).index.set_index("track")["sturm-3folds"]
    assert index[index != ""].to_dict() == {
        "blues/blues.00012": "1",
        "hiphop/hiphop.00099": "3",
        "jazz/jazz.00054": "2",
        "rock/rock.00001": "2",
    }


def test_an_excerpt_in_two_folds_is_refused(places, monkeypatch):
    root = places["data_root"] / "gtzan"
    fill(root)
    folds = {"1": ["blues_00012"], "2": ["blues_00012"], "3": ["hiphop_00099"]}
    write_folds(archive_folder(root), monkeypatch, folds)
    with pytest.raises(DataError, match=r"sturm-3folds: 'blues/blues\.00012' is listed twice"):
        prepare("gtzan", **places)


def test_the_default_split_is_the_fault_filtered_one():
    assert list(gtzan.DATASET.splits) == ["fault-filtered", "sturm-3folds"]
    assert gtzan.DATASET.splits["sturm-3folds"] == {"1": 315, "2": 316, "3": 317}


@pytest.mark.skipif(LISTS is None, reason="the published split lists are not at hand")
def test_sturms_folds_have_the_declared_counts(places):
    root = places["data_root"] / "gtzan"
    fill(root)
    archive_folder(root).mkdir(parents=True)
    for fold in gtzan.FOLDS:
        shutil.copy(LISTS / "gtzan-sturm-3folds" / f"f{fold}_test.txt", archive_folder(root))
    index = prepare("gtzan", **places).index  # which checks the sums of each fold
    found = index.groupby(["sturm-3folds", "label"]).size()
    for fold, counts in gtzan.CLASS_SPLITS["sturm-3folds"].items():
        assert found[fold].to_dict() == counts
    assert found[""].sum() == 52
    assert named_folds(index["sturm-3folds"].to_numpy(str)) == 3
    (root / "jazz" / "jazz.00054.wav").unlink()
    index = prepare(TRIO, **places).index
    assert index["sturm-3folds"].value_counts().to_dict() == {"1": 96, "2": 95, "3": 95, "": 13}


@pytest.mark.skipif(LISTS is None, reason="the published split lists are not at hand")
def test_published_lists_have_the_declared_counts(places):
    root = places["data_root"] / "gtzan"
    fill(root)
    shutil.copytree(LISTS / "gtzan-fault-filtered", archive_folder(root))
    index = prepare("gtzan", **places).index  # which checks the sums of each part
    found = index.groupby(["fault-filtered", "label"]).size().drop("")
    for part, counts in gtzan.CLASS_SPLITS["fault-filtered"].items():
        assert found[part].to_dict() == counts
    (root / "jazz" / "jazz.00054.wav").unlink()
    index = prepare(TRIO, **places).index
    assert index["fault-filtered"].value_counts().to_dict() == {
        "train": 134, "test": 90, "validation": 61, "": 14,
    }  # fmt: skip
    (archive_folder(root) / "test_filtered.txt").write_text("rock/rock.00000.wav\n")
    with pytest.raises(DataError, match=r"test_filtered\.txt is not the published file"):
        prepare(TRIO, **places)
