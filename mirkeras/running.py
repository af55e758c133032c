"""One run from cache to files: divide, build, train (or fit), predict, record."""

import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from data_prep.index import read_index
from mirkeras import outcome
from mirkeras.cache import FeatureCache, open_cache
from mirkeras.cache.statistics import cell_statistics, statistics
from mirkeras.experiment import Experiment, Protocol, Row, find_experiment, records
from mirkeras.experiment.division import Parts, divide
from mirkeras.experiment.runs import Run, claimed, is_finished
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable, standardised
from mirkeras.pipeline.feed import open_feed
from mirkeras.pipeline.labels import Labels, read_labels
from mirkeras.pipeline.segments import Segments, consecutive, cut
from mirkeras.system.files import sha256
from mirkeras.training import Plan, predict, train
from mirkeras.transfer import classifiers, segment_features, song_features
from mirkeras.transfer.extractors import recipes_of
from mirkeras.transfer.song_features import IMPLEMENTATION as EMBEDDING


def train_run(run: Run, setting: Setting, report: Callable[[dict], None]) -> None:
    """Train, predict and record one run, unless that is done; go on if it was interrupted."""
    directory = run.directory(setting.out)
    experiment = find_experiment(run.paper)
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    origin = origin_of(run, experiment, setting)
    with claimed(directory):
        if is_finished(run, directory, origin):
            return
        earlier = records.read_record(directory) or {}
        cache, described = _input(run, row, protocol, setting)
        record = asdict(run) | {"origin": origin, "features": cache.fingerprint} | described
        record |= {"started": earlier.get("started", _now())} | records.environment()
        record |= {"warning": setting.warning} if setting.warning else {}
        records.write_record(directory, record | {"status": "started"})
        tracks = tracks_of(cache, setting.index)
        if row.features_from and protocol.classifier == "svm":
            found = _fit(run, protocol, cache, tracks, setting)
        elif row.pretrained:
            found = _fit_segments(run, row, protocol, cache, tracks, setting)
        else:
            found = _train(run, experiment, cache, tracks, setting, report)
        record |= {"status": "finished", "finished": _now()} | found
        records.write_record(directory, record)
        for rest in ("checkpoint.npz", song_features.FILE):
            (directory / rest).unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def tracks_of(cache: FeatureCache, index: Path) -> pd.DataFrame:
    """Read what is known of each track (label, group, tempo, splits), in the order of the cache."""
    return read_index(index).set_index("track").loc[list(cache.tracks)]


