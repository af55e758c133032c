"""Pons & Serra (ICASSP 2017)."""

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from reproductions.pons_icassp2017.experiments import PROTOCOLS
from reproductions.pons_icassp2017.models import temporal
from tests.errata import proves

SONGS, FOLDS = 698, 10


@proves("temporal-he-gain")
def weights_have_half_the_variance() -> None:
    keras.utils.set_random_seed(0)
    kernel, _ = temporal(8, onsets=40).get_layer("conv_1x41").get_weights()
    after_he = np.asarray(keras.initializers.HeUniform(seed=0)(kernel.shape))
    assert abs(kernel.var() / after_he.var() - 1 / 2) < 0.02
    assert abs(after_he.var() * 41 - 2) < 0.1  # which is 2 / inputs


@proves("temporal-same-validation")
def nine_folds_validate_on_the_same_songs() -> None:
    tracks = pd.DataFrame(index=range(SONGS))
    folds = [PROTOCOLS["code"].draw(tracks, FOLDS, fold, 0) for fold in range(FOLDS)]
    held = [frozenset(validation) for _, validation, _ in folds]
    most = max(set(held), key=held.count)
    assert (held.count(most), len(most)) == (9, 69)
    tested = np.concatenate([test for _, _, test in folds])
    assert sorted(tested) == [*range(SONGS)]  # while every song is tested
