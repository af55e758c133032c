"""The networks on sung phonemes: counts, a NumPy restatement, the logarithm of the test."""

from mirkeras.system.backend import keras

import numpy as np
import pytest
from scipy.signal import correlate2d
from scipy.special import softmax

from mirkeras.layers import count_trainable
from reproductions.pons_eusipco2017 import phonemes
from reproductions.pons_eusipco2017.sung import Quieter

# row → trainable parameters, and those of the convolutions alone where they are known
COUNTS = {
    "phonemes/proposed-1": (23_152 + 1120 * 29 + 29, 23_152),
    "phonemes/proposed-3": (166_925, 69_456),
    "phonemes/proposed-4": (222_557, 92_608),
    "phonemes/choi": (221_153, None),
    "phonemes/maas-511": (481_391, None),
    "phonemes/maas-475": (400 * 475 + 475 + 475 * 475 + 475 + 475 * 29 + 29, None),
}
ROWS = {row.id: row for row in phonemes.ROWS}


def test_rows_are_those_counted():
    assert list(ROWS) == list(COUNTS)


@pytest.mark.parametrize("row", COUNTS)
def test_counts_and_shapes(row):
    network = ROWS[row].build(29)
    total, convolutions = COUNTS[row]
    assert count_trainable(network) == total
    found = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    if convolutions:
        assert sum(layer.count_params() for layer in found) == convolutions
    assert network.input_shape == (None, ROWS[row].frames, 80)
    assert network.output_shape == (None, 29)


def test_proposed_starts_and_is_penalised_as_in_the_scripts():
    for layer in phonemes.proposed(29, density=1, dropout=0.3).layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert isinstance(layer.kernel_initializer, keras.initializers.HeUniform)
            assert float(layer.kernel_regularizer.l2) == pytest.approx(1e-5)
            assert layer.bias_regularizer is None
        elif isinstance(layer, keras.layers.Dense):
            assert isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform)
            assert layer.kernel_regularizer is None


def plain(network: keras.Model, segment: np.ndarray) -> np.ndarray:
    """Run `proposed` on (21 frames, 80 bands) in float64, filter by filter."""
    values = []
    for bands, frames in ((50, 1), (50, 5), (50, 10), (70, 1), (70, 5), (70, 10)):
        kernel, bias = network.get_layer(f"f{bands}x{frames}_conv").get_weights()
        assert kernel.shape[:2] == (frames, bands)
        pooled = []
        for number in range(kernel.shape[-1]):
            x = correlate2d(segment, kernel[:, :, 0, number].astype(float), mode="valid")
            x = x + bias[number]
            x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
            x = x.max(axis=0)  # over frames
            pooled.append(x[: len(x) // 2 * 2].reshape(-1, 2).max(axis=1))
        values.append(np.array(pooled).T.ravel())  # pair of bands by pair of bands
    kernel, bias = network.get_layer("scores").get_weights()
    return softmax(np.concatenate(values) @ kernel.astype(float) + bias)


def test_proposed_computes_what_plain_numpy_does():
    keras.utils.set_random_seed(1)
    network = phonemes.proposed(29, density=1, dropout=0.3)
    random = np.random.RandomState(0)
    network.set_weights([w + 0.05 * random.randn(*w.shape) for w in network.get_weights()])
    segment = random.randn(21, 80)
    found = keras.ops.convert_to_numpy(network(segment[None].astype("float32")))[0]
    assert found.std() > 1e-3
    assert np.abs(found - plain(network, segment)).max() < 1e-5


def test_the_other_logarithm(tmp_path):
    energies = np.array([0, 1e-9, 1e-6, 1e-3, 0.5, 1.0])
    trained = np.log(100_000 * energies + 1).astype("float32")
    network = keras.Sequential([keras.Input((6,)), Quieter()])
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    found = keras.ops.convert_to_numpy(again(trained[None]))[0]
    np.testing.assert_allclose(found, np.log(10_000 * energies + 1), rtol=1e-5, atol=1e-7)


def test_protocols_train_by_the_scripts():
    optimizer = phonemes.VARIANTS["code"]["optimizer"]()
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert (float(optimizer.learning_rate), optimizer.epsilon) == (pytest.approx(1e-3), 1e-8)
    rule, epochs = phonemes.MAAS_VARIANTS["code"]["rule"], 0
    memory = rule.start()
    while not rule.step(memory, {"val_loss": 1.0}).stop:
        epochs += 1
    assert epochs == 1 + 5  # the first is the best, then five bad ones are borne
