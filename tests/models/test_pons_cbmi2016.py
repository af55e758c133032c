"""The networks of CBMI 2016; runs on every Keras backend (`make test-jax`)."""

import keras
import numpy as np
import pytest

from mirkeras.experiment.published import published_rows
from mirkeras.layers import standardised
from mirkeras.pipeline.feed import Gather
from reproductions.pons_cbmi2016 import models
from reproductions.pons_cbmi2016.experiments import ROWS

PUBLISHED = published_rows("pons_cbmi2016").set_index("id")


def test_every_published_row_has_a_network_and_no_other() -> None:
    assert [f"pons_cbmi2016/{name}" for name in ROWS] == list(PUBLISHED.index)


@pytest.mark.parametrize("name", ROWS)
def test_parameters_are_the_published_ones(name: str) -> None:
    network = ROWS[name].build(8)
    assert network.count_params() == PUBLISHED.params[f"pons_cbmi2016/{name}"]


@pytest.mark.parametrize("name", ROWS)
def test_segments_become_class_probabilities(name: str) -> None:
    row = ROWS[name]
    segments = np.random.RandomState(0).randn(3, row.frames, models.BANDS).astype("float32")
    scores = keras.ops.convert_to_numpy(row.build(5)(segments))
    assert scores.shape == (3, 5)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "layer", "shape"),
    [
        (models.black_box(8), "conv", (None, 73, 29, 32)),
        (models.black_box(8), "pool", (None, 73, 7, 32)),
        (models.black_box(8, frames=250, kernel=(12, 200)), "pool", (None, 51, 7, 32)),
        (models.time(8), "time_pool", (None, 21, 1, 32)),
        (models.time(8, frames=250, kernel=(1, 200)), "time_pool", (None, 51, 1, 32)),
        (models.frequency(8), "frequency_pool", (None, 1, 9, 32)),
        (models.time_frequency(8), "time_and_frequency", (None, 960)),
    ],
)
def test_feature_maps_have_the_papers_shapes(
    network: keras.Model, layer: str, shape: tuple
) -> None:
    assert network.get_layer(layer).output.shape == shape


def test_time_looks_at_bands_alone_and_keeps_the_strongest() -> None:
    network = models.time(8)
    features = keras.Model(network.input, network.get_layer("time_pool").output)
    segment = np.random.RandomState(1).randn(1, 80, models.BANDS).astype("float32")
    shuffled = segment[:, :, np.random.RandomState(2).permutation(models.BANDS)]
    np.testing.assert_allclose(features(segment), features(shuffled), atol=1e-5)


def test_frequency_does_not_know_the_order_of_frames() -> None:
    network = models.frequency(8)
    segment = np.random.RandomState(1).randn(1, 80, models.BANDS).astype("float32")
    shuffled = segment[:, np.random.RandomState(2).permutation(80)]
    np.testing.assert_allclose(network(segment), network(shuffled), atol=1e-5)


def test_time_frequency_starts_from_trained_convolutions() -> None:
    network, time, frequency = models.time_frequency(8), models.time(8), models.frequency(8)
    dense = network.get_layer("dense").get_weights()[0]
    models.start_from(network, time, frequency)
    for name, source in (("time_conv", time), ("frequency_conv", frequency)):
        for ours, theirs in zip(
            network.get_layer(name).get_weights(),
            source.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(network.get_layer("dense").get_weights()[0], dense)


def test_z_score_is_part_of_the_saved_model(tmp_path) -> None:
    network = models.time(8)
    model = standardised(network, mean=2.0, std=0.5)
    features = np.random.RandomState(0).randn(2, 80, models.BANDS).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(features), network((features - 2) / 0.5), atol=1e-5)
    assert model.count_params() == 7_336


def test_gather_cuts_segments_out_of_frames() -> None:
    frames = np.arange(40, dtype="float32").reshape(20, 2)
    gathered = keras.ops.convert_to_numpy(Gather(frames, 3)(np.array([0, 17], "int32")))
    np.testing.assert_array_equal(gathered, np.stack([frames[:3], frames[17:]]))


def test_a_network_learns_on_this_backend() -> None:
    keras.utils.set_random_seed(0)
    random = np.random.RandomState(0)
    segments = random.randn(60, 80, models.BANDS).astype("float32")
    labels = np.arange(60) % 2
    segments[labels == 1, ::8] += 4  # pulses: the business of temporal filters
    network = models.time(2)
    network.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    losses = network.fit(segments, labels, batch_size=10, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
