"""Networks from anywhere, as extractors: usable ones are opened, others are one line, none runs."""

import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest

from mirkeras.cache import FeatureCache
from mirkeras.cache.rows import rows_as_cache
from mirkeras.experiment.setting import Extractor
from mirkeras.system.errors import UsageError
from mirkeras.transfer.extractors import check_shape
from mirkeras.transfer.networks import load_network
from mirkeras.transfer.song_features import song_features

FRAMES, BANDS = 8, 4
KERAS = "Keras' own layers"


def network(*hidden: keras.layers.Layer, shape=(FRAMES, BANDS)) -> keras.Model:
    layers = hidden or (keras.layers.Flatten(), keras.layers.Dense(3))
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(2)])


def joined() -> keras.Model:
    start = keras.Input((FRAMES, BANDS))
    both = [keras.layers.Dense(3)(start), keras.layers.Dense(3)(start)]
    return keras.Model(start, keras.layers.Dense(2)(keras.layers.Add()(both)))


def two_inputs() -> keras.Model:
    starts = [keras.Input((FRAMES, BANDS)), keras.Input((3,))]
    return keras.Model(starts, [keras.layers.Dense(3)(start) for start in starts])


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "good.keras"
    network().save(path)
    return path


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    path = tmp_path_factory.mktemp("cache") / "rows"
    np.random.RandomState(0).rand(30, BANDS).astype(np.float32).tofile(path)
    known = {"identity": {}, "fingerprint": "", "rejected": pd.DataFrame()}
    return rows_as_cache(path, tracks=["a", "b"], counts=np.array([20, 10]), bands=BANDS, **known)


def check(path: Path, tracks: FeatureCache) -> None:
    """As `check_input`, which does it in a process of its own."""
    extractor = Extractor(path, "cbmi2016", "unknown data", "x")
    check_shape(extractor, [-1], tracks.bands, ("b", 10), print)


def checked(path: Path, tracks: FeatureCache) -> str:
    """What is said of a file."""
    with pytest.raises(UsageError) as error:
        check(path, tracks)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 350
    return message


def repacked(good: Path, path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    with zipfile.ZipFile(good) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def replaced(name: str, *pair: bytes) -> Callable[[dict[str, bytes]], object]:
    """Replace a member, or some bytes of it."""

    def change(members: dict[str, bytes]) -> None:
        members[name] = members[name].replace(*pair) if len(pair) > 1 else pair[0]
        assert len(pair) < 2 or pair[1] in members[name]

    return change


def test_a_good_one_is_used(good: Path, tracks: FeatureCache, tmp_path: Path) -> None:
    check(good, tracks)
    features = song_features(good, tracks, [-1])[-1]
    kernel, bias = load_network(good).layers[-2].get_weights()
    rows = np.array(tracks.memmap()[20:28]).reshape(1, -1)
    np.testing.assert_allclose(features[1], (rows @ kernel + bias)[0], rtol=1e-5)
    load_network(good).save(tmp_path / "old.h5")
    old = song_features(tmp_path / "old.h5", tracks, [-1])[-1]
    np.testing.assert_allclose(old, features, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced("config.json", b"null"), "cannot be read as a network of Keras"),
        (replaced("config.json", b"[]"), "cannot be read"),
        (replaced("config.json", b"{"), "cannot be read"),
        (replaced("config.json", b"{}"), "cannot be read"),
        (replaced("config.json", b"[" * 100_000), "recursion"),
        (replaced("config.json", b"\xff\xfe"), "cannot be read"),
        (replaced("config.json", b'"Flatten"', b'"OfMine"'), "OfMine"),
        (replaced("config.json", b'"keras.layers"', b'"of.mine"'), "cannot be read"),
        (replaced("config.json", b'"units": 3', b'"units": 5'), "shape"),
        (replaced("config.json", b'"units": 3', b'"units": "3"'), "cannot be read"),
        (replaced("model.weights.h5", b""), "cannot be read"),
        (replaced("model.weights.h5", b"x" * 3000), "cannot be read"),
        (lambda members: members.pop("config.json"), "config.json"),
        (lambda members: members.pop("model.weights.h5"), "model.weights.h5"),
        (lambda members: members.clear(), "config.json"),
    ],
)
def test_a_damaged_or_foreign_one_is_one_line(good, tracks, tmp_path, change, said) -> None:
    message = checked(
        repacked(good, tmp_path / "a\n.keras", change).rename(tmp_path / "b.keras"), tracks
    )
    assert said in message
    assert KERAS in message


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + b"\0" * 99]
)
@pytest.mark.parametrize("ending", [".keras", ".h5", ""])
def test_another_kind_of_file_is_one_line(tracks, tmp_path, content, ending) -> None:
    (tmp_path / f"x{ending}").write_bytes(content)
    assert KERAS in checked(tmp_path / f"x{ending}", tracks)


def test_weights_alone_and_a_file_cut_short_are_one_line(good, tracks, tmp_path) -> None:
    load_network(good).save_weights(tmp_path / "x.weights.h5")
    assert "No model config" in checked(tmp_path / "x.weights.h5", tracks)
    h5py.File(tmp_path / "empty.h5", "w").close()
    assert KERAS in checked(tmp_path / "empty.h5", tracks)
    whole = good.read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    assert "damaged, or another kind" in checked(tmp_path / "cut.keras", tracks)
    shutil.copy(good, tmp_path / "cut.keras")
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "cut.keras").write_bytes(whole[:-9])
    assert "Delete its folder and train again" in checked(tmp_path / "cut.keras", tracks)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: network(keras.layers.Flatten()), "has 0 hidden layers, 1 are asked for"),
        (joined, "has branches that meet"),
        (two_inputs, "has 2 inputs"),
        (lambda: network(keras.layers.Dense(3), shape=(None, BANDS)), r"shape \(None, 4\)"),
        (lambda: network(shape=(FRAMES, 7)), r"shape \(8, 7\), cbmi2016 gives \(frames, 4\)"),
        (lambda: network(keras.layers.Dense(3), shape=(BANDS,)), r"shape \(4,\)"),
        (lambda: network(shape=(11, BANDS)), "needs tracks of 11 frames of cbmi2016, b has 10"),
    ],
)
def test_one_of_another_form_is_one_line(tracks, tmp_path, made, said) -> None:
    made().save(tmp_path / "x.keras")
    assert re.search(said, checked(tmp_path / "x.keras", tracks))


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_nothing_in_a_file_is_executed(tracks, tmp_path, ending) -> None:
    mark = tmp_path / "executed"
    layer = keras.layers.Lambda(lambda x, place=str(mark): open(place, "w") and x)  # noqa: SIM115
    network(layer).save(tmp_path / f"x{ending}")
    mark.unlink()
    assert "Lambda" in checked(tmp_path / f"x{ending}", tracks)
    assert not mark.exists()


def test_values_that_are_no_numbers_are_refused(good, tracks, tmp_path) -> None:
    model = load_network(good)
    model.layers[-2].bias.assign([np.nan, 0, 0])
    model.save(tmp_path / "x.keras")
    with pytest.raises(UsageError, match=r"x\.keras gives values that are no numbers"):
        song_features(tmp_path / "x.keras", tracks, [-1])
