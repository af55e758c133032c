"""UrbanSound8K's indices on empty files named as in a table of the published form."""

import pytest

from data_prep.declare import DataError
from data_prep.prepare import prepare
from data_prep.sets import urbansound8k


@pytest.fixture
def places(tmp_path):
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


def fill(place, folds, ending=".wav", table=None):
    """As many clips as published, three from each recording; the table always says .wav."""
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class"]
    for fold in folds:
        folder = place / "audio" / f"fold{fold}"
        folder.mkdir(parents=True)
        for number, (label, count) in enumerate(urbansound8k.FOLDS[fold].items()):
            for clip in range(count):
                recording = 100_000 * int(fold) + 1000 * number + clip // 3
                stem = f"{recording}-{number}-0-{clip % 3}"
                lines.append(f"{stem}.wav,{recording},0.0,4.0,1,{fold},{number},{label}")
                (folder / f"{stem}{ending}").touch()
    if table is not None:
        table.parent.mkdir(exist_ok=True)
        table.write_text("\n".join(lines) + "\n")


def test_index_has_folds_and_recordings(places):
    place = places["data_root"] / "urbansound8k" / "UrbanSound8K"
    fill(place, urbansound8k.FOLDS, table=place / "metadata" / "UrbanSound8K.csv")
    index = prepare("urbansound8k", **places).index  # which checks classes and folds
    siren = index[index["track"] == "siren/1008001-8-0-2"].iloc[0]
    assert (siren["label"], siren["group"], siren["official"]) == ("siren", "1008001", "10")
    assert index.groupby("group")["official"].nunique().max() == 1
    sizes = index["official"].value_counts().to_dict()
    assert (sizes["1"], sizes["2"], sizes["3"], sizes["10"]) == (873, 888, 925, 837)
    assert urbansound8k.DATASET.counts["siren"] == 929


def test_incomplete_copies_are_refused(places):
    place = places["data_root"] / "urbansound8k"
    table = place / "UrbanSound8K.csv"
    fill(place, urbansound8k.FOLDS, ending=".ogg", table=table)
    clip = place / "audio" / "fold1" / "108000-8-0-0.ogg"
    clip.unlink()
    with pytest.raises(DataError, match=r"siren +929 expected +928 found <"):
        prepare("urbansound8k", **places)
    clip.touch()
    prepare("urbansound8k", **places)
    text = table.read_text()
    table.write_text(text.replace(",fold,", ",part,"))
    with pytest.raises(DataError, match=r"is not the published table.*fold"):
        prepare("urbansound8k", **places)
    table.write_text(text.replace(",10,8,siren", ",11,8,siren"))
    with pytest.raises(DataError, match=r"is not the published table \(fold '11'\)"):
        prepare("urbansound8k", **places)
    table.unlink()
    with pytest.raises(DataError, match=r"no metadata/UrbanSound8K\.csv"):
        prepare("urbansound8k", **places)


def test_a_partial_copy_needs_no_table_and_is_called_so(places, capsys):
    place = places["data_root"] / "us8k"
    fill(place, ("1", "2"), ending=".ogg")
    (place / "audio" / "fold1" / "readme.txt").touch()
    (place / "audio" / "fold1" / "other.ogg").touch()
    prepared = prepare("urbansound8k_partial", **places)
    assert prepared.home.name == "urbansound8k_partial"
    assert "NOT the published audio" in prepared.dataset.description
    index = prepared.index
    assert index["official"].value_counts().to_dict() == {"1": 873, "2": 888}
    dog = index[index["track"] == "dog_bark/203002-3-0-1"].iloc[0]
    assert (dog["label"], dog["group"], dog["official"]) == ("dog_bark", "203002", "2")
    assert dog["path"] == "audio/fold2/203002-3-0-1.ogg"
    assert "no audio" not in capsys.readouterr().out
    (place / dog["path"]).unlink()
    prepare("urbansound8k_partial", **places)
    assert "no audio for 0 of 873 in 1, 1 of 888 in 2" in capsys.readouterr().out


def test_a_partial_copy_is_the_users_own(places):
    with pytest.raises(DataError, match=r"bring your own to .*us8k"):
        prepare("urbansound8k_partial", **places)
