"""Where things are, and what a command gives its runs."""

from dataclasses import dataclass, replace
from pathlib import Path

from mirkeras.system import processes
from mirkeras.system.machine import device


@dataclass(frozen=True)
class Extractor:
    """A trained network whose hidden layers are features.

    Attributes
    ----------
    recipe : str
        Name of the recipe its input comes from.
    dataset, row : str
        What it was trained on and as what, as far as known.
    capped : bool
        Whether its training was cut short by ``--epochs``.
    """

    path: Path
    recipe: str
    dataset: str
    row: str
    capped: bool = False


@dataclass(frozen=True)
class Setting:
    """Where things are and what a process may use; the same for all runs of a command.

    Attributes
    ----------
    out, index : Path
        The ``--out`` folder, the index of the data set.
    caches : dict
        Recipe name → HDF5 file of features.
    tags : tuple of str
        Vocabulary of a tag set, in order; empty where a track has one class.
    extractors : tuple of Extractor
        Given by ``--extractor``; empty where feature networks are trained on the data itself.
    warning : str
        What a reader of the results must know of the split; goes into every record.
    hardware : str
        What the machine has, for every record; empty where each run is asked (`here`): on a
        cluster, or because it is given one of the GPUs.
    threads, memory_budget : int or None
        Threads of a run, and bytes of features it may hold in memory; None: by its machine or GPU.
    mixed_precision : bool
        Whether networks compute in half precision.
    weights : Path or None
        Where weights of trained taggers lie, as for `mirkeras.pretrained.weights.load`.
    replayed : Path or None
        Directory of the finished run whose epochs and rates the network of all data repeats.
    tensorboard : bool
        Whether runs of networks leave event files.
    waits : bool
        Whether a run that another command is at is waited for; else it is `mirkeras.system.jobs`'
        ``Busy``.
    """

    out: Path
    index: Path
    caches: dict[str, Path]
    tags: tuple[str, ...]
    extractors: tuple[Extractor, ...]
    warning: str
    hardware: str
    threads: int | None
    memory_budget: int | None
    mixed_precision: bool
    weights: Path | None = None
    replayed: Path | None = None
    tensorboard: bool = False
    waits: bool = True

    def here(self) -> "Setting":
        """Fill in what only the process that trains can say."""
        budget = self.memory_budget
        if self.hardware and self.threads and budget is not None:
            return self
        machine, sharing = device.find(), processes.lent(processes.SHARING, 1)
        share = processes.lent(processes.BUDGET, machine.memory_budget // sharing)
        return replace(
            self,
            threads=self.threads or processes.lent(processes.THREADS, machine.cores),
            hardware=self.hardware or machine.hardware_class,
            memory_budget=share if budget is None else budget,
        )

    def set_up(self) -> None:
        """Prepare a process for its runs."""
        threads = self.here().threads
        device.configure(threads=threads, mixed_precision=self.mixed_precision)
