"""Pons, Slizovskaia, Gong, Gómez & Serra (EUSIPCO 2017)."""

from mirkeras.system.backend import keras

import numpy as np
import pytest

from data_prep.sets.jingju_phonemes import PHONEMES, RECORDINGS
from mirkeras.evaluation import metrics
from mirkeras.features import find_recipe
from mirkeras.features.logmel import COMPRESSIONS
from mirkeras.layers import count_trainable
from reproductions.pons_eusipco2017 import phonemes, sung, tagging
from reproductions.pons_eusipco2017.experiments import EXPERIMENT
from tests.errata import cut, proves

ROWS = EXPERIMENT.rows


@proves("timbre-scrambled-axes")
def rows_of_the_image_are_maps_not_steps() -> None:
    for second in tagging.SECOND:
        maps, image = before_the_second_convolution(second)
        assert maps.shape == image.shape == (46, 92)
        for number, line in enumerate(image):
            two = maps[:, 2 * number : 2 * number + 2]  # all steps of two maps
            expected = maps[number] if second == "time" else two.T.ravel()
            np.testing.assert_array_equal(line, expected)
    assert EXPERIMENT.protocols["code"].network == {"second": "channels"}


def before_the_second_convolution(second: str) -> list[np.ndarray]:
    """The maps of noise, (steps, maps), and the image that is made of them."""
    keras.utils.set_random_seed(0)
    network = tagging.proposed(50, second=second)
    places = [network.get_layer(name).output for name in ("maps_pool", "maps_image")]
    noise = np.random.RandomState(0).randn(1, tagging.FRAMES, tagging.BANDS).astype(np.float32)
    found = keras.Model(network.input, places).predict(noise, verbose=0)
    return [values.reshape(46, 92) for values in found]


class Cache:
    """Two bands of segments, the value of a cell is its frame; of late segments a thousand more."""

    bands = 2

    def segments(self, first: np.ndarray, length: int) -> np.ndarray:
        frames = np.arange(length)[:, None] * np.ones(self.bands)
        return frames + np.where(first < 2000, 0, 1000)[:, None, None]


@proves("timbre-element-wise")
def bands_are_normalised_on_the_first_segments() -> None:
    starts = np.arange(2500)
    for name, expected in (("code", 1.5), ("paper", 1.5 + 1000 * 500 / 2500)):
        mean, scale = EXPERIMENT.protocols[name].z_score(Cache(), starts, 4)
        # by element the means would be 0, 1, 2 and 3, and no cell would vary
        np.testing.assert_allclose(mean, np.full((4, 2), expected))
        assert (scale > 1).all()


@proves("timbre-last-tag")
def the_last_tag_does_not_count() -> None:
    right, wrong = (0.9, 0.1), (0.1, 0.9)
    clips = {
        "scores": np.transpose([right, right, wrong]),
        "labels": np.array([[1, 1, 1], [0, 0, 0]]),
        "segment_track": np.arange(2),
        "tracks": np.array(["one", "other"]),
        "classes": np.array(["a", "b", "c"]),
    }
    assert metrics.tagging(clips)["roc_auc"] == pytest.approx(2 / 3)
    assert tagging.score(clips, {"protocol": "code"})["roc_auc"] == 1


@proves("irmas-filter-heights")
def only_the_released_heights_give_the_printed_count() -> None:
    rows = ("instruments/single-layer", "instruments/single-layer-code")
    released, code = (count_trainable(ROWS[row].build(11)) for row in rows)
    assert (released, code) == (61_867, 78_667)
    assert round(released / 1000) == 62
    assert cut(code / 1000, 0) > 62


@proves("jingju-two-logarithms")
def the_test_has_another_logarithm() -> None:
    energies = np.random.RandomState(0).exponential(1e-3, (1, 21, 80))
    trained = COMPRESSIONS[find_recipe(phonemes.RECIPE).compression](energies).astype(np.float32)
    np.testing.assert_allclose(trained, np.log1p(1e5 * energies), rtol=1e-5)
    protocol = EXPERIMENT.protocol_of("code", "phonemes/proposed-3")
    assert sung.TESTED_ON[protocol.cut.tested_on] is sung.quieter_scores
    tested = np.asarray(sung.Quieter()(trained))
    np.testing.assert_allclose(tested, np.log1p(1e4 * energies), rtol=1e-3)
    assert (trained - tested).mean() > 1


@proves("jingju-tested-and-trained")
def tested_recordings_are_in_the_other_list() -> None:
    for role, counts in {"dan": (11, 14), "laosheng": (4, 7)}.items():
        tested = recordings(role, {("test", "train"), ("test", "test")})
        trained = recordings(role, {("train", "train"), ("test", "train")})
        assert (len(tested & trained), len(tested)) == counts


def recordings(role: str, parts: set[tuple[str, str]]) -> set[str]:
    """Recordings of a role by their parts in both lists, the test's and that of the features."""
    lists = [
        names.split() for key, names in RECORDINGS.items() if key in {(role, *p) for p in parts}
    ]
    return {name for names in lists for name in names}


@proves("jingju-density")
def density_3_is_not_the_printed_count() -> None:
    three, four = (
        count_trainable(ROWS[f"phonemes/proposed-{density}"].build(len(PHONEMES)))
        for density in (3, 4)
    )
    assert (three, four) == (166_925, 222_557)
    assert cut(four / 1000, 0) == 222
