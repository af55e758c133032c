"""One run from cache to files: learn, predict, record."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from mirkeras.cache import FeatureCache
from mirkeras.experiment import find_experiment, records
from mirkeras.experiment.division import tracks_of
from mirkeras.experiment.runs import CHECKPOINT, FEATURES, Run, claimed, is_finished
from mirkeras.experiment.setting import Setting
from mirkeras.pipeline.splits import SEEDED
from mirkeras.storage.arrays import write_archive
from mirkeras.system.machine import device
from mirkeras.training.learner import Learned, Units
from mirkeras.training.learners import LEARNERS
from mirkeras.training.origin import origin_of


def train_run(run: Run, setting: Setting, report: Callable[[dict], None]) -> None:
    """Train, predict and record one run, unless that is done; go on if it was interrupted.

    Parameters
    ----------
    report : callable
        Gets progress, see `mirkeras.system.jobs.Job`.

    Raises
    ------
    Busy
        Another process is at it, and the setting does not wait.
    """
    directory, experiment = run.directory(setting.out), find_experiment(run.paper)
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    learner = LEARNERS[experiment.learner_of(run.protocol, run.row)]
    with claimed(directory, setting.waits):
        setting = _as_begun(directory, setting.here())
        origin = origin_of(run, experiment, setting)
        if is_finished(run, directory, origin):
            return
        cache, described = learner.inputs(run, row, protocol, setting)
        known = asdict(run) | {"origin": origin, "features": cache.fingerprint} | described
        known |= {"threads": setting.threads, "hardware": setting.hardware}
        known |= {"precision": device.precision()}
        known |= {"warning": setting.warning} if setting.warning else {}
        record = records.start(directory, known)
        tracks = tracks_of(cache, setting.index, setting.tags)
        learned = learner.learn(run, experiment, cache, tracks, setting, report)
        # a cache of features may have one frame for several of the track's
        units = learned.units or cache
        names = _learned_from(learned, units)
        _write_predictions(directory, learned, names, units, row.hop or 1)
        if learned.classifier is not None:
            write_archive(directory / "classifier.npz", **learned.classifier)
        track = learned.segments.track
        used = {part: getattr(learned.parts, part) for part in learned.used}
        circumstances = {
            "sizes": {
                part: {"tracks": len(np.unique(track[places])), "segments": len(places)}
                for part, places in used.items()
            },
            "tracks": len(tracks),
            "names": list(learned.labels.names),
            "tags": learned.labels.are_tags,
            "learned_from": hashlib.sha256("\n".join(names).encode()).hexdigest(),
            "rejected_tracks": int((~tracks.heard).sum()),
            **({"drawn_over": "index"} if run.split in SEEDED else {}),
            "mixed_precision": setting.mixed_precision,
            "tf32": device.has_tf32(),
        }
        records.finish(directory, record | learned.facts | circumstances)
        for rest in (CHECKPOINT, FEATURES):
            (directory / rest).unlink(missing_ok=True)


def _as_begun(directory: Path, setting: Setting) -> Setting:
    """Give a run the number of threads and the precision it began with: its sums depend on them.

    Whatever --jobs leaves now, and whichever half precision this machine is fast at.
    """
    begun = records.read_record(directory) or {}
    wanted = replace(setting, threads=begun.get("threads", setting.threads))
    if wanted.threads != setting.threads:
        wanted.set_up()
    if setting.mixed_precision:
        device.compute_in(begun.get("precision") or device.half_precision())
    return wanted


def _learned_from(learned: Learned, units: Units | FeatureCache) -> list[str]:
    """Name what was trained on or validated by, sorted; nothing that is tested."""
    parts, track = learned.parts, learned.segments.track
    used = track[np.concatenate([parts.train, parts.validation])]
    return [units.tracks[number] for number in np.setdiff1d(used, track[parts.test])]


def _write_predictions(
    directory: Path, learned: Learned, names: list[str], units: Units | FeatureCache, hop: int
) -> None:
    """Write the scores of the test segments with the truth of their tracks."""
    test = learned.parts.test
    track = learned.segments.track[test]
    tested, segment_track = np.unique(track, return_inverse=True)
    records.write_predictions(
        directory,
        scores=learned.scores,
        segment_track=segment_track,
        segment_frame=(learned.segments.first[test] - units.offsets[track]) * hop,
        tracks=np.array(units.tracks)[tested],
        labels=learned.labels.values[tested],
        classes=np.array(learned.labels.names),
        learned_from=np.array(names),
    )
