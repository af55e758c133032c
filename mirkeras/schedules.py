"""The papers' learning-rate and stopping rules.

A rule is a frozen object; what it remembers between epochs is a small dictionary of plain values,
so that a run can be interrupted and go on exactly (Keras' own callbacks forget their counters).
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Verdict:
    """What a rule says after an epoch: multiply the rate by `factor`, and whether to stop."""

    factor: float = 1.0
    stop: bool = False


class Rule(Protocol):
    """A learning-rate rule driven by the training loss of each epoch."""

    def start(self) -> dict:
        """Return the memory before the first epoch."""

    def step(self, memory: dict, loss: float) -> Verdict:
        """Judge one epoch and update `memory`."""


@dataclass(frozen=True)
class HalveOnRecovery:
    """The rule of the CBMI 2016 code (MIRdl.py): halve when the loss recovers after bad epochs.

    An epoch whose training loss lies above the best so far counts as bad. The count is not reset
    by an improvement, only by a halving: when the loss improves again after more than `patience`
    bad epochs, the rate is halved and counting starts anew. More than `limit` bad epochs stop
    the run.
    """

    patience: int = 20
    limit: int = 40

    def start(self) -> dict:
        return {"best": float("inf"), "bad": 0}

    def step(self, memory: dict, loss: float) -> Verdict:
        if loss > memory["best"]:
            memory["bad"] += 1
            return Verdict(stop=memory["bad"] > self.limit)
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

    def step(self, memory: dict, loss: float) -> Verdict:
        if loss < memory["best"]:
            memory.update(best=loss, bad=0, halved=False)
            return Verdict()
        memory["bad"] += 1
        if memory["bad"] < self.patience:
            return Verdict()
        stop = memory["halved"]
        memory.update(bad=0, halved=True)
        return Verdict(factor=0.5, stop=stop)
