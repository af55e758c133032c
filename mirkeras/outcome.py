"""What is said of a run once it is through: its predictions, and the outcome for its record."""

from pathlib import Path

import numpy as np

from mirkeras.cache import FeatureCache
from mirkeras.experiment import records
from mirkeras.experiment.division import Parts
from mirkeras.experiment.setting import Setting
from mirkeras.pipeline.labels import Labels
from mirkeras.pipeline.segments import Segments
from mirkeras.plans import Plan, Progress
from mirkeras.system import device


def write_predictions(
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
