"""Trained taggers: what each is, what it takes, what it was trained on, and what it is known for.

A card goes with every set of trained weights, as a recipe goes with every feature. The cards
themselves stand in the papers' folders, beside the networks they fill (`trained.py`).
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mirkeras.system.errors import UsageError

if TYPE_CHECKING:
    from mirkeras.system.backend import keras

#: Modules that each have a tuple `CARDS`.
HOMES = (
    "reproductions.pons_ismir2018.trained",
    "reproductions.won_smc2020.trained",
    "reproductions.pons_eusipco2017.trained",
    "reproductions.audioset.trained",
)


@dataclass(frozen=True)
class Taken:
    """Where a variable of a network comes from in a file of weights.

    Attributes
    ----------
    name : str
        Name of the array in the file.
    axes : tuple of int or None
        The array's axes are put into this order first; None: as they are.
    rearrange : callable or None
        What else turns the array into the variable's form (gates of a recurrent layer).
    others : tuple of str
        Arrays of which the variable is made beside that; `rearrange` gets them as they are.
    """

    name: str
    axes: tuple[int, ...] | None = None
    rearrange: Callable | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where weights come from.

    Attributes
    ----------
    filename : str
        Name of the file, or folder, to look for, as its authors call it.
    sha256 : str
        Digest of the file, or of its arrays where `by_arrays`. "" (with `by_arrays`): no release is
        fixed; any arrays of the right names and shapes will do, and records hold their digest, see
        `mirkeras.pretrained.weights.identified`.
    by_arrays : bool
        Whether `sha256` is the digest of the arrays that the network takes (see
        `mirkeras.pretrained.weights.digest_arrays`), so that any file holding the same numbers will
        do.
    package : str
        ``name==version`` of the package that the file is, "" where it is given by hand only.
    member : str
        Inside the file: the folder of a checkpoint; "" where the file itself holds the arrays.
    companions : tuple of str
        Names of `.npy` files that lie beside the file; each is an array named as its stem.
    advice : str
        How a user gets the file by hand.
    endings : tuple of str
        Endings that the file may have instead (``.npz``): the same arrays in another kind of file.
    """

    filename: str
    sha256: str
    by_arrays: bool = False
    package: str = ""
    member: str = ""
    companions: tuple[str, ...] = ()
    advice: str = ""
    endings: tuple[str, ...] = ()

    @property
    def filenames(self) -> tuple[str, ...]:
        """The names to look for, in order."""
        others = (str(PurePosixPath(self.filename).with_suffix(end)) for end in self.endings)
        return (self.filename, *others)


@dataclass(frozen=True)
class Card:
    """A trained tagger.

    Attributes
    ----------
    name : str
        What users call it: ``MTT_musicnn``.
    build : callable
        () → its network without weights: (batch, frames, bands) → (batch, tags); see `network`.
    recipe : str
        Name of the feature recipe of its input.
    frames : int
        Frames per segment.
    tags : tuple of str
        Its outputs, in order; none where it gives an embedding only.
    names : mapping
        Variable of the network, ``layer/variable``, → where it comes from. All variables, all
        arrays: nothing is matched by guessing.
    ignored : tuple of str
        Regular expressions of arrays in the file that are no part of the network (optimiser state,
        counters, the window and filterbank of its input).
    embeddings : tuple of str
        Hidden features: names of layers whose output they are; the first is the default.
    hears : str
        What it is good for, a few words: what its tags speak of, in segments of what length.
    data, split : str
        What it was trained on.
    scores : mapping
        Published scores of these weights, ``roc_auc`` and ``pr_auc``; empty where none is known.
    licence, origin : str
        Licence of the weights, and where they were published.
    """

    name: str
    title: str
    build: Callable[[], "keras.Model"]
    recipe: str
    frames: int
    tags: tuple[str, ...]
    source: Source
    names: Mapping[str, Taken]
    ignored: tuple[str, ...]
    embeddings: tuple[str, ...]
    hears: str
    data: str
    split: str
    licence: str
    origin: str
    scores: Mapping[str, float] = field(default_factory=dict)

    def check_feature(self, name: str) -> None:
        """Refuse what is none of the `embeddings`.

        Raises
        ------
        UsageError
            The message lists those that there are.
        """
        if name not in self.embeddings:
            known = ", ".join(self.embeddings)
            raise UsageError(f"{self.name} has no feature {name!r}; there are: {known}")

    def check_tags(self) -> None:
        """Refuse to tag where there is an embedding only.

        Raises
        ------
        UsageError
            The card has no tags.
        """
        if not self.tags:
            raise UsageError(
                f"{self.name} gives no tags, only features for rows that learn from them; "
                "`mirkeras tag --list` shows what each model gives"
            )


def network(place: str, *given, **options) -> Callable[[], "keras.Model"]:
    """Name what builds a network, ``module:function``: a card is read without Keras."""
    return partial(_build, place, *given, **options)


def _build(place: str, *given, **options) -> "keras.Model":
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)(*given, **options)


def all_cards() -> dict[str, Card]:
    """Collect all cards by name, in the order of `HOMES`."""
    cards = [card for home in HOMES for card in importlib.import_module(home).CARDS]
    return {card.name: card for card in cards}


def find_card(name: str) -> Card:
    """Find a card by its name.

    Raises
    ------
    UsageError
        No trained tagger has that name; the message lists those that there are.
    """
    cards = all_cards()
    if name not in cards:
        raise UsageError(f"no trained tagger {name!r}; there are: {', '.join(cards)}")
    return cards[name]
