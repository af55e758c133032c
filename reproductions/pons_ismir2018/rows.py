"""Rows of the tables that `parity` prints, and what they are made with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.pretrained.inference import scorer
from mirkeras.system.quiet import silenced

BATCH = 16  # segments; more would take gigabytes


@dataclass(frozen=True)
class Comparison:
    """A comparison.

    Attributes
    ----------
    model, input, what : str
        Which tagger, on what, which of its numbers.
    max_abs_difference : float
        Largest absolute difference, over the values that are finite on both sides.
    values : int
        How many were compared.
    tolerance : float or None
        What the difference must not exceed; None: it is only measured.
    held : str
        "yes" or "no"; "" without a tolerance.
    note : str
        What else was seen.
    """

    model: str
    input: str
    what: str
    max_abs_difference: float
    values: int
    tolerance: float | None = None
    held: str = field(init=False)
    note: str = ""

    def __post_init__(self) -> None:
        within = self.tolerance is None or self.max_abs_difference <= self.tolerance
        held = "" if self.tolerance is None else ("yes" if within else "no")
        object.__setattr__(self, "held", held)


def compare(
    model: str,
    name: str,
    what: str,
    ours: np.ndarray,
    theirs: np.ndarray,
    tolerance: float | None = None,
    note: str = "",
) -> Comparison:
    """Compare two arrays of one shape.

    With a tolerance every value counts, and one that is not finite fails. Without, those that are
    not finite on either side are left out.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"{model}, {what}: shapes {ours.shape} and {theirs.shape}")
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    kept = np.full(ours.shape, True)
    if tolerance is None:
        kept = np.isfinite(ours) & np.isfinite(theirs)
    largest = np.abs(ours[kept] - theirs[kept]).max() if kept.any() else np.nan
    return Comparison(model, name, what, float(largest), int(kept.sum()), tolerance, note=note)


def cut(frames: np.ndarray, length: int) -> np.ndarray:
    """Cut frames into segments one after the other: (segments, length, bands)."""
    count = len(frames) // length
    return frames[: count * length].reshape(count, length, frames.shape[1])


def run(network: keras.Model, segments: np.ndarray) -> list[np.ndarray]:
    """Run a network on (segments, frames, bands): each of its outputs, (segments, values)."""
    return _batched(partial(network, training=False), segments)


def run_fast(network: keras.Model, segments: np.ndarray) -> list[np.ndarray]:
    """Do the same as ``mirkeras tag`` does it."""
    with silenced():  # TensorFlow takes the graphs of one tagger after another for a mistake
        return _batched(scorer(network, *segments.shape[1:]), segments)


def _batched(function: Callable, segments: np.ndarray) -> list[np.ndarray]:
    batches = [segments[first : first + BATCH] for first in range(0, len(segments), BATCH)]
    found = [keras.tree.flatten(function(batch)) for batch in batches]
    return [
        np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])
        for parts in zip(*found, strict=True)
    ]