def origin_of(run: Run, experiment: Experiment, setting: Setting) -> str:
    """Digest what decides a run's numbers besides its name.

    Features, labels, groups, splits, the protocol, and the trained networks it builds on.
    """
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    caches = {
        name: open_cache(setting.caches[name], find_recipe(name))
        for name in sorted(recipes_of(experiment, run.row, setting.extractors))
    }
    tracks = tracks_of(next(iter(caches.values())), setting.index)
    parts = {
        "features": {name: [cache.identity, cache.fingerprint] for name, cache in caches.items()},
        # lists of other splits may arrive later
        "tracks": tracks[["label", "group", *({run.split} & set(tracks))]].to_csv(),
        "tags": setting.tags,
        "protocol": protocol.chosen(),
        "row": [row.frames, row.layers, row.standardise, _batch(run, experiment)],
        "networks": [
            sha256(path) for path in song_features.network_paths(run, row, setting) if path.exists()
        ],
        "embedding": EMBEDDING,
        "mixed_precision": setting.mixed_precision,
    }
    if row.pretrained:
        parts["embedding"] = [
            segment_features.embedding_of(row).recorded,
            segment_features.IMPLEMENTATION,
        ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _batch(run: Run, experiment: Experiment) -> int:
    # a part of a data set, or a stand-in for it, is named after it
    named = [size for name, size in experiment.batches.items() if run.dataset.startswith(name)]
    return named[0] if named else experiment.batch


def _input(run: Run, row: Row, protocol: Protocol, setting: Setting) -> tuple[FeatureCache, dict]:
    """Open what a row reads, and say what it is: a cache, or features of other networks."""
    if row.pretrained:
        cache = segment_features.row_features(row, setting)
        return cache, {"recipe": cache.identity} | segment_features.embedding_of(row).recorded
    if not row.features_from:
        cache = open_cache(setting.caches[row.recipe], find_recipe(row.recipe))
        return cache, {"recipe": cache.identity}
    return song_features.song_cache(run, row, setting, overlapping=protocol.overlapping)


def _train(
    run: Run,
    experiment: Experiment,
    cache: FeatureCache,
    tracks: pd.DataFrame,
    setting: Setting,
    report: Callable[[dict], None],
) -> dict:
    """Train a network and write its predictions; return what the record says of it."""
    directory = run.directory(setting.out)
    plan, parts, labels = make_plan(run, experiment, setting, cache, tracks)
    progress = train(plan, directory, report)
    segments = plan.feed.segments
    outcome.write_predictions(directory, predict(plan), segments, plan.test, labels, cache)
    protocol = experiment.protocol_of(run.protocol, run.row)
    capped = not progress.stopped and progress.epochs < protocol.max_epochs
    return {
        "parameters": count_trainable(plan.network),
        **outcome.of_training(progress, plan),
        "capped": capped,
        "resident": plan.feed.resident,
        **outcome.sizes(segments, parts),
        **outcome.circumstances(cache, setting),
    }


def _fit(
    run: Run, protocol: Protocol, cache: FeatureCache, tracks: pd.DataFrame, setting: Setting
) -> dict:
    """Fit a support vector machine on song-level features; return what the record says of it."""
    segments, labels = consecutive(cache.offsets, 1), read_labels(tracks, setting.tags)
    parts = _parts(run, protocol, segments, tracks)
    features = np.array(cache.memmap())
    outputs = len(labels.names)
    scores, penalty = classifiers.scores(
        features, labels.values, parts, outputs=outputs, seed=run_seed(run)
    )
    outcome.write_predictions(
        run.directory(setting.out), scores, segments, parts.test, labels, cache
    )
    return {
        # two classes share one plane
        "parameters": (features.shape[1] + 1) * (outputs if labels.are_tags or outputs > 2 else 1),
        "penalty": penalty,
        "capped": False,
        **outcome.sizes(segments, parts),
        **outcome.circumstances(cache, setting),
    }


def _fit_segments(
    run: Run,
    row: Row,
    protocol: Protocol,
    cache: FeatureCache,
    tracks: pd.DataFrame,
    setting: Setting,
) -> dict:
    """Fit a machine on a trained tagger's features of segments; return what the record says."""
    segments, labels = consecutive(cache.offsets, 1), read_labels(tracks, setting.tags)
    parts = _parts(run, protocol, segments, tracks)
    classes = labels.values[segments.track]
    scores, facts = classifiers.vote_shares(
        cache.memmap(), classes, parts, outputs=len(labels.names), seed=run_seed(run)
    )
    directory = run.directory(setting.out)
    outcome.write_predictions(directory, scores, segments, parts.test, labels, cache, hop=row.hop)
    return {
        "parameters": None,  # support vectors are no trained numbers
        **facts,
        "capped": False,
        **outcome.sizes(segments, parts, ("train", "test")),  # nothing is chosen
        **outcome.circumstances(cache, setting),
    }


def make_plan(
    run: Run, experiment: Experiment, setting: Setting, cache: FeatureCache, tracks: pd.DataFrame
) -> tuple[Plan, Parts, Labels]:
    """Turn a run into what `mirkeras.training` needs; `tracks` as from `tracks_of`."""
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    labels = read_labels(tracks, setting.tags)
    segments = _segments(run, row, protocol, cache)
    parts = _parts(run, protocol, segments, tracks)
    seed = run_seed(run)
    keras.utils.set_random_seed(seed)
    network = _network(run, row, protocol, labels, cache, segments, parts, setting)
    feed = open_feed(cache, segments, labels.values[segments.track], setting.memory_budget)
    plan = Plan(
        network=network,
        feed=feed,
        model=feed.attach(network),
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        optimizer=protocol.optimizer(),
        loss=labels.loss,
        metrics=() if labels.are_tags else ("accuracy",),
        rule=protocol.rule,
        select_by=protocol.select_by,
        batch=_batch(run, experiment),
        max_epochs=run.max_epochs,
        drop_incomplete=protocol.drop_incomplete,
        seed=seed,
    )
    return plan, parts, labels


def _parts(run: Run, protocol: Protocol, segments: Segments, tracks: pd.DataFrame) -> Parts:
    return divide(
        protocol, segments, tracks, split=run.split, folds=run.folds, fold=run.fold, seed=run.seed
    )


def _segments(run: Run, row: Row, protocol: Protocol, cache: FeatureCache) -> Segments:
    deformed = find_recipe(row.recipe).deformed if row.recipe else 0
    return cut(protocol.cut, cache.offsets, row.frames, run.seed, deformed)


def run_seed(run: Run) -> int:
    """Seed of everything random in a run, from its seed, fold and row."""
    words = [run.seed, run.fold, zlib.crc32(run.row.encode())]
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)


def _network(
    run: Run,
    row: Row,
    protocol: Protocol,
    labels: Labels,
    cache: FeatureCache,
    segments: Segments,
    parts: Parts,
    setting: Setting,
) -> keras.Model:
    """Build the network of a row for these labels and this input."""
    options = {"features": cache.bands} if row.features_from else protocol.network
    plain = row.build(len(labels.names), labels.activation, **options)
    if row.transfer:
        row.transfer(plain, *_trained(run, row, setting.out))
    return with_z_score(plain, row, protocol, cache, segments, parts.normalise_on)


def with_z_score(
    plain: keras.Model,
    row: Row,
    protocol: Protocol,
    cache: FeatureCache,
    segments: Segments,
    fitted: np.ndarray,
) -> keras.Model:
    """Put the protocol's z-score, fitted on some tracks, in front of a network."""
    if not row.standardise or protocol.z_score == "none":
        return plain
    if protocol.z_score == "cell":
        chosen = segments.first[segments.of_tracks(fitted)]
        return standardised(plain, *cell_statistics(cache, chosen, row.frames))
    return standardised(plain, *statistics(cache, [cache.tracks[number] for number in fitted]))


def _trained(run: Run, row: Row, out: Path) -> list[keras.Model]:
    """Load the networks, without their z-score, that a row starts from."""
    networks = []
    for name in row.starts_from:
        path = records.finished_network(replace(run, row=name).directory(out), name)
        networks.append(keras.saving.load_model(path, compile=False).layers[-1])
    return networks
