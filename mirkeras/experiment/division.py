"""Divide tracks into training, validation and test part."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mirkeras.experiment.protocols import Protocol
from mirkeras.pipeline.segments import Segments
from mirkeras.pipeline.splits import SEEDED, STRATIFIED, cut_folds, hold_out, named_parts


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
        One of `SEEDED` (test tracks first, then validation from what remains, from `seed`) or a
        column.
    """
    labels = tracks.label.to_numpy() if split == STRATIFIED else None
    if split in SEEDED:
        return _drawn(protocol, segments, tracks.group.to_numpy(), labels, folds, fold, seed)
    column, watched = tracks[split].to_numpy(str), protocol.validate_by == "test"
    trained, held, tested = named_parts(column, fold, validates=not watched)
    return _parts(protocol, segments, trained, held, tested)


def _parts(
    protocol: Protocol,
    segments: Segments,
    trained: np.ndarray,
    held: np.ndarray,
    tested: np.ndarray,
) -> Parts:
    """Turn tracks into segments."""
    everything = np.unique(np.concatenate([trained, held, tested]))
    fitted = everything if protocol.normalise_on == "all tracks" else trained
    train = segments.of_tracks(trained, training=True)
    return Parts(train, segments.of_tracks(held), segments.of_tracks(tested), fitted)


def _drawn(
    protocol: Protocol,
    segments: Segments,
    groups: np.ndarray,
    labels: np.ndarray | None,
    folds: int,
    fold: int,
    seed: int,
) -> Parts:
    """With k folds the validation part is as large as a test fold (80-10-10 for ten)."""
    kept_groups = groups if protocol.keep_groups else None
    test = cut_folds(len(groups), folds, seed, groups=kept_groups, classes=labels)[fold]
    rest = np.setdiff1d(np.arange(len(groups)), test)
    if protocol.validate_by == "test":
        return _parts(protocol, segments, rest, test, test)
    share = 1 / (folds - 1) if folds > 2 else 0.2
    fold_seed = int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])
    if protocol.validate_by == "track":
        within = groups[rest] if protocol.keep_groups else None
        trained, held = hold_out(rest, share, fold_seed, within)
        return _parts(protocol, segments, trained, held, test)
    train, validation = hold_out(segments.of_tracks(rest), share, fold_seed)
    fitted = np.arange(len(groups)) if protocol.normalise_on == "all tracks" else rest
    return Parts(train, validation, segments.of_tracks(test), fitted)
