"""What the networks make of the tracks of a data set, computed once and kept.

A track gives one segment, its beginning; a shorter one is repeated until it fills it. All are as
long as the median track, at most 1,376 frames or 350,000 samples. That is what the authors' code
has for its three sets: these lengths for the 30 s of GTZAN and Ballroom, 188 frames or 48,000
samples for the 4 s of UrbanSound8K, where it repeats (of the others it cannot read a short track).
"""

import hashlib
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.cache import CacheError, FeatureCache, open_cache
from mirkeras.cache.rows import rows_as_cache
from mirkeras.experiment import Row, find_experiment
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.pipeline.segments import repeated
from mirkeras.storage.arrays import write_rows
from mirkeras.storage.files import locked, sweep
from mirkeras.system.errors import UsageError
from reproductions.pons_icassp2019_random.models import MEL, WAVEFORM

LONGEST = {MEL: 1376, WAVEFORM: 350_000}  # frames, samples
BLOCK = 50  # tracks between two files: what a kill can cost
SECONDS = 20  # of audio in a batch: the widest maps take 20 MB a second
# Raise by one whenever a change of this module changes numbers: what was kept is computed anew.
IMPLEMENTATION = 1


def segment_length(row: Row, cache: FeatureCache) -> int:
    """Length of the segment that every track gives, in frames of the cache.

    Raises
    ------
    UsageError
        Half of the tracks are shorter than the network needs.
    """
    length = min(LONGEST[row.recipe], int(np.median(np.diff(cache.offsets))))
    if length < row.front_end.shortest:
        raise UsageError(
            f"row {row.id} needs segments of {row.front_end.shortest} frames of {row.recipe}, and "
            f"half of the tracks have {length} at most: leave the row out"
        )
    return length


def network_of(row: Row, length: int, seed: int) -> keras.Model:
    """Build the network of a row with the weights of a seed: the same for all its classifiers."""
    words = [seed, zlib.crc32(f"{row.front_end.title} {row.filters}".encode())]
    keras.utils.set_random_seed(int(np.random.SeedSequence(words).generate_state(1)[0] >> 1))
    return row.front_end.build(length, row.filters)


def place_of(row: Row, seed: int, setting: Setting) -> Path:
    """Where the features of a row are kept; they need not be there."""
    cache = open_cache(setting.caches[row.recipe], find_recipe(row.recipe))
    name = f"{row.front_end.title} {row.filters}"
    facts = [IMPLEMENTATION, name, seed, segment_length(row, cache), cache.identity]
    facts += [cache.fingerprint, setting.mixed_precision]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    short = row.id.partition("/")[2].rpartition("-")[0]
    return setting.index.parent / "embeddings" / f"random-{short}-seed{seed}-{digest[:24]}.npy"


def compute(
    paper: str, name: str, seed: int, setting: Setting, report: Callable[[dict], None]
) -> None:
    """Compute the features of a row with the weights of a seed, unless they are kept.

    A job, see `mirkeras.system.jobs.Job`. An interrupted one goes on after the last whole block of
    tracks; of two at once the second waits.
    """
    row = find_experiment(paper).rows[name]
    target = place_of(row, seed, setting)
    with locked(target.with_name(f".{target.name}.lock")):
        if target.exists():
            return
        sweep(target.parent, [target.name])
        cache = open_cache(setting.caches[row.recipe], find_recipe(row.recipe))
        length = segment_length(row, cache)
        network = network_of(row, length, seed)
        partial, tracks = target.with_name(f"{target.name}.partial"), len(cache.tracks)
        shards = [partial / f"{begin:08d}.npy" for begin in range(0, tracks, BLOCK)]
        recipe = find_recipe(row.recipe)
        batch = max(1, SECONDS * recipe.sample_rate // (length * recipe.hop))
        for number, shard in enumerate(shards):
            if not shard.exists():
                chosen = cache.tracks[number * BLOCK : (number + 1) * BLOCK]
                write_rows(shard, [_of_block(network, cache, chosen, length, batch)])
            report({"part": (number + 1) / len(shards)})
        write_rows(target, [np.load(shard, mmap_mode="r", allow_pickle=False) for shard in shards])
        shutil.rmtree(partial)


def _of_block(
    network: keras.Model, cache: FeatureCache, tracks: tuple[str, ...], length: int, batch: int
) -> np.ndarray:
    """Compute the features of some tracks: float32 (tracks, features)."""
    segments = np.stack([repeated(cache.track(name), length) for name in tracks])
    # the last batch is filled up, so that no other shape is traced
    lacking = -len(segments) % batch
    filled = np.concatenate([segments, np.repeat(segments[:1], lacking, axis=0)])
    found = [
        keras.ops.convert_to_numpy(network.predict_on_batch(filled[first : first + batch]))
        for first in range(0, len(filled), batch)
    ]
    values = np.concatenate(found)[: len(segments)].astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise UsageError(f"features of {tracks[0]} to {tracks[-1]} are no finite numbers")
    return values


def open_features(row: Row, seed: int, setting: Setting) -> FeatureCache:
    """Open what `compute` kept, as a cache of one frame per track.

    Raises
    ------
    CacheError
        The file is damaged.
    """
    cache = open_cache(setting.caches[row.recipe], find_recipe(row.recipe))
    path, tracks = place_of(row, seed, setting), len(cache.tracks)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        if values.dtype != np.float32 or values.ndim != 2 or len(values) != tracks:
            raise ValueError(f"{values.dtype} {values.shape}, not of {tracks} tracks")
    except (OSError, ValueError, EOFError) as error:
        raise CacheError(f"{path} is damaged ({error}); delete it and run again") from error
    return rows_as_cache(
        path,
        tracks=cache.tracks,
        counts=[1] * tracks,
        bands=values.shape[1],
        identity={
            "network": f"{row.front_end.title}, {row.filters} filters, random",
            "weight_seed": seed,
            "segment": segment_length(row, cache),
            "features": cache.identity,
        },
        fingerprint=cache.fingerprint,
        rejected=cache.rejected,
        position=values.offset,
    )
