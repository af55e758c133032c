"""A data set ready for `keras.Model.fit`, for programs of one's own; see `mirkeras.dataset`."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from data_prep.prepare import prepare
from mirkeras import cache
from mirkeras.experiment import Protocol
from mirkeras.experiment.division import divide, tracks_of
from mirkeras.features import find_recipe
from mirkeras.pipeline.feed import open_feed
from mirkeras.pipeline.labels import read_labels
from mirkeras.pipeline.segments import consecutive
from mirkeras.system.errors import UsageError
from mirkeras.training.command.preflight import choose_split

#: Nothing leaks: validation by track, groups together.
CLEAN = Protocol(
    name="clean",
    summary="",
    normalise_on="training tracks",
    validate_by="track",
    keep_groups=True,
    drop_incomplete=False,
)


def ready(
    name: str,
    recipe: str,
    frames: int,
    *,
    batch: int,
    split: str | None,
    folds: int,
    fold: int,
    seed: int,
    data_root: Path,
    cache_root: Path,
) -> tuple[tf.data.Dataset, tf.data.Dataset, tf.data.Dataset, tuple[str, ...]]:
    """Return training (shuffled once), validation and test batches, and the classes or tags."""
    prepared = prepare(name, data_root=data_root, cache_root=cache_root)
    split, folds = choose_split(prepared, CLEAN, split, None if split else folds)
    chosen = find_recipe(recipe)
    path = prepared.home / f"{recipe}.h5"
    kept = cache.build_all(
        prepared.index,
        prepared.root,
        {path: chosen},
        max_rejected=prepared.dataset.max_bad,
        members=prepared.members,
    )[path]
    tracks = tracks_of(kept, prepared.home / "index.csv", prepared.dataset.tags)
    labels = read_labels(tracks[tracks.heard], prepared.dataset.tags)
    if (short := np.diff(kept.offsets).min()) < frames:
        raise UsageError(f"{name}: a track has {short} frames of {recipe}, fewer than {frames}")
    segments = consecutive(kept.offsets, frames)
    parts = divide(CLEAN, segments, tracks, split=split, folds=folds, fold=fold, seed=seed)
    feed = open_feed(kept, segments, labels.values[segments.track], memory_budget=0)
    order = np.random.default_rng(seed).permutation(parts.train)
    batches = (feed.in_order(part, batch=batch) for part in (order, parts.validation, parts.test))
    return (*batches, labels.names)
