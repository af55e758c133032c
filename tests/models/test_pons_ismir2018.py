"""Pons' taggers at scale, musicnn and its relatives; every Keras backend (`make test-jax`)."""

import keras
import numpy as np
import pytest

from mirkeras.layers import count_trainable
from reproductions.pons_ismir2018 import models, musicnn, variants

# 50 and 139 outputs, norm "code"
AT_SCALE = {
    "wave-7": (5_377_082, 5_421_671),
    "wave-9": (5_476_154, 5_520_743),
    "spec-4": (4_639_386, 4_683_975),
    "spec-8": (5_067_642, 5_112_231),
    "spec-16": (5_924_154, 5_968_743),
    "spec-32": (7_637_178, 7_681_767),
    "wave-7-x2": (7_034_554, 7_079_143),  # "7M"
    "wave-7-x4": (11_824_058, 11_868_647),  # "11.8M"
    "spec-8-small": (222_878, 240_767),  # "222k"
}
# trainable, with statistics, the authors' table in thousands (cut)
TABLE = {
    "dieleman": (66_784, 66_786, 66),
    "vgg-32": (40_884, 41_206, 40),
    "vgg-128": (605_748, 607_030, 605),
    "timbre": (185_856, 186_042, 185),
    "residual": (508_803, 510_967, 508),
    "dense": (787_159, 792_079, 787),
    "attention": (2_406_940, 2_410_414, 2_400),
    "autopool": (636_701, 640_175, 636),
    "rnn": (3_867_267, 3_870_199, 3_800),
}


def random(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).uniform(0, 1, shape).astype("float32")


def run(network: keras.Model, batch: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(batch))


def look(network: keras.Model, batch: np.ndarray, *names: str) -> list[np.ndarray]:
    outputs = [network.get_layer(name).output for name in names]
    found = keras.Model(network.input, outputs)(batch)
    return [keras.ops.convert_to_numpy(one) for one in found]


