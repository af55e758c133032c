import numpy as np
import pytest

from mirkeras.experiment.division import Parts
from mirkeras.transfer import classifiers

TRACKS = 60


def halves() -> Parts:
    tracks = np.arange(TRACKS)
    return Parts(tracks[::3], tracks[1::3], tracks[2::3], tracks)


def separable(labels: np.ndarray) -> np.ndarray:
    """Features that tell the labels, far apart."""
    noise = np.random.RandomState(0).randn(TRACKS, 6)
    return noise + 10 * np.eye(6)[labels]


def test_classes_are_told_apart() -> None:
    labels = np.arange(TRACKS) // 3 % 4
    parts = halves()
    scores, penalty, _ = classifiers.scores(separable(labels), labels, parts, outputs=4, seed=0)
    assert scores.shape == (20, 4)
    assert (scores.argmax(axis=1) == labels[parts.test]).all()
    assert penalty in classifiers.PENALTIES


@pytest.mark.parametrize("present", [(0, 2, 3), (1, 3)])
def test_a_class_nobody_trains_on_shifts_no_other(present: tuple[int, ...]) -> None:
    labels = np.resize(np.repeat(present, 3), TRACKS)
    scores, _, _ = classifiers.scores(separable(labels), labels, halves(), outputs=4, seed=0)
    assert (scores.argmax(axis=1) == labels[halves().test]).all()
    absent = sorted(set(range(4)) - set(present))
    assert np.isneginf(scores[:, absent]).all()


def test_tags_are_ranked_one_by_one() -> None:
    labels = np.random.RandomState(1).randint(0, 2, (TRACKS, 3))
    labels[:, 2] = 0  # nobody has it
    features = np.random.RandomState(0).randn(TRACKS, 6) + 5 * labels @ np.eye(6)[:3]
    parts = halves()
    with pytest.warns(UserWarning, match="not 2 is present"):
        scores, _, _ = classifiers.scores(
            features, labels.astype("float32"), parts, outputs=3, seed=0
        )
    for tag in (0, 1):
        has = labels[parts.test, tag] == 1
        assert scores[has, tag].min() > scores[~has, tag].max()
