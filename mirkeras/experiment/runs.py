"""A run: one training of one row on one fold and seed, in one directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path

from mirkeras.experiment.records import RunError, check_files, library, major, read_record
from mirkeras.pipeline.splits import DRAWN
from mirkeras.storage.files import locked, sweep
from mirkeras.system.jobs import Busy

#: Between the two parts of an origin: the digests of its inputs and of its network.
JOINT = "-"
#: What only a training that goes on needs, in a run's directory until it is finished.
CHECKPOINT, FEATURES = "checkpoint.npz", "features.raw"
#: What is easy on the data, beside the runs on them, see `Run.home`.
BASELINES = "baselines.csv"


@dataclass(frozen=True)
class Run:
    """What makes a run this run and no other.

    Attributes
    ----------
    paper, row, dataset, protocol : str
        E.g. ``pons_cbmi2016``, ``table1/time-1x60``, ``ballroom``, ``paper``.
    seed, fold, folds, max_epochs : int
        Fold counts from 0.
    split : str
        `DRAWN` from the seed, or the name of a split that comes with the data set.
    """

    paper: str
    row: str
    dataset: str
    protocol: str
    seed: int
    fold: int
    folds: int
    max_epochs: int
    split: str = DRAWN

    @classmethod
    def of(cls, record: dict) -> "Run":
        """Return the run that a record, or a line of measured results, is about."""
        # whatever has no default must be there
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        known = needed | ({field.name for field in fields(cls)} & set(record))
        return cls(**{name: record[name] for name in known})

    @property
    def name(self) -> str:
        """Short name for people."""
        return f"{self.row} {self._data} {self.protocol} seed {self.seed} fold {self.fold + 1}"

    @property
    def _data(self) -> str:
        return self.dataset if self.split == DRAWN else f"{self.dataset}@{self.split}"

    def home(self, out: Path) -> Path:
        """Where all runs on these data, by this protocol, live below the ``--out`` folder."""
        return out / self.paper / self._data / self.protocol

    def directory(self, out: Path) -> Path:
        """Where the run lives below the ``--out`` folder."""
        part = f"fold{self.fold + 1:02d}of{self.folds:02d}"
        return self.home(out) / self.row / f"seed{self.seed}" / part


def find_runs(out: Path, paper: str) -> Iterator[tuple[Path, dict]]:
    """Go through the finished runs of a paper below `out`: (directory, record), sorted.

    Raises
    ------
    RunError
        If a record is damaged, or lies in a directory that is not its run's own (a copy).
    """
    for path in sorted((out / paper).rglob("run.json")):
        record = read_record(path.parent)
        run = Run.of(record)
        if run.directory(out) != path.parent:
            raise RunError(
                f"{path.parent} holds the record of {run.directory(out)}; move copies elsewhere"
            )
        if record["status"] == "finished":
            yield path.parent, record


def is_finished(run: Run, directory: Path, origin: str) -> bool:
    """Whether the run is done already, made from the same things.

    Parameters
    ----------
    origin : str
        Digest of all else that decides the run's numbers, see `mirkeras.training.origin`; or its
        first part only, where no network can be built. Records of older versions hold no more.

    Raises
    ------
    RunError
        If the directory holds another run (other epochs, other features, another network or
        library), or a finished one whose files are no longer those that it left.
    """
    record = read_record(directory)
    if record is None:
        return False
    if other := _other(record, run, origin):
        raise RunError(
            f"{directory} holds a run with {other}; choose another --out or delete that folder"
        )
    if record["status"] != "finished":
        return False
    check_files(directory, record)
    return True


def _other(record: dict, run: Run, origin: str) -> str:
    """Name what a record has that the run has not; empty if nothing."""
    wanted = asdict(run) | library()
    found = wanted | asdict(Run.of(record)) | {"backend": record.get("backend", "tensorflow")}
    if "keras" in record["versions"]:
        found["keras"] = major(str(record["versions"]["keras"]))
    for name in wanted:
        if found[name] != wanted[name]:
            return f"{name} {found[name]!r}, now {wanted[name]!r} is asked for"
    for what, known, now in zip(
        ("other tracks, labels, features or protocol", "another network or optimiser"),
        str(record.get("origin")).split(JOINT),
        origin.split(JOINT),
        strict=False,  # either may lack the network
    ):
        if known != now:
            return f"{what} than now"
    return ""


@contextmanager
def claimed(directory: Path, waits: bool = True) -> Iterator[None]:
    """Hold a run's directory; a second process that wants it waits until the first is gone.

    Raises
    ------
    Busy
        Instead of waiting, if it is not to.
    """
    waiting = f"{directory}: another process trains this run, waiting for it"
    refusal = None if waits else Busy(f"{directory}: another process trains this run")
    with locked(directory / ".lock", waiting, refusal):
        sweep(directory)
        yield
