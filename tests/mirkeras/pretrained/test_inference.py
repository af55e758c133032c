from mirkeras.system.backend import keras

import numpy as np
import pytest
from keras import layers

from mirkeras.layers.spectrogram import Shape, one_shape
from mirkeras.layers.style import Style
from mirkeras.pretrained.inference import TallMaximum, pool_first


def randomise(network: keras.Model) -> None:
    """Give all variables values as after training, batch norm factors of both signs."""
    random = np.random.RandomState(0)
    for variable in network.weights:
        shape = variable.shape
        positive = variable.path.endswith("moving_variance")
        low = 0.2 if positive else -1
        variable.assign(random.uniform(low, 1, shape))


def block(x, filters, kernel, pool, name):
    x = layers.Conv2D(filters, kernel, activation="relu", padding="same", name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.MaxPooling2D(pool, name=name)(x)


def largest_difference(network: keras.Model) -> float:
    segments = np.random.RandomState(1).uniform(-1, 1, (3, *network.input.shape[1:]))
    before, after = (
        [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]
        for outputs in (network(segments), pool_first(network)(segments))
    )
    return max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))


def test_the_function_stays_the_same():
    inputs = keras.Input((20, 12, 1))
    tall = block(inputs, 6, (3, 5), (1, 12), "tall")
    square = block(block(inputs, 5, 3, 2, "square"), 4, 3, (1, 6), "next")
    tall = layers.AveragePooling2D((2, 1))(tall)
    both = layers.GlobalAveragePooling2D()(layers.Concatenate()([tall, square]))
    network = keras.Model(inputs, [layers.Dense(3)(both), square])
    randomise(network)
    kept = network.get_weights()
    assert largest_difference(network) <= 1e-6
    for now, values in zip(network.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(now, values)
    convolutions = [f for f in pool_first(network).layers if isinstance(f, layers.Conv2D)]
    assert [c.activation for c in convolutions] == [keras.activations.linear] * 3


def test_what_somebody_else_sees_is_left_alone():
    inputs = keras.Input((20, 12, 1))
    pooled = block(inputs, 6, 3, 2, "a")
    hidden = keras.Model(inputs, pooled).get_layer("a_bn").output
    network = keras.Model(inputs, [pooled, hidden])
    randomise(network)
    assert pool_first(network) is network


@pytest.mark.parametrize(("bands", "height", "taps"), [(40, 30, 5), (41, 17, 7), (96, 67, 7)])
def test_tall_convolutions_go_by_way_of_their_transform(bands: int, height: int, taps: int) -> None:
    inputs = keras.Input((12, bands, 1))
    x = one_shape(inputs, Shape("tall", 6, (height, taps)), Style())
    network = keras.Model(inputs, layers.GlobalAveragePooling1D()(x))
    randomise(network)
    assert any(isinstance(layer, TallMaximum) for layer in pool_first(network).layers)
    assert largest_difference(network) <= 3e-5  # of sums of up to 469 products


def test_small_kernels_are_convolved_as_they_are() -> None:
    inputs = keras.Input((12, 40, 1))
    network = keras.Model(inputs, one_shape(inputs, Shape("flat", 6, (3, 5)), Style()))
    randomise(network)
    assert not any(isinstance(layer, TallMaximum) for layer in pool_first(network).layers)
    assert largest_difference(network) <= 1e-6
