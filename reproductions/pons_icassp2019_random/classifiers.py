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

from mirkeras.transfer.classifiers import machine_arrays, votes

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


def svm_fit(
    point: int, train: np.ndarray, classes: np.ndarray, outputs: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Fit the machine of one point again, spelled out as arrays for `votes`."""
    name, _, penalty = svm_points()[point].rpartition(" C ")
    exact = train.astype(np.float64)
    kernel = next(known for other, known, _ in _kernels(exact, exact[:1]) if other == name)
    machine = SVC(C=float(penalty), kernel="precomputed", max_iter=MOST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(kernel, classes)
    word = name.removeprefix("rbf gamma ")
    scale = {"linear": 0.0, "auto": 1 / train.shape[1]}.get(word)
    gamma = np.array(float(word) if scale is None else scale)
    # the vectors as they came: in single precision they take half the room, and lose nothing
    return machine_arrays(machine, train, outputs) | {"gamma": gamma}


def elm_points() -> list[str]:
    """Name the points of the grid in its order."""
    return [f"{hidden} hidden units" for hidden in HIDDEN]


def elm_grid(
    train: np.ndarray, classes: np.ndarray, others: np.ndarray, seed: int
) -> tuple[np.ndarray, dict[str, int]]:
    """Solve an extreme learning machine for every number of hidden units; as `svm_grid`."""
    decided = []
    for hidden in HIDDEN:
        layer = _layer(train.shape[1], hidden, seed)
        output = solve(train, classes, layer)
        decided.append((_hidden(others, layer) @ output).argmax(axis=1))
    names = np.unique(classes)
    return names[np.stack(decided)], {}


def elm_fit(
    point: int, train: np.ndarray, classes: np.ndarray, outputs: int, seed: int
) -> dict[str, np.ndarray]:
    """Solve the machine of one point again, spelled out as arrays for `elm_scores`."""
    layer = _layer(train.shape[1], HIDDEN[point], seed)
    return {
        "seed": np.array(seed),
        "output": solve(train, classes, layer),
        "classes": np.unique(classes),
        "outputs": np.array(outputs),
    }


def elm_scores(fitted: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Decide about tracks by a machine that was solved: ones and zeros (tracks, outputs)."""
    layer = _layer(features.shape[1], len(fitted["output"]), int(fitted["seed"]))
    best = (_hidden(features, layer) @ fitted["output"]).argmax(axis=1)
    return np.eye(int(fitted["outputs"]), dtype=np.float32)[fitted["classes"][best]]


def svm_scores(fitted: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Decide about tracks by a machine that was fitted: ones and zeros (tracks, outputs)."""
    best = votes(fitted, features.astype(np.float64)).argmax(axis=1)
    return np.eye(int(fitted["outputs"]), dtype=np.float32)[best]


def _layer(features: int, hidden: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the weights and biases of hidden units."""
    random = np.random.default_rng([seed, hidden])
    return random.standard_normal((features, hidden)), random.standard_normal(hidden)


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
