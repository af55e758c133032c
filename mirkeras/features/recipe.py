"""What every feature recipe can do; `recipes` lists them."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np


class Recipe(ABC):
    """What turns samples into frames; recipes are frozen dataclasses.

    Attributes
    ----------
    name
        Name of the recipe and of its cache file.
    sample_rate
        In Hz, mono.
    hop
        Distance of two frames in samples.
    bands
        Values per frame.
    dtype
        "float32", or "int16" where 32768 stands for 1.
    min_frames
        Tracks with fewer frames are set aside: the networks of the recipe's paper need more.
    deformed
        Frames at the end of every track that come from deformed copies of it (augmentation); they
        are for training only. 0 unless a recipe says otherwise.
    """

    name: str
    sample_rate: int
    hop: int
    bands: int
    dtype: str
    min_frames: int
    deformed: ClassVar[int] = 0

    @abstractmethod
    def identity(self) -> dict[str, str | int | float]:
        """Return all that defines the numbers, as plain values in a fixed order."""

    @abstractmethod
    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries whose change may change the numbers."""

    @abstractmethod
    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute the frames of a track.

        Parameters
        ----------
        samples
            Mono samples at `sample_rate`, shape (samples,).

        Returns
        -------
        np.ndarray
            Array of type `dtype`, shape (time, band).

        Raises
        ------
        ValueError
            `samples` is empty or not one-dimensional.
        """


def mono(samples: np.ndarray) -> np.ndarray:
    """Return `samples` if they are what a recipe takes.

    Raises
    ------
    ValueError
        They are empty or not one-dimensional.
    """
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"audio must be mono samples, shape (samples,), not {samples.shape}")
    return samples
