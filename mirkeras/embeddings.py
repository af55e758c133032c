"""Song-level features: what the hidden layers of trained networks make of a track.

As in Lee et al. 2018 (section 4.1): the network sees the whole track segment by segment; of every
channel of a hidden layer the maximum within a segment is kept, and of these the mean over the
segments of the track. Any network that `keras` can load serves.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.cache import FeatureCache
from mirkeras.layers.blocks import hidden_stages
from mirkeras.pipeline.feed import open_feed, prediction_batch
from mirkeras.pipeline.segments import consecutive, evenly_spaced
from mirkeras.system.files import sha256, whole_file

BLOCK = 200  # tracks in memory at a time
#: Hidden layers that are computed and kept together, counted from the back (fewer if there are).
LAST = (-3, -2, -1)
# Raise by one whenever a change of this room changes numbers: what was kept is computed anew.
IMPLEMENTATION = 1


def feature_network(path: Path, layers: Sequence[int] = LAST) -> keras.Model:
    """Load a network and give it the strongest activation per channel of hidden layers as outputs.

    Parameters
    ----------
    path : Path
        A ``.keras`` file; nothing in it is executed (`safe_mode`).
    layers : sequence of int
        Hidden stages counted from the back: -1 is the last.

    Returns
    -------
    keras.Model
        Segments → one (batch, channels) per layer.

    Raises
    ------
    ValueError
        The file holds no Keras network, or one with fewer hidden layers, or with branches.
    """
    model = keras.saving.load_model(path, compile=False)
    inner = model.layers[-1]
    front, network = (model.layers[:-1], inner) if isinstance(inner, keras.Model) else ([], model)
    front = [layer for layer in front if not isinstance(layer, keras.layers.InputLayer)]
    if any(isinstance(layer.input, list) and len(layer.input) > 1 for layer in network.layers):
        raise ValueError(f"{path} has branches that meet: which hidden layer is its last is open")
    stages = hidden_stages(network)
    if len(stages) < -min(layers):
        raise ValueError(f"{path} has {len(stages)} hidden layers, {-min(layers)} are asked for")
    pooled = [_strongest(stages[layer].output) for layer in layers]
    x = keras.Input(model.input_shape[1:])
    features = keras.Model(network.inputs, pooled)(_through(front, x))
    return keras.Model(x, features, name="features")


def _through(layers: list[keras.layers.Layer], x: keras.KerasTensor) -> keras.KerasTensor:
    for layer in layers:
        x = layer(x)
    return x


def _strongest(activation: keras.KerasTensor) -> keras.KerasTensor:
    places = tuple(range(1, len(activation.shape) - 1))
    return keras.ops.max(activation, axis=places) if places else activation


def song_features(
    path: Path, cache: FeatureCache, layers: Sequence[int] = LAST, *, overlapping: bool = False
) -> dict[int, np.ndarray]:
    """Compute the features of every track of a cache.

    Parameters
    ----------
    overlapping : bool
        Segments without overlap from the start, or (the authors' transfer code) one more than fit,
        evenly spaced from start to end.

    Returns
    -------
    dict
        Layer → float32 (tracks, channels).
    """
    network = feature_network(path, layers)
    frames = network.input_shape[1]
    segments = (evenly_spaced if overlapping else consecutive)(cache.offsets, frames)
    feed = open_feed(cache, segments, np.zeros(len(segments), np.int32), memory_budget=0)
    sums = [
        np.zeros((len(cache.tracks), output.shape[-1]), np.float32) for output in network.outputs
    ]
    batch = prediction_batch(frames * cache.bands)
    for begin in range(0, len(cache.tracks), BLOCK):
        chosen = segments.of_tracks(np.arange(begin, min(begin + BLOCK, len(cache.tracks))))
        found = network.predict(feed.in_order(chosen, batch=batch), verbose=0)
        for total, values in zip(sums, found, strict=True):
            np.add.at(total, segments.track[chosen], values)
    counts = np.bincount(segments.track, minlength=len(cache.tracks))[:, None]
    return {layer: total / counts for layer, total in zip(layers, sums, strict=True)}


def kept_features(
    path: Path,
    cache: FeatureCache,
    folder: Path,
    layers: Sequence[int],
    *,
    overlapping: bool = False,
) -> dict[int, np.ndarray]:
    """Return features as `song_features` does, from `folder` if they were computed before.

    The `LAST` layers are computed together, since one pass gives them all. They are filed under a
    digest of the network's file, the cache and the way of cutting segments.
    """
    facts = [IMPLEMENTATION, sha256(path), cache.identity, cache.fingerprint, overlapping]
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    target = folder / f"{name}.npz"
    if not target.exists():
        features = song_features(path, cache, _available(path, layers), overlapping=overlapping)
        with whole_file(target) as temporary:
            np.savez(temporary, **{str(layer): values for layer, values in features.items()})
    with np.load(target, allow_pickle=False) as arrays:
        return {layer: arrays[str(layer)] for layer in layers}


def _available(path: Path, wanted: Sequence[int]) -> tuple[int, ...]:
    """Those of `LAST` that a network has; what is wanted must be among them."""
    for least in LAST:
        try:
            feature_network(path, (least,))
        except ValueError:
            if least <= min(wanted):
                raise
        else:
            return tuple(range(least, 0))
    raise AssertionError("the last layer is wanted or there")
