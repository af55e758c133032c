import numpy as np
import pandas as pd
import pytest

from mirkeras.protocols import divide
from mirkeras.segments import consecutive
from mirkeras.splits import DRAWN, cut_folds, hold_out, named_folds, named_parts
from reproductions.pons_cbmi2016.experiments import PROTOCOLS

TRACKS = 40
GROUPS = np.array([f"g{number // 2}" for number in range(TRACKS)])  # pairs of replicas
INDEX = pd.DataFrame({"group": GROUPS})
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


def test_of_official_folds_the_next_one_validates() -> None:
    column = np.array(["1", "2", "3", "10", "1", ""])
    assert named_folds(column) == 4
    assert [part.tolist() for part in named_parts(column, 3)] == [[1, 2], [0, 4], [3]]
    assert [part.tolist() for part in named_parts(column, 0)] == [[2, 3], [1], [0, 4]]


@pytest.mark.parametrize("values", [["train", "test"], ["1", "train"], [""]])
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
