"""Ballroom's index on a miniature tree of the published layout."""

import dataclasses
import hashlib
import math
import os
import tarfile

import numpy as np
import pytest
import soundfile

from data_prep.declare import DataError
from data_prep.fetch.counts import check_counts
from data_prep.prepare import prepare
from data_prep.sets import ballroom

FOLDERS = {
    "ChaChaCha": ["Albums-Fire-08", "Media-103402", "Media-103415"],
    "Jive": ["Albums-Commitments-08"],
    "Quickstep": ["Albums-AnaBelen_Veneo-11", "Albums-Chrisanne2-12"],
    "Rumba-American": ["Media-100601"],
    "Rumba-International": ["Albums-AnaBelen_Veneo-03", "Albums-AnaBelen_Veneo-15"],
    "Rumba-Misc": ["Media-100701"],
    "Samba": ["Albums-Fire-09"],
    "Tango": ["Media-104601"],
    "VienneseWaltz": ["Media-104701"],
    "Waltz": ["Albums-Secret_Garden-01"],
}
COUNTS = {
    "ChaChaCha": 3, "Jive": 1, "Quickstep": 2, "Rumba": 4, "Samba": 1, "Tango": 1,
    "VienneseWaltz": 1, "Waltz": 1,
}  # fmt: skip


def make_tree(place):
    """The tree as `data1.tar.gz` holds it, lists and macOS leftovers included."""
    for folder, stems in FOLDERS.items():
        (place / folder).mkdir(parents=True)
        for stem in stems:
            soundfile.write(place / folder / f"{stem}.wav", np.zeros(8, "float32"), 44_100)
    (place / "allBallroomFiles").write_text("./Jive/Albums-Commitments-08.wav\n")
    (place / "nada").mkdir()
    (place / "nada" / "stray.wav").write_bytes(b"")
    (place / "Jive" / "._Albums-Commitments-08.wav").write_bytes(b"Mac OS X")
    (place / "Jive" / "list.txt").write_text("no audio")


@pytest.fixture
def root(tmp_path):
    make_tree(tmp_path / "ballroom" / "BallroomData")
    return tmp_path / "ballroom"


@pytest.mark.parametrize("deeper", [True, False])
def test_index_lists_the_wavs_of_the_class_folders(root, deeper):
    place = root if deeper else root / "BallroomData"
    index = ballroom.index(place)
    check_counts(dataclasses.replace(ballroom.DATASET, counts=COUNTS), place, index)
    assert all((place / path).is_file() for path in index["path"])
    assert index["track"].is_monotonic_increasing
    assert index["tempo"].isna().all()


def test_rumbas_are_one_class(root):
    index = ballroom.index(root)
    rumba = index[index["label"] == "Rumba"]
    assert rumba["track"].tolist() == [
        "Rumba/Albums-AnaBelen_Veneo-03",
        "Rumba/Albums-AnaBelen_Veneo-15",
        "Rumba/Media-100601",
        "Rumba/Media-100701",
    ]
    assert "BallroomData/Rumba-American/Media-100601.wav" in set(rumba["path"])


def test_replicas_share_a_group_across_classes_too(root):
    group = ballroom.index(root).set_index("track")["group"]
    assert group["ChaChaCha/Albums-Fire-08"] == group["Samba/Albums-Fire-09"]
    assert group["Quickstep/Albums-AnaBelen_Veneo-11"] == group["Quickstep/Albums-Chrisanne2-12"]
    assert group["Rumba/Albums-AnaBelen_Veneo-03"] == group["Rumba/Albums-AnaBelen_Veneo-15"]
    assert group["ChaChaCha/Media-103402"] == group["ChaChaCha/Media-103415"]
    # Its replica is not in this tree: a group of one, under the id the pair shares.
    assert group["Waltz/Albums-Secret_Garden-01"] == "Waltz/Albums-Secret_Garden-01"
    assert group.nunique() == len(group) - 4


def test_tempi_come_from_ground_truth_before_beats(root):
    truth = root / "BallroomAnnotations" / "ballroomGroundTruth"
    truth.mkdir(parents=True)
    (truth / "Albums-Fire-08.bpm").write_text("126\n")
    (truth / "._Media-104601.bpm").write_bytes(b"\x00\x05\x16\x07 Mac OS X")
    (root / "Albums-Fire-08.beats").write_text("0.5 1\n1.5 2\n")
    # Intervals 0.5, 0.5, 0.7 s: the median is 0.5 s, 120 BPM.
    (root / "Albums-Fire-09.beats").write_text("0.5\t1\n1.0\t2\n1.5\t3\n2.2\t4\n\n")
    (root / "Media-104701.beats").write_text("1.0 1\n")
    tempo = ballroom.index(root).set_index("track")["tempo"]
    assert tempo["ChaChaCha/Albums-Fire-08"] == 126.0
    assert tempo["Samba/Albums-Fire-09"] == pytest.approx(120.0)
    assert math.isnan(tempo["VienneseWaltz/Media-104701"])
    assert tempo.notna().sum() == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.bpm", "fast"),
        ("x.bpm", ""),
        ("x.bpm", "120 121"),
        ("x.bpm", "-3"),
        ("x.bpm", "nan"),
        ("x.beats", "one 1\ntwo 2"),
        ("x.beats", "1.0 1\n0.5 2\n"),
        ("x.beats", "nan 1\n0.5 2\n"),
    ],
)
def test_broken_annotations_name_the_file(root, name, content):
    (root / name).write_text(content)
    with pytest.raises(DataError, match=rf"{os.sep}{name}: .*fix or remove"):
        ballroom.index(root)


def test_archive_of_the_full_form_goes_the_whole_way(tmp_path):
    """698 (empty) tracks in an archive of the published layout, vouched for by a mirror folder."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    spread = {"Rumba-American": 7, "Rumba-International": 51, "Rumba-Misc": 40}
    folders = {k: n for k, n in ballroom.COUNTS.items() if k != "Rumba"} | spread
    with tarfile.open(mirror / "data1.tar.gz", "w:gz") as tar:
        for folder, count in folders.items():
            for i in range(count):
                tar.addfile(tarfile.TarInfo(f"BallroomData/{folder}/Media-{folder}-{i:03}.wav"))
    digest = hashlib.sha256((mirror / "data1.tar.gz").read_bytes()).hexdigest()
    roots = {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache"}
    with pytest.raises(DataError, match=ballroom.ARCHIVES[0].checksum):
        prepare("ballroom", **roots, mirror=str(mirror), offline=True)
    (mirror / "data1.tar.gz.sha256").write_text(f"{digest}  data1.tar.gz\n")
    prepared = prepare("ballroom", **roots, mirror=str(mirror), offline=True)
    assert len(prepared.index) == 698
    assert prepared.classes == ballroom.DATASET.classes
    assert prepared.stand_in
