"""ESC-50's index on empty files named as in a table of the published form."""

import pytest

from data_prep.declare import DataError
from data_prep.prepare import prepare
from data_prep.sets import esc50


@pytest.fixture
def places(tmp_path):
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


def fill(place, table="meta/esc50.csv", ending=".wav"):
    """2,000 clips, two from each recording; files end in `ending`, the table always says .wav."""
    (place / "audio").mkdir(parents=True)
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for target, label in enumerate(esc50.CLASSES):
        for number in range(40):
            fold, source = number // 8 + 1, 1000 * target + number // 2
            stem = f"{fold}-{source}-{'AB'[number % 2]}-{target}"
            lines.append(f"{stem}.wav,{fold},{target},{label},False,{source},A")
            (place / "audio" / f"{stem}{ending}").touch()
    (place / table).parent.mkdir(exist_ok=True)
    (place / table).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("folder", "table", "ending"),
    [("ESC-50-master", "meta/esc50.csv", ".wav"), ("", "esc50.csv", ".ogg")],
)
def test_index_has_folds_and_recordings(places, folder, table, ending):
    root = places["data_root"] / "esc50"
    fill(root / folder, table, ending)
    index = prepare("esc50", **places).index  # which checks classes and folds
    dog = index[index["track"] == "dog/1-18000-A-18"].iloc[0]
    assert (dog["label"], dog["group"], dog["official"]) == ("dog", "18000", "1")
    assert (root / dog["path"]).is_file()
    assert index.groupby("group")["official"].nunique().max() == 1
    subset = prepare("esc50:dog,cat", **places)
    assert subset.index["official"].value_counts().to_dict() == dict.fromkeys("12345", 16)


def test_incomplete_copies_are_refused(places):
    root = places["data_root"] / "esc50"
    fill(root)
    (root / "audio" / "1-18000-A-18.wav").unlink()
    with pytest.raises(DataError, match=r"dog +40 expected +39 found <"):
        prepare("esc50", **places)
    (root / "meta" / "esc50.csv").write_text("filename,category\n")
    with pytest.raises(DataError, match="is not the published table"):
        prepare("esc50", **places)
    (root / "meta" / "esc50.csv").unlink()
    with pytest.raises(DataError, match=r"no meta/esc50\.csv"):
        prepare("esc50", **places)
