"""UrbanSound8K, whole and in part, TUT Acoustic Scenes and Extended Ballroom on empty files."""

from collections import Counter
from pathlib import Path

import pytest

from data_prep.declare import DataError
from data_prep.prepare import prepare
from data_prep.sets import extended_ballroom, tut_asc2017, urbansound8k


@pytest.fixture
def places(tmp_path: Path) -> dict:
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


def fill(place: Path, folds, ending: str = ".wav") -> None:
    """Clips, three of each recording, in the folders of their folds."""
    for fold in folds:
        (place / "audio" / f"fold{fold}").mkdir(parents=True)
        for number, (_, counts) in enumerate(urbansound8k.COUNTED.items()):
            for clip in range(counts[fold - 1]):
                name = f"{1000 * fold + 100 * number + clip // 3}-{number}-0-{clip}{ending}"
                (place / "audio" / f"fold{fold}" / name).touch()


@pytest.mark.parametrize(
    ("name", "folder", "folds", "ending"),
    [
        ("urbansound8k", "urbansound8k/UrbanSound8K", range(1, 11), ".wav"),
        ("urbansound8k_partial", "us8k", (1, 2), ".ogg"),
    ],
)
def test_folds_and_recordings_are_in_the_names(places, name, folder, folds, ending) -> None:
    fill(places["data_root"] / folder, folds, ending)
    (places["data_root"] / folder / "audio" / "fold1" / ".DS_Store").touch()
    prepared = prepare(name, **places)  # which checks classes and folds
    assert {*prepared.index.official} == {str(fold) for fold in folds}
    clip = prepared.index.set_index("track").loc["dog_bark/1300-3-0-1"]
    assert (clip.label, clip.group, clip.official) == ("dog_bark", "1300", "1")
    assert (places["data_root"] / folder.partition("/")[0] / clip.path).is_file()
    assert prepared.index.groupby("group").size().max() == 3


def test_what_is_not_as_published_is_said(places, capsys) -> None:
    root = places["data_root"] / "us8k"
    fill(root, (1, 2))
    (root / "audio" / "fold2" / "1300-3-0-1.wav").touch()
    with pytest.raises(DataError, match="this clip is in fold 1, too"):
        prepare("urbansound8k_partial", **places)
    (root / "audio" / "fold2" / "1300-3-0-1.wav").rename(root / "audio" / "fold2" / "siren.wav")
    with pytest.raises(DataError, match=r"siren\.wav is not named as a clip"):
        prepare("urbansound8k_partial", **places)
    (root / "audio" / "fold2" / "siren.wav").unlink()
    (root / "audio" / "fold1" / "1300-3-0-1.wav").unlink()
    prepare("urbansound8k_partial", **places)
    assert (
        "no audio for 1 of 873 in 1, 0 of 888 in 2 of the split official" in capsys.readouterr().out
    )


def test_scenes_train_and_test_as_published(places) -> None:
    for part, ending in tut_asc2017.PARTS.items():
        place = places["data_root"] / "tut_asc2017" / f"TUT-acoustic-scenes-2017-{ending}"
        (place / "audio").mkdir(parents=True)
        lines = []
        for number, label in enumerate(tut_asc2017.CLASSES):
            for clip in range(tut_asc2017.PER_CLASS[part]):
                spot = f"{part[:2]}{number}-{clip // 3}"
                lines.append(f"audio/{spot}_{clip}.wav\t{label}\t{spot}")
                (place / f"audio/{spot}_{clip}.wav").touch()
        (place / "meta.txt").write_text("\n".join(lines))
    index = prepare("tut_asc2017", **places).index
    assert Counter(index.official) == {"train": 4680, "test": 1620}
    assert index.groupby("group").official.nunique().max() == 1
    (place / "meta.txt").write_text(lines[0] + "\naudio/none.wav\tbeach\tx\n")
    with pytest.raises(DataError, match=r"meta\.txt, line 2: there is no file .*none\.wav"):
        prepare("tut_asc2017", **places)
    (place / "meta.txt").write_text("audio/none.wav\tmoon\tx\n")
    with pytest.raises(DataError, match="line 1: there is no scene 'moon'"):
        prepare("tut_asc2017", **places)


def test_dances_are_folders(places) -> None:
    root = places["data_root"] / "extended_ballroom"
    for dance, count in extended_ballroom.COUNTS.items():
        (root / dance).mkdir(parents=True)
        for number in range(count):
            (root / dance / f"{number}.mp3").touch()
    prepared = prepare("extended_ballroom", **places)
    assert prepared.index.label.value_counts().to_dict() == extended_ballroom.COUNTS
    (root / "Salsa" / "more.mp3").touch()
    with pytest.raises(DataError, match=r"Salsa +47 expected +48 found <"):
        prepare("extended_ballroom", **places)
