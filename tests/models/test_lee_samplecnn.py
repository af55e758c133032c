"""The networks of SampleCNN (2018); runs on every Keras backend (`make test-jax`)."""

import keras
import numpy as np
import pytest

from mirkeras.layers import count_trainable
from reproductions.lee_samplecnn import models
from reproductions.lee_samplecnn.models import NETWORKS

# id: (cache frames, with batch norm and without for the paper's widths, the same for the code's)
POWERS = {
    "mn/2-13": (16_384, 2_266_802, 2_258_354, 1_872_818, 1_864_882),
    "mn/2-14": (32_768, 2_398_642, 2_389_682, 2_004_658, 1_996_210),
    "mn/3-8": (19_683, 2_263_090, 2_257_202, 1_672_498, 1_667_122),
    "mn/4-6": (16_384, 2_392_754, 2_387_890, 1_605_554, 1_601_202),
    "mn/4-7": (65_536, 2_655_666, 2_650_290, 1_868_466, 1_863_602),
    "mn/5-5": (15_625, 2_588_722, 2_584_370, 1_604_914, 1_601_074),
    "mn/5-6": (78_125, 2_917_170, 2_912_306, 1_933_362, 1_929_010),
}
RATES = {
    "table5/2000": (5_184, 1_805_106, 1_798_706, 1_411_122, 1_405_234),
    "table5/4000": (10_368, 1_936_178, 1_929_778, 1_542_194, 1_536_306),
    "table5/8000": (20_736, 2_067_250, 2_060_850, 1_673_266, 1_667_378),
    "table5/12000": (31_104, 2_132_786, 2_126_386, 1_738_802, 1_732_914),
    "table5/16000": (43_740, 2_198_322, 2_191_922, 1_804_338, 1_798_450),
    "table5/20000": (52_488, 2_329_394, 2_322_994, 1_804_338, 1_798_450),
    "table5/22050": (59_049, 2_460_466, 2_454_066, 1_869_874, 1_863_986),
}
# Table 3, in millions, cut (not rounded) after two decimals
TABLE_3 = dict(zip(RATES, (1.80, 1.93, 2.06, 2.13, 2.19, 2.32, 2.46), strict=True))
TABLE_2 = {
    "table2/mel-729-729": (81, 1_768_498),
    "table2/mel-729-243": (243, 1_965_874),
    "table2/mel-243-243": (243, 1_965_874),
    "table2/mel-243-81": (729, 2_163_250),
    "table2/mel-81-81": (729, 2_163_250),
    "table2/raw-729-729": (59_049, 1_862_194),
    "table2/raw-729-243": (59_049, 2_059_570),
    "table2/raw-243-243": (59_049, 1_997_362),
    "table2/raw-243-81": (59_049, 2_194_738),
    "table2/raw-81-81": (59_049, 2_174_002),
    "table2/sample-27-27": (59_049, 2_364_466),
    "table2/sample-9-9": (59_049, 2_411_698),
}
# Table 1: (steps of the convolution, steps after the pool, filters, parameters of the convolution)
TABLE_1 = [
    (19_683, None, 128, 512),
    (19_683, 6_561, 128, 49_280),
    (6_561, 2_187, 128, 49_280),
    (2_187, 729, 256, 98_560),
    (729, 243, 256, 196_864),
    (243, 81, 256, 196_864),
    (81, 27, 256, 196_864),
    (27, 9, 256, 196_864),
    (9, 3, 512, 393_728),
    (3, 1, 512, 786_944),
    (1, None, 512, 262_656),
]


def without_batch_norm(network: keras.Model) -> int:
    """Count the weights of the convolutions and of the output layer."""
    kinds = (keras.layers.Conv1D, keras.layers.Dense)
    return sum(layer.count_params() for layer in network.layers if isinstance(layer, kinds))


def test_no_network_is_without_its_counts() -> None:
    assert set(NETWORKS) == {*POWERS, *RATES, *TABLE_2}
    assert all(name == network.id for name, network in NETWORKS.items())


@pytest.mark.parametrize("name", [*POWERS, *RATES])
def test_counts_and_lengths_for_both_widths(name: str) -> None:
    length, *counts = (POWERS | RATES)[name]
    found = []
    for widths in ("paper", "code"):
        network = NETWORKS[name].build(50, widths=widths)
        assert network.input_shape == (None, length, 1)
        found += [count_trainable(network), without_batch_norm(network)]
    assert found == counts


@pytest.mark.parametrize("name", RATES)
def test_table_3_counts_in_millions_cut_after_two_decimals(name: str) -> None:
    assert count_trainable(NETWORKS[name].build(50)) // 10_000 / 100 == TABLE_3[name]


@pytest.mark.parametrize("name", TABLE_2)
def test_table_2_counts_and_lengths(name: str) -> None:
    network = NETWORKS[name].build(50)
    length, count = TABLE_2[name]
    assert network.input_shape == (None, length, 128 if "mel" in name else 1)
    assert count_trainable(network) == count
    assert NETWORKS[name].standardised == ("mel" in name)


