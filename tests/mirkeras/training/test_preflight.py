from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import data_prep
from data_prep.prepare import Prepared
from data_prep.sets.folder import FOLDERS
from mirkeras.experiment import find_experiment
from mirkeras.experiment.setting import Setting
from mirkeras.system.errors import UsageError
from mirkeras.training.command import preflight
from mirkeras.training.command.preflight import (
    check_classes,
    check_division,
    choose_split,
    lacks_audio,
    leaks,
    plan_rows,
)
from mirkeras.training.command.waves import plan_waves

LEE = find_experiment("lee_samplecnn")
PAPER = LEE.protocols["paper"]


def prepared(parts: list[str], **changes) -> Prepared:
    """MSD's declaration with three tracks in its split, and these that have audio."""
    splits = {"msd-lee": {"train": 1, "validation": 1, "test": 1}}
    dataset = replace(data_prep.get("msd"), splits=splits, **changes)
    index = pd.DataFrame({"track": range(len(parts)), "msd-lee": parts})
    return Prepared(dataset, Path(), index, Path("msd"))


def test_audio_of_ones_own_may_be_a_part_of_the_published_set() -> None:
    assert not lacks_audio(prepared(["train", "validation", "test", ""]), "msd-lee")
    partial = prepared(["train", "test"])
    assert lacks_audio(partial, "msd-lee")
    assert not lacks_audio(partial, "drawn")
    assert not lacks_audio(prepared(["train", "test"], own_audio=False), "msd-lee")


def test_the_own_split_is_the_default_and_never_replaced_by_another() -> None:
    whole = prepared(["train", "validation", "test"])
    assert choose_split(whole, PAPER, None, None) == ("msd-lee", 1)
    assert choose_split(whole, PAPER, "drawn", None) == ("drawn", 10)
    assert choose_split(whole, PAPER, "drawn", 3) == ("drawn", 3)
    folders = replace(whole, index=whole.index.rename(columns={"msd-lee": FOLDERS}))
    folders = replace(folders, dataset=replace(whole.dataset, splits={FOLDERS: {}}))
    assert choose_split(folders, replace(PAPER, split="stratified"), None, None) == (FOLDERS, 1)
    own = replace(PAPER, split="stratified", folds=4)
    assert choose_split(whole, own, None, None) == ("stratified", 4)
    assert choose_split(whole, PAPER, "stratified", 1) == ("stratified", 1)
    with pytest.raises(UsageError, match="at least 2"):
        choose_split(whole, PAPER, "drawn", 1)
    listless = replace(whole, index=whole.index[["track"]])
    with pytest.raises(UsageError, match=r"no split 'msd-lee' \(its lists are missing"):
        choose_split(listless, PAPER, None, None)


def test_rows_go_by_published_id_by_name_by_table_or_all() -> None:
    assert plan_rows(LEE, ["table6/samplecnn-3-9-msd"], ()) == ["table5/22050"]
    assert plan_rows(LEE, ["lee_samplecnn/table5/8000", "table5/8000-auc"], ()) == ["table5/8000"]
    assert len(plan_rows(LEE, ["table2"], ())) == 13
    assert len(plan_rows(LEE, ["all"], ())) == len(LEE.rows)


def test_what_others_build_on_is_trained_first(capsys) -> None:
    rows = plan_rows(LEE, ["table4/3-8+3-9"], ())
    assert rows == ["mn/3-8", "table5/22050", "table4/3-8+3-9"]
    assert "also training mn/3-8, table5/22050" in capsys.readouterr().out
    plain = {"paper": "lee_samplecnn", "dataset": "msd", "protocol": "paper", "folds": 1}
    waves = plan_waves(LEE, rows, [0, 1], plain | {"split": "msd-lee"}, 5, ())
    assert {run.max_epochs for wave in waves for run in wave} == {5}
    assert [[run.row for run in wave] for wave in waves] == [rows[:2] * 2, rows[2:] * 2]


