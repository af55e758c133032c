"""Pons & Serra (ICASSP 2019): randomly weighted CNNs."""

from itertools import product

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from mirkeras.evaluation.results import recorded
from reproductions.pons_icassp2019_random import models
from reproductions.pons_icassp2019_random.classifiers import elm_points, svm_grid, svm_points
from reproductions.pons_icassp2019_random.experiments import EXPERIMENT
from reproductions.pons_icassp2019_random.learners import on_the_wrong_axis
from tests.errata import proves, published_values

PAPER, CODE = EXPERIMENT.paper, EXPERIMENT.protocols["code"]
VALUES = published_values(PAPER)
#: As the paper orders them.
WAVEFORMS = ("sample-level", "frame-level-many", "frame-level")


def live_features(name: str) -> tuple[int, int]:
    """Count the features of a large network that are not constant under `code`, and all."""
    front_end = models.FRONT_ENDS[name]
    filters, _ = front_end.filters
    _, found = front_end.open(max(front_end.shortest, 1024), filters)
    width = sum(maps.shape[-1] for maps in found)
    values = np.random.RandomState(0).rand(5, width).astype(np.float32)
    if front_end.front:
        values = on_the_wrong_axis(values, front_end.front * filters)
    return int((np.ptp(values, axis=0) > 0).sum()), width


@proves("random-zero-features")
def most_features_are_zeros() -> None:
    assert live_features("frame-level") == (899, 3584)
    assert live_features("frame-level-many") == (2243, 3584)


@proves("random-order-of-front-ends")
def the_order_is_that_of_the_features_left() -> None:
    left = [live_features(name) for name in WAVEFORMS]
    assert left[0] == (3584, 3584)
    assert left == sorted(left, reverse=True)
    runs = recorded(PAPER).query("dataset == 'esc50'")
    means = runs.groupby(["row", "protocol"]).accuracy.mean().unstack()
    for name in WAVEFORMS[1:]:
        row = means.loc[f"figures/{name}-3500-svm"]
        assert row["clean"] > row["code"]


@proves("random-folds-not-random")
def folds_are_the_same_in_every_run() -> None:
    labels = np.repeat(["a", "b", "c"], 40)
    tracks = pd.DataFrame({"label": labels})
    first, second = (
        [CODE.draw(tracks, 10, fold, seed)[2].tolist() for fold in range(10)] for seed in (0, 1)
    )
    assert first == second
    assert first[0] == [*range(4), *range(40, 44), *range(80, 84)]  # in the order of the files
    drawn = [
        StratifiedKFold(10, shuffle=True, random_state=seed).split(labels, labels)
        for seed in (0, 1)
    ]
    assert [test.tolist() for _, test in drawn[0]] != [test.tolist() for _, test in drawn[1]]


@proves("random-best-on-test")
def the_best_of_the_grid_is_right_about_noise() -> None:
    assert (len(svm_points()), len(elm_points())) == (32, 6)
    assert CODE.validate_by == "test"
    best, usual = [], []
    for seed in range(10):
        random = np.random.RandomState(seed)
        features, classes = random.randn(60, 4), random.randint(2, size=60)
        halves = np.arange(60) % 2 == 0, np.arange(60) % 2 == 1
        right = [
            (svm_grid(features[~test], classes[~test], features[test])[0] == classes[test])
            for test in halves
        ]
        accuracies = np.mean([half.mean(axis=1) for half in right], axis=0)
        best.append(accuracies.max())
        usual.append(accuracies.mean())
    assert abs(np.mean(usual) - 0.5) < 0.05
    assert np.mean(best) > 0.55


@proves("random-best-known")
def the_later_number_is_lower() -> None:
    assert VALUES["extended_ballroom/trained"] < 94.9 - 1


@proves("random-7x96-and-7x86")
def filters_that_cannot_move_are_ahead_once() -> None:
    sets, kinds = ("gtzan", "extended_ballroom", "urbansound8k"), ("svm", "elm")
    behind = [
        key
        for key in product(sets, kinds)
        if VALUES[f"{key[0]}/7x86-{key[1]}"] < VALUES[f"{key[0]}/7x96-{key[1]}"]
    ]
    assert behind == [("gtzan", "elm")]


@proves("random-beats-mfcc")
def one_network_is_above_mfcc_on_sounds() -> None:
    sounds = VALUES[VALUES.index.str.fullmatch("urbansound8k/.*-(svm|elm)")]
    networks = sounds.drop("urbansound8k/mfcc-svm")
    best = networks.groupby(networks.index.str.replace("-(svm|elm)$", "", regex=True)).max()
    assert len(best) == 8
    above = best[best > sounds["urbansound8k/mfcc-svm"]]
    assert [*above.index] == ["urbansound8k/vgg"]
    assert best.nlargest(2).iloc[1] == 64.2


@proves("random-vgg-too-short")
def nothing_is_left_of_188_frames() -> None:
    left = {}
    for frames in (1280, 188):
        left[frames] = frames
        for _, pool in models.POOLS:
            left[frames] //= pool
    assert left == {1280: 1, 188: 0}
