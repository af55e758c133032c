"""Song-level features: what the hidden layers of trained networks make of a track.

As in Lee et al. 2018 (section 4.1): the network sees the whole track segment by segment; of every
channel of a hidden layer the maximum within a segment is kept, and of these the mean over the
segments of the track. Any network that `keras` can load serves.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.cache import CacheError, FeatureCache, open_cache
from mirkeras.cache.rows import rows_as_cache
from mirkeras.experiment import Protocol, Row
from mirkeras.experiment.division import divide, tracks_of
from mirkeras.experiment.records import finished_network, read_record
from mirkeras.experiment.runs import FEATURES, Run
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.features import find_recipe
from mirkeras.pipeline.feed import Feed, open_feed, prediction_batch
from mirkeras.pipeline.segments import consecutive, evenly_spaced, repeated
from mirkeras.storage.arrays import write_archive
from mirkeras.storage.files import locked, sha256, sweep, write_bytes
from mirkeras.system.errors import UsageError
from mirkeras.transfer.extractors import find_extractor, known_to, of_record
from mirkeras.transfer.networks import LAST, count_hidden, feature_network

BLOCK = 200  # tracks in memory at a time
# Raise by one whenever a change of this module changes numbers: what was kept is computed anew.
IMPLEMENTATION = 1


def song_features(
    path: Path,
    cache: FeatureCache,
    layers: Sequence[int] = LAST,
    *,
    overlapping: bool = False,
    partial: Path | None = None,
) -> dict[int, np.ndarray]:
    """Compute the features of every track of a cache.

    Parameters
    ----------
    overlapping : bool
        Segments without overlap from the start, or (the authors' transfer code) one more than fit,
        evenly spaced from start to end.
    partial : Path or None
        Folder that keeps block after block of tracks, and gives what it has: an interrupted
        computation goes on.

    Returns
    -------
    dict
        Layer → float32 (tracks, channels).
    """
    network = feature_network(path, layers)
    segments = (evenly_spaced if overlapping else consecutive)(
        cache.offsets, network.input_shape[1]
    )
    feed = open_feed(cache, segments, np.zeros(len(segments), np.int32), memory_budget=0)
    blocks = []
    for begin in range(0, len(cache.tracks), BLOCK):
        kept = partial and partial / f"{begin:08d}.npz"
        if kept and kept.exists():
            blocks.append(_read(kept, layers))
            continue
        tracks = np.arange(begin, min(begin + BLOCK, len(cache.tracks)))
        blocks.append(dict(zip(layers, _means(network, feed, tracks), strict=True)))
        if not all(np.isfinite(values).all() for values in blocks[-1].values()):
            raise UsageError(f"{path} gives values that are no numbers: give another network")
        if kept:
            _write(kept, blocks[-1])
    return {layer: np.concatenate([block[layer] for block in blocks]) for layer in layers}


def _means(network: keras.Model, feed: Feed, tracks: np.ndarray) -> list[np.ndarray]:
    """Average what a network makes of the segments of consecutive tracks, layer by layer."""
    segments = feed.segments
    chosen = segments.of_tracks(tracks)
    batch = prediction_batch(segments.length * feed.cache.bands)
    found = network.predict(feed.in_order(chosen, batch=batch), verbose=0)
    place, means = segments.track[chosen] - tracks[0], []
    counts = np.bincount(place, minlength=len(tracks))[:, None]
    for values in keras.tree.flatten(found):
        total = np.zeros((len(tracks), values.shape[-1]), np.float32)
        np.add.at(total, place, values)
        means.append(total / counts)
    return means


def _write(path: Path, features: dict[int, np.ndarray]) -> None:
    write_archive(path, **{str(layer): values for layer, values in features.items()})


def _read(path: Path, layers: Sequence[int]) -> dict[int, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {layer: arrays[str(layer)] for layer in layers}
    except Exception as error:  # zip and NumPy raise many kinds
        raise CacheError(f"{path} is damaged ({error}); delete it and run again") from error


def cached_features(
    path: Path,
    cache: FeatureCache,
    folder: Path,
    layers: Sequence[int],
    *,
    overlapping: bool = False,
) -> dict[int, np.ndarray]:
    """Return features as `song_features` does, from `folder` if they were computed before.

    The `LAST` layers are computed together, since one pass gives them all. They are filed under a
    digest of the network's file, the cache and the way of cutting segments. An interrupted
    computation goes on after the last whole block of tracks; of two at once the second waits.

    Raises
    ------
    CacheError
        A kept file is damaged.
    """
    facts = [IMPLEMENTATION, sha256(path), cache.identity, cache.fingerprint, overlapping]
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    target = folder / f"{name}.npz"
    if not target.exists():
        with locked(folder / f".{name}.lock"):
            if not target.exists():
                _compute(path, cache, target, layers, overlapping)
    return _read(target, layers)


def _compute(
    path: Path, cache: FeatureCache, target: Path, layers: Sequence[int], overlapping: bool
) -> None:
    """Compute and keep features, for who holds the lock."""
    sweep(target.parent, [target.name])
    together = sorted({*LAST[-count_hidden(path) :], *layers})  # too many are refused there
    partial = target.with_suffix(f".layers{''.join(map(str, together))}.partial")
    sweep(partial)
    _write(target, song_features(path, cache, together, overlapping=overlapping, partial=partial))
    shutil.rmtree(partial)


def song_cache(
    run: Run, row: Row, protocol: Protocol, setting: Setting
) -> tuple[FeatureCache, dict[str, object]]:
    """Concatenate the features of a row's networks, one frame per track.

    Returns
    -------
    (cache, description)
        The description is for the run's record.

    Raises
    ------
    RunError
        A network it needs is not trained yet.
    """
    extractors = setting.extractors or _own(run, row, setting)
    names = sorted({extractor.recipe for extractor in extractors})
    caches = {name: open_cache(setting.caches[name], find_recipe(name)) for name in names}
    # what one recipe's cache had to set aside is missing for all
    common = sorted(set.intersection(*(set(cache.tracks) for cache in caches.values())))
    overlapping, columns = protocol.overlapping, []
    for extractor in extractors:
        cache, folder = caches[extractor.recipe], setting.index.parent / "embeddings"
        found = cached_features(extractor.path, cache, folder, row.layers, overlapping=overlapping)
        places = np.flatnonzero(np.isin(cache.tracks, common))
        columns += [found[layer][places] for layer in row.layers]
    described = {
        "networks": [[one.dataset, one.row, sha256(one.path)] for one in extractors],
        "layers": list(row.layers),
        "overlapping": overlapping,
        "recipes": {name: cache.identity for name, cache in caches.items()},
    }
    target = run.directory(setting.out) / FEATURES
    features = _as_cache(columns, target, common, list(caches.values()), described)
    tested = _tested(run, protocol, features, setting)
    return features, {"recipe": described} | _provenance(run, row, extractors, tested)


def _own(run: Run, row: Row, setting: Setting) -> tuple[Extractor, ...]:
    """Return the networks of the same fold that a row takes its features from."""
    found = []
    for name in row.features_from:
        directory = replace(run, row=name).directory(setting.out)
        path = finished_network(directory, name)
        found.append(of_record(path, read_record(directory)))
    return tuple(found)


def networks_of(
    directory: Path, record: dict, row: Row, given: Path | None = None
) -> tuple[Extractor, ...]:
    """Find the networks whose hidden layers a finished run learned from.

    Parameters
    ----------
    given : Path or None
        The network that the run was given by ``--extractor``; None: those that lie beside the run.

    Raises
    ------
    UsageError
        They are others than those, or take several recipes.
    RunError
        One is not finished, or damaged.
    """
    run = Run.of(record)
    out = directory.parents[len(run.directory(Path()).parts) - 1]
    if given is not None:
        found = [find_extractor(given, next(iter(record["recipe"]["recipes"])))]
    else:
        places = [replace(run, row=name).directory(out) for name in row.features_from]
        found = [
            of_record(place / "model.keras", read_record(place))
            for place in places
            if (place / "model.keras").exists()
        ]
    if [sha256(one.path) for one in found] != [net[-1] for net in record["recipe"]["networks"]]:
        raise UsageError(
            f"{directory} learned from a network that does not lie beside it: give the one that "
            "its --extractor was, with --weights"
        )
    if len({one.recipe for one in found}) > 1:
        raise UsageError(
            f"{directory} joins networks of several rates; only runs on one score new tracks"
        )
    return tuple(found)


def of_track(
    paths: Sequence[Path], layers: Sequence[int], overlapping: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Make a function of a track, float32 (frames, bands) → its features, as `song_features`."""
    networks = [feature_network(path, layers) for path in paths]

    def features(track: np.ndarray) -> np.ndarray:
        found = []
        for network in networks:
            length = network.input_shape[1]
            rule = evenly_spaced if overlapping else consecutive
            whole = track if len(track) >= length else repeated(track, length)
            first = rule(np.array([0, len(whole)]), length).first
            segments = whole[first[:, None] + np.arange(length)]
            batch = prediction_batch(segments[0].size)
            values = network.predict(segments, batch_size=batch, verbose=0)
            found += [layer.mean(axis=0) for layer in keras.tree.flatten(values)]
        return np.concatenate(found)

    return features


def _tested(run: Run, protocol: Protocol, cache: FeatureCache, setting: Setting) -> set[str]:
    """Return the tracks that a run tests."""
    tracks = tracks_of(cache, setting.index, setting.tags)
    division = {"split": run.split, "folds": run.folds, "fold": run.fold, "seed": run.seed}
    parts = divide(protocol, consecutive(cache.offsets, 1), tracks, **division)
    return {cache.tracks[number] for number in parts.test}


def _provenance(
    run: Run, row: Row, extractors: tuple[Extractor, ...], tested: set[str]
) -> dict[str, str]:
    """Say whose features these are, and what keeps them from being the paper's."""
    found = {"extractors": " ".join(f"{one.dataset}:{one.row}" for one in extractors)}
    published = row.pretrained_on or run.dataset
    trained = sorted({one.dataset for one in extractors})
    reasons = []
    if trained != [published]:
        reasons.append(f"features trained on {', '.join(trained)}, not {published}")
    if tuple(one.row for one in extractors) != row.features_from:
        reasons.append(f"features of {', '.join(one.row for one in extractors)}")
    if any(one.capped for one in extractors):
        reasons.append("feature networks cut short by --epochs")
    # a part of a data set is named after it, so these share tracks
    related = [one for one in extractors if one.dataset.startswith(run.dataset)
               or run.dataset.startswith(one.dataset)]  # fmt: skip
    if known := set().union(*(known_to(one, tested) for one in related)):
        reasons.append(
            f"feature networks have, or may have, learned from {len(known)} of {len(tested)} "
            "test tracks"
        )
    return found | ({"pretrained": "; ".join(reasons)} if reasons else {})


def _as_cache(
    columns: list[np.ndarray],
    path: Path,
    tracks: list[str],
    caches: list[FeatureCache],
    identity: dict,
) -> FeatureCache:
    """Lay features out as a cache of one frame per track, so that the usual feed reads them."""
    bands = sum(values.shape[1] for values in columns)
    write_bytes(path, np.concatenate(columns, axis=1, dtype=np.float32))
    prints = "".join(cache.fingerprint for cache in caches)
    return rows_as_cache(
        path,
        tracks=tracks,
        counts=np.ones(len(tracks)),
        bands=bands,
        identity=identity,
        fingerprint=hashlib.sha256(prints.encode()).hexdigest(),
        rejected=caches[0].rejected,
    )
