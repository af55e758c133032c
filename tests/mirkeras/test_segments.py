import numpy as np
import pytest

from mirkeras.segments import consecutive


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
