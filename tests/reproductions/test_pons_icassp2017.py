"""Protocols of ICASSP 2017: the authors' folds and segments."""

import numpy as np
import pytest

from mirkeras.pipeline.segments import cut
from reproductions.pons_icassp2017.experiments import PROTOCOLS, Unshuffled

SONGS, FOLDS = 698, 10


def test_nine_of_ten_folds_validate_on_the_same_songs() -> None:
    parts = [Unshuffled()(SONGS, FOLDS, fold, 0) for fold in range(FOLDS)]
    order = np.random.default_rng(0).permutation(SONGS)
    assert [len(test) for _, _, test in parts] == [70] * 8 + [69] * 2
    assert {len(held) for _, held, _ in parts} == {69}
    assert set(parts[0][2]) == set(order[:70])
    assert set(parts[0][1]) == set(order[70:139])
    assert all(set(held) == set(order[:69]) for _, held, _ in parts[1:])
    assert sorted(np.concatenate([test for _, _, test in parts])) == list(range(SONGS))
    for part in parts:
        assert sorted(np.concatenate(part)) == list(range(SONGS))
    assert set(Unshuffled()(SONGS, FOLDS, 3, 1)[2]) != set(parts[3][2])


@pytest.mark.parametrize(
    ("seconds", "frames", "long_hop", "short_hop"),
    [(29, 1250, 4, 12), (30, 1293, 4, 13), (31, 1337, 4, 13)],
)
def test_segments_of_a_song_are_as_many_as_the_code_cuts(
    seconds: int, frames: int, long_hop: int, short_hop: int
) -> None:
    assert -(-44_100 * seconds // 1024) + 1 == frames
    for name, count in (("code", long_hop), ("code-hop80", short_hop)):
        segments = cut(PROTOCOLS[name].cut, np.array([0, frames]), 250, seed=0)
        hop = {"code": 250, "code-hop80": 80}[name]
        # as the code writes it
        assert segments.first.tolist() == list(range(0, int((frames - 250) / hop) * hop, hop))
        assert len(segments) == count
    whole = cut(PROTOCOLS["clean"].cut, np.array([0, frames]), 250, seed=0)
    assert len(whole) == frames // 250
