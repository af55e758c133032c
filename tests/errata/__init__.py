"""The proofs of the errata, a module for each paper; `tests/test_errata.py` runs them."""

from collections.abc import Callable

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from mirkeras.experiment import Protocol
from mirkeras.experiment.division import Parts, divide
from mirkeras.experiment.published import published_rows
from mirkeras.pipeline.segments import Segments, consecutive

Proof = Callable[[], None]

#: Row of the errata → what computes its contradiction, and fails where there is none.
PROOFS: dict[str, Proof] = {}


def proves(row: str) -> Callable[[Proof], Proof]:
    """Make a function the proof of a row."""

    def keep(proof: Proof) -> Proof:
        assert row not in PROOFS, f"{row} is proven twice"
        PROOFS[row] = proof
        return proof

    return keep


def published_values(paper: str) -> pd.Series:
    """The published numbers of a paper, by id without its name."""
    rows = published_rows(paper)
    return pd.Series(rows.value.to_numpy(), rows.id.str.removeprefix(f"{paper}/"))


def cut(number: float, decimals: int) -> float:
    """Leave all digits behind so many decimals out."""
    return int(number * 10**decimals) / 10**decimals


def divided(
    protocol: Protocol, split: str, folds: int, *, songs: int = 100, segments: int = 15
) -> tuple[Parts, Segments, pd.DataFrame]:
    """Divide songs of as many segments under a protocol; "official" cuts them in turn."""
    names = [f"{number:03d}" for number in range(songs)]
    tracks = pd.DataFrame({"label": "a", "group": names, "heard": True, "stratum": "a"}, names)
    tracks["official"] = np.resize([str(fold + 1) for fold in range(folds)], songs)
    known = consecutive(np.arange(songs + 1) * segments, 1)
    return divide(protocol, known, tracks, split=split, folds=folds, fold=0, seed=0), known, tracks


def step_after(optimizer: keras.optimizers.Optimizer, updates: int) -> float:
    """How far an optimiser moves a weight of gradient 1 when it has made so many updates."""
    weight = keras.Variable(np.zeros(1, np.float32))
    optimizer.build([weight])
    optimizer.iterations.assign(updates)
    optimizer.apply([keras.ops.ones(1)], [weight])
    return -float(weight[0])
