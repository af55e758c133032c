import numpy as np
import pytest

from mirkeras.protocols import divide
from mirkeras.segments import consecutive
from mirkeras.splits import cut_folds, hold_out
from reproductions.pons_cbmi2016.experiments import PROTOCOLS

TRACKS = 40
GROUPS = np.array([f"g{number // 2}" for number in range(TRACKS)])  # pairs of replicas
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


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("fold", [0, 9])
def test_parts_are_disjoint_and_complete(name: str, fold: int) -> None:
    parts = divide(PROTOCOLS[name], SEGMENTS, GROUPS, folds=10, fold=fold, seed=0)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together) == list(range(len(SEGMENTS)))
    assert len(parts.test) == len(parts.validation) == 20


def test_test_tracks_are_never_trained_on() -> None:
    for name in PROTOCOLS:
        parts = divide(PROTOCOLS[name], SEGMENTS, GROUPS, folds=10, fold=2, seed=0)
        tested = set(SEGMENTS.track[parts.test])
        assert not tested & set(SEGMENTS.track[np.r_[parts.train, parts.validation]])


def tracks_of(part: np.ndarray) -> set[int]:
    return set(SEGMENTS.track[part])


def test_code_validates_by_segment_and_normalises_on_everything() -> None:
    parts = divide(PROTOCOLS["code"], SEGMENTS, GROUPS, folds=10, fold=0, seed=0)
    assert tracks_of(parts.train) & tracks_of(parts.validation)
    assert parts.normalise_on.tolist() == list(range(TRACKS))


def test_paper_validates_by_track_and_normalises_on_everything() -> None:
    parts = divide(PROTOCOLS["paper"], SEGMENTS, GROUPS, folds=10, fold=0, seed=0)
    assert not tracks_of(parts.train) & tracks_of(parts.validation)
    assert parts.normalise_on.tolist() == list(range(TRACKS))


def test_clean_leaks_nothing() -> None:
    for fold in range(10):
        parts = divide(PROTOCOLS["clean"], SEGMENTS, GROUPS, folds=10, fold=fold, seed=0)
        assert set(parts.normalise_on) == tracks_of(parts.train)
        sides = [parts.train, parts.validation, parts.test]
        groups = [{GROUPS[track] for track in tracks_of(side)} for side in sides]
        assert not groups[0] & groups[1]
        assert not groups[0] & groups[2]
        assert not groups[1] & groups[2]
