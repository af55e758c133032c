"""Schindler, Lidy & Rauber (FMT 2016), and the report of its reproduction at Bristol."""

import inspect
from itertools import combinations, product

import librosa
import numpy as np
import pytest
from scipy.special import softmax

from mirkeras.evaluation import metrics
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from reproductions.schindler_gtzan.confusion import published as figure_7
from reproductions.schindler_gtzan.experiments import CQT, MEL, PROTOCOLS, ROWS
from tests.errata import proves, published_values, step_after

VALUES = published_values("schindler_gtzan")
TRACKS, SEGMENTS = 250, 15
BATCHES = 750  # of an epoch: 750 tracks of 15 segments, 15 in a batch
#: What section IX prints of one segment.
CONFIDENCES = (-4.15, 2.48, 8.06, 2.75, -3.78, 6.11, -13.15, -4.47, 3.86, 0.19)
METRICS = ("raw", "max", "maj")


def gain(row: str, base: str, metric: str) -> float:
    """Points by which a row of the report leads another."""
    better, other = (VALUES[f"report/{name}-{metric}"] for name in (row, base))
    return round(better - other, 2)


@proves("bristol-no-share-of-250")
def one_score_is_no_share_of_the_tracks() -> None:
    report = VALUES[VALUES.index.str.fullmatch("report/.*-(max|maj)")].dropna()
    assert len(report) == 32
    right = report * TRACKS / 100
    impossible = report[~np.isclose(right, right.round())]
    assert [*impossible.index] == ["report/base-shallow-100-maj"]


@proves("bristol-shallow-gains")
def the_shallow_network_gains_less() -> None:
    said = {"cqt": (4.0, 4.8), "exp": (6.0, 5.6), "cqt-exp": (8.0, 8.0)}
    for kind, points in said.items():
        for epochs, by_text in zip((100, 200), points, strict=True):
            row, base = f"{kind}-shallow-{epochs}", f"base-shallow-{epochs}"
            assert gain(row, base, "maj") < by_text - 2


@proves("bristol-exp-deep-gains")
def the_deep_network_gains_less_with_exp() -> None:
    gains = {metric: gain("exp-deep-100", "base-deep-100", metric) for metric in ("max", "maj")}
    assert gains["max"] < 3.2 - 1
    assert gains["maj"] < 0


@proves("bristol-best-gains")
def the_best_version_gains_otherwise() -> None:
    gains = [gain("cqt-exp-deep-100", "base-deep-100", metric) for metric in METRICS]
    assert (np.abs(np.subtract(gains, (0.83, 4.4, 3.6))) > 0.5).all()


@proves("bristol-past-100-epochs")
def scores_rise_past_100_epochs() -> None:
    changes = {
        (kind, network, metric): gain(f"{kind}-{network}-200", f"{kind}-{network}-100", metric)
        for kind, network, metric in product(("cqt", "exp"), ("shallow", "deep"), METRICS)
    }
    rising = [key for key, points in changes.items() if points > 0]
    assert rising == [key for key in changes if key[0] == "cqt" and key != ("cqt", "deep", "raw")]
    assert max(changes.values()) == 2.0


@proves("bristol-deep-stays")
def the_deep_network_does_not_stay() -> None:
    changes = {metric: gain("base-deep-200", "base-deep-100", metric) for metric in METRICS}
    assert changes["raw"] == 0
    assert changes["max"] > 1
    assert changes["maj"] > 0.5


@proves("bristol-exp-per-batch")
def rates_differ_by_what_is_counted() -> None:
    row = "report/exp-deep-200"
    by_text = PROTOCOLS["student-text"].of(ROWS[row].variant, None).rule
    left = np.prod([by_text.step(by_text.start(), {}).factor for _ in range(200)])
    assert 1 - left == pytest.approx(0.007, abs=1e-4)
    by_code = PROTOCOLS["student"].of(ROWS[row].variant, None).optimizer()
    constant = PROTOCOLS["student"].optimizer()
    steps = [step_after(optimizer, 4 * BATCHES) for optimizer in (by_code, constant)]
    assert steps[0] / steps[1] == pytest.approx(0.9, rel=1e-4)  # after four epochs


@proves("bristol-seven-octaves")
def eighty_bins_are_fewer_than_seven_octaves_of_semitones() -> None:
    recipe = find_recipe(CQT)
    default = inspect.signature(librosa.cqt).parameters["bins_per_octave"].default
    assert recipe.per_octave == default == 12
    centres = librosa.cqt_frequencies(recipe.bands, fmin=recipe.lowest, bins_per_octave=default)
    assert len(centres) == 80
    semitones = 12 * np.diff(np.log2(centres))
    np.testing.assert_allclose(semitones, 1)  # none is merged with its neighbour
    assert round((semitones.sum() + 1) / 12, 2) == 6.67


@proves("bristol-ninth-lowest")
def it_is_the_second_lowest() -> None:
    upwards = sorted(CONFIDENCES)
    assert upwards.index(-4.47) + 1 == 2
    assert upwards[::-1].index(-4.47) + 1 == 9


@proves("bristol-largest-confusions")
def blues_is_not_among_the_largest_confusions() -> None:
    matrix, names = figure_7()
    both = {
        frozenset((names[one], names[other])): matrix[one, other] + matrix[other, one]
        for one, other in combinations(range(len(names)), 2)
    }
    assert max(both, key=both.get) == {"rock", "pop"}
    with_blues = {pair: tracks for pair, tracks in both.items() if "blues" in pair}
    assert max(with_blues, key=with_blues.get) == {"blues", "disco"}
    named = [both[frozenset(("blues", other))] for other in ("rock", "pop")]
    assert named == [1, 1]
    larger = [pair for pair, tracks in both.items() if tracks >= 2 and "blues" not in pair]
    assert len(larger) == 2 + 5


@proves("bristol-max-of-logits")
def sums_of_logits_and_of_likelihoods_choose_otherwise() -> None:
    assert min(CONFIDENCES) < 0  # a likelihood is not
    logits = np.array([[1.2, 0.0], [1.2, 0.0], [0.0, 4.0]])  # three segments of a track
    likelihoods = softmax(logits, axis=1)
    track = {"scores": likelihoods, "segment_track": np.zeros(3, int), "tracks": np.array(["t"])}
    student, paper = (
        metrics.track_classes(track, PROTOCOLS[name].aggregate).item()
        for name in ("student", "paper")
    )
    assert student == logits.sum(axis=0).argmax() == 1
    assert paper == likelihoods.sum(axis=0).argmax() == 0


@proves("bristol-097-seconds")
def eighty_frames_are_shorter() -> None:
    recipe, row = find_recipe(MEL), ROWS["report/base-deep-100"]
    samples = row.frames * recipe.hop
    assert samples == 20_480
    for length in (samples, 20_505):
        assert round(length / recipe.sample_rate, 2) == 0.93


@proves("schindler-dropout-place")
def dropout_acts_on_other_values() -> None:
    dropped = {
        (row, author): ROWS[row].build(10, author=author).get_layer("dropout").input.shape[-1]
        for row in ("table2/shallow-100", "table2/deep-100")
        for author in ("paper", "student")
    }
    assert [*dropped.values()] == [200, 10_240, 200, 5_120]


@proves("schindler-first-temporal-kernel")
def three_readings_are_three_networks() -> None:
    rows = ("table2/deep-100", "kernel/deep-21x20-100", "kernel/deep-10x23-100")
    counts = [count_trainable(ROWS[row].build(10)) for row in rows]
    assert counts == [1_280_002, 1_283_362, 1_280_322]
