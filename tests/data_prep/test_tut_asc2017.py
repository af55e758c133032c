"""The index of TUT Acoustic Scenes 2017 on empty files named as in tables of the published form."""

import pytest

from data_prep.declare import DataError
from data_prep.prepare import prepare
from data_prep.sets import tut_asc2017


@pytest.fixture
def places(tmp_path):
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


def fill(root, table="meta.txt"):
    """As many clips as published, 24 from each recording."""
    for half, count in (("development", 312), ("evaluation", 108)):
        place = root / f"TUT-acoustic-scenes-2017-{half}"
        (place / "audio").mkdir(parents=True)
        lines = []
        for number, scene in enumerate(tut_asc2017.CLASSES):
            for clip in range(count):
                recording = f"{'ab'[half == 'evaluation']}{100 * number + clip // 24:04d}"
                stem = f"{recording}_{10 * (clip % 24)}_{10 * (clip % 24) + 10}"
                named = f"\t{recording}" if half == "development" else ""
                lines.append(f"audio/{stem}.wav\t{scene}{named}")
                (place / "audio" / f"{stem}.wav").touch()
        path = place / (table if half == "evaluation" else "meta.txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("table", ["meta.txt", "evaluation_setup/evaluate.txt"])
def test_index_has_parts_and_recordings(places, table):
    root = places["data_root"] / "tut_asc2017"
    fill(root, table)
    index = prepare("tut_asc2017", **places).index  # which checks classes and parts
    assert index["official"].value_counts().to_dict() == {"train": 4680, "test": 1620}
    cafe = index[index["track"] == "development/a0201_30_40"].iloc[0]
    assert (cafe["label"], cafe["group"]) == ("cafe/restaurant", "a0201")
    test = index[index["official"] == "test"]
    assert test["group"].is_unique


def test_incomplete_copies_are_refused(places):
    root = places["data_root"] / "tut_asc2017"
    fill(root)
    half = root / "TUT-acoustic-scenes-2017-development"
    (half / "audio" / "a0000_0_10.wav").unlink()
    with pytest.raises(DataError, match=r"beach +420 expected +419 found <"):
        prepare("tut_asc2017", **places)
    (half / "meta.txt").write_text("audio/a0000_0_10.wav a0000\n")
    with pytest.raises(DataError, match=r"meta\.txt, line 1: '' is none of the 15 scenes"):
        prepare("tut_asc2017", **places)
    (half / "meta.txt").unlink()
    with pytest.raises(DataError, match=r"has audio but no meta\.txt"):
        prepare("tut_asc2017", **places)
