"""One run from cache to files: learn, predict, record."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mirkeras.cache import FeatureCache, open_cache
from mirkeras.experiment import Experiment, find_experiment, records
from mirkeras.experiment.division import holds_out_by_class, tracks_of
from mirkeras.experiment.runs import CHECKPOINT, FEATURES, Run, claimed, is_finished
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.pipeline.splits import SEEDED
from mirkeras.training.learner import Learned
from mirkeras.training.learners import LEARNERS
from mirkeras.training.plan import batch_of


def train_run(run: Run, origin: str, setting: Setting, report: Callable[[dict], None]) -> None:
    """Train, predict and record one run, unless that is done; go on if it was interrupted.

    Parameters
    ----------
    origin : str
        See `origin_of`.
    report : callable
        Gets progress, see `mirkeras.system.jobs.Job`.
    """
    directory, experiment = run.directory(setting.out), find_experiment(run.paper)
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    learner = LEARNERS[experiment.learner_of(run.protocol, run.row)]
    with claimed(directory):
        if is_finished(run, directory, origin):
            return
        cache, described = learner.inputs(run, row, protocol, setting)
        known = asdict(run) | {"origin": origin, "features": cache.fingerprint} | described
        known |= {"warning": setting.warning} if setting.warning else {}
        record = records.start(directory, known)
        tracks = tracks_of(cache, setting.index, setting.tags)
        learned = learner.learn(run, experiment, cache, tracks, setting, report)
        # a cache of features may have one frame for several of the track's
        names = _learned_from(learned, cache)
        _write_predictions(directory, learned, names, cache, row.hop or 1)
        track = learned.segments.track
        used = {part: getattr(learned.parts, part) for part in learned.used}
        circumstances = {
            "sizes": {
                part: {"tracks": len(np.unique(track[places])), "segments": len(places)}
                for part, places in used.items()
            },
            "tracks": len(tracks),
            "learned_from": hashlib.sha256("\n".join(names).encode()).hexdigest(),
            "rejected_tracks": int((~tracks.heard).sum()),
            **({"drawn_over": "index"} if run.split in SEEDED else {}),
            "hardware": setting.hardware,
            "threads": setting.threads,
            "mixed_precision": setting.mixed_precision,
        }
        records.finish(directory, record | learned.facts | circumstances)
        for rest in (CHECKPOINT, FEATURES):
            (directory / rest).unlink(missing_ok=True)


def origin_of(run: Run, experiment: Experiment, setting: Setting) -> str:
    """Digest what decides a run's numbers besides its name.

    Features, labels, groups, splits, the protocol, and the trained networks it builds on.
    """
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    learner = LEARNERS[experiment.learner_of(run.protocol, run.row)]
    caches = {
        name: open_cache(setting.caches[name], find_recipe(name))
        for name in sorted(learner.recipes(experiment, row, setting.extractors))
    }
    tracks = tracks_of(next(iter(caches.values())), setting.index, setting.tags)
    # of what is drawn every declared track decides
    deciding = tracks if run.split in SEEDED else tracks[tracks.heard]
    parts = {
        "features": {name: [cache.identity, cache.fingerprint] for name, cache in caches.items()},
        # lists of other splits may arrive later
        "tracks": deciding[["label", "group", *({run.split} & set(tracks))]].to_csv(),
        "tags": setting.tags,
        "protocol": protocol.chosen(),
        "row": [row.frames, row.layers, row.standardise, batch_of(run, experiment)],
        "mixed_precision": setting.mixed_precision,
    } | learner.digested(run, row, setting)
    if holds_out_by_class(protocol, run.split, run.folds):  # older runs of that name did not
        parts["validation"] = "by class"
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _learned_from(learned: Learned, cache: FeatureCache) -> list[str]:
    """Name the tracks that were trained on or validated by, sorted; none that is tested."""
    parts, track = learned.parts, learned.segments.track
    used = track[np.concatenate([parts.train, parts.validation])]
    return [cache.tracks[number] for number in np.setdiff1d(used, track[parts.test])]


def _write_predictions(
    directory: Path, learned: Learned, names: list[str], cache: FeatureCache, hop: int
) -> None:
    """Write the scores of the test segments with the truth of their tracks."""
    test = learned.parts.test
    track = learned.segments.track[test]
    tested, segment_track = np.unique(track, return_inverse=True)
    records.write_predictions(
        directory,
        scores=learned.scores,
        segment_track=segment_track,
        segment_frame=(learned.segments.first[test] - cache.offsets[track]) * hop,
        tracks=np.array(cache.tracks)[tested],
        labels=learned.labels.values[tested],
        classes=np.array(learned.labels.names),
        learned_from=np.array(names),
    )
