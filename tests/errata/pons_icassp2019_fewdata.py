"""Pons, Serrà & Serra (ICASSP 2019): few data."""

from unittest.mock import patch

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.experiment.runs import Run
from mirkeras.layers import count_trainable
from mirkeras.pipeline.segments import Consecutive, cut
from mirkeras.training.learners import LEARNERS
from reproductions.pons_icassp2019_fewdata import models, prototypes
from reproductions.pons_icassp2019_fewdata.experiments import EXPERIMENT, ROWS
from reproductions.pons_icassp2019_fewdata.learners import training_tracks
from tests.errata import divided, proves

NETWORK, PROTOTYPES = "curve/vgg-n1", "curve/prototypical-n1"
FOLDS = 10


@proves("few-vgg-of-prototypes")
def the_vgg_of_prototypes_is_larger() -> None:
    small, large = (count_trainable(ROWS[row].build(10)) for row in (NETWORK, PROTOTYPES))
    assert (small, large) == (42_764, 613_642)
    assert round(large / small) == 14


@proves("few-support-drawn-once")
def the_support_stays() -> None:
    redrawn = {
        name: EXPERIMENT.protocol_of(name, PROTOTYPES).validate_by == "test"
        for name in ("code", "clean")
    }
    assert redrawn == {"code": False, "clean": True}
    epochs, updates = 3, 2  # 20 patches, 10 of them queries
    assert supports_drawn(redraw=False, epochs=epochs) == 1
    assert supports_drawn(redraw=True, epochs=epochs) == 1 + epochs * updates


def supports_drawn(*, redraw: bool, epochs: int) -> int:
    """How many supports a training of ten clips draws."""
    patches = np.random.RandomState(0).randn(20, 1, 4).astype(np.float32)
    clips = prototypes.Clips(patches, np.repeat(np.arange(10), 2), np.repeat([0, 1], 5))
    embed = models.linear_embedding(features=4)
    with patch.object(prototypes, "draw_support", wraps=prototypes.draw_support) as drawn:
        prototypes.train(
            embed,
            clips,
            seed=0,
            redraw=redraw,
            clip_norm=None,
            max_epochs=epochs,
            report=lambda line: None,
        )
    return drawn.call_count


@proves("few-euclidean")
def the_distance_is_a_tenth_of_the_square() -> None:
    random = np.random.RandomState(0)
    queries, centres = (random.randn(n, models.EMBEDDING).astype(np.float32) for n in (5, 3))
    found = -keras.ops.convert_to_numpy(prototypes.minus_distances(queries, centres))
    euclidean = np.linalg.norm(queries[:, None] - centres, axis=-1)
    np.testing.assert_allclose(found, euclidean**2 / 10, rtol=1e-4)
    assert not np.allclose(found, euclidean, rtol=0.1)


@proves("few-eight-folds")
def a_fold_is_neither_trained_on_nor_tested() -> None:
    counts = {}
    for name in ("code", "clean"):
        protocol = EXPERIMENT.protocol_of(name, NETWORK)
        parts, segments, tracks = divided(protocol, "official", FOLDS)
        run = Run(EXPERIMENT.paper, NETWORK, "set", name, 0, 0, FOLDS, 1, "official")
        trained = training_tracks(run, protocol, parts, segments)
        counts[name] = tracks.official.iloc[trained].nunique()
    assert counts == {"code": 8, "clean": 9}


@proves("few-unlike-tests")
def patches_and_means_differ() -> None:
    frames = 44_100 * 4 // 1024 + 1  # of a clip of 4 s
    patches, means = {}, {}
    for row in (NETWORK, PROTOTYPES):
        protocol = EXPERIMENT.protocol_of("code", row)
        hop = LEARNERS[ROWS[row].learner].hop(ROWS[row], protocol)
        offsets = np.array([0, frames])
        patches[row] = len(cut(Consecutive(hop), offsets, models.FRAMES, 0))
        means[row] = protocol.aggregate
    assert patches == {NETWORK: 46, PROTOTYPES: 2}
    # a product of probabilities is a sum of their logarithms
    assert means == {NETWORK: "mean", PROTOTYPES: "product"}
