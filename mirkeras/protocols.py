"""Protocols: what a paper's text says, what its code did, and the same without leakage, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from mirkeras.schedules import Rule
from mirkeras.segments import Segments
from mirkeras.splits import DRAWN, cut_folds, hold_out, named_parts


@dataclass(frozen=True)
class Protocol:
    """How a network is trained and validated.

    Attributes
    ----------
    name : str
        ``paper``, ``code`` or ``clean``.
    summary : str
        For people.
    normalise_on : "all tracks" or "training tracks"
        Whose frames give the scalar mean and standard deviation.
    validate_by : "track" or "segment"
        Whether segments of one track may lie in both the training and the validation part.
    keep_groups : bool
        Whether replicas always share a part.
    drop_incomplete : bool
        Whether the last, incomplete batch of an epoch is left out.
    rule : Rule
        Learning rate and stopping.
    max_epochs : int
        Cap on the epochs of a run.
    optimizer : callable
        () → a new optimiser, at the rate training starts with.
    select_by : "val_accuracy" or "val_loss"
        What the best epoch is best at.
    network : mapping
        Options of the row's `build` that this protocol fixes.
    classifier : "network" or "svm"
        What classifies features of trained networks.
    overlapping : bool
        How tracks are cut for such features, see `mirkeras.embeddings.song_features`.
    """

    name: str
    summary: str
    normalise_on: Literal["all tracks", "training tracks"]
    validate_by: Literal["track", "segment"]
    keep_groups: bool
    drop_incomplete: bool
    rule: Rule
    max_epochs: int
    optimizer: Callable
    select_by: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    network: Mapping[str, str] = field(default_factory=dict)
    classifier: Literal["network", "svm"] = "network"
    overlapping: bool = False


@dataclass(frozen=True)
class Parts:
    """Positions of the segments of each part, and the tracks that normalisation is fitted on."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    normalise_on: np.ndarray


def divide(
    protocol: Protocol,
    segments: Segments,
    tracks: pd.DataFrame,
    *,
    split: str,
    folds: int,
    fold: int,
    seed: int,
) -> Parts:
    """Divide segments for one fold.

    Parameters
    ----------
    tracks : DataFrame
        In the order of the cache, with the replica ``group`` of each track and a column per split
        that the data set names.
    split : str
        `DRAWN` (test tracks first, then validation from what remains, from `seed`) or a column.
    """
    if split == DRAWN:
        return _drawn(protocol, segments, tracks.group.to_numpy(), folds, fold, seed)
    trained, held, tested = named_parts(tracks[split].to_numpy(str), fold)
    everything = np.concatenate([trained, held, tested])
    fitted = everything if protocol.normalise_on == "all tracks" else trained
    return Parts(*(segments.of_tracks(part) for part in (trained, held, tested)), fitted)


def _drawn(
    protocol: Protocol, segments: Segments, groups: np.ndarray, folds: int, fold: int, seed: int
) -> Parts:
    """With k folds the validation part is as large as a test fold (80-10-10 for ten)."""
    kept_groups = groups if protocol.keep_groups else None
    test = cut_folds(len(groups), folds, seed, kept_groups)[fold]
    rest = np.setdiff1d(np.arange(len(groups)), test)
    share = 1 / (folds - 1) if folds > 2 else 0.2
    fold_seed = int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])
    if protocol.validate_by == "track":
        within = groups[rest] if protocol.keep_groups else None
        trained, held = hold_out(rest, share, fold_seed, within)
        train, validation = segments.of_tracks(trained), segments.of_tracks(held)
    else:
        trained = rest
        train, validation = hold_out(segments.of_tracks(rest), share, fold_seed)
    fitted = np.arange(len(groups)) if protocol.normalise_on == "all tracks" else trained
    return Parts(train, validation, segments.of_tracks(test), fitted)
