"""Features of songs: computed block by block, kept through kills, refused when damaged."""

import threading
from pathlib import Path

import keras
import numpy as np
import pytest

from mirkeras.cache import CacheError, FeatureCache, open_cache
from mirkeras.transfer import song_features
from mirkeras.transfer.song_features import cached_features

LAYERS = (-2, -1)


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("network") / "made.keras"
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((30, 40)),
        keras.layers.Conv1D(5, 8, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(4, "tanh"),
        keras.layers.Dense(3, "softmax"),
    ]
    keras.Sequential(layers).save(path)
    return path


@pytest.fixture(scope="module")
def cache(cached: Path) -> FeatureCache:
    return open_cache(next(cached.rglob("cbmi2016.h5")))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Blocks of five tracks, counted as they are computed; the third kills."""
    computed: list[int] = []
    means = song_features._means

    def count(network, feed, tracks: np.ndarray) -> list[np.ndarray]:
        if len(computed) == 2 and tracks[0] == 10:
            computed.append(-1)
            raise KeyboardInterrupt
        computed.append(tracks[0])
        return means(network, feed, tracks)

    monkeypatch.setattr(song_features, "BLOCK", 5)
    monkeypatch.setattr(song_features, "_means", count)
    return computed


@pytest.mark.parametrize("overlapping", [False, True])
def test_what_a_kill_left_is_not_computed_again(
    network: Path, cache: FeatureCache, tmp_path: Path, counted: list, overlapping: bool
) -> None:
    options = {"overlapping": overlapping}
    with pytest.raises(KeyboardInterrupt):
        cached_features(network, cache, tmp_path, LAYERS, **options)
    assert not list(tmp_path.glob("*.npz"))
    found = cached_features(network, cache, tmp_path, LAYERS, **options)
    assert counted == [0, 5, -1, 10, 15]
    expected = song_features.song_features(network, cache, LAYERS, **options)
    for layer, channels in zip(LAYERS, (5, 4), strict=True):
        assert found[layer].shape == (18, channels)
        np.testing.assert_array_equal(found[layer], expected[layer])
    assert not list(tmp_path.glob("*.partial"))


def test_a_network_of_one_hidden_layer_gives_its_features(
    cache: FeatureCache, tmp_path: Path
) -> None:
    layers = [keras.Input((80, 40)), keras.layers.Conv1D(6, 9), keras.layers.GlobalMaxPooling1D()]
    keras.Sequential([*layers, keras.layers.Dense(2)]).save(tmp_path / "x.keras")
    found = cached_features(tmp_path / "x.keras", cache, tmp_path, (-1,))
    assert found[-1].shape == (18, 6)


def test_of_two_at_once_the_second_takes_what_the_first_made(
    network: Path, cache: FeatureCache, tmp_path: Path, monkeypatch
) -> None:
    computed, found = [], []

    def compute(path, cache, target: Path, layers, overlapping) -> None:
        computed.append(1)
        others = [threading.Thread(target=ask) for _ in range(2 - len(computed))]
        for other in others:
            other.start()
            other.join(0.2)
            assert other.is_alive()
        song_features._write(target, {layer: np.ones((18, 2)) for layer in LAYERS})

    def ask() -> None:
        found.append(cached_features(network, cache, tmp_path, LAYERS)[-1].sum())

    monkeypatch.setattr(song_features, "_compute", compute)
    ask()
    while len(found) < 2:
        threading.Event().wait(0.01)
    assert (len(computed), found) == (1, [36, 36])


def test_damaged_features_are_named(network: Path, cache: FeatureCache, tmp_path: Path) -> None:
    cached_features(network, cache, tmp_path, LAYERS)
    (kept,) = tmp_path.glob("*.npz")
    content = kept.read_bytes()
    for damaged in (content[: len(content) // 2], b"", bytes(len(content))):
        kept.write_bytes(damaged)
        with pytest.raises(CacheError, match=r"\.npz is damaged \(.*\); delete it and run again"):
            cached_features(network, cache, tmp_path, LAYERS)
