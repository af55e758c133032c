"""What a trained tagger makes of the segments of a data set: taggrams and hidden features.

Segments follow each other at a hop, as the musicnn extractor cuts them; what is left at the end of
a track is dropped. The frames of a track shorter than one segment are repeated until they fill it.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.cache import CacheError, FeatureCache, open_cache
from mirkeras.cache.rows import rows_as_cache
from mirkeras.experiment import Row, find_experiment
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.pipeline.segments import stream_segments
from mirkeras.pretrained import weights as trained
from mirkeras.pretrained.cards import Card, find_card
from mirkeras.pretrained.inference import Score, scorer
from mirkeras.storage.arrays import write_rows
from mirkeras.storage.files import locked, sweep
from mirkeras.system.errors import UsageError

#: The name, among features, of the tagger's own output: the scores of its tags.
TAGGRAM = "taggram"
BLOCK = 50  # tracks between two files: what a kill can cost
#: Values that a batch of segments may have. Activations of these networks are hundreds of times
#: their input: 14 segments of 3 s need half a gigabyte.
BATCH_VALUES = 2**18
# Raise by one whenever a change of this module or of the networks changes numbers: what was kept is
# computed anew.
IMPLEMENTATION = 1


@dataclass(frozen=True)
class Embedding:
    """An output of a trained tagger, and how tracks are cut for it.

    Attributes
    ----------
    card : Card
    feature : str
        One of the card's `embeddings`, or `TAGGRAM`.
    hop : int
        Frames from the start of a segment to that of the next.

    Raises
    ------
    UsageError
        The tagger has no such feature.
    """

    card: Card
    feature: str
    hop: int

    def __post_init__(self) -> None:
        known = (*self.card.embeddings, *((TAGGRAM,) if self.card.tags else ()))
        if self.feature not in known:
            raise UsageError(
                f"{self.card.name} has no feature {self.feature!r}; it has: {', '.join(known)}"
            )

    def score(self, weights: Path | None) -> Score:
        """Load the tagger: float32 (segments, frames, bands) → [(segments, values)].

        Raises
        ------
        WeightsError
            Its weights are missing or not the right ones.
        """
        network = trained.load(self.card, weights)
        if self.feature != TAGGRAM:
            both = trained.feature_model(network, self.feature)
            network = keras.Model(both.inputs, both.outputs[1], name="features")
        return scorer(network, self.card.frames, find_recipe(self.card.recipe).bands)

    @property
    def recorded(self) -> dict[str, str | int]:
        """What a run record says of it."""
        return {
            "tagger": self.card.name,
            "weights": self.card.source.sha256,
            "feature": self.feature,
            "hop": self.hop,
        }


def embedding_of(row: Row, weights: Path | None) -> Embedding:
    """Return what a row on features of a trained tagger reads.

    Parameters
    ----------
    weights : Path or None
        Where weights lie: a card that fixes no release is that of the file there.

    Raises
    ------
    UsageError
        There is no such tagger, or it has no such feature.
    WeightsError
        The card fixes no release, and its weights are missing or not the right ones.
    """
    card = trained.identified(find_card(row.pretrained), weights)
    return Embedding(card, row.feature, row.hop)


def segment_counts(frames: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Count the segments of tracks: int64 (tracks,), from their lengths in frames."""
    return np.maximum(0, frames - length) // hop + 1


def cached_features(
    embedding: Embedding,
    cache: FeatureCache,
    folder: Path,
    weights: Path | None,
    report: Callable[[float], None] = lambda part: None,
) -> FeatureCache:
    """Compute an embedding of every segment of a cache, unless `folder` holds it already.

    It is filed under the tagger's weights, the cache, feature and hop. An interrupted computation
    goes on after the last whole block of tracks; of two at once the second waits.

    Parameters
    ----------
    weights : Path or None
        Where weights lie, see `mirkeras.pretrained.weights.load`.
    report : callable
        Gets which part is done, 0 to 1.

    Returns
    -------
    FeatureCache
        A frame per segment: what a classifier of segments reads.

    Raises
    ------
    WeightsError, CacheError
        The weights are missing or not the right ones; the kept file is damaged.
    """
    target = folder / file_name(embedding, cache)
    if not target.exists():
        with locked(target.with_name(f".{target.name}.lock")):
            sweep(folder, [target.name])
            if not target.exists():
                _compute(embedding.score(weights), embedding, cache, target, report)
    return _as_cache(embedding, cache, target)