def test_what_drawn_folds_leak_is_said() -> None:
    parts = ["train", "train", "test", ""]
    index = pd.DataFrame({"track": [*"abcd"], "group": [*"xxyz"], "fault-filtered": parts})
    known = replace(data_prep.get("gtzan"), repeats="Artists repeat.")
    gtzan = Prepared(known, Path(), index, Path("gtzan"))
    assert leaks(gtzan, PAPER, "fault-filtered") == ""
    index["group"] = [*"xyxx"]
    assert leaks(gtzan, PAPER, "fault-filtered").startswith("2 of 3 tracks share their recording")
    index["group"] = [*"xxyz"]
    assert leaks(gtzan, PAPER, "stratified").startswith("Artists repeat. 2 of 4 tracks share")
    assert leaks(gtzan, LEE.protocols["clean"], "drawn") == "Artists repeat."
    silent = replace(gtzan, dataset=replace(known, repeats=""), index=index.drop(index=1))
    assert leaks(silent, PAPER, "drawn") == ""


def own(*sizes: int, **changes) -> Prepared:
    """Somebody's folder with classes a, b … of so many tracks."""
    dataset = replace(data_prep.get("msd"), name="own", splits={}, tags=(), **changes)
    labels = np.repeat(list("abcdefgh")[: len(sizes)], sizes)
    return Prepared(dataset, Path(), pd.DataFrame({"label": labels}), Path("own"))


def test_own_classes_are_stratified_unless_asked_otherwise() -> None:
    assert choose_split(own(3, 3), PAPER, None, 3) == ("stratified", 3)
    assert choose_split(own(3, 3), PAPER, "drawn", 3) == ("drawn", 3)
    assert choose_split(own(3, 3, counts={"a": 3, "b": 3}), PAPER, None, 3) == ("drawn", 3)
    tagged = replace(own(3, 3), dataset=replace(own().dataset, tags=("x", "y")))
    assert choose_split(tagged, PAPER, None, 3) == ("drawn", 3)
    with pytest.raises(UsageError, match="have tags, no class to stratify by; use --split drawn"):
        check_classes(tagged, "stratified", 3)


@pytest.mark.parametrize(
    ("sizes", "folds", "message"),
    [
        ((10, 4, 9), 10, r"10 folds .*each: 'b' \(4\), 'c' \(9\); use --folds 4, or add tracks"),
        ((10, 1), 2, r"'b' \(1\); add tracks to it, or leave out"),
        ((1, 10), 1, r"'a' \(1\); add tracks to it"),
        ((2,) * 8, 3, r"'a' \(2\), .* and 3 more; use --folds 2"),
    ],
)
def test_classes_smaller_than_the_folds_are_named(sizes: tuple, folds: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_classes(own(*sizes), "stratified", folds)
    check_classes(own(*sizes), "drawn", folds)
    check_classes(own(*(max(size, folds, 2) for size in sizes)), "stratified", folds)


def division(labels: list[str], split: str, folds: int, monkeypatch) -> None:
    """Check the divisions of an index without files."""
    tracks = {"label": labels, "stratum": labels, "group": labels, "heard": True}
    tracks = pd.DataFrame(tracks | {"named": np.resize(["1", "2"], len(labels))})
    monkeypatch.setattr(preflight, "tracks_of", lambda *given: tracks)
    setting = Setting(Path(), Path(), {}, (), (), "", "", 1, 0, False)
    check_division(PAPER, {"recipe": None}, setting, split, folds, [0])


@pytest.mark.parametrize(
    ("labels", "split", "message"),
    [
        ("aaaabaaa", "drawn", "tracks of b are tested and none trained on; use --split stratified"),
        ("aaabaaaa", "named", "tracks of b are tested and none trained on; use another --split"),
        ("aabb", "stratified", "a validation part .*no class has a track to spare.*other --folds"),
    ],
)
def test_a_division_that_cannot_be_learned_from_says_what_helps(
    labels: str, split: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=message):
        division(list(labels), split, 2, monkeypatch)


def test_seventy_tracks_of_seven_classes_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    for folds in (2, 3, 5, 9, 10):
        division(list("abcdefg") * 10, "stratified", folds, monkeypatch)
