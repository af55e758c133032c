"""Divide tracks into training, validation and test part.

Parts are drawn over the index: every declared track, by name. One that could not be read drops out
of its part and moves no other, so that rows on all recipes share their folds. Runs of older
versions drew over the tracks that could be read; where these are all, it is the same.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.index import WHOLE, read_index
from mirkeras.cache import CacheError, FeatureCache
from mirkeras.experiment.protocols import Protocol
from mirkeras.pipeline.segments import Segments
from mirkeras.pipeline.splits import (
    DRAWN,
    FINAL,
    FOLDS_TO_SPARE,
    SEEDED,
    STRATIFIED,
    cut_folds,
    hold_out,
    hold_out_by_class,
    named_parts,
    numbered,
)

#: Where validation is drawn by class, it is one track in so many at most.
ONE_IN = 10


@dataclass(frozen=True)
class Parts:
    """Positions of the segments of each part, and the tracks that normalisation is fitted on."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    normalise_on: np.ndarray


def tracks_of(cache: FeatureCache, index: Path, tags: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read what is known of every declared track (label, group, tempo, splits), by name.

    The column ``heard`` tells which of them the cache holds, in the same order; ``stratum`` what
    stratified parts keep the shares of: the class, or nothing where tracks have tags.

    Raises
    ------
    CacheError
        The cache holds a track that the index lacks.
    """
    tracks = read_index(index).set_index("track").sort_index()
    names, held = tracks.index.tolist(), set(cache.tracks)
    if missing := held.difference(names):
        raise CacheError(f"{index} lacks the track {min(missing)!r} of {cache.path}; run again")
    heard = np.fromiter(map(held.__contains__, names), bool, len(names))
    return tracks.assign(heard=heard, stratum="" if tags else tracks.label)


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
    segments : Segments
        Of the tracks that were heard.
    tracks : DataFrame
        As from `tracks_of`, with a column per split that the data set names.
    split : str
        One of `SEEDED` (test tracks first, then validation from what remains, from `seed`), a
        column, or `FINAL`: all train.
    """
    if split == FINAL:
        heard = np.arange(tracks.heard.sum())
        whole = segments.of_tracks(heard, training=True)
        return Parts(whole, whole[:0], whole[:0], heard)
    rest, held, test = _members(protocol, tracks, split, folds, fold, seed)
    divided = np.zeros(len(tracks), bool)
    divided[np.concatenate([rest, held, test])] = True
    everything = np.flatnonzero(divided)
    heard = np.flatnonzero(tracks.heard)  # where the tracks of segments stand in the index

    def numbers(part: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.isin(heard, part))

    draw = partial(_hold_out, protocol, tracks, split, folds, _fold_seed(seed, fold))
    tested = segments.of_tracks(numbers(test))
    if split in SEEDED and protocol.validate_by == "segment":
        among = segments.of_tracks(numbers(rest))
        total = len(among) + len(tested)
        train, validation = draw(total, among, heard[segments.track[among]])
    else:
        if not len(held):
            rest, held = draw(len(everything), rest, rest)
        train = segments.of_tracks(numbers(rest), training=True)
        validation = segments.of_tracks(numbers(held))
        if drops_by_chance(protocol, split):
            random = np.random.default_rng(_fold_seed(seed, fold))
            validation = random.permutation(validation)
    fitted = everything if protocol.normalise_on == "all tracks" else rest
    return Parts(train, validation, tested, numbers(fitted))


def keeps_groups(protocol: Protocol, tracks: pd.DataFrame) -> bool:
    """Whether no group is in both training and test: by the protocol, or for the data's sake."""
    return protocol.keep_groups or WHOLE in tracks


def holds_out_by_class(protocol: Protocol, split: str, folds: int) -> bool:
    """Whether validation is a tenth at most, drawn by class; the papers' own rules do not."""
    few = split not in SEEDED and 1 < folds < FOLDS_TO_SPARE
    return protocol.validate_by != "test" and (split == STRATIFIED or few)


def drops_by_chance(protocol: Protocol, split: str) -> bool:
    """Whether an incomplete batch is dropped from tracks that stand in the order of their names.

    Of one class, that is, unless they are shuffled; older versions did not.
    """
    by_segment = split in SEEDED and protocol.validate_by == "segment"
    return protocol.drop_incomplete and not by_segment


def _members(
    protocol: Protocol, tracks: pd.DataFrame, split: str, folds: int, fold: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places in the index of what trains, validates and is tested.

    Where nothing validates yet, that is to be drawn from what trains.
    """
    watched = protocol.validate_by == "test"
    if split not in SEEDED:
        return named_parts(tracks[split].to_numpy(str), fold, validates=not watched)
    if protocol.draw and split == DRAWN:
        return protocol.draw(tracks, folds, fold, seed)
    groups = tracks.group if keeps_groups(protocol, tracks) else None
    classes = tracks.stratum if split == STRATIFIED else None
    test = cut_folds(len(tracks), folds, seed, groups=groups, classes=classes)[fold]
    rest = np.delete(np.arange(len(tracks)), test)
    return rest, test if watched else test[:0], test


def _hold_out(
    protocol: Protocol,
    tracks: pd.DataFrame,
    split: str,
    folds: int,
    seed: int,
    total: int,
    items: np.ndarray,
    places: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the validation part from tracks or segments.

    Parameters
    ----------
    total : int
        How many there are with those that are tested.
    items, places : int (items,)
        Their numbers, and where their tracks stand in the index.
    """
    whole = keeps_groups(protocol, tracks) and protocol.validate_by == "track"
    groups = numbered(tracks.group)[places] if whole else None
    if holds_out_by_class(protocol, split, folds):
        most = max(1, total // max(ONE_IN, folds))
        return hold_out_by_class(items, most, seed, numbered(tracks.stratum)[places], groups)
    # with k folds as large as a test fold: 80-10-10 for ten
    share = protocol.held_out or (1 / (folds - 1) if folds > 2 else 0.2)
    return hold_out(items, share, seed, groups)


def _fold_seed(seed: int, fold: int) -> int:
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])
