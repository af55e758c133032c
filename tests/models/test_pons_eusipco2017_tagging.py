"""The taggers of EUSIPCO 2017 beside the authors' graph in NumPy; every Keras backend."""

from functools import partial

import keras
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import expit

from mirkeras.layers import count_trainable
from reproductions.pons_eusipco2017 import tagging
from reproductions.pons_eusipco2017.experiments import EXPERIMENT

# 50 tags; the last two in the authors' code have no published number
COUNTS = {
    "tagging/proposed-1": 74_526,  # "75k"
    "tagging/proposed-2": 191_006,  # "191k"
    "tagging/proposed-4": 565_278,
    "tagging/small-squared": 73_778,
    "tagging/small-squared-plain": 73_602,
}
# time × frequency: filters, as the code lists them
BLOCKS = {
    (1, 100): 10, (3, 100): 6, (5, 100): 3, (7, 100): 3,
    (1, 75): 15, (3, 75): 10, (5, 75): 5, (7, 75): 5,
    (1, 25): 15, (3, 25): 10, (5, 25): 5, (7, 25): 5,
}  # fmt: skip
POOLS = [(4, 1), (1, 4), (2, 2), (2, 2), (1, 1)]  # time × frequency


class Graph:
    """A network's arrays, and Lasagne's layers on (channels, time, frequency) in float64.

    Theano turns every kernel before it convolves. Where none comes from there, that changes nothing
    but what a kernel is called.
    """

    def __init__(self, network: keras.Model) -> None:
        self.arrays = {
            variable.path: keras.ops.convert_to_numpy(variable).astype(np.float64)
            for variable in network.weights
        }

    def conv(self, x: np.ndarray, layer: str) -> np.ndarray:
        kernel = self.arrays[f"{layer}_conv/kernel"].transpose(3, 2, 0, 1)
        windows = sliding_window_view(x, kernel.shape[2:], axis=(1, 2))
        maps = np.tensordot(kernel, windows, axes=((1, 2, 3), (0, 3, 4)))
        bias = self.arrays.get(f"{layer}_conv/bias", np.zeros(len(kernel)))
        return maps + bias[:, None, None]

    def norm(self, x: np.ndarray, layer: str) -> np.ndarray:
        mean, variance, gamma, beta = (
            self.arrays[f"{layer}_bn/{name}"][:, None, None]
            for name in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return (x - mean) * (gamma / np.sqrt(variance + 1e-4)) + beta

    def dense(self, x: np.ndarray, layer: str) -> np.ndarray:
        return x @ self.arrays[f"{layer}/kernel"] + self.arrays[f"{layer}/bias"]


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def pool(x: np.ndarray, time: int, bands: int) -> np.ndarray:
    channels, (t, b) = len(x), (x.shape[1] // time, x.shape[2] // bands)
    whole = x[:, : t * time, : b * bands]
    return whole.reshape(channels, t, time, b, bands).max(axis=(2, 4))


def proposed(network: keras.Model, segment: np.ndarray, protocol: str) -> np.ndarray:
    """Tags of a segment (187, 128)."""
    graph, found = Graph(network), []
    for time, bands in BLOCKS:
        padded = np.pad(segment.astype(np.float64), ((time // 2, time // 2), (0, 0)))
        maps = elu(graph.conv(padded[None], f"f{bands}x{time}"))
        found.append(pool(maps, 4, maps.shape[2]))
    x = np.concatenate(found)
    assert x.shape == (92, 46, 1)
    # ReshapeLayer(([0], [3], [2], [1])): the axes' lengths change places, their numbers do not
    x = x.reshape(1, 46, 92) if protocol == "code" else x.transpose(2, 1, 0)
    x = pool(elu(graph.conv(x, "second")), 4, 1)
    assert x.shape == (32, 9, 1)
    x = x.reshape(1, 9, 32) if protocol == "code" else x.transpose(2, 1, 0)
    return expit(graph.dense(elu(graph.dense(x.ravel(), "dense")), "scores"))


def small_squared(network: keras.Model, segment: np.ndarray, normalised: bool) -> np.ndarray:
    """Tags of a segment (187, 128)."""
    graph, x = Graph(network), segment.astype(np.float64)[None]
    for number, size in enumerate(POOLS, start=1):
        x = graph.conv(x, f"cnn{number}")
        x = graph.norm(x, f"cnn{number}") if normalised else x
        x = pool(elu(x), *size)
    assert x.shape == (16, 7, 4)
    # Lasagne's dense layer would have it by channels, ours has it by time
    return expit(graph.dense(x.transpose(1, 2, 0).ravel(), "scores"))


def drawn(build: partial) -> keras.Model:
    """Build a network in which no bias is 0 and no batch norm an identity."""
    network, random = build(50), np.random.RandomState(1)
    for variable in network.weights:
        if not variable.path.endswith("kernel"):
            low = 0.5 if variable.path.endswith(("gamma", "variance")) else -0.5
            variable.assign(random.uniform(low, low + 1, variable.shape))
    return network


def run(network: keras.Model, segment: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(segment[None]))[0]


SEGMENT = np.random.RandomState(0).standard_normal((187, 128)).astype("float32")


@pytest.mark.parametrize("protocol", ["paper", "code"])
def test_every_row_has_its_count(protocol: str) -> None:
    options = EXPERIMENT.protocols[protocol].network
    found = {row.id: count_trainable(row.build(50, "sigmoid", **options)) for row in tagging.ROWS}
    assert found == COUNTS


@pytest.mark.parametrize("protocol", ["code", "paper"])
def test_proposed_is_the_authors_graph(protocol: str) -> None:
    options = EXPERIMENT.protocols[protocol].network
    network = drawn(partial(tagging.proposed, **options))
    expected = proposed(network, SEGMENT, protocol)
    assert expected.std() > 0.1
    assert np.abs(run(network, SEGMENT) - expected).max() <= 1e-5


def test_scrambled_axes_make_another_network_of_the_same_weights() -> None:
    over_time, scrambled = (drawn(partial(tagging.proposed, second=s)) for s in tagging.SECOND)
    scrambled.set_weights(over_time.get_weights())
    assert np.abs(run(over_time, SEGMENT) - run(scrambled, SEGMENT)).max() > 0.05


@pytest.mark.parametrize("times", [1, 2])
def test_a_row_of_the_scrambled_image_is_all_steps_of_some_maps(times: int) -> None:
    network = tagging.proposed(3, times=times, second="channels")
    names = "maps_pool", "maps_image"
    layers = keras.Model(network.input, [network.get_layer(name).output for name in names])
    maps, image = (keras.ops.convert_to_numpy(one)[0] for one in layers(SEGMENT[None]))
    for row in (0, 1, 45):
        some = maps[:, 2 * times * row : 2 * times * (row + 1)]
        np.testing.assert_array_equal(image[row, :, 0], some.T.ravel())


@pytest.mark.parametrize("normalised", [True, False])
def test_small_squared_is_the_authors_graph(normalised: bool) -> None:
    network = drawn(partial(tagging.small_squared, normalised=normalised))
    expected = small_squared(network, SEGMENT, normalised)
    assert expected.std() > 0.1
    assert np.abs(run(network, SEGMENT) - expected).max() <= 1e-5


@pytest.mark.parametrize("build", [tagging.proposed, tagging.small_squared])
def test_kernels_start_as_lasagnes_he_uniform_and_are_penalised(build) -> None:
    network = build(50)
    penalised = 0.0
    for variable in network.trainable_variables:
        values = keras.ops.convert_to_numpy(variable)
        if variable.path.endswith("kernel"):
            inputs = np.prod(values.shape[:-1])
            limit = np.sqrt(6 / (inputs + 50) if "scores" in variable.path else 3 / inputs)
            assert 0.95 * limit < np.abs(values).max() <= limit, variable.path
        else:
            assert (values == variable.path.endswith("gamma")).all(), variable.path
        if variable.path.endswith(("kernel", "gamma")):
            penalised += np.square(values, dtype=np.float64).sum()
    assert float(sum(network.losses)) == pytest.approx(1e-5 * penalised, rel=1e-5)


def test_batch_norm_is_lasagnes() -> None:
    for layer in tagging.small_squared(50).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum) == (1e-4, 0.9)


def test_an_unknown_second_convolution_is_refused() -> None:
    with pytest.raises(ValueError, match="time or channels, not 'bands'"):
        tagging.proposed(50, second="bands")
