"""A trained tagger that needs no weights: a small network with fixed random ones."""

import keras
import numpy as np
import pytest

from mirkeras.pretrained import cards, weights
from mirkeras.pretrained.cards import Card, Source

NAME = "FAKE_tagger"
FRAMES, BANDS = 100, 96
TAGS = ("slow", "fast food", "Medi-um", "no voice", "male voice")


def build() -> keras.Model:
    """Means over time, six of them mixed, then tags."""
    keras.utils.set_random_seed(5)
    x = keras.Input((None, BANDS))
    y = keras.layers.GlobalAveragePooling1D(name="mean_pool")(x)
    y = keras.layers.Dense(6, "tanh", name="penultimate")(y)
    return keras.Model(x, keras.layers.Dense(len(TAGS), "sigmoid", name="scores")(y))


def card(**changes) -> Card:
    given = {
        "name": NAME,
        "title": "none",
        "build": build,
        "recipe": "musicnn",
        "frames": FRAMES,
        "tags": TAGS,
        "source": Source("fake-weights.npz", "0" * 64, advice="Make them."),
        "names": {},
        "ignored": (),
        "embeddings": ("penultimate", "mean_pool"),
        "hears": "nothing",
        "data": "nothing",
        "split": "",
        "licence": "",
        "origin": "",
    }
    return Card(**given | changes)


def install(patch: pytest.MonkeyPatch) -> None:
    """Let it be the only trained tagger there is."""
    patch.setattr(cards, "all_cards", lambda: {NAME: card()})
    patch.setattr(weights, "load", lambda card, *_, **__: card.build())


def penultimate(segments: np.ndarray) -> np.ndarray:
    """What its hidden layer makes of segments."""
    network = build()
    return np.asarray(keras.Model(network.input, network.get_layer("penultimate").output)(segments))
