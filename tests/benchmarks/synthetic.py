"""Caches of noise for the benchmarks: any size, no audio."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from mirkeras.cache import FeatureCache
from mirkeras.pipeline.feed import Feed, open_feed
from mirkeras.pipeline.segments import consecutive

BANDS, FRAMES = 40, 80  # per segment
CLASSES = 8


def make_cache(path: Path, tracks: int, frames: int = 1292) -> FeatureCache:
    """Write noise as the frames of tracks (1292 frames are 30 s) and open it as a cache."""
    noise = np.random.RandomState(0).uniform(0, 4, (frames, BANDS)).astype(np.float32)
    return _rolled(path, noise, tracks)


def make_waveforms(path: Path, tracks: int, samples: int = 640_512) -> FeatureCache:
    """Write noise as int16 samples (640,512 are 29 s at 22,050 Hz) and open it as a cache."""
    noise = np.random.RandomState(0).randint(-(2**15), 2**15, (samples, 1)).astype(np.int16)
    return _rolled(path, noise, tracks)


def _rolled(path: Path, noise: np.ndarray, tracks: int) -> FeatureCache:
    """Write the same noise for every track, each time from another place."""
    random = np.random.RandomState(1)
    frames, bands = noise.shape
    with open(path, "wb") as file:
        for _ in range(tracks):
            file.write(np.roll(noise, random.randint(frames), axis=0).tobytes())
    return FeatureCache(
        path=path,
        tracks=tuple(f"{number:06d}" for number in range(tracks)),
        offsets=np.arange(tracks + 1) * frames,
        bands=bands,
        dtype=noise.dtype.name,
        identity={},
        fingerprint="",
        rejected=pd.DataFrame(),
        _position_in_file=0,
    )


def make_feed(cache: FeatureCache, memory_budget: int) -> Feed:
    """Cut the cache into segments of 80 frames; labels are the track's number modulo 8."""
    segments = consecutive(cache.offsets, FRAMES)
    return open_feed(cache, segments, (segments.track % CLASSES).astype(np.int32), memory_budget)


def make_network(row: str) -> keras.Model:
    """Build a row of CBMI 2016 as it is trained, the z-score in front."""
    from mirkeras.experiment import find_experiment  # nothing else here needs the papers
    from mirkeras.layers import standardised

    network = find_experiment("pons_cbmi2016").rows[row].build(CLASSES, "softmax")
    return standardised(network, 2.0, 1.0)
