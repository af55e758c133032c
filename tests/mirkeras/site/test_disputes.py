"""Tracks that are wrong or disputed are found, sorted, and explained by the right segments."""

import numpy as np
import pytest

from mirkeras.site.browser import disputes

METAL, POP, ROCK = range(3)

# As in the report's section IX: track 58, metal, is rock by max and metal by majority; track 4 is
# wrong by both. Scores are of metal, pop, rock.
TRACKS = {
    "metal/4": (METAL, [[0.1, 0.8, 0.1], [0.3, 0.1, 0.6], [0.2, 0.1, 0.7]]),
    "metal/58": (METAL, [[0.5, 0.1, 0.4], [0.5, 0.1, 0.4], [0.01, 0.01, 0.98]]),
    "pop/1": (POP, [[0.1, 0.8, 0.1], [0.4, 0.5, 0.1], [0.4, 0.5, 0.1]]),
    "pop/2": (POP, [[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.0, 1.0, 0.0]]),
    "pop/7": (POP, [[0.6, 0.1, 0.3], [0.7, 0.1, 0.2], [0.9, 0.04, 0.06]]),
}


def predictions(tracks: dict = TRACKS) -> dict[str, np.ndarray]:
    """Predictions whose segments are stored in the reverse order of time."""
    counts = [len(scores) for _, scores in tracks.values()]
    return {
        "scores": np.array([line for _, s in tracks.values() for line in s[::-1]], np.float32),
        "segment_track": np.repeat(np.arange(len(tracks)), counts),
        "segment_frame": np.concatenate([80 * np.arange(n)[::-1] for n in counts]),
        "tracks": np.array(list(tracks)),
        "labels": np.array([true for true, _ in tracks.values()]),
        "classes": np.array(["metal", "pop", "rock"]),
    }


def find(aggregate: str = "mean") -> dict[str, disputes.Dispute]:
    return {dispute.track: dispute for dispute in disputes.find(predictions(), aggregate)}


def test_wrong_and_disputed_tracks_are_found_the_worst_first() -> None:
    found = find()
    assert {track: dispute.kinds for track, dispute in found.items()} == {
        "pop/7": ("max", "majority", "both"),
        "metal/4": ("max", "majority", "both"),
        "metal/58": ("max", "disputed"),
        "pop/2": ("majority", "disputed"),
    }
    assert list(found) == ["pop/7", "metal/4", "metal/58", "pop/2"]
    assert found["metal/58"].by_max == ROCK
    assert found["metal/58"].by_majority == METAL
    assert found["metal/58"].margin == pytest.approx((1.78 - 1.01) / 3)
    assert found["pop/2"].margin == pytest.approx((1.0 - 1.8) / 3)  # max is right


def test_sums_votes_and_scores_are_those_of_the_track_in_order_of_time() -> None:
    track = find()["metal/4"]
    np.testing.assert_allclose(track.sums, [0.6, 1.0, 1.4], rtol=1e-6)
    assert track.votes.tolist() == [0, 1, 2]
    np.testing.assert_allclose(track.scores, TRACKS["metal/4"][1], rtol=1e-6)
    assert track.frames.tolist() == [0, 80, 160]


def test_max_of_a_product_sums_logarithms() -> None:
    tracks = {"metal/9": (METAL, [[0.9, 0.06, 0.04], [0.001, 0.5, 0.499]])}
    assert disputes.find(predictions(tracks), "mean") == []
    (track,) = disputes.find(predictions(tracks), "product")
    assert (track.by_max, track.by_majority) == (POP, METAL)
    expected = np.log([0.9 * 0.001, 0.06 * 0.5, 0.04 * 0.499])
    np.testing.assert_allclose(track.sums, expected, rtol=1e-5)


def test_a_protocol_of_votes_is_compared_with_summed_probabilities() -> None:
    assert disputes.deciding("majority") == "mean"
    assert list(find("majority")) == list(find("mean"))


def test_equal_votes_are_said() -> None:
    tracks = {"pop/3": (POP, [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1]])}
    (track,) = disputes.find(predictions(tracks), "mean")
    assert track.by_majority == METAL
    assert track.tied == (METAL, POP)
    assert find()["metal/4"].tied == ()


def test_right_tracks_alone_give_nothing() -> None:
    assert disputes.find(predictions({"pop/1": TRACKS["pop/1"]}), "mean") == []


def chosen(track: str, count: int) -> list[tuple[int, str]]:
    return [(c.segment, c.why) for c in disputes.telling(find()[track], count)]


def test_the_telling_segments_are_chosen_in_turn() -> None:
    assert chosen("metal/58", 1) == [(2, disputes.WRONG)]
    # segments 0 and 1 are equally confident, right and uncertain: the earlier one comes first
    assert chosen("metal/58", 3) == [
        (2, disputes.WRONG),
        (0, disputes.RIGHT),
        (1, f"{disputes.UNCERTAIN} (rank 2)"),
    ]


def test_where_no_segment_is_right_the_true_class_at_its_best_is_shown() -> None:
    assert chosen("metal/4", 2) == [(0, disputes.WRONG), (1, disputes.CLOSEST)]


def test_a_track_has_no_more_segments_than_it_has() -> None:
    assert sorted(segment for segment, _ in chosen("metal/4", 9)) == [0, 1, 2]


def test_leading_classes_include_those_that_must_be_there() -> None:
    sums = np.array([5.0, 1.0, 4.0, 3.0, 2.0])
    assert disputes.leading(sums, 3, (1, 0, 1)) == [0, 1, 2]
    assert disputes.leading(sums, 1, (1, 3)) == [1, 3]
    assert disputes.leading(sums, 9, ()) == [0, 1, 2, 3, 4]
