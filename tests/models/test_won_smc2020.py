"""The networks of Won et al. beside a plain NumPy forward of the published layers."""

import os
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile

from mirkeras.cli.app import main
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pretrained import weights
from mirkeras.pretrained.cards import Card
from reproductions.won_smc2020 import originals
from reproductions.won_smc2020.trained import CARDS, DATA
from tests import torch_file
from tests.models.synthetic import arrays_for, with_digest

BY_NAME = {card.name: card for card in CARDS}
WEIGHTS = Path(os.environ.get("MIRKERAS_WEIGHTS", "nowhere")).expanduser()


def filled(card: Card) -> tuple[keras.Model, dict[str, np.ndarray]]:
    network = card.build()
    arrays = arrays_for(card, network)
    weights.fill(network, with_digest(card, arrays), arrays, Path("synthetic.npz"))
    return network, arrays


@pytest.mark.parametrize(
    ("name", "trainable"),
    [("mtat_fcn", 447_732), ("mtat_crnn", 394_100), ("mtat_musicnn", 784_300)],
)
def test_the_layers_are_the_published_ones(name: str, trainable: int) -> None:
    card = BY_NAME[name]
    network, arrays = filled(card)
    assert count_trainable(network) == trainable
    frames = np.random.RandomState(0).randn(card.frames, 96).astype("float32")
    both = weights.feature_model(network, card.embeddings[0])
    ours = [keras.ops.convert_to_numpy(side)[0] for side in both(frames[None])]
    theirs = originals.FORWARD[name.split("_")[1]](arrays, frames.T)
    for us, them in zip(ours, theirs, strict=True):
        assert us.shape == them.shape
        assert np.abs(us - them).max() < 1e-4


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["mtat_fcn", "msd_crnn", "jamendo_musicnn"])
def test_the_authors_kind_of_file_fills_the_network(
    name: str, legacy: bool, tmp_path: Path
) -> None:
    card = BY_NAME[name]
    network, arrays = filled(card)
    rest = {"spec_bn.num_batches_tracked": np.array(9, "i8"), "spec.mel_scale.fb": np.eye(3)}
    path = torch_file.saved(tmp_path / "best_model.pth", arrays | rest, legacy)
    loaded = weights.load(with_digest(card, arrays), path)
    for ours, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(weights.WeightsError, match=r"best_model\.pth: the arrays fit .* numbers"):
        weights.load(card, path)


@pytest.mark.long
@pytest.mark.parametrize("name", BY_NAME)
def test_the_published_arrays_give_the_same_tags_from_either_kind_of_file(
    name: str, tmp_path: Path
) -> None:
    card = BY_NAME[name]
    given = (WEIGHTS / card.source.filename).with_suffix(".npz")
    if not given.is_file():
        pytest.skip(f"{given.name} of {name} is not in the folder that MIRKERAS_WEIGHTS names")
    with np.load(given) as arrays:
        path = torch_file.saved(tmp_path / "best_model.pth", dict(arrays), legacy=True)
    noise = np.random.RandomState(0).uniform(-0.3, 0.3, 30 * 16_000)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    said = []
    for weight in (given, path):
        out = tmp_path / f"tags{weight.suffix}.csv"
        words = ["tag", str(tmp_path / "noise.wav"), "--model", name, "--weights", str(weight)]
        assert main([*words, "--out", str(out)]) == 0
        said.append(out.read_text())
    assert said[0] == said[1]
    assert card.tags[0] in said[0]


def test_either_kind_of_file_is_found_the_authors_first(tmp_path: Path) -> None:
    source = BY_NAME["mtat_fcn"].source
    home = tmp_path / "sota_music_tagging" / "mtat" / "fcn"
    home.mkdir(parents=True)
    for name in ("best_model.npz", "best_model.pth"):
        (home / name).write_bytes(b"")
        for place in (home / name, home, tmp_path):
            assert weights.locate(replace(source, sha256=""), place) == home / name


def test_features_are_the_published_transform() -> None:
    import librosa

    recipe = find_recipe("won2020")
    samples = np.random.RandomState(0).uniform(-0.3, 0.3, 48_000).astype("float32")
    bank = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=96, htk=True, norm=None).T
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    file = {"spec.spectrogram.window": window, "spec.mel_scale.fb": bank}
    ours, theirs = recipe.extract(samples), originals.decibels(file, samples)
    assert ours.shape == theirs.T.shape == (188, 96)
    assert np.abs(ours - theirs.T).max() < 0.01  # dB; single against double precision


def test_one_network_is_not_taken_for_another() -> None:
    fcn, crnn = BY_NAME["mtat_fcn"], BY_NAME["mtat_crnn"]
    network = fcn.build()
    arrays = arrays_for(crnn, crnn.build())
    with pytest.raises(weights.WeightsError, match=r"wrong model file.*mtat_fcn.*layer5\.conv"):
        weights.fill(network, fcn, arrays, Path("best_model.npz"))
    before = network.get_weights()
    other = arrays_for(fcn, network)
    with pytest.raises(weights.WeightsError, match="not in their numbers"):
        weights.fill(network, fcn, other, Path("best_model.npz"))
    assert all(np.array_equal(*pair) for pair in zip(before, network.get_weights(), strict=True))


def test_tags() -> None:
    assert {len(tags) for tags, _, _ in DATA.values()} == {50}
    assert list(DATA["jamendo"][0]) == sorted(DATA["jamendo"][0])