def file_name(embedding: Embedding, cache: FeatureCache) -> str:
    """Name the file that `cached_features` makes."""
    card = embedding.card
    facts = [IMPLEMENTATION, embedding.recorded, card.frames, cache.identity, cache.fingerprint]
    facts.append(keras.config.dtype_policy().name)
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"{card.name}-{embedding.feature}-{digest[:24]}.npy"


def _compute(
    score: Score,
    embedding: Embedding,
    cache: FeatureCache,
    target: Path,
    report: Callable[[float], None],
) -> None:
    """Compute block by block, each a file of its own until all are there."""
    partial, tracks = target.with_name(f"{target.name}.partial"), len(cache.tracks)
    shards = [partial / f"{begin:08d}.npy" for begin in range(0, tracks, BLOCK)]
    for begin, shard in zip(range(0, tracks, BLOCK), shards, strict=True):
        if not shard.exists():
            values = _values(score, _segments(embedding, cache, begin))
            write_rows(shard, [values])
        report(min(1.0, (begin + BLOCK) / tracks))
    write_rows(target, [np.load(shard, mmap_mode="r", allow_pickle=False) for shard in shards])
    shutil.rmtree(partial)


def _segments(embedding: Embedding, cache: FeatureCache, begin: int) -> Iterator[np.ndarray]:
    """Go through the segments of a block of tracks."""
    for name in cache.tracks[begin : begin + BLOCK]:
        track = [cache.track(name)]
        for cut in stream_segments(track, embedding.card.frames, embedding.hop):
            yield from cut


def _values(score: Score, segments: Iterator[np.ndarray]) -> np.ndarray:
    """Score segments one batch after another: float32 (segments, values)."""
    found = []
    for first in segments:
        rest = islice(segments, max(1, BATCH_VALUES // first.size) - 1)
        found += score(np.stack([first, *rest]))
    return np.concatenate(found).astype(np.float32, copy=False)


def _as_cache(embedding: Embedding, cache: FeatureCache, path: Path) -> FeatureCache:
    """Open a file of features as a cache of one frame per segment."""
    counts = segment_counts(np.diff(cache.offsets), embedding.card.frames, embedding.hop)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        if values.dtype != np.float32 or values.ndim != 2 or len(values) != counts.sum():
            raise ValueError(f"{values.dtype} {values.shape}, not {counts.sum()} segments")
    except (ValueError, EOFError) as error:
        raise CacheError(f"{path} is damaged ({error}); delete it and run again") from error
    return rows_as_cache(
        path,
        tracks=cache.tracks,
        counts=counts,
        bands=values.shape[1],
        identity=embedding.recorded | {"features": cache.identity},
        fingerprint=cache.fingerprint,
        rejected=cache.rejected,
        position=values.offset,
    )


def row_features(
    row: Row, setting: Setting, report: Callable[[float], None] = lambda part: None
) -> FeatureCache:
    """Return the features that a row on a trained tagger reads, as `cached_features` does."""
    embedding = embedding_of(row, setting.weights)
    return cached_features(
        embedding, input_cache(row, setting), _folder(setting), setting.weights, report
    )


def input_cache(row: Row, setting: Setting) -> FeatureCache:
    """Open the cache whose frames the tagger of a row reads."""
    recipe = find_card(row.pretrained).recipe
    return open_cache(setting.caches[recipe], find_recipe(recipe))


def is_kept(row: Row, setting: Setting) -> bool:
    """Whether the features of a row need not be computed."""
    embedding = embedding_of(row, setting.weights)
    return (_folder(setting) / file_name(embedding, input_cache(row, setting))).exists()


def compute_row(paper: str, name: str, setting: Setting, report: Callable[[dict], None]) -> None:
    """Compute and keep the features of a row, as a job (see `mirkeras.system.jobs.Job`)."""
    row = find_experiment(paper).rows[name]
    row_features(row, setting, lambda part: report({"part": part}))


def _folder(setting: Setting) -> Path:
    return setting.index.parent / "embeddings"
