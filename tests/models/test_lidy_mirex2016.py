"""The networks of MIREX 2016; runs on every Keras backend (`make test-jax`)."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest

from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from reproductions.lidy_mirex2016 import models
from reproductions.lidy_mirex2016.experiments import ROWS

# Classes of mood, of genre and Latin, of composer, and one between; arithmetic, none is published.
CLASSES = (5, 9, 10, 11)
COUNTS = {
    models.model_1: (562_835, 563_639, 563_840, 564_041),
    models.model_2: (1_461_813, 1_462_617, 1_462_818, 1_463_019),
    models.model_3: (945_065, 945_869, 946_070, 946_271),
}


def segments(network: keras.Model, count: int = 2) -> np.ndarray:
    """Draw random segments of the shape that a network takes."""
    shape = (count, *network.input_shape[1:])
    return np.random.RandomState(0).randn(*shape).astype("float32")


@pytest.mark.parametrize("build", COUNTS, ids=lambda build: build.__name__)
def test_counts_for_every_number_of_classes(build: Callable) -> None:
    assert tuple(count_trainable(build(classes)) for classes in CLASSES) == COUNTS[build]


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (partial(models.model_2, bands=80, frames=82), 4_125_218),
        (partial(models.model_2, filters=30), 1_371_530),
        (partial(models.model_1, hidden=False), 31_540),
    ],
)
def test_counts_of_other_readings(build: Callable, count: int) -> None:
    assert count_trainable(build(10)) == count


def test_counts_of_the_network_of_2015() -> None:
    # with eight classes it is what Black-box (CBMI 2016) started from
    assert count_trainable(models.music_speech(8)) == 3_069_263
    assert count_trainable(models.music_speech(2)) == 3_068_057


@pytest.mark.parametrize(
    ("build", "layer", "shape"),
    [
        # (frames, bands, filters): Figure 2 has 31×69 pooled to 31×3
        (models.model_1, "frequency_conv", (69, 31, 30)),
        (models.model_1, "frequency_pool", (3, 31, 30)),
        (models.model_1, "frequency_features", (2790,)),
        (models.model_2, "frequency_pool", (3, 27, 32)),
        (models.model_2, "time_pool", (73, 2, 32)),
        (models.model_2, "frequency_and_time", (7264,)),
        (partial(models.model_2, filters=30), "frequency_and_time", (6810,)),
        (models.model_3, "short_pool", (3, 31, 30)),
        (models.model_3, "long_conv", (47, 31, 30)),
        (models.model_3, "short_and_long", (4650,)),
        (models.music_speech, "frequency_pool", (73, 14, 15)),
    ],
)
def test_feature_maps(build: Callable, layer: str, shape: tuple) -> None:
    assert build(10).get_layer(layer).output.shape == (None, *shape)


@pytest.mark.parametrize(
    ("layer", "printed"),
    [
        ("frequency_conv", (67, 68)),
        ("frequency_pool", (67, 4)),
        ("time_pool", (5, 75)),
    ],
)
def test_printed_shapes_of_model_2_are_those_of_80_bands_and_82_frames(
    layer: str, printed: tuple[int, int]
) -> None:
    network = ROWS["mirex2016/model-2-80x82"].build(10)
    _, frames, bands, filters = network.get_layer(layer).output.shape
    assert ((bands, frames), filters) == (printed, 32)


@pytest.mark.parametrize("name", ROWS)
def test_rows_take_what_their_recipe_gives(name: str) -> None:
    row = ROWS[name]
    network = row.build(3)
    assert network.input_shape == (None, row.frames, find_recipe(row.recipe).bands)
    scores = keras.ops.convert_to_numpy(network(segments(network)))
    assert scores.shape == (2, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_pooling_first_is_the_paper_s_order() -> None:
    network = models.model_1(3, hidden=False)
    network.get_layer("frequency_conv").bias.assign(np.full(30, -0.5))  # some maxima below 0
    frames = segments(network)
    ours = keras.Model(network.input, network.get_layer("frequency_features").output)(frames)
    convolved = keras.Model(network.input, network.get_layer("frequency_conv").output)(frames)
    convolved = keras.ops.convert_to_numpy(convolved)
    rectified = np.where(convolved < 0, 0.3 * convolved, convolved)[:, :60]
    pooled = rectified.reshape(2, 3, 20, 31, 30).max(axis=2)
    np.testing.assert_allclose(ours, pooled.reshape(2, -1), atol=1e-5)
    assert 0.1 < (pooled < 0).mean() < 0.9


@pytest.mark.parametrize("build", [*COUNTS, models.music_speech], ids=lambda b: b.__name__)
def test_dense_layer_is_sigmoid_with_a_fifth_dropped(build: Callable) -> None:
    network = build(4)
    dense, dropout, scores = network.layers[-3:]
    assert (dense.units, dense.activation.__name__) == (200, "sigmoid")
    assert (dropout.rate, scores.activation.__name__) == (0.2, "softmax")


def test_weights_start_glorot_uniform() -> None:
    keras.utils.set_random_seed(0)
    network = models.model_1(10)
    for name, fans in (("frequency_conv", 10 * 12 * (1 + 30)), ("dense", 2790 + 200)):
        kernel, bias = network.get_layer(name).get_weights()
        limit = np.sqrt(6 / fans)
        assert 0.99 * limit < abs(kernel).max() <= limit
        assert not bias.any()


def test_a_saved_network_is_the_same_network(tmp_path) -> None:
    network = models.model_3(4)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    frames = segments(network)
    np.testing.assert_allclose(loaded(frames), network(frames), atol=1e-6)


def test_a_network_learns_on_this_backend() -> None:
    keras.utils.set_random_seed(0)
    network = models.model_1(2)
    frames, labels = segments(network, 40), np.arange(40) % 2
    frames[labels == 1, :, 20:] += 2  # bright sounds
    network.compile(keras.optimizers.SGD(0.02), "sparse_categorical_crossentropy")
    losses = network.fit(frames, labels, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
