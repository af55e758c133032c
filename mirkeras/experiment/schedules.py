"""The papers' learning-rate and stopping rules.

A rule is a frozen object; what it remembers between epochs is a small dictionary of plain values,
so that a run can be interrupted and go on exactly (Keras' own callbacks forget their counters).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Verdict:
    """What a rule says after an epoch.

    Attributes
    ----------
    factor : float
        The learning rate is multiplied by it.
    stop : bool
        The run ends.
    restart : bool
        What follows is a training of its own: from the best weights so far, with a fresh optimiser,
        and earlier epochs are no candidates any more.
    counts : bool
        The epoch may be the best one.
    """

    factor: float = 1.0
    stop: bool = False
    restart: bool = False
    counts: bool = True


class Rule(Protocol):
    """A learning-rate rule driven by what an epoch's log says (loss, val_loss, …)."""

    def start(self) -> dict:
        """Return the memory before the first epoch."""

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        """Judge one epoch and update `memory`."""


@dataclass(frozen=True)
class Constant:
    """The rate stays, and the number of epochs ends the run."""

    def start(self) -> dict:
        return {}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        return Verdict()


@dataclass(frozen=True)
class Replayed:
    """The rates of another run, epoch by epoch, where nothing is held out that a rule could watch.

    What restarts between stages (`Staged`) is not repeated, only its rates.
    """

    rates: tuple[float, ...]

    def start(self) -> dict:
        return {"epoch": 0}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        memory["epoch"] = epoch = memory["epoch"] + 1
        last = epoch >= len(self.rates)
        return Verdict(factor=1.0 if last else self.rates[epoch] / self.rates[epoch - 1])


@dataclass(frozen=True)
class HalveOnRecovery:
    """The rule of the CBMI 2016 code (MIRdl.py): halve when the loss recovers after bad epochs.

    An epoch whose training loss lies above the best so far counts as bad. The count is not reset
    by an improvement, only by a halving: when the loss improves again after more than `patience`
    bad epochs, the rate is halved and counting starts anew. More than `limit` bad epochs stop
    the run: the code leaves its loop there, before it would compare that epoch with the best.
    """

    patience: int = 20
    limit: int = 40

    def start(self) -> dict:
        return {"best": float("inf"), "bad": 0}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        loss = logs["loss"]
        if loss > memory["best"]:
            memory["bad"] += 1
            stop = memory["bad"] > self.limit
            return Verdict(stop=stop, counts=not stop)
        recovered = memory["bad"] > self.patience
        memory.update(best=loss, bad=0 if recovered else memory["bad"])
        return Verdict(factor=0.5 if recovered else 1.0)


@dataclass(frozen=True)
class HalveOnPlateau:
    """The rule of the CBMI 2016 text: halve when the loss has not improved for `patience` epochs.

    The paper names no end; the blog post says "until there is no more improvement". Read together:
    a run stops when a whole further plateau follows a halving without any improvement between.
    """

    patience: int = 40

    def start(self) -> dict:
        return {"best": float("inf"), "bad": 0, "halved": False}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        loss = logs["loss"]
        if loss < memory["best"]:
            memory.update(best=loss, bad=0, halved=False)
            return Verdict()
        memory["bad"] += 1
        if memory["bad"] < self.patience:
            return Verdict()
        stop = memory["halved"]
        memory.update(bad=0, halved=True)
        return Verdict(factor=0.5, stop=stop)


@dataclass(frozen=True)
class HalveOnCount:
    """The rule of the musicnn-training code (train.py): halve after so many bad epochs in all.

    An epoch whose validation loss is not below the best so far counts as bad. The count is not
    reset by an improvement, only by a halving; it is looked at before the epoch itself is counted,
    so the rate falls one epoch after the count is full. The number of epochs ends the run.
    """

    patience: int = 75

    def start(self) -> dict:
        return {"best": float("inf"), "bad": 0}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        full = memory["bad"] >= self.patience
        if full:
            memory["bad"] = 0
        if logs["val_loss"] < memory["best"]:
            memory["best"] = logs["val_loss"]
        else:
            memory["bad"] += 1
        return Verdict(factor=0.5 if full else 1.0)


@dataclass(frozen=True)
class Staged:
    """The rule of SampleCNN (Lee et al. 2018, section 5.2): stages of falling rate.

    When the validation loss has not decreased for more than `patience` epochs the rate is divided
    by `divisor`; the run ends with the last stage. From 0.01, five stages divided by 5 give 0.01,
    0.002, 0.0004, 0.00008, 0.000016.

    The text says no more. In the authors' code every stage is a training of its own: it loads the
    best weights of the last into a new optimiser, and its first epoch counts as its best, even if
    the stage before had a better one (`separate_stages`).
    """

    stages: int = 5
    patience: int = 3
    divisor: float = 5.0
    separate_stages: bool = False

    def start(self) -> dict:
        return {"best": float("inf"), "bad": 0, "stage": 1}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        if logs["val_loss"] < memory["best"]:
            memory.update(best=logs["val_loss"], bad=0)
            return Verdict()
        memory["bad"] += 1
        if memory["bad"] <= self.patience:
            return Verdict()
        if memory["stage"] == self.stages:
            return Verdict(stop=True)
        memory.update(bad=0, stage=memory["stage"] + 1)
        if self.separate_stages:
            memory["best"] = float("inf")
        return Verdict(factor=1 / self.divisor, restart=self.separate_stages)
