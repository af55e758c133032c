"""The two classifiers, each a small grid: support vector machines, and extreme learning machines.

A function fits every point of its grid on one training part and decides about all given tracks:
choosing a point is somebody else's. Features are taken as they are, nothing is scaled
(jordipons/elmarc, `main.py`).

An *extreme learning machine* is a random layer and a linear output that is solved for, not trained
(`random_layer.py`, `elm.py` there).
"""

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg import lstsq
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.svm import SVC

# Raise by one whenever a change of this module changes decisions: what was kept is decided anew.
IMPLEMENTATION = 1

PENALTIES = (0.1, 2.0, 8.0, 32.0)
GAMMAS = (*(2.0**-power for power in (3, 5, 7, 9, 11, 13)), None)  # None: 1 / features
#: Iterations of a machine on unscaled features at most; libsvm's own rule has no end.
MOST = 50_000
HIDDEN = (100, 250, 500, 1200, 1800, 2500)

#: (training features, their classes, others, seed) → decisions (points, others), and facts.
Grid = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[np.ndarray, dict[str, int]]]


def svm_points() -> list[str]:
    """Name the points of the grid in its order: of equal scores the first wins."""
    radial = [f"rbf gamma {gamma or 'auto'} C {c}" for c in PENALTIES for gamma in GAMMAS]
    return radial + [f"linear C {c}" for c in PENALTIES]


def svm_grid(
    train: np.ndarray, classes: np.ndarray, others: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, dict[str, int]]:
    """Fit a support vector machine for every point of the grid.

    Kernel matrices are computed once for all penalties.

    Parameters
    ----------
    train, others : float (tracks, features)
    classes : int (tracks,)
        Of the training tracks.
    seed : int
        Has no use.

    Returns
    -------
    (decisions, facts)
        int (points, others), in the order of `svm_points`; how many machines ended at `MOST`
        iterations ("stopped").
    """
    decided, stopped = {}, 0
    for name, known, wanted in _kernels(train.astype(np.float64), others.astype(np.float64)):
        for c in PENALTIES:
            machine = SVC(C=c, kernel="precomputed", max_iter=MOST)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # they are counted
                machine.fit(known, classes)
            stopped += int(np.max(machine.n_iter_) >= MOST)
            decided[f"{name} C {c}"] = machine.predict(wanted)
    return np.stack([decided[point] for point in svm_points()]), {"stopped": stopped}


def _kernels(train: np.ndarray, others: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Go through the kernels: name, (training, training), (others, training)."""
    far, further = (euclidean_distances(rows, train, squared=True) for rows in (train, others))
    for gamma in GAMMAS:
        scale = gamma or 1 / train.shape[1]
        yield f"rbf gamma {gamma or 'auto'}", np.exp(-scale * far), np.exp(-scale * further)
    yield "linear", train @ train.T, others @ train.T


def elm_points() -> list[str]:
    """Name the points of the grid in its order."""
    return [f"{hidden} hidden units" for hidden in HIDDEN]


def elm_grid(
    train: np.ndarray, classes: np.ndarray, others: np.ndarray, seed: int
) -> tuple[np.ndarray, dict[str, int]]:
    """Solve an extreme learning machine for every number of hidden units; as `svm_grid`."""
    decided = []
    for hidden in HIDDEN:
        random = np.random.default_rng([seed, hidden])
        layer = random.standard_normal((train.shape[1], hidden)), random.standard_normal(hidden)
        output = solve(train, classes, layer)
        decided.append((_hidden(others, layer) @ output).argmax(axis=1))
    names = np.unique(classes)
    return names[np.stack(decided)], {}


def solve(
    train: np.ndarray, classes: np.ndarray, layer: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Solve for the output weights: pseudo-inverse of the hidden units × targets of -1 and 1.

    Parameters
    ----------
    layer : (weights, biases)
        Of the hidden units, (features, units) and (units,).

    Returns
    -------
    float64 (units, classes)
        In the order of the classes that occur.
    """
    targets = np.where(classes[:, None] == np.unique(classes), 1.0, -1.0)
    # the solution that `numpy.linalg.pinv` gives, with its limit, in a third of the time
    return lstsq(_hidden(train, layer), targets, cond=1e-15, lapack_driver="gelsy")[0]


def _hidden(features: np.ndarray, layer: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    weights, biases = layer
    return np.maximum(features @ weights + biases, 0.0)
