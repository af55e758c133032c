"""The networks of ICASSP 2017; runs on every Keras backend (`make test-jax`)."""

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import softmax

from mirkeras.experiment.published import published_rows
from reproductions.pons_icassp2017 import models
from reproductions.pons_icassp2017.experiments import ROWS

PUBLISHED = published_rows("pons_icassp2017").set_index("id")


def test_every_row_is_listed_in_the_order_of_its_size() -> None:
    listed = PUBLISHED[PUBLISHED.row != ""]
    assert listed.row.tolist() == list(ROWS)
    assert listed.params.is_monotonic_increasing


@pytest.mark.parametrize("name", ROWS)
def test_parameters_are_those_of_the_code(name: str) -> None:
    assert ROWS[name].build(8).count_params() == PUBLISHED.params[f"pons_icassp2017/{name}"]


def written_out(network: keras.Model, segment: np.ndarray) -> np.ndarray:
    """Compute the scores of one segment (frames, bands), as `buildArchitecture.py` says."""
    values = []
    for n in (*range(6, 42, 5), *range(46, 217, 5)):
        kernel, bias = network.get_layer(f"conv_1x{n}").get_weights()
        windows = sliding_window_view(segment, n, axis=0)  # (positions, bands, n)
        found = np.maximum(windows @ kernel[:, 0, 0] + bias, 0).max(axis=0)  # (bands, filters)
        values.append(found.reshape(10, 4, -1).max(axis=1))
    kernel, bias = network.get_layer("scores").get_weights()
    return softmax(np.concatenate(values, axis=1).ravel() @ kernel + bias)


@pytest.mark.parametrize("patterns", [1, models.FEW + 1])
def test_scores_are_those_of_the_network_written_out(patterns: int) -> None:
    network = models.temporal(8, onsets=1, patterns=patterns)
    network.set_weights([0.3 * np.random.RandomState(2).randn(*w.shape) for w in network.weights])
    segments = np.random.RandomState(3).randn(2, 250, 40).astype("float32") / 10
    expected = np.stack([written_out(network, segment) for segment in segments])
    assert 0.01 < expected.max() < 0.99
    found = keras.ops.convert_to_numpy(network(segments))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_saved_network_is_plain_keras_and_scores_the_same(tmp_path) -> None:
    network = models.temporal(8, patterns=1)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert all(type(layer).__module__.startswith("keras.") for layer in loaded.layers)
    segments = np.random.RandomState(3).randn(2, 250, 40).astype("float32") / 10
    found, again = (keras.ops.convert_to_numpy(one(segments)) for one in (network, loaded))
    np.testing.assert_allclose(found, again, atol=1e-5)


def test_kernels_start_as_lasagne_starts_them() -> None:
    kernel = models.temporal(8, patterns=50).get_layer("conv_1x46").get_weights()[0]
    limit = np.sqrt(3 / 46)
    assert 0.98 * limit < np.abs(kernel).max() <= limit


def test_ten_sub_bands_remain_of_every_filter() -> None:
    network = models.temporal(8, onsets=1, patterns=1)
    assert network.get_layer("maps").output.shape == (None, 1, 10, 75)
