from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from mirkeras.experiment import Constant
from mirkeras.experiment.division import divide
from mirkeras.pipeline import splits
from mirkeras.pipeline.segments import consecutive
from mirkeras.pipeline.splits import DRAWN, cut_folds, hold_out, named_folds, named_parts
from reproductions.pons_cbmi2016.experiments import PROTOCOLS

TRACKS = 40
GROUPS = np.array([f"g{number // 2}" for number in range(TRACKS)])  # pairs of replicas
INDEX = pd.DataFrame({"group": GROUPS, "heard": True})
SEGMENTS = consecutive(np.arange(TRACKS + 1) * 10, 2)  # five segments a track


def test_folds_cover_every_track_once() -> None:
    folds = cut_folds(TRACKS, 7, seed=0)
    assert sorted(np.concatenate(folds)) == list(range(TRACKS))
    assert [len(fold) for fold in folds] == [6, 6, 6, 6, 6, 5, 5]


def test_folds_depend_on_the_seed_alone() -> None:
    again = [fold.tolist() for fold in cut_folds(TRACKS, 5, seed=3)]
    assert again == [fold.tolist() for fold in cut_folds(TRACKS, 5, seed=3)]
    assert again != [fold.tolist() for fold in cut_folds(TRACKS, 5, seed=4)]


def test_groups_share_a_fold() -> None:
    for fold in cut_folds(TRACKS, 5, seed=0, groups=GROUPS):
        assert not set(GROUPS[fold]) & set(np.delete(GROUPS, fold))


def test_hold_out_takes_the_share_and_keeps_groups() -> None:
    kept, held = hold_out(np.arange(TRACKS), 0.25, seed=0, groups=GROUPS)
    assert len(held) == 10
    assert not set(GROUPS[kept]) & set(GROUPS[held])
    with pytest.raises(ValueError, match="train set will be empty"):
        hold_out(np.arange(1), 0.5, seed=0)


def drawn(protocol, fold: int):
    return divide(protocol, SEGMENTS, INDEX, split=DRAWN, folds=10, fold=fold, seed=0)


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("fold", [0, 9])
def test_parts_are_disjoint_and_complete(name: str, fold: int) -> None:
    parts = drawn(PROTOCOLS[name], fold)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together) == list(range(len(SEGMENTS)))
    assert len(parts.test) == len(parts.validation) == 20


def test_test_tracks_are_never_trained_on() -> None:
    for name in PROTOCOLS:
        parts = drawn(PROTOCOLS[name], 2)
        tested = set(SEGMENTS.track[parts.test])
        assert not tested & set(SEGMENTS.track[np.r_[parts.train, parts.validation]])


def tracks_of(part: np.ndarray) -> set[int]:
    return set(SEGMENTS.track[part])


def test_code_validates_by_segment_and_normalises_on_everything() -> None:
    parts = drawn(PROTOCOLS["code"], 0)
    assert tracks_of(parts.train) & tracks_of(parts.validation)
    assert parts.normalise_on.tolist() == list(range(TRACKS))


def test_paper_validates_by_track_and_normalises_on_everything() -> None:
    parts = drawn(PROTOCOLS["paper"], 0)
    assert not tracks_of(parts.train) & tracks_of(parts.validation)
    assert parts.normalise_on.tolist() == list(range(TRACKS))


def test_clean_leaks_nothing() -> None:
    for fold in range(10):
        parts = drawn(PROTOCOLS["clean"], fold)
        assert set(parts.normalise_on) == tracks_of(parts.train)
        sides = [parts.train, parts.validation, parts.test]
        groups = [{GROUPS[track] for track in tracks_of(side)} for side in sides]
        assert not groups[0] & groups[1]
        assert not groups[0] & groups[2]
        assert not groups[1] & groups[2]


def test_named_parts_are_taken_as_they_are() -> None:
    column = np.array(["train", "test", "", "validation", "train"])
    assert named_folds(column) == 1
    assert [part.tolist() for part in named_parts(column, 0)] == [[0, 4], [3], [1]]
    two = np.array(["train", "test", "", "train"])  # validation is to be drawn
    assert named_folds(two) == 1
    assert [part.tolist() for part in named_parts(two, 0)] == [[0, 3], [], [1]]
    assert [part.tolist() for part in named_parts(two, 0, validates=False)] == [[0, 3], [1], [1]]


def test_of_official_folds_the_next_one_validates() -> None:
    column = np.array(["1", "2", "3", "10", "1", ""])
    assert named_folds(column) == 4
    assert [part.tolist() for part in named_parts(column, 3)] == [[1, 2], [0, 4], [3]]
    assert [part.tolist() for part in named_parts(column, 0)] == [[2, 3], [1], [0, 4]]
    three = np.array(["1", "2", "3", "3"])  # none to spare
    assert [part.tolist() for part in named_parts(three, 1)] == [[0, 2, 3], [], [1]]


@pytest.mark.parametrize("values", [["train", "validation"], ["1", "train"], [""]])
def test_a_column_that_is_no_split_is_refused(values: list[str]) -> None:
    with pytest.raises(ValueError, match="a split has folds 1, 2, … or train, validation, test"):
        named_folds(np.array(values))


def test_a_named_split_leaves_out_what_is_outside_it() -> None:
    parts_of = np.resize(["train", "train", "validation", "test", ""], TRACKS)
    index = INDEX.assign(official=parts_of)
    given = {"split": "official", "folds": 1, "fold": 0, "seed": 0}
    for name, fitted in (("paper", {"train", "validation", "test"}), ("clean", {"train"})):
        parts = divide(PROTOCOLS[name], SEGMENTS, index, **given)
        for part in ("train", "validation", "test"):
            assert set(parts_of[list(tracks_of(getattr(parts, part)))]) == {part}
        assert set(parts_of[parts.normalise_on]) == fitted


