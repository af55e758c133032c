import numpy as np
import pytest

from mirkeras.pipeline.segments import TRAINING, Consecutive, Drawn, DrawnToTrain, consecutive, cut


def test_segments_do_not_cross_tracks_and_tails_are_dropped() -> None:
    segments = consecutive(np.array([0, 7, 10, 16]), 3)
    assert segments.first.tolist() == [0, 3, 7, 10, 13]
    assert segments.track.tolist() == [0, 0, 1, 2, 2]
    assert len(segments) == 5


def test_segments_of_tracks() -> None:
    segments = consecutive(np.array([0, 7, 10, 16]), 3)
    assert segments.of_tracks(np.array([2, 0])).tolist() == [0, 1, 3, 4]


def test_a_track_without_a_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="number 1, 2 frames"):
        consecutive(np.array([0, 7, 9, 16]), 3)


OFFSETS = np.array([0, 7, 20, 40])


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        (Consecutive(), [0, 3, 7, 10, 13, 16, 20, 23, 26, 29, 32, 35]),
        (Consecutive(drop_last=True), [0, 7, 10, 13, 20, 23, 26, 29, 32]),
        (Consecutive(hop=5), [0, 7, 12, 17, 20, 25, 30, 35]),
        # range(0, int((frames - length) / hop) * hop, hop) of Pons' code
        (Consecutive(hop=4, drop_last=True), [0, 7, 11, 20, 24, 28, 32]),
    ],
)
def test_consecutive_segments_overlap_and_lose_the_last_as_asked(
    rule: Consecutive, first: list[int]
) -> None:
    assert cut(rule, OFFSETS, 3, seed=0).first.tolist() == first


def test_a_rule_says_how_many_frames_a_track_needs() -> None:
    for rule in (Consecutive(), Consecutive(drop_last=True), Consecutive(hop=2, drop_last=True)):
        least = rule.needs(3)
        assert len(cut(rule, np.array([0, least]), 3, seed=0)) == 1
        with pytest.raises(ValueError, match=f"number 0, {least - 1} frames"):
            cut(rule, np.array([0, least - 1]), 3, seed=0)


def test_drawn_segments_lie_anywhere_in_their_track_and_come_back() -> None:
    segments = cut(Drawn(200), OFFSETS, 3, seed=0)
    assert np.bincount(segments.track).tolist() == [200, 200, 200]
    for number in range(3):
        first = segments.first[segments.track == number]
        assert set(first) == set(range(OFFSETS[number], OFFSETS[number + 1] - 2))
    assert segments.redrawn is None
    again, other = (cut(Drawn(200), OFFSETS, 3, seed=seed) for seed in (0, 1))
    assert (segments.first == again.first).all()
    assert (segments.first != other.first).any()


def test_a_track_of_one_segment_can_be_drawn_from_and_a_shorter_one_not() -> None:
    assert cut(Drawn(2), np.array([0, 3]), 3, seed=0).first.tolist() == [0, 0]
    with pytest.raises(ValueError, match="number 0, 2 frames"):
        cut(Drawn(2), np.array([0, 2]), 3, seed=0)


@pytest.mark.parametrize("rule", [Consecutive(), Drawn(9), Drawn(9, anew=True)])
def test_deformed_frames_are_whole_segments_for_training_only(rule) -> None:
    segments = cut(rule, OFFSETS, 2, seed=0, deformed=4)
    plain = segments.of_tracks(np.array([1]))
    assert segments.first[plain].min() >= 7
    assert segments.first[plain].max() <= 14  # the last place before frame 16
    training = segments.of_tracks(np.array([1]), training=True)
    assert set(plain) < set(training)
    assert segments.first[np.setdiff1d(training, plain)].tolist() == [16, 18]
    if segments.redrawn:
        starts, places = segments.redrawn
        assert (places[segments.use == TRAINING] == 1).all()
        assert (starts[segments.use == TRAINING] == segments.first[segments.use == TRAINING]).all()
        assert set(places[segments.track == 0]) == {2, 1}
    with pytest.raises(ValueError, match="not whole segments"):
        cut(rule, OFFSETS, 2, seed=0, deformed=3)


def test_training_may_draw_anew_what_is_scored_in_order() -> None:
    segments = cut(DrawnToTrain(1), OFFSETS, 3, seed=0)
    one = np.array([1])
    training = segments.of_tracks(one, training=True)
    starts, places = segments.redrawn
    assert (starts[training].tolist(), places[training].tolist()) == ([7], [11])
    scored = segments.of_tracks(one)
    assert segments.first[scored].tolist() == [7, 10, 13, 16]
    assert (starts[scored] == segments.first[scored]).all()
    assert (places[scored] == 1).all()
    with pytest.raises(ValueError, match="number 0, 2 frames"):
        cut(DrawnToTrain(1), np.array([0, 2]), 3, seed=0)
