"""The rows of the paper's figures, and the protocols under which they can be run."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from mirkeras.experiment import Experiment, Protocol, Row
from mirkeras.training.learners import LEARNERS
from reproductions.pons_icassp2019_random.classifiers import (
    elm_fit,
    elm_grid,
    elm_points,
    elm_scores,
    svm_fit,
    svm_grid,
    svm_points,
    svm_scores,
)
from reproductions.pons_icassp2019_random.learners import OnRandomFeatures
from reproductions.pons_icassp2019_random.models import FRONT_ENDS, FrontEnd

MFCC = "pons2019-mfcc"
#: Names of the sizes in rows, and places in `FrontEnd.filters`.
SIZES = {"3500": 0, "150": 1}
SVM, ELM = "svm-grid", "elm"
LEARNERS[SVM] = OnRandomFeatures(svm_grid, svm_points(), svm_fit, svm_scores)
LEARNERS[ELM] = OnRandomFeatures(elm_grid, elm_points(), elm_fit, elm_scores)


@dataclass(frozen=True)
class RandomRow(Row):
    """A classifier on features of a network with random weights.

    Attributes
    ----------
    front_end : FrontEnd or None
        None: on the frames of the recipe themselves, one for each track.
    filters : int
        Its N.
    """

    front_end: FrontEnd | None = None
    filters: int = 0


@dataclass(frozen=True)
class Unshuffled:
    """Folds as the authors' code cuts them: stratified, in the order of the file list."""

    def __call__(
        self, tracks: pd.DataFrame, folds: int, fold: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the places of training, validation (the test tracks) and test tracks of a fold.

        Raises
        ------
        ValueError
            A class has fewer tracks than there are folds.
        """
        fewest = tracks.label.value_counts()
        if fewest.min() < folds:
            raise ValueError(f"{fewest.idxmin()} has {fewest.min()} track(s)")
        rest, test = list(StratifiedKFold(folds).split(tracks.label, tracks.label))[fold]
        return rest, test, test


def _row(name: str, size: str, learner: str) -> RandomRow:
    front_end = FRONT_ENDS[name]
    kind = "SVM" if learner == SVM else "ELM"
    return RandomRow(
        f"figures/{name}-{size}-{kind.lower()}",
        f"{front_end.title}, {kind}",
        recipe=front_end.recipe,
        learner=learner,
        front_end=front_end,
        filters=front_end.filters[SIZES[size]],
    )


ROWS = {
    row.id: row
    for row in (
        *(_row(name, size, kind) for size, name, kind in product(SIZES, FRONT_ENDS, (SVM, ELM))),
        RandomRow("figures/mfcc-svm", "MFCC, SVM", recipe=MFCC, learner=SVM),
        RandomRow("figures/mfcc-elm", "MFCC, ELM", recipe=MFCC, learner=ELM),
    )
}

CODE = Protocol(
    name="code",
    summary="the authors' code: the best of the grid on the test folds themselves, folds in the "
    "order of the files, most features of the frame-level networks zeros",
    normalise_on="training tracks",
    validate_by="test",
    keep_groups=False,
    drop_incomplete=False,
    select_by="last",
    network={"back_end": "transposed"},
    draw=Unshuffled(),
)
CLEAN = replace(
    CODE,
    name="clean",
    summary="the grid chosen inside the training part, groups together, a mean of every map",
    validate_by="track",
    keep_groups=True,
    select_by="val_accuracy",
    network={},
    held_out=0.2,
    draw=None,
)

EXPERIMENT = Experiment(
    paper="pons_icassp2019_random",
    rows=ROWS,
    headline=tuple(f"figures/{name}-3500-svm" for name in FRONT_ENDS),
    protocols={protocol.name: protocol for protocol in (CLEAN, CODE)},
    batch=1,
    detailed=False,
)