CLASSES = np.repeat(["a", "b"], [32, 8])


def test_stratified_folds_keep_the_shares() -> None:
    folds = cut_folds(TRACKS, 4, seed=0, classes=CLASSES)
    assert sorted(np.concatenate(folds)) == list(range(TRACKS))
    assert [(CLASSES[fold] == "b").sum() for fold in folds] == [2, 2, 2, 2]
    with pytest.raises(ValueError, match=r"b has 8 track\(s\)"):
        cut_folds(TRACKS, 9, seed=0, classes=CLASSES)


def test_a_class_too_small_for_a_division_is_named() -> None:
    with pytest.raises(ValueError, match=r"b has 8 track\(s\)"):
        divide(
            PROTOCOLS["clean"], SEGMENTS, INDEX.assign(stratum=CLASSES), split="stratified",
            folds=9, fold=0, seed=0,
        )  # fmt: skip


def test_one_stratified_fold_tests_a_quarter() -> None:
    with pytest.raises(ValueError, match=r"b has 1 track\(s\)"):
        cut_folds(3, 1, seed=0, classes=np.array(["a", "a", "b"]))
    (test,) = cut_folds(TRACKS, 1, seed=0, classes=CLASSES)
    assert len(test) == 10
    assert (CLASSES[test] == "b").sum() == 2
    (grouped,) = cut_folds(TRACKS, 1, seed=0, groups=GROUPS, classes=CLASSES)
    assert 8 <= len(grouped) <= 12
    assert not set(GROUPS[grouped]) & set(np.delete(GROUPS, grouped))


WATCHED = replace(PROTOCOLS["paper"], validate_by="test", select_by="last")


def test_without_validation_everything_else_trains() -> None:
    index = INDEX.assign(stratum=CLASSES, official=(np.arange(TRACKS) % 4 + 1).astype(str))
    for split in ("drawn", "stratified", "official"):
        parts = divide(WATCHED, SEGMENTS, index, split=split, folds=4, fold=1, seed=0)
        assert parts.test.tolist() == parts.validation.tolist()
        assert sorted(np.r_[parts.train, parts.test]) == list(range(len(SEGMENTS)))
    assert set(SEGMENTS.track[parts.test]) == set(range(1, TRACKS, 4))
    own = index.assign(own=np.resize(["train", "validation", "test", ""], TRACKS))
    parts = divide(WATCHED, SEGMENTS, own, split="own", folds=1, fold=0, seed=0)
    assert set(SEGMENTS.track[parts.validation]) == set(range(1, TRACKS, 4))
    assert set(SEGMENTS.track[parts.train]) == set(range(0, TRACKS, 4))


def test_no_epoch_is_chosen_on_the_test_part() -> None:
    with pytest.raises(ValueError, match="chosen on the test part"):
        replace(PROTOCOLS["paper"], validate_by="test")


def test_a_variant_replaces_fields_and_a_row_its_epochs() -> None:
    varied = replace(WATCHED, variants={"slow": {"rule": Constant()}})
    assert varied.of("slow", None).rule == Constant()
    assert varied.of("slow", 7).max_epochs == 7
    assert varied.of("", None).rule == WATCHED.rule
    assert varied.of("", None).max_epochs == WATCHED.max_epochs


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        (KFold, ()),
        (GroupKFold, ("groups",)),
        (StratifiedKFold, ("classes",)),
        (StratifiedGroupKFold, ("groups", "classes")),
    ],
)
def test_names_are_cut_as_scikit_learn_cuts_them(kind, by: tuple[str, ...]) -> None:
    # the same arguments but for one, in turn: what was cut before must not be taken for it
    for seed, folds, of in product((3, 4), (2, 10), (0, 1)):
        random = np.random.default_rng(of)
        number = random.integers(400, size=2000)
        classes = np.where(random.random(2000) < 0.7, number % 7, random.integers(7, size=2000))
        names = {
            "groups": np.array([f"group {n}" for n in number], object),
            "classes": np.array(list("Zaébz01"))[classes],
        }
        names = {name: names[name] for name in by}
        whole = kind(folds, shuffle=True, random_state=seed)
        parts = whole.split(number, names.get("classes"), names.get("groups"))
        expected = [np.sort(test).tolist() for _, test in parts]
        for _ in range(2):
            found = cut_folds(2000, folds, seed, **names)
            assert [fold.tolist() for fold in found] == expected


def test_folds_are_cut_once_and_nobody_changes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = INDEX.assign(stratum=CLASSES)
    cuts, plain = [], StratifiedGroupKFold.split
    monkeypatch.setattr(
        StratifiedGroupKFold, "split", lambda *given: cuts.append(1) or plain(*given)
    )
    for seed, fold in product((11, 12), range(4)):
        divide(
            PROTOCOLS["clean"], SEGMENTS, tracks, split="stratified", folds=4, fold=fold, seed=seed
        )
    assert len(cuts) == 2
    with pytest.raises(ValueError, match="read-only"):
        cut_folds(TRACKS, 4, 12, groups=GROUPS, classes=CLASSES)[0][0] = 1


def test_make_ups_of_groups_are_those_of_a_dense_table() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        group = np.unique(random.integers(50, size=100), return_inverse=True)[1]
        label = np.unique(random.integers(1 + seed % 4, size=100), return_inverse=True)[1]
        makeup = np.zeros((group.max() + 1, label.max() + 1), int)
        np.add.at(makeup, (group, label), 1)
        kinds, kind = splits._kinds(group, label)
        assert np.array_equal(kinds, np.unique(makeup, axis=0))
        assert np.array_equal(kinds[kind], makeup)
