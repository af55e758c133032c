"""Arrays of the shapes that a card's file holds, with random numbers."""

from dataclasses import replace

import keras
import numpy as np

from mirkeras.pretrained.cards import Card
from mirkeras.pretrained.weights import digest_arrays


def arrays_for(card: Card, network: keras.Model, seed: int = 0) -> dict[str, np.ndarray]:
    """Draw the arrays of a file, scaled so that signals neither die nor explode.

    Variables that are made of several arrays get them as the rows of the variable; kernels with
    an axis of size 1 in the file are for the caller.
    """
    random = np.random.RandomState(seed)
    arrays = {}
    for variable in network.weights:
        origin, shape = card.names[variable.path], tuple(variable.shape)
        values = random.randn(*shape) / np.sqrt(max(1, np.prod(shape[:-1])))
        if variable.path.endswith(("moving_variance", "gamma")):
            values = random.uniform(0.5, 1.5, shape)
        if origin.others:
            for name, row in zip((origin.name, *origin.others), values, strict=True):
                arrays[name] = row.astype("float32")
            continue
        if origin.axes is not None:
            values = values.transpose(np.argsort(origin.axes))
        arrays[origin.name] = np.ascontiguousarray(values, "float32")
    return arrays


def with_digest(card: Card, arrays: dict[str, np.ndarray]) -> Card:
    """Give the card that these arrays are the right ones for."""
    return replace(card, source=replace(card.source, sha256=digest_arrays(arrays)))