@pytest.fixture
def unstarted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count parameters without drawing them: millions of numbers, compiled for each shape."""

    def zeros(self, shape, dtype=None, **options):
        return np.zeros(shape, dtype or "float32")

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)


@pytest.fixture(scope="module")
def tagger() -> keras.Model:
    """Give musicnn whose batch norms are no identities."""
    network = musicnn.musicnn(50)
    draw = np.random.RandomState(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([draw.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="module", params=["wave-7", "spec-4"])
def at_scale(request: pytest.FixtureRequest) -> keras.Model:
    frames = {"wave-7": 24_000, "spec-4": 40}[request.param]
    return models.NETWORKS[request.param].build(5, frames=frames)


def test_no_network_is_without_its_counts() -> None:
    assert list(models.NETWORKS) == list(AT_SCALE)
    assert list(variants.NETWORKS) == list(TABLE)


@pytest.mark.parametrize("name", AT_SCALE)
@pytest.mark.usefixtures("unstarted")
def test_counts_at_scale(name: str) -> None:
    network = models.NETWORKS[name]
    built = network.build(50)
    fifty, more = AT_SCALE[name]
    assert count_trainable(built) == fifty
    assert more - fifty == 89 * (network.units + 1)
    assert built.input_shape == (None, network.frames, 1 if network.levels else 96)


@pytest.mark.parametrize("name", ["wave-7", "spec-4"])
@pytest.mark.usefixtures("unstarted")
def test_counts_for_139_outputs_and_for_both_norms(name: str) -> None:
    counts = [count_trainable(models.NETWORKS[name].build(139, norm=n)) for n in models.NORMS]
    assert counts == [AT_SCALE[name][1], AT_SCALE[name][1] + 2 * 2 * 511]


@pytest.mark.usefixtures("unstarted")
def test_the_front_ends_have_the_papers_maps() -> None:
    for n in (4, 8, 16, 32):
        shapes = models.shapes(n)
        assert sum(shape.filters for shape in shapes) == 29 * n
    assert [shape.kernel for shape in shapes[:6]] == [
        (86, 7), (86, 3), (86, 1), (38, 7), (38, 3), (38, 1),
    ]  # fmt: skip
    wave = models.NETWORKS["wave-7"].build(2)
    assert wave.get_layer("wave6_pool").output.shape == (None, 108, 256)
    assert wave.get_layer("cnn1_bn").output.shape == (None, 102, 512)
    assert wave.get_layer("pooled").output.shape == (None, 1024)


def test_one_normalisation_serves_all_channels_in_the_code(at_scale: keras.Model) -> None:
    assert [len(w) for w in at_scale.get_layer("cnn1_bn").get_weights()] == [512] * 4
    assert [len(w) for w in at_scale.get_layer("cnn2_bn").get_weights()] == [1] * 4
    assert [len(w) for w in at_scale.get_layer("cnn3_bn").get_weights()] == [1] * 4


def test_segments_at_scale_become_scores(at_scale: keras.Model) -> None:
    scored = run(at_scale, random(2, *at_scale.input_shape[1:]))
    assert scored.shape == (2, 5)
    assert ((scored > 0) & (scored < 1)).all()


def test_a_network_at_scale_learns() -> None:
    keras.utils.set_random_seed(0)
    network = models.NETWORKS["spec-8-small"].build(2, frames=24, penalty=1e-5)
    labels = np.arange(8) % 2
    segments = random(8, 24, 96) * (1 + labels[:, None, None])  # soft and loud
    network.compile(keras.optimizers.Adam(0.001), "binary_crossentropy", run_eagerly=True)
    targets = np.eye(2, dtype="float32")[labels]
    losses = network.fit(segments, targets, batch_size=8, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_segments_too_short_and_unknown_norms_are_refused() -> None:
    with pytest.raises(ValueError, match="wave-9: a segment of 48000 leaves 1 steps"):
        models.NETWORKS["wave-9"].build(50, frames=48_000)
    with pytest.raises(ValueError, match="code, paper"):
        models.NETWORKS["spec-4"].build(50, norm="none")


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.usefixtures("unstarted")
def test_counts_of_the_training_table(name: str) -> None:
    network = variants.NETWORKS[name](50, penalty=1e-5)
    trainable, everything, thousands = TABLE[name]
    assert (count_trainable(network), network.count_params()) == (trainable, everything)
    digits = 1_000 if thousands < 1_000 else 100_000
    assert trainable // digits * digits == thousands * 1_000
    assert network.input_shape == (None, 187, 96)
    decayed = [weight.path for weight in network.trainable_weights if weight.regularizer]
    kernels = [weight.path for weight in network.trainable_weights if "kernel" in weight.name]
    assert decayed == [path for path in kernels if path != "alpha/kernel"]


@pytest.mark.usefixtures("unstarted")
def test_the_big_musicnn() -> None:
    network = musicnn.musicnn(50, filters=512, units=500)
    assert network.get_layer("max_pool").output.shape == (None, 561 + 3 * 512)
    assert network.get_layer("penultimate").output.shape == (None, 500)
    assert count_trainable(network) == 7_980_235


def test_hidden_features_of_musicnn(tagger: keras.Model) -> None:
    widths = {"timbral": 408, "temporal": 153, "cnn1": 64, "cnn2": 64, "cnn3": 64}
    for name, width in widths.items():
        assert tagger.get_layer(name).output.shape == (None, 187, width)
    for name, width in {"mean_pool": 753, "max_pool": 753, "penultimate": 200}.items():
        assert tagger.get_layer(name).output.shape == (None, width)
    names = ["f74", "f77", "s1", "s2", "s3", "cnn1", "cnn2", "cnn3"]
    with_weights = [layer.name for layer in tagger.layers if layer.weights]
    assert sorted(with_weights) == sorted(
        [f"{name}_{kind}" for name in names for kind in ("conv", "bn")]
        + ["input_bn", "pooled_bn", "dense", "dense_bn", "scores"]
    )


def test_musicnn_pools_maximum_and_mean_of_a_channel_side_by_side(tagger: keras.Model) -> None:
    maps, pooled = look(tagger, random(2, 187, 96), "midend", "pooled")
    np.testing.assert_allclose(pooled[:, ::2], maps.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(pooled[:, 1::2], maps.mean(axis=1), atol=1e-5)


def test_musicnn_adds_the_normalised_convolution(tagger: keras.Model) -> None:
    names = ("cnn1", "cnn2_bn", "cnn2", "cnn3_bn", "cnn3", "midend", "frontend")
    found = dict(zip(names, look(tagger, random(1, 187, 96), *names), strict=True))
    np.testing.assert_allclose(found["cnn2"], found["cnn1"] + found["cnn2_bn"], atol=1e-5)
    np.testing.assert_allclose(found["cnn3"], found["cnn2"] + found["cnn3_bn"], atol=1e-5)
    parts = [found[name] for name in ("frontend", "cnn1", "cnn2", "cnn3")]
    np.testing.assert_array_equal(found["midend"], np.concatenate(parts, axis=-1))


def test_musicnn_takes_any_length(tagger: keras.Model) -> None:
    free = musicnn.musicnn(50, frames=None)
    free.set_weights(tagger.get_weights())
    batch = random(1, 187, 96)
    np.testing.assert_allclose(run(free, batch), run(tagger, batch), atol=1e-6)
    assert run(free, random(1, 300, 96)).shape == (1, 50)


def test_vgg_flattens_time_then_band_then_channel() -> None:
    network = musicnn.vgg(3, "softmax", filters=4)
    shapes = [(92, 48), (46, 24), (23, 12), (11, 6), (2, 1)]
    for number, shape in enumerate(shapes, start=1):
        assert network.get_layer(f"pool{number}").output.shape == (None, *shape, 4)
    last, flat, scored = look(network, random(1, 187, 96), "pool5", "flatten", "scores")
    np.testing.assert_array_equal(flat, last.reshape(1, -1))
    assert scored.sum() == pytest.approx(1, abs=1e-5)


def pooled_by(pool, maps: np.ndarray, **weights: float) -> np.ndarray:
    segment = keras.Input(maps.shape[1:])
    network = keras.Model(segment, pool(segment, musicnn.Style()))
    for name, value in weights.items():
        layer = network.get_layer(name)
        layer.set_weights([np.full_like(weight, value) for weight in layer.get_weights()])
    return run(network, maps)


def test_autopool_goes_from_mean_to_maximum() -> None:
    maps = random(2, 30, 4)
    np.testing.assert_allclose(pooled_by(variants.autopool, maps), maps.mean(axis=1), atol=1e-6)
    sharp = pooled_by(variants.autopool, maps, alpha=10_000)
    np.testing.assert_allclose(sharp, maps.max(axis=1), atol=1e-4)


def test_attention_sees_where_a_frame_is() -> None:
    maps = random(2, 187, 6)
    t, i = np.ogrid[:187, :6]
    angle = t / 10_000 ** (2 * i / 6)
    positioned = maps + np.where(i % 2, np.cos(angle), np.sin(angle))
    # no weights: every frame counts the same
    even = pooled_by(variants.attention, maps, attention_conv=0)
    np.testing.assert_allclose(even, positioned.mean(axis=1), atol=1e-5)


RNN = pytest.param("rnn", marks=pytest.mark.long)  # seconds of compiling


@pytest.mark.parametrize("name", ["dieleman", "timbre", "attention", "autopool", RNN])
def test_relatives_of_musicnn_are_saved_and_loaded(name: str, tmp_path) -> None:
    network = variants.NETWORKS[name](4)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    batch = random(1, 187, 96)
    scored = run(network, batch)
    np.testing.assert_allclose(run(loaded, batch), scored, atol=1e-6)
    assert scored.shape == (1, 4)
    assert ((scored > 0) & (scored < 1)).all()
