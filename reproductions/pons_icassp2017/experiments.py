"""The rows of the poster and of the code, and the protocols under which they can be run."""

from dataclasses import dataclass, replace
from functools import partial

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from mirkeras.experiment import Consecutive, Experiment, HalveOnRecovery, Protocol, Row
from reproductions.pons_icassp2017.models import FRAMES, temporal

RECIPE = "cbmi2016"
#: Sets of onset and of pattern filters: those of the poster's table, then two of the code alone.
NETWORKS = {
    "o": (1, 0),
    "p": (0, 1),
    "2o": (2, 0),
    "o+p": (1, 1),
    "2p": (0, 2),
    "2o+2p": (2, 2),
    "4o+4p": (4, 4),
    "8o+8p": (8, 8),
}
SHORT_HOP = 80  # frames; the other setting of the code


@dataclass(frozen=True)
class Unshuffled:
    """Folds as the authors' code cuts them (`loadDatasets.py`).

    Tracks are shuffled once and cut into test folds in that order. The first tracks that are not
    tested validate, as many as a fold has: the same ones in all folds but the first.
    """

    def __call__(
        self, tracks: pd.DataFrame, folds: int, fold: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the places of the training, validation and test tracks of a fold.

        Raises
        ------
        ValueError
            There are fewer than three folds: nothing would be left to train on.
        """
        if folds < 3:
            raise ValueError("the authors' folds train on what two of them leave")
        order = np.random.default_rng(seed).permutation(len(tracks))
        test = np.array_split(order, folds)[fold]  # the first ones get the tracks left over
        rest = order[~np.isin(order, test)]
        held = len(tracks) // folds
        return np.sort(rest[held:]), np.sort(rest[:held]), np.sort(test)


ROWS = {
    f"table/{name}": Row(
        f"table/{name}",
        name.upper(),
        partial(temporal, onsets=onsets, patterns=patterns),
        FRAMES,
        RECIPE,
    )
    for name, (onsets, patterns) in NETWORKS.items()
}

PAPER = Protocol(
    name="paper",
    summary="the code's schedule; folds drawn anew, 80-10-10 by track, nothing dropped",
    normalise_on="all tracks",
    validate_by="track",
    keep_groups=False,
    drop_incomplete=False,
    rule=HalveOnRecovery(patience=20, limit=40),
    max_epochs=250,
    optimizer=partial(keras.optimizers.SGD, learning_rate=0.01),
    aggregate="majority",
)
CODE = replace(
    PAPER,
    name="code",
    summary="the authors' code: nine of ten folds validate on the same tracks, the last segment of "
    "a track and incomplete batches dropped",
    drop_incomplete=True,
    draw=Unshuffled(),
    cut=Consecutive(drop_last=True),
)
CODE_SHORT_HOP = replace(
    CODE,
    name="code-hop80",
    summary="the same with segments every 80 frames instead of every 250",
    cut=Consecutive(hop=SHORT_HOP, drop_last=True),
)
CLEAN = replace(
    PAPER,
    name="clean",
    summary="as paper, normalised on training tracks, replicas together",
    normalise_on="training tracks",
    keep_groups=True,
)
PROTOCOLS = {protocol.name: protocol for protocol in (CODE, CODE_SHORT_HOP, PAPER, CLEAN)}

EXPERIMENT = Experiment(
    paper="pons_icassp2017",
    rows=ROWS,
    headline=("table/o", "table/p", "table/o+p", "table/2o+2p"),
    protocols=PROTOCOLS,
    batch=50,
)
