"""The networks of Schindler, Lidy & Rauber 2016; runs on every Keras backend (`make test-jax`)."""

import keras
import numpy as np
import pytest

from reproductions.schindler_gtzan import models

# classes: (shallow, deep), with convolution biases (`paper`) and without (`student`)
COUNTS = {
    (10, "paper"): (2_060_642, 1_280_002),
    (10, "student"): (2_060_610, 1_279_522),
    (6, "paper"): (2_059_838, 1_279_198),
    (6, "student"): (2_059_806, 1_278_718),
    (15, "paper"): (2_061_647, 1_281_007),
    (15, "student"): (2_061_615, 1_280_527),
}


@pytest.fixture(scope="module", params=["shallow", "deep"])
def build(request: pytest.FixtureRequest):
    return getattr(models, request.param)


@pytest.mark.parametrize(("classes", "author"), COUNTS)
def test_parameter_counts(classes: int, author: str) -> None:
    networks = models.shallow(classes, author=author), models.deep(classes, author=author)
    assert tuple(net.count_params() for net in networks) == COUNTS[classes, author]


def test_84_bins_change_one_branch_of_the_shallow_network_only() -> None:
    # 84×4 frequency values for 80×4; the incomplete pools of 84 bands in the temporal branch (20)
    # and in the deep network (2, 2, 2, then 1 or 5) drop what is more
    added = 4 * 4 * 16 * 200
    assert models.shallow(10, bands=84).count_params() == 2_060_642 + added == 2_111_842
    assert models.deep(10, bands=84).count_params() == 1_280_002


@pytest.mark.parametrize(
    ("kernel", "added"),
    [("21x10", 0), ("21x20", 21 * 10 * 16), ("10x23", (10 * 23 - 21 * 10) * 16)],
)
def test_readings_of_the_first_temporal_kernel(kernel: str, added: int) -> None:
    network = models.deep(10, kernel_b1=kernel)
    bands, frames = map(int, kernel.split("x"))
    assert network.get_layer("temporal_conv1").kernel_size == (frames, bands)
    assert network.count_params() == 1_280_002 + added


# frequency × time of the figures, and filters
SHALLOW = {"frequency_pool1": (80, 4, 16), "temporal_pool1": (4, 80, 16)}
DEEP = {
    "frequency_pool1": (40, 40, 16),
    "frequency_pool2": (20, 20, 32),
    "frequency_pool3": (10, 10, 64),
    "frequency_pool4": (10, 2, 128),
    "temporal_pool4": (2, 10, 128),
}


@pytest.mark.parametrize(
    ("network", "layer", "shape"),
    [
        *((models.shallow(10), *item) for item in SHALLOW.items()),
        *((models.deep(10), *item) for item in DEEP.items()),
    ],
)
def test_feature_maps_are_the_figures(network: keras.Model, layer: str, shape: tuple) -> None:
    bands, frames, filters = shape
    assert network.get_layer(layer).output.shape == (None, frames, bands, filters)


def test_the_branches_meet_in_the_published_numbers_of_values() -> None:
    assert models.shallow(10).get_layer("features").output.shape == (None, 10_240)
    assert models.deep(10).get_layer("features").output.shape == (None, 5_120)


def by_hand(x: np.ndarray, slope: float) -> np.ndarray:
    """Rectify as a network does, from the value of a layer before its activation."""
    return np.where(x > 0, x, slope * x)


@pytest.mark.parametrize(("author", "slope"), [("paper", 0.3), ("student", 0.0)])
def test_pool_and_rectifier_are_the_figures_in_either_order(author: str, slope: float) -> None:
    network = models.deep(3, author=author)
    names = ("frequency_conv1", "frequency_activation1")
    stages = [network.get_layer(name).output for name in names]
    segment = np.random.RandomState(0).randn(1, 80, 80).astype("float32")
    before, after = (np.asarray(x)[0] for x in keras.Model(network.input, stages)(segment))
    rectified_first = by_hand(before, slope).reshape(40, 2, 40, 2, 16).max(axis=(1, 3))
    np.testing.assert_allclose(after, rectified_first, atol=1e-6)
    assert (after < 0).any() == (slope > 0)


@pytest.mark.parametrize(
    ("name", "author", "slope"),
    [
        ("shallow", "paper", 0.3),
        ("deep", "paper", 0.3),
        ("shallow", "student", 1.0),  # no activation at all
        ("deep", "student", 0.0),
    ],
)
def test_activation_of_the_200_units(name: str, author: str, slope: float) -> None:
    network = getattr(models, name)(3, author=author)
    stages = [network.get_layer("dense").output, network.get_layer("scores").input]
    segment = np.random.RandomState(0).randn(2, 80, 80).astype("float32")
    units, after = (np.asarray(x) for x in keras.Model(network.input, stages)(segment))
    assert units.shape == (2, 200)
    assert (units < 0).any()
    np.testing.assert_allclose(after, by_hand(units, slope), atol=1e-6)


@pytest.mark.parametrize("author", models.AUTHORS)
def test_the_penalty_lies_on_every_weight(build, author: str) -> None:
    network = build(10, author=author)
    for weight in network.trainable_weights:  # biases start at 0 and would not be seen
        weight.assign_add(keras.ops.full(weight.shape, 0.01))
    total = sum(np.abs(weight).sum() for weight in network.get_weights())
    np.testing.assert_allclose(float(sum(network.losses)), 1e-4 * total, rtol=1e-4)
    assert not build(10, penalty=0).losses


def test_weights_start_glorot_uniform(build) -> None:
    keras.utils.set_random_seed(0)
    network = build(10)
    for name, inputs, outputs in (
        ("frequency_conv1", 10 * 23, 10 * 23 * 16),
        ("dense", network.get_layer("features").output.shape[1], 200),
    ):
        kernel, bias = network.get_layer(name).get_weights()
        limit = np.sqrt(6 / (inputs + outputs))
        assert 0.99 * limit < abs(kernel).max() < 1.0001 * limit  # of float32
        assert not bias.any()


def test_segments_become_class_probabilities(build) -> None:
    network = build(6, bands=84, author="student")
    segments = np.random.RandomState(0).randn(3, 80, 84).astype("float32")
    scores = keras.ops.convert_to_numpy(network(segments))
    assert scores.shape == (3, 6)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_a_saved_network_is_the_same_network(build, tmp_path) -> None:
    network = build(4)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    segment = np.random.RandomState(0).randn(1, 80, 80).astype("float32")
    np.testing.assert_allclose(loaded(segment), network(segment), atol=1e-6)
    np.testing.assert_allclose(float(sum(loaded.losses)), float(sum(network.losses)), rtol=1e-5)


def test_unknown_authors_and_kernels_are_refused(build) -> None:
    with pytest.raises(ValueError, match="paper, student"):
        build(10, author="lecturer")
    with pytest.raises(ValueError, match="21x10, 21x20, 10x23"):
        models.deep(10, kernel_b1="5x5")


def test_a_network_learns_on_this_backend() -> None:
    keras.utils.set_random_seed(0)
    segments = np.random.RandomState(0).randn(16, 80, 80).astype("float32")
    labels = np.arange(16) % 2
    segments[labels == 1, :, 10:20] += 3  # a bright band
    network = models.shallow(2, penalty=0)
    network.compile(keras.optimizers.Adam(5e-5), "sparse_categorical_crossentropy")
    losses = network.fit(segments, labels, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
