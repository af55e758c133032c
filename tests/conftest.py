"""Small audio data sets that the tests make themselves."""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 44_100

# A shell lets what it runs in the background ignore Ctrl-C, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pulses(beats_per_minute: float, seconds: float, seed: int) -> np.ndarray:
    """Make noise bursts at a tempo, from a random phase."""
    random = np.random.RandomState(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    phase = (time * beats_per_minute / 60 + random.rand()) % 1
    noise = random.randn(len(time))
    return 0.2 * np.exp(-12 * phase) * noise + 0.005 * random.randn(len(time))


def make_classes(root: Path, tracks: int, seconds: float = 4.0) -> Path:
    """Make a folder data set of three tempo classes."""
    for number, (label, tempo) in enumerate((("slow", 80), ("medium", 130), ("fast", 200))):
        (root / label).mkdir(parents=True)
        for track in range(tracks):
            audio = pulses(tempo, seconds, seed=100 * number + track)
            soundfile.write(root / label / f"{track:02d}.wav", audio, RATE)
    return root


@pytest.fixture(autouse=True)
def without_the_extra(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be no matter whether PyAV is installed here, but for the tests of what it decodes."""
    if not request.module.__name__.endswith("test_foreign"):
        monkeypatch.setattr("mirkeras.audio.foreign.available", lambda: False)


@pytest.fixture(scope="session")
def audio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 tracks of 4 s (two segments of 80 frames) in three classes, one sub-folder each."""
    return make_classes(tmp_path_factory.mktemp("audio") / "tempi", tracks=6)


@pytest.fixture(scope="session")
def cached(audio_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the cache root in which `audio_folder` is indexed and its features are cached."""
    from data_prep.prepare import prepare
    from mirkeras import cache
    from mirkeras.features import RECIPES

    root = tmp_path_factory.mktemp("cache")
    prepared = prepare(f"folder:{audio_folder}", data_root=root / "data", cache_root=root)
    path = prepared.home / "cbmi2016.h5"
    cache.build_cache(prepared.index, prepared.root, RECIPES["cbmi2016"], path, jobs=2)
    return root


def run_here(work: list, at_once: int, set_up, heard=lambda job, line: None, **_) -> list:
    """Run jobs in this process: a process of its own each costs seconds and is tested elsewhere."""
    for one in work:
        one.function(*one.arguments, partial(heard, one))
    return []


def extract_here(tracks, jobs=None):
    """Extract in this process, for the same reason."""
    from mirkeras.features import extraction

    yield from map(extraction.extract_track, tracks)


@pytest.fixture(scope="module")
def in_process():
    """Let a module extract and train in one process."""
    from mirkeras.features import extraction
    from mirkeras.system import jobs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "run_all", run_here)
        patch.setattr(extraction, "extract_all", extract_here)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Make what a test printed sendable between processes: names in it may be no UTF-8."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
