"""What is to be predicted: one class per track, or any number of tags."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_prep.index import TAG_SEPARATOR


@dataclass(frozen=True)
class Labels:
    """The labels of all tracks of a data set.

    Attributes
    ----------
    names : tuple of str
        Classes in alphabetical order, or tags in the order of the data set's vocabulary.
    values : int32 (tracks,) or float32 (tracks, tags)
        The class of each track, or 1 for each of its tags.
    """

    names: tuple[str, ...]
    values: np.ndarray

    @property
    def are_tags(self) -> bool:
        """Whether a track may have several."""
        return self.values.ndim == 2

    @property
    def activation(self) -> str:
        """Activation of the output layer."""
        return "sigmoid" if self.are_tags else "softmax"

    @property
    def loss(self) -> str:
        """Loss, as Keras names it."""
        return "binary_crossentropy" if self.are_tags else "sparse_categorical_crossentropy"


def read_labels(tracks: pd.DataFrame, tags: tuple[str, ...]) -> Labels:
    """Read the column ``label`` of an index.

    Parameters
    ----------
    tags : tuple of str
        The vocabulary of a tag set; empty where ``label`` is a class.

    Raises
    ------
    ValueError
        A track has a tag outside the vocabulary.
    """
    texts = tracks.label.to_numpy(str)
    if not tags:
        classes, numbers = np.unique(texts, return_inverse=True)
        return Labels(tuple(classes.tolist()), numbers.astype(np.int32))
    values = np.zeros((len(texts), len(tags)), np.float32)
    position = {tag: number for number, tag in enumerate(tags)}
    for line, text in zip(values, texts, strict=True):
        for tag in text.split(TAG_SEPARATOR) if text else ():
            if tag not in position:
                raise ValueError(f"unknown tag {tag!r}; the vocabulary is {', '.join(tags)}")
            line[position[tag]] = 1
    return Labels(tags, values)
