"""VGGish and YAMNet: their inputs, their networks, files given as their weights."""

from pathlib import Path

import keras
import numpy as np
import pytest

from mirkeras.experiment import Row
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pretrained import weights
from mirkeras.pretrained.cards import Source, find_card
from mirkeras.pretrained.weight_files import locate, read_arrays
from mirkeras.system.errors import WeightsError
from mirkeras.transfer.segment_features import embedding_of
from reproductions.audioset import models


@pytest.mark.parametrize(("name", "offset"), [("yamnet", 0.001), ("vggish", 0.01)])
def test_the_input_is_the_sum_that_the_authors_wrote(name: str, offset: float) -> None:
    """Frame by frame and band by band, in float64."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 5_000).astype(np.float32)
    found = find_recipe(name).extract(samples)
    assert found.shape == (1 + (5_000 - 400) // 160, 64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    bins = 1127 * np.log(1 + np.arange(257) * 16_000 / 512 / 700)
    for frame, band in ((0, 0), (0, 63), (7, 20), (28, 45)):
        spectrum = np.abs(np.fft.rfft(samples[160 * frame :][:400].astype(float) * window, 512))
        low, centre, high = edges[band : band + 3]
        heights = [max(0, min((b - low) / (centre - low), (high - b) / (high - centre)))
                   for b in bins]  # fmt: skip
        assert found[frame, band] == pytest.approx(np.log(spectrum @ heights + offset), abs=2e-5)
    assert find_recipe(name).extract(samples[:399]).shape == (0, 64)


def test_parameters_are_those_of_the_released_networks() -> None:
    assert count_trainable(models.yamnet()) == 3_729_481
    vggish = keras.Model.from_config(models.vggish().get_config())
    assert count_trainable(vggish) == 72_141_184
    assert vggish.get_layer("pool4").output.shape[1:] == (6, 4, 512)
    assert vggish.output_shape == (None, 128)


def test_a_separable_layer_pads_as_its_weights_were_trained() -> None:
    """Of an even number of places, stride 2 sees one more zero behind than before."""
    network = models.yamnet()
    layer = network.get_layer("layer3_depthwise")
    image = np.random.default_rng(1).normal(size=(1, 6, 4, 64)).astype(np.float32)
    kernel = np.asarray(layer.kernel)[..., 0]
    padded = np.pad(image[0], ((0, 1), (0, 1), (0, 0)))
    expected = [
        [(padded[2 * t : 2 * t + 3, 2 * f : 2 * f + 3] * kernel).sum(axis=(0, 1)) for f in range(2)]
        for t in range(3)
    ]
    found = keras.ops.convert_to_numpy(layer(image))[0]
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)


def arrays_of(card_name: str) -> dict[str, np.ndarray]:
    """Random arrays of a card's names and shapes."""
    card, random = find_card(card_name), np.random.default_rng(2)
    return {
        card.names[variable.path].name: random.normal(size=variable.shape).astype(np.float32)
        for variable in card.build().weights
    }


def test_other_numbers_are_no_yamnet(tmp_path: Path) -> None:
    made = arrays_of("yamnet")
    np.savez(tmp_path / "yamnet_folded_f32.npz", **made)
    with pytest.raises(WeightsError, match="fit yamnet in form but not in their numbers"):
        weights.load(find_card("yamnet"), tmp_path)
    del made["dense/bias"]
    np.savez(tmp_path / "yamnet_folded_f32.npz", **made)
    with pytest.raises(WeightsError, match="1 arrays missing: dense/bias"):
        weights.load(find_card("yamnet"), tmp_path)


@pytest.fixture
def small_vggish(monkeypatch: pytest.MonkeyPatch):
    """VGGish with a handful of units: the whole one weighs 288 MB."""
    whole = keras.layers.Dense

    def dense(units: int, **options) -> keras.layers.Layer:
        return whole(min(units, 8), **options)

    monkeypatch.setattr(models.layers, "Dense", dense)
    monkeypatch.setattr(models, "STAGES", ((2,), (2,), (2, 2), (2, 2)))


def test_vggish_is_what_the_user_gives_and_the_record_says_which(
    small_vggish, tmp_path: Path
) -> None:
    card, made = find_card("vggish"), arrays_of("vggish")
    assert "vggish/conv3/conv3_2/weights" in made
    assert "vggish/fc2/biases" in made
    np.savez(tmp_path / "mine.npz", **made)
    network = weights.load(card, tmp_path / "mine.npz")
    np.testing.assert_array_equal(
        network.get_layer("conv4_1").kernel, made["vggish/conv4/conv4_1/weights"]
    )
    row = Row("x", "x", pretrained="vggish", feature="embedding", hop=96)
    first = embedding_of(row, tmp_path / "mine.npz").recorded["weights"]
    made["vggish/fc2/biases"] += 1
    np.savez(tmp_path / "mine.npz", **made)
    assert embedding_of(row, tmp_path / "mine.npz").recorded["weights"] != first
    with pytest.raises(WeightsError, match=r"no such file.*vggish_model\.ckpt"):
        embedding_of(row, tmp_path / "none.npz")


def test_weights_of_another_network_are_not_taken_for_vggish(small_vggish, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", **{"layer1/conv/kernel": np.zeros((3, 3, 1, 32))})
    with pytest.raises(WeightsError, match="wrong model file, these are not the weights of vggish"):
        weights.load(find_card("vggish"), tmp_path / "other.npz")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(WeightsError, match="damaged, or no file of weights"):
        weights.load(find_card("vggish"), tmp_path / "text.ckpt")


def test_a_checkpoint_in_one_file_is_read(tmp_path: Path) -> None:
    import tensorflow as tf

    one = tf.compat.v1
    with tf.Graph().as_default(), one.Session() as session:
        value = one.get_variable("conv1/weights", initializer=np.arange(6.0).reshape(2, 3))
        session.run(one.global_variables_initializer())
        saver = one.train.Saver([value], write_version=one.train.SaverDef.V1)
        path = saver.save(session, str(tmp_path / "model.ckpt"), write_meta_graph=False)
    assert Path(path).is_file()
    source = Source("model.ckpt", "", by_arrays=True)
    arrays = read_arrays(source, locate(source, tmp_path))
    np.testing.assert_array_equal(arrays["conv1/weights"], np.arange(6.0).reshape(2, 3))
