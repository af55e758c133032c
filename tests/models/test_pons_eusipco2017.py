"""The networks that recognise instruments; the released one beside a NumPy forward of it."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pretrained import weights
from reproductions.pons_eusipco2017 import instruments, originals
from reproductions.pons_eusipco2017.trained import CARDS
from tests.models.synthetic import arrays_for, with_digest
from tests.one_epoch import PROTOCOL as ONE_EPOCH

(CARD,) = CARDS


def test_the_layers_are_the_published_ones(tmp_path: Path) -> None:
    network = CARD.build()
    arrays = arrays_for(CARD, network)
    weights.fill(network, with_digest(CARD, arrays), arrays, Path("synthetic.hdf5"))
    assert count_trainable(network) == 61_867
    segment = np.random.RandomState(1).randn(128, 96).astype("float32")
    both = weights.feature_model(network, CARD.embeddings[0])
    ours = [keras.ops.convert_to_numpy(side)[0] for side in both(segment[None])]
    for us, them in zip(ours, originals.single_layer(arrays, segment.T), strict=True):
        assert us.shape == them.shape
        assert np.abs(us - them).max() < 1e-4

    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    assert np.allclose(again(segment[None]), network(segment[None]))


def test_features_are_the_published_transform() -> None:
    samples = np.random.RandomState(0).randn(40_000).astype("float32")
    samples *= np.linspace(0, 3, samples.size, dtype="float32") ** 4  # from very quiet to loud
    ours, theirs = find_recipe("pons2017-irmas").extract(samples), originals.decibels(samples)
    assert ours.shape == theirs.T.shape
    assert np.abs(ours - theirs.T).max() < 1e-3  # dB
    assert np.isclose(ours.max() - ours.min(), 80, atol=1e-3)


PROTOCOL = replace(ONE_EPOCH, variants={"instruments": instruments.VARIANTS["code"]})
ROWS = {row.id.removeprefix("instruments/"): row for row in instruments.ROWS}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("single-layer", 61_867), ("single-layer-code", 78_667), ("multi-layer", 742_315)],
)
def test_parameters_are_the_published_ones(name: str, parameters: int) -> None:
    row = ROWS[name]
    options = row.options(PROTOCOL.of(row.variant, None), 96)
    # of labels of several instruments, too, a softmax
    network = row.build(11, "sigmoid", **options)
    assert count_trainable(network) == parameters
    assert network.input_shape == (None, 128, 96)
    scores = keras.ops.convert_to_numpy(network(np.random.RandomState(0).randn(2, 128, 96)))
    assert np.allclose(scores.sum(axis=1), 1)


def test_the_multi_layer_network_keeps_what_the_code_keeps() -> None:
    network = ROWS["multi-layer"].build()
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in network.layers}
    assert shapes["f80x5_elu"] == (128, 96, 32)
    assert (shapes["filters"], shapes["conv2_pool"]) == ((4, 4, 448), (2, 2, 128))
    assert (shapes["conv3_pool"], shapes["penultimate"]) == ((1, 1, 128), (256,))


@pytest.mark.parametrize("name", ROWS)
def test_weights_start_normal_by_what_goes_in_and_are_penalised(name: str) -> None:
    keras.utils.set_random_seed(0)
    for layer in ROWS[name].build().layers:
        if hasattr(layer, "kernel"):
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            deviation = np.sqrt(2 / np.prod(kernel.shape[:-1]))
            assert np.isclose(kernel.std(), deviation, rtol=0.2), layer.name
            # Keras' own he_normal ends at two deviations (of a wider normal)
            assert kernel.size < 2000 or np.abs(kernel).max() > 2.5 * deviation, layer.name
            penalty = keras.ops.convert_to_numpy(layer.losses[0])
            assert np.isclose(penalty, 1e-5 * np.square(kernel, dtype=float).sum(), rtol=1e-4)
        if isinstance(layer, keras.layers.BatchNormalization):
            assert (layer.momentum, layer.epsilon) == (0.99, 1e-3)


def test_rows_are_centred_by_their_protocol_and_the_card_by_itself() -> None:
    assert "centred/mean" in {weight.path for weight in CARD.build().weights}
    plain = {weight.path for weight in ROWS["single-layer"].build().weights}
    assert plain == {weight.path for weight in CARD.build().weights} - {"centred/mean"}
