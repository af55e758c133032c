"""Tagging by the workers of a cluster: some files at a time, by processes that keep the network.

Scores are those of one process up to rounding (1e-7): which segments share a batch decides the last
bit, and batches end with a worker's files, as they do where a job goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from mirkeras.audio import AudioError
from mirkeras.system import processes
from mirkeras.system.errors import UsageError
from mirkeras.system.jobs import Hands
from mirkeras.system.machine import device
from mirkeras.system.workers import work
from mirkeras.tagging.models import find_model
from mirkeras.tagging.tagger import Tagged, Tagger

#: Files that a worker is given at once: the network is never without segments for long.
TOGETHER = 8


@dataclass(frozen=True)
class Asked:
    """What decides how files are tagged, as words that mean the same on every machine.

    Attributes
    ----------
    model, weights, mirror, offline
        As `mirkeras.tagging.models.find_model` takes them; paths are absolute.
    digest : str
        Of the weights that the command found; a worker must find the same.
    hop, feature, jobs
        As `Tagger` takes them.
    """

    model: str
    weights: Path | None
    mirror: str | None
    offline: bool
    digest: str
    hop: float | None
    feature: str | None
    jobs: int | None


def tag_all(
    files: Sequence[Path], asked: Asked, cluster: Hands
) -> Iterator[tuple[Path, Tagged | AudioError]]:
    """Tag files: what came of each, as `Tagger.tag_all`, but in no fixed order.

    Raises
    ------
    UsageError
        As `Tagger`; or a worker finds other weights.
    WorkersLost
        What was tagged together with a file that kills every process is not tagged.
    """
    groups = [files[begin : begin + TOGETHER] for begin in range(0, len(files), TOGETHER)]
    groups = [tuple((path, path.absolute()) for path in group) for group in groups]
    for outcomes in work(partial(_tag, asked), groups, cluster, _named, whole=True):
        yield from outcomes


def _named(group: Sequence[tuple[Path, Path]]) -> str:
    return " and ".join(str(path) for path, _ in group)


def _tag(asked: Asked, group: Sequence[tuple[Path, Path]]) -> list[tuple]:
    """Tag some files on a worker; each is called as the command calls it."""
    results = _tagger(asked).tag_all(absolute for _, absolute in group)
    return [
        (path, _called(path, outcome))
        for (path, _), (_, outcome) in zip(group, results, strict=True)
    ]


def _called(path: Path, outcome: Tagged | AudioError) -> Tagged | AudioError:
    if isinstance(outcome, AudioError):
        return AudioError(path, outcome.reason, outcome.detail)
    return replace(outcome, path=path)


@lru_cache(maxsize=1)
def _tagger(asked: Asked) -> Tagger:
    device.configure(threads=processes.lent(processes.THREADS, processes.usable_cores()))
    found = {"mirror": asked.mirror, "offline": asked.offline}
    model = find_model(asked.model, asked.weights, **found)
    if model.weights != asked.digest:
        raise UsageError(f"{asked.model}: a worker finds other weights of it; give --weights")
    return Tagger(model, hop=asked.hop, features=asked.feature, jobs=asked.jobs)
