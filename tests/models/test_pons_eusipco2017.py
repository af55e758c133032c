"""The network that recognises instruments, beside a NumPy forward of the published layers."""

from pathlib import Path

import keras
import numpy as np

from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pretrained import weights
from reproductions.pons_eusipco2017 import originals
from reproductions.pons_eusipco2017.trained import CARDS
from tests.models.synthetic import arrays_for, with_digest

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
