"""Filters and levels of SampleCNN: the ascent is the networks' own, the figures tell the truth."""

from pathlib import Path

import keras
import numpy as np
import pytest

from reproductions.lee_samplecnn import ascent, filters, levels
from reproductions.lee_samplecnn.models import NETWORKS

RATE = 22_050


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """An untrained 2,000 Hz network, its batch norms anything but neutral."""
    keras.utils.set_random_seed(1)
    built = NETWORKS["table5/2000"].build(3)
    random = np.random.RandomState(2)
    for layer in built.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(random.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(random.uniform(-0.5, 0.5, layer.beta.shape))
    return built


@pytest.mark.parametrize("layer", [1, 2, 6])
def test_each_input_is_a_batch_of_one_in_training(network: keras.Model, layer: int) -> None:
    whole = keras.Model(network.input, network.get_layer(f"relu{layer - 1}").output)
    x = np.random.RandomState(3).uniform(-1, 1, (2, 5184, 1)).astype(np.float32)
    x[1] *= 0.01  # statistics of the two together would be far off
    ours = keras.ops.convert_to_numpy(ascent.activations(network, layer, x))
    for number in range(2):
        alone = keras.ops.convert_to_numpy(whole(x[number : number + 1], training=True))
        np.testing.assert_allclose(ours[number], alone[0], atol=1e-4)


def test_ascent_raises_the_activation_of_its_own_filter(network: keras.Model) -> None:
    waves = ascent.favourites(network, 3, seed=0)
    assert waves.shape == (128, 729)
    assert np.abs(waves.mean(axis=1)).max() < 1e-4
    noise = (np.random.RandomState(0).uniform(size=waves.shape) - 0.5) * waves.std() * 12**0.5
    means = [
        keras.ops.convert_to_numpy(ascent.activations(network, 3, x[:, :, None])).mean(axis=1)
        for x in (noise.astype(np.float32), waves)
    ]
    assert (np.diag(means[1]) > np.diag(means[0])).mean() > 0.95
    assert (means[1].argmax(axis=0) == np.arange(128)).mean() > 0.9  # none pleases it more


def test_filters_do_not_touch_each_other(network: keras.Model, monkeypatch) -> None:
    monkeypatch.setattr(ascent, "STEPS", 5)
    together = ascent.favourites(network, 2, seed=4)
    monkeypatch.setattr(ascent, "TOGETHER", 50)  # other company, and a last group of 28
    # steps blow up the last bits of a float32 here and there; a mix-up would leave no likeness
    assert likeness(ascent.favourites(network, 2, seed=4), together).min() > 0.9
    assert likeness(ascent.favourites(network, 2, seed=5), together).max() < 0.5


def likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosine between the waves of each filter, (filters,)."""
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_kernels_of_known_frequency_find_it(network: keras.Model) -> None:
    clone = keras.models.clone_model(network)
    kernel, bias = clone.get_layer("conv0").get_weights()
    kernel[:, 0, :64], kernel[:, 0, 64:] = np.array([[1], [1], [1]]), np.array([[1], [-2], [1]])
    clone.get_layer("conv0").set_weights([kernel, bias])
    peaks = filters.Layer(1, RATE, ascent.favourites(clone, 1)).peaks
    assert np.median(peaks[:64]) < 0.25 * RATE < np.median(peaks[64:])


@pytest.mark.parametrize(
    ("name", "layer", "samples"),
    [
        ("table5/22050", 1, 729),
        ("table5/22050", 6, 729),
        ("table5/2000", 5, 729),
        ("table5/2000", 6, 648),  # as near to 729 as 810 is
        ("mn/2-13", 6, 736),
        ("mn/4-6", 5, 768),
        ("mn/5-6", 6, 3 * 5**5),  # three frames at least
    ],
)
def test_lengths_suit_the_strides(name: str, layer: int, samples: int) -> None:
    assert ascent.input_length(NETWORKS[name].build(2), layer) == samples


def test_spectrum_finds_a_tone() -> None:
    tones = np.array([400.0, 3000.0, 1000.0])
    waves = np.sin(2 * np.pi * tones[:, None] * np.arange(729) / RATE)
    layer = filters.Layer(1, RATE, waves)
    assert np.abs(layer.peaks - tones).max() < RATE / 729
    assert layer.order.tolist() == [0, 2, 1]


def test_low_pass_keeps_the_low() -> None:
    low, high = np.sin(2 * np.pi * np.array([[1000], [9000]]) * np.arange(2000) / RATE)
    passed = filters.low_passed(low + high, RATE)[500:]
    assert passed.std() == pytest.approx(low.std(), rel=0.02)
    assert filters.low_passed(high, 8000) is high


def test_command_draws_and_tabulates(
    network: keras.Model, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(ascent, "STEPS", 2)
    path, out = tmp_path / "two.keras", tmp_path / "out"
    network.save(path)
    wanted = [str(path), str(path), "--out", str(out), "--layers", "1"]
    assert filters.main([*wanted, "--extractor-recipe", "waveform-2000"]) == 0
    assert "median peak frequency" in capsys.readouterr().out
    drawn = sorted(place.name for place in out.glob("*.png"))
    assert len(drawn) == 5  # two of Fig. 2, two of Fig. 3, Fig. 4
    peaks = np.genfromtxt(out / "filters.csv", delimiter=",", names=True, dtype=None)
    assert len(peaks) == 2 * 2 * 128
    trained, untrained = (peaks[peaks["weights"] == kind] for kind in ("trained", "untrained"))
    assert len(trained) == len(untrained) == 256
    assert (trained["peak_hz"] != untrained["peak_hz"]).any()
    assert set(peaks["network"]) == {"two.keras-1", "two.keras-2"}
    assert 0 <= peaks["peak_hz"].min() <= peaks["peak_hz"].max() <= 1000


def test_what_cannot_be_drawn_is_said(network: keras.Model, tmp_path: Path, capsys) -> None:
    def said(*arguments: str) -> str:
        assert filters.main([*arguments, "--out", str(tmp_path / "out")]) == 1
        return capsys.readouterr().err

    path, other = tmp_path / "net.keras", tmp_path / "other.keras"
    network.save(path)
    NETWORKS["table2/mel-729-729"].build(2).save(other)
    raw = ("--extractor-recipe", "waveform-2000")
    assert "neither" in said(str(tmp_path / "absent.keras"), *raw)
    assert "--extractor-recipe" in said(str(path))
    assert "no layer 12; its layers are 1 to 11" in said(str(path), "--layers", "12", *raw)
    assert "no SampleCNN on waveforms" in said(str(other), *raw)
    assert "takes lee2018-mel" in said(str(other), "--extractor-recipe", "lee2018-mel-729-729")
    assert not (tmp_path / "out").exists()


def clouds() -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Tracks of two marks: layer -1 separates them, layer -3 does not."""
    random = np.random.RandomState(0)
    marks = np.array(["piano", "techno"] * 30)
    apart = random.randn(60, 20)
    apart[marks == "piano", :10] += 6
    return {-3: random.randn(60, 20), -1: apart}, marks


def test_tightness_is_that_of_the_layer() -> None:
    features, marks = clouds()
    found = {layer: levels.tightness(values, marks) for layer, values in features.items()}
    assert all(abs(found[-3][mark]) < 0.1 < 0.2 < found[-1][mark] for mark in ("piano", "techno"))


def test_embedding_keeps_neighbours_and_is_repeatable() -> None:
    features, marks = clouds()
    points = levels.embed(features[-1])
    assert points.shape == (60, 2)
    assert np.array_equal(points, levels.embed(features[-1]))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = (distance + np.diag(np.full(60, np.inf))).argmin(axis=1)
    assert (marks[nearest] == marks).mean() > 0.95


def test_level_figure_is_drawn(tmp_path: Path) -> None:
    levels.figure(*clouds(), tmp_path / "fig5.png")
    assert (tmp_path / "fig5.png").read_bytes().startswith(b"\x89PNG")


def test_tracks_with_one_of_the_marks_are_chosen() -> None:
    labels = ["piano|slow", "techno", "piano|techno", "slow", "", "solo piano"]
    assert levels.choose(labels, ["piano", "techno"]).tolist() == ["piano", "techno", *[""] * 4]
    with pytest.raises(levels.UsageError, match="'harp'"):
        levels.choose(labels, ["piano", "harp"])