@pytest.mark.parametrize("number", range(len(TABLE_1)))
def test_table_1_layer_by_layer(number: int) -> None:
    steps, pooled, filters, count = TABLE_1[number]
    network = NETWORKS["table5/22050"].build(50)
    assert network.get_layer(f"conv{number}").output.shape == (None, steps, filters)
    assert network.get_layer(f"conv{number}").count_params() == count
    if pooled:
        assert network.get_layer(f"pool{number}").output.shape == (None, pooled, filters)


def test_table_1_ends_in_50_tags() -> None:
    network = NETWORKS["table5/22050"].build(50)
    assert network.get_layer("scores").count_params() == 25_650
    assert sum(count for *_, count in TABLE_1) + 25_650 == without_batch_norm(network)
    names = [layer.name for layer in network.layers]
    assert names[:8] == ["segment", "conv0", "bn0", "relu0", "conv1", "bn1", "relu1", "pool1"]
    assert names[-6:] == ["conv10", "bn10", "relu10", "dropout", "flatten", "scores"]


@pytest.mark.parametrize("name", NETWORKS)
def test_modules_leave_one_step(name: str) -> None:
    network = NETWORKS[name].build(3)
    last = len(NETWORKS[name].modules)
    assert network.get_layer(f"pool{last}").output.shape == (None, 1, 512)


def test_a_network_of_code_widths_has_one_module_of_512() -> None:
    assert NETWORKS["table2/mel-729-729"].filters("code") == (256, 256, 256, 512)
    assert NETWORKS["table2/mel-729-729"].filters("paper") == (256, 256, 512, 512)
    with pytest.raises(ValueError, match="paper, code"):
        NETWORKS["mn/3-8"].build(50, widths="wide")


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("table5/2000", "sigmoid"),
        ("table2/mel-729-729", "softmax"),
        ("table2/raw-729-243", "softmax"),
    ],
)
def test_segments_become_scores(name: str, activation: str) -> None:
    network = NETWORKS[name].build(5, activation)
    segment = np.random.RandomState(0).uniform(-1, 1, (1, *network.input_shape[1:]))
    scored = keras.ops.convert_to_numpy(network(segment.astype("float32")))
    assert scored.shape == (1, 5)
    assert ((scored > 0) & (scored < 1)).all()
    assert (abs(scored.sum() - 1) < 1e-5) == (activation == "softmax")


def test_a_saved_network_is_the_same_network(tmp_path) -> None:
    network = NETWORKS["table5/2000"].build(4, "softmax")
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    segment = np.random.RandomState(0).uniform(-1, 1, (1, 5_184, 1)).astype("float32")
    np.testing.assert_allclose(loaded(segment), network(segment), atol=1e-6)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in network.layers]


def test_weights_start_as_in_the_authors_code() -> None:
    network = NETWORKS["mn/3-8"].build(50)
    kernel, bias = (np.array(weight) for weight in network.get_layer("conv5").get_weights())
    limit = np.sqrt(6 / (3 * 256))  # He-uniform: inputs are 3 steps of 256 values
    assert 0.99 * limit < abs(kernel).max() <= limit
    assert not bias.any()
    limit = np.sqrt(6 / (512 + 50))  # Glorot-uniform
    assert 0.98 * limit < abs(network.get_layer("scores").get_weights()[0]).max() <= limit


def test_the_head_classifies_feature_vectors() -> None:
    assert count_trainable(models.head(50, "sigmoid", 1_536)) == 23_281_714
    network = models.head(3, "softmax", 8)
    assert network.input_shape == (None, 1, 8)
    assert network(np.zeros((2, 1, 8), "float32")).shape == (2, 3)


def test_a_network_learns_on_this_backend() -> None:
    keras.utils.set_random_seed(0)
    random = np.random.RandomState(0)
    labels = np.arange(8) % 2
    segments = random.uniform(-0.1, 0.1, (8, 5_184, 1)).astype("float32")
    segments[labels == 1] *= 5  # loud and quiet
    network = NETWORKS["table5/2000"].build(2)
    network.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "binary_crossentropy")
    losses = network.fit(segments, np.eye(2)[labels], batch_size=8, epochs=6, verbose=0).history[
        "loss"
    ]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_a_training_step_on_this_backend(name: str) -> None:
    keras.utils.set_random_seed(0)
    network = NETWORKS[name].build(50)
    before = network.get_layer("conv1").get_weights()[0]
    segments = np.random.RandomState(0).uniform(-1, 1, (2, *network.input_shape[1:]))
    network.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "binary_crossentropy")
    loss = network.train_on_batch(segments.astype("float32"), np.eye(50)[:2])
    assert np.isfinite(loss)
    assert not np.array_equal(network.get_layer("conv1").get_weights()[0], before)
