"""Trained weights in our networks, by an explicit map of names: nothing is matched by guessing."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirkeras.pretrained.cards import Card, Taken, all_cards
from mirkeras.pretrained.weight_files import locate, read_arrays
from mirkeras.system.errors import WeightsError

if TYPE_CHECKING:
    from mirkeras.system.backend import keras

__all__ = ["digest_arrays", "feature_model", "fill", "identified", "load"]

_SHOWN = 5  # names of arrays in a message


def load(
    card: Card,
    weights: Path | None = None,
    *,
    mirror: str | None = None,
    offline: bool = False,
) -> "keras.Model":
    """Build a trained tagger.

    Parameters
    ----------
    weights : Path or None
        The file of its weights, or a folder that holds it as one of `card.source.filenames` or as
        the end of that. None: it is looked for in `weights_home()` and fetched if it is part of a
        package.
    mirror : str or None
        Folder, or http(s) address of a folder, that is tried before the package index; its file is
        copied into `weights_home()`.

    Returns
    -------
    keras.Model
        float32 (batch, frames, bands) → (batch, tags) in [0, 1], or the embedding where a card has
        no tags.

    Raises
    ------
    WeightsError
        The file is not there, cannot be fetched or read, is altered, or is another model's.
    """
    path = locate(card.source, weights, mirror=mirror, offline=offline)
    network = card.build()
    fill(network, card, read_arrays(card.source, path), path)
    return network


def identified(card: Card, weights: Path | None = None) -> Card:
    """Return the card with the digest of the weights at hand, where it fixes none itself.

    Parameters
    ----------
    weights : Path or None
        As for `load`.

    Raises
    ------
    WeightsError
        The file is not there, cannot be read, or lacks arrays of the network.
    """
    if card.source.sha256:
        return card
    path = locate(card.source, weights)
    facts = os.stat(path)
    digest = _digest_of(card.name, path.resolve(), facts.st_mtime_ns, facts.st_size)
    return replace(card, source=replace(card.source, sha256=digest))


@lru_cache(maxsize=4)
def _digest_of(name: str, path: Path, _changed: int, _size: int) -> str:
    """Digest the arrays that a tagger takes of a file; hundreds of megabytes are read once."""
    card = all_cards()[name]
    return digest_arrays(_taken(card, read_arrays(card.source, path), path))


def fill(network: "keras.Model", card: Card, arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Put arrays into a network: every variable gets its own, and none is left over.

    Parameters
    ----------
    arrays : mapping
        Name in the file → array.
    path : Path
        Where they come from; for messages.

    Raises
    ------
    WeightsError
        Arrays are missing, left over, of another shape, or not the published numbers.
    """
    variables = {variable.path: variable for variable in network.weights}
    if variables.keys() != card.names.keys():
        odd = ", ".join(sorted(variables.keys() ^ card.names.keys()))
        raise ValueError(f"{card.name}: the card and its network differ in {odd}")
    taken = _taken(card, arrays, path)
    try:
        values = {name: _formed(origin, taken) for name, origin in card.names.items()}
    except (ValueError, IndexError) as error:  # fewer axes than a rearrangement needs
        raise WeightsError(f"{_wrong(card, path)} shapes differ: {error}.") from error
    misshapen = [
        f"{card.names[name].name} {values[name].shape} for {name} {tuple(variable.shape)}"
        for name, variable in variables.items()
        if values[name].shape != tuple(variable.shape)
    ]
    if misshapen:
        raise WeightsError(f"{_wrong(card, path)} shapes differ: {_listed(misshapen)}.")
    if card.source.sha256 and card.source.by_arrays:
        _verify_arrays(card, taken, path)
    for name, variable in variables.items():
        variable.assign(values[name])


def _taken(card: Card, arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Select the arrays that the network takes; there must be no other but ignored ones."""
    needed = {name for origin in card.names.values() for name in (origin.name, *origin.others)}
    ignored = re.compile("|".join(card.ignored) or r"(?!)")
    left = [n for n in arrays.keys() - needed if not ignored.fullmatch(n)]
    missing = needed - arrays.keys()
    if left or missing:
        parts = [(missing, "missing"), (left, "unknown")]
        found = "; ".join(f"{len(n)} arrays {what}: {_listed(n)}" for n, what in parts if n)
        raise WeightsError(f"{_wrong(card, path)} {found}.")
    return {name: arrays[name] for name in needed}


def _formed(origin: Taken, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Bring an array into the form of the variable."""
    array = arrays[origin.name]
    if origin.axes is not None and array.ndim == len(origin.axes):
        array = array.transpose(origin.axes)
    if origin.rearrange is not None:
        array = origin.rearrange(array, *(arrays[name] for name in origin.others))
    return array


def _verify_arrays(card: Card, taken: Mapping[str, np.ndarray], path: Path) -> None:
    found = digest_arrays(taken)
    if found == card.source.sha256:
        return
    others = [other.name for other in all_cards().values() if other.source.sha256 == found]
    what = f"they are those of {others[0]}" if others else "they are altered or of another training"
    raise WeightsError(
        f"{path}: the arrays fit {card.name} in form but not in their numbers: {what}. Their "
        f"SHA-256 is {found}, expected is {card.source.sha256}. They were not used. "
        f"{card.source.advice}"
    )


def digest_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Compute the SHA-256 of arrays: sorted names, types, shapes and values, whatever file."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        array = array.astype(array.dtype.newbyteorder("<"))
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _wrong(card: Card, path: Path) -> str:
    return (
        f"{path}: a wrong model file, these are not the weights of {card.name} ({card.title}). "
        "Choose the model they belong to, or the file of this model. In the file"
    )


def _listed(names: list[str] | set[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def feature_model(network: "keras.Model", layer: str) -> "keras.Model":
    """Make a network that gives a hidden feature beside the scores.

    Parameters
    ----------
    layer : str
        Name of the layer whose output is wanted, see `Card.embeddings`.

    Returns
    -------
    keras.Model
        (batch, frames, bands) → [scores (batch, tags), features (batch, dims)]; features of more
        axes are flattened, the last axis running fastest.
    """
    from mirkeras.system.backend import keras

    hidden = network.get_layer(layer).output
    if len(hidden.shape) > 2:
        hidden = keras.layers.Flatten(name=f"{layer}_flat")(hidden)
    return keras.Model(network.input, [network.output, hidden], name=f"{network.name}_features")
