from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import data_prep
from data_prep.prepare import Prepared
from data_prep.sets.folder import FOLDERS
from mirkeras.experiment import find_experiment
from mirkeras.system.errors import UsageError
from mirkeras.training.preflight import choose_split, lacks_audio, leaks, plan_rows
from mirkeras.training.waves import plan_waves

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
