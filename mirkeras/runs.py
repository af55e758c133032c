"""A run: one training of one row on one fold and seed, in one directory."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mirkeras.records import RunError, read_record


@dataclass(frozen=True)
class Run:
    """What makes a run this run and no other.

    Attributes
    ----------
    paper, row, dataset, protocol : str
        E.g. ``pons_cbmi2016``, ``table1/time-1x60``, ``ballroom``, ``paper``.
    seed, fold, folds, max_epochs : int
        Fold counts from 0.
    """

    paper: str
    row: str
    dataset: str
    protocol: str
    seed: int
    fold: int
    folds: int
    max_epochs: int

    @property
    def name(self) -> str:
        """Short name for people."""
        return f"{self.row} {self.dataset} {self.protocol} seed {self.seed} fold {self.fold + 1}"

    def directory(self, out: Path) -> Path:
        """Where the run lives below the ``--out`` folder."""
        part = f"fold{self.fold + 1:02d}of{self.folds:02d}"
        place = out / self.paper / self.dataset / self.protocol / self.row
        return place / f"seed{self.seed}" / part


def find_runs(out: Path, paper: str) -> Iterator[tuple[Path, dict]]:
    """Go through the finished runs of a paper below `out`: (directory, record), sorted."""
    for path in sorted((out / paper).rglob("run.json")):
        record = read_record(path.parent)
        if record["status"] == "finished":
            yield path.parent, record


def is_finished(run: Run, directory: Path, features: str) -> bool:
    """Whether the run is done already, made from the same things.

    Parameters
    ----------
    features : str
        Fingerprint of the cache the run is to be trained on.

    Raises
    ------
    RunError
        If the directory holds another run: other epochs, other features.
    """
    record = read_record(directory)
    if record is None:
        return False
    wanted = asdict(run) | {"features": features}
    found = {name: record.get(name) for name in wanted}
    if found != wanted:
        name = next(name for name in wanted if found[name] != wanted[name])
        raise RunError(
            f"{directory} holds a run with {name} {found[name]!r}, now {wanted[name]!r} is asked "
            "for; choose another --out or delete that folder"
        )
    return record["status"] == "finished"


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Hold a run's directory; a second process that wants it waits until the first is gone."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
