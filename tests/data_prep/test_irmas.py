"""IRMAS on miniatures of the exact form: folders, names and text files as published."""

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_prep.declare import DataError
from data_prep.fetch.download import STAND_IN
from data_prep.prepare import prepare
from data_prep.sets import irmas

CLIPS = {
    "cel": ("[cel][cla]0001__1", "[cel][cla]0001__2", "008__[cel][nod][cla]0058__1"),
    "pia": ("[pia][cla]1444__1", "031__[pia][nod][cla]1444__1", "[pia][jaz_blu]1318__2"),
    "voi": ("[voi][pop_roc]2400__1", "001__[voi][dru][cou_fol]2401__3"),
}
# Text files end their lines as the published ones do (a tab behind the label), or otherwise.
EXCERPTS = {
    "IRMAS-TestingData-Part1/Part1/01 - 999-2": b"gel\t\r\norg\t\r\nvoi\t\r\n",
    "IRMAS-TestingData-Part1/Part1/01 - 999-12": b"voi\t\ngel\t\n",
    "IRMAS-TestingData-Part2/IRTestingData-Part2/07 - Store Bought Bones - 07-10": b"\n gel\n\norg",
    "IRMAS-TestingData-Part3/Part3/Segovia, Andre\u0301s (1 Of 2), For Guitar-9": b"gac\t",
}


def sound() -> bytes:
    """A wav file of the set's form, but for its length."""
    made = io.BytesIO()
    samples = np.zeros((441, 2), "int16")
    soundfile.write(made, samples, 44_100, format="WAV")
    return made.getvalue()


def contents() -> dict[str, bytes]:
    """Path below the data set's folder → content."""
    wav = sound()
    found = {
        f"IRMAS-TrainingData/{code}/{name}.wav": wav
        for code, names in CLIPS.items()
        for name in names
    }
    found["IRMAS-TrainingData/README.txt"] = b"whatever\n"
    for name, text in EXCERPTS.items():
        found |= {f"{name}.wav": wav, f"{name}.txt": text}
    return found


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the miniature, which is declared in place of the published set."""
    for name, content in contents().items():
        path = tmp_path / "data/irmas" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tags = {irmas.INSTRUMENTS[code]: len(names) for code, names in CLIPS.items()}
    declared = replace(
        irmas.DATASET,
        tracks=12,
        splits={"official": {"train": 8, "test": 4}},
        class_splits={"official": {"train": dict.fromkeys(irmas.DATASET.tags, 0) | tags}},
    )
    monkeypatch.setattr(irmas, "DATASET", declared)
    return tmp_path / "data/irmas"


def prepared(root: Path, **options):
    where = {"data_root": root.parent, "cache_root": root.parents[1] / "cache"}
    return prepare("irmas", offline=True, **where, **options)


def test_the_published_numbers() -> None:
    assert irmas.DATASET.splits == {"official": {"train": 6_705, "test": 2_874}}
    assert irmas.DATASET.tracks == 9_579
    by_code = {code: irmas.CLIPS[name] for code, name in irmas.INSTRUMENTS.items()}
    assert by_code == {
        **{"cel": 388, "cla": 505, "flu": 451, "gac": 637, "gel": 760, "org": 682},
        **{"pia": 721, "sax": 626, "tru": 577, "vio": 580, "voi": 778},
    }


def test_labels_parts_and_songs(root: Path) -> None:
    index = prepared(root).index.set_index("track")
    assert index.official.value_counts().to_dict() == {"train": 8, "test": 4}
    assert index.label.to_dict() == {
        **{f"{code}/{name}": irmas.INSTRUMENTS[code] for code in CLIPS for name in CLIPS[code]},
        # in the order of the vocabulary, whatever that of the file
        "Part1/01 - 999-2": "organ|electric guitar|voice",
        "Part1/01 - 999-12": "electric guitar|voice",
        "IRTestingData-Part2/07 - Store Bought Bones - 07-10": "organ|electric guitar",
        "Part3/Segovia, Andre\u0301s (1 Of 2), For Guitar-9": "acoustic guitar",
    }
    songs = index.groupby("group").size().to_dict()
    assert songs == {
        **{"cel/0001": 2, "cel/0058": 1, "pia/1444": 2, "pia/1318": 1},
        **{"voi/2400": 1, "voi/2401": 1, "01 - 999": 2, "07 - Store Bought Bones - 07": 1},
        "Segovia, Andre\u0301s (1 Of 2), For Guitar": 1,
    }
    assert all((root / path).is_file() for path in index.path)


def test_clips_may_lie_without_their_folder(root: Path) -> None:
    for code in CLIPS:
        (root / "IRMAS-TrainingData" / code).rename(root / code)
    assert prepared(root).index.official.value_counts().to_dict() == {"train": 8, "test": 4}


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("IRMAS-TrainingData/cel/[cel][cla]0001__2.wav", r"train, cello +3 expected +2 found <"),
        ("IRMAS-TestingData-Part1/Part1/01 - 999-2.wav", r"test +4 expected +3 found <"),
    ],
)
def test_what_is_missing_is_named(root: Path, missing: str, said: str) -> None:
    (root / missing).unlink()
    with pytest.raises(DataError, match=said):
        prepared(root)


def test_a_clip_in_the_wrong_folder_is_found_though_the_sum_is_right(root: Path) -> None:
    clip = root / "IRMAS-TrainingData/cel/[cel][cla]0001__2.wav"
    clip.rename(clip.parents[1] / "voi" / clip.name)
    with pytest.raises(DataError, match=r"(?s)cello +3 expected +2 found <.*voice +2 .* 3 found <"):
        prepared(root)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"gel\t\ndru\t\n", r"01 - 999-2\.txt names 'dru', no instrument of cel, "),
        (b"gel gac\n", r"01 - 999-2\.txt names 'gel gac'"),
        (b"\r\n\t\r\n", r"01 - 999-2\.txt names no instrument"),
        (b"\xff\xfe", r"01 - 999-2\.txt is not the text it should be"),
        (None, r"01 - 999-2\.txt is missing: every excerpt"),
    ],
)
def test_labels_that_cannot_be(root: Path, text: bytes | None, said: str) -> None:
    path = root / "IRMAS-TestingData-Part1/Part1/01 - 999-2.txt"
    path.unlink() if text is None else path.write_bytes(text)
    with pytest.raises(DataError, match=said):
        prepared(root)


def test_it_says_where_to_get_what_is_absent(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"zenodo\.org/record/1290750/files/IRMAS-TrainingData\.zip"
    ):
        prepared(tmp_path / "data/irmas")


def test_archives_of_a_mirror_are_unpacked(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for archive in irmas.DATASET.archives:
        stem = archive.filename.removesuffix(".zip")
        with zipfile.ZipFile(mirror / archive.filename, "w") as packed:
            for name, content in contents().items():
                if name.startswith(stem):
                    # the excerpts without the outer folder: copies are found either way
                    packed.writestr(name if "Training" in stem else name.partition("/")[2], content)
        digest = hashlib.sha256((mirror / archive.filename).read_bytes()).hexdigest()
        (mirror / f"{archive.filename}.sha256").write_text(f"{digest}  {archive.filename}\n")
    stated = {"tracks": 12, "splits": {"official": {"train": 8, "test": 4}}}
    (mirror / STAND_IN).write_text(json.dumps(stated))
    found = prepared(tmp_path / "data/irmas", mirror=str(mirror))
    assert found.stand_in
    assert found.index.official.value_counts().to_dict() == {"train": 8, "test": 4}
