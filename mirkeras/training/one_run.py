"""One run from cache to files: divide, build, train (or fit), predict, record."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.index import read_index
from mirkeras.cache import FeatureCache, open_cache
from mirkeras.experiment import Experiment, Protocol, Row, find_experiment, records
from mirkeras.experiment.division import Parts
from mirkeras.experiment.runs import Run, claimed, is_finished
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pipeline.labels import Labels, read_labels
from mirkeras.pipeline.segments import Segments, consecutive
from mirkeras.system import device
from mirkeras.system.files import sha256
from mirkeras.training.fit import predict, train
from mirkeras.training.plan import Plan, Progress, _batch, _parts, make_plan, run_seed
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
    write_scores(directory, predict(plan), segments, plan.test, labels, cache)
    protocol = experiment.protocol_of(run.protocol, run.row)
    capped = not progress.stopped and progress.epochs < protocol.max_epochs
    return {
        "parameters": count_trainable(plan.network),
        **of_training(progress, plan),
        "capped": capped,
        "resident": plan.feed.resident,
        **sizes(segments, parts),
        **circumstances(cache, setting),
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
    write_scores(run.directory(setting.out), scores, segments, parts.test, labels, cache)
    return {
        # two classes share one plane
        "parameters": (features.shape[1] + 1) * (outputs if labels.are_tags or outputs > 2 else 1),
        "penalty": penalty,
        "capped": False,
        **sizes(segments, parts),
        **circumstances(cache, setting),
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
    write_scores(directory, scores, segments, parts.test, labels, cache, hop=row.hop)
    return {
        "parameters": None,  # support vectors are no trained numbers
        **facts,
        "capped": False,
        **sizes(segments, parts, ("train", "test")),  # nothing is chosen
        **circumstances(cache, setting),
    }


def write_scores(
    directory: Path,
    scores: np.ndarray,
    segments: Segments,
    test: np.ndarray,
    labels: Labels,
    cache: FeatureCache,
    *,
    hop: int = 1,
) -> None:
    """Write the scores of the test segments with the truth of their tracks.

    Parameters
    ----------
    scores : float32 (test segments, classes or tags)
    test : int64 (test segments,)
        Their positions among `segments`.
    hop : int
        Frames of the track that a frame of the cache stands for.
    """
    track = segments.track[test]
    tested, segment_track = np.unique(track, return_inverse=True)
    records.write_predictions(
        directory,
        scores=scores,
        segment_track=segment_track,
        segment_frame=(segments.first[test] - cache.offsets[track]) * hop,
        tracks=np.array(cache.tracks)[tested],
        labels=labels.values[tested],
        classes=np.array(labels.names),
    )


def of_training(progress: Progress, plan: Plan) -> dict:
    """Say how a training went."""
    chosen = f"best_{plan.select_by.replace('val', 'validation')}"
    best = {} if plan.select_by == "last" else {chosen: progress.best}
    return {
        "epochs": progress.epochs,
        "best_epoch": progress.best_epoch,
        **best,
        "training_seconds": round(progress.seconds, 1),
    }


def sizes(
    segments: Segments, parts: Parts, used: tuple[str, ...] = ("train", "validation", "test")
) -> dict:
    """Count the tracks and segments of every part that has a use."""
    chosen = {part: getattr(parts, part) for part in used}
    counted = {
        part: {"tracks": len(np.unique(segments.track[places])), "segments": len(places)}
        for part, places in chosen.items()
    }
    return {"sizes": counted}


def circumstances(cache: FeatureCache, setting: Setting) -> dict:
    """Say on what a run ran."""
    return {
        "rejected_tracks": len(cache.rejected),
        "hardware": device.find().hardware_class,
        "threads": setting.threads,
        "mixed_precision": setting.mixed_precision,
    }
