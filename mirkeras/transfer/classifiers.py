"""Support vector machines on features of trained networks, as in the transfer code of two papers.

`scores`: a linear machine on song features (Lee et al. 2018). Its penalty is not published; it is
chosen on the validation part, as is usual.

`vote_shares`: principal components and a machine with radial kernel on the features of segments
(jordipons/sklearn-audio-transfer-learning, src/audio_transfer_learning.py). Nothing is chosen.

What was fitted is kept as plain arrays and decides from them (`plane_scores`, `votes`): nothing is
pickled.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from mirkeras.experiment.division import Parts

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: Of `vote_shares`, fewer only where there are fewer features or training segments.
COMPONENTS = 128


def scores(
    features: np.ndarray, labels: np.ndarray, parts: Parts, *, outputs: int, seed: int
) -> tuple[np.ndarray, float, dict[str, np.ndarray]]:
    """Fit on the training part, choose the penalty on the validation part, score the test part.

    Parameters
    ----------
    features : (tracks, dimensions)
    labels : int (tracks,) classes or 0/1 (tracks, tags)
    parts : Parts
        Positions are track numbers.
    outputs : int
        Number of classes or tags.

    Returns
    -------
    (scores, penalty, planes)
        float32 (test tracks, outputs), distances to the planes, -inf for a class that no training
        track has; the C chosen: best validation accuracy, or macro ROC-AUC of tags; what
        `plane_scores` takes.
    """
    scale = StandardScaler().fit(features[parts.train])
    train, best = scale.transform(features[parts.train]), (-1.0, {}, 0.0)
    for penalty in PENALTIES:
        machine = OneVsRestClassifier(LinearSVC(C=penalty, random_state=seed))
        machine.fit(train, labels[parts.train])
        planes = _planes(machine, scale, outputs)
        held = plane_scores(planes, features[parts.validation])
        value = _merit(held, labels[parts.validation])
        if value > best[0]:
            best = (value, planes, penalty)
    return plane_scores(best[1], features[parts.test]), best[2], best[1]


def _planes(
    machine: OneVsRestClassifier, scale: StandardScaler, outputs: int
) -> dict[str, np.ndarray]:
    """Spell out a linear machine as arrays, by what it makes of nothing and of each feature."""
    size = len(scale.mean_)
    found = machine.decision_function(np.concatenate([np.zeros((1, size)), np.eye(size)]))
    if found.ndim == 1:  # two classes share a plane
        found = np.stack([-found, found], axis=1)
    return {
        "mean": scale.mean_,
        "scale": scale.scale_,
        "planes": found[1:] - found[0],
        "intercepts": found[0],
        "classes": machine.classes_,
        "outputs": np.array(outputs),
    }


def plane_scores(fitted: Mapping[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Score tracks by the planes that `scores` fitted: float32 (tracks, outputs)."""
    scaled = (features - fitted["mean"]) / fitted["scale"]
    distances = np.full((len(features), int(fitted["outputs"])), -np.inf, np.float32)
    distances[:, fitted["classes"]] = scaled @ fitted["planes"] + fitted["intercepts"]
    return distances


def _merit(distances: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy, or the mean ROC-AUC of the tags that can be ranked."""
    if labels.ndim == 1:
        return float((distances.argmax(axis=1) == labels).mean())
    ranked = (labels.min(axis=0) == 0) & (labels.max(axis=0) == 1)
    return float(roc_auc_score(labels[:, ranked], distances[:, ranked])) if ranked.any() else 0.0


def vote_shares(
    features: np.ndarray, labels: np.ndarray, parts: Parts, *, outputs: int, seed: int
) -> tuple[np.ndarray, dict[str, int], dict[str, np.ndarray]]:
    """Fit principal components and a machine on the training part, score the test part.

    Whitened components, then a machine per pair of classes: radial kernel, C = 1, gamma 1 over
    features times variance ("scale"). The validation part has no use.

    Parameters
    ----------
    features : float32 (segments, dimensions)
    labels : int (segments,)
        The class of each segment's track.
    parts : Parts
        Positions are segment numbers.
    outputs : int
        Number of classes.
    seed : int
        Seed of the components' randomised solver.

    Returns
    -------
    (scores, facts, fitted)
        float32 (test segments, outputs): which share of its pairs a class won, 0 to 1, and 0 for a
        class that no training segment has. The class with the largest, of equal ones the first, is
        the machine's decision. The facts are for the run's record; what was fitted is what
        `rotated` and `votes` take.
    """
    train = features[parts.train]
    components = min(COMPONENTS, *train.shape)
    rotation = PCA(components, whiten=True, random_state=seed).fit(train)
    machine = SVC(C=1, kernel="rbf", gamma="scale", decision_function_shape="ovo")
    machine.fit(rotation.transform(train), labels[parts.train])
    scale = np.sqrt(rotation.explained_variance_)
    fitted = {"mean": rotation.mean_, "rotation": (rotation.components_.T / scale)}
    fitted |= machine_arrays(machine, rotation.transform(train), outputs)
    shares = votes(fitted, rotation.transform(features[parts.test]))
    facts = {"components": components, "support_vectors": int(machine.n_support_.sum())}
    return shares, facts, fitted


def rotated(fitted: Mapping[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Turn features into the components that `vote_shares` fitted."""
    return (features - fitted["mean"]) @ fitted["rotation"]


def machine_arrays(machine: SVC, train: np.ndarray, outputs: int) -> dict[str, np.ndarray]:
    """Spell a fitted machine out as arrays.

    Parameters
    ----------
    machine : SVC
        With a radial kernel (gamma "scale"), or a precomputed one of `train`.
    """
    # of two classes, and only then, scikit-learn turns the signs round
    sign = -1 if len(machine.classes_) == 2 else 1
    return {
        "support": train[machine.support_],
        "counts": machine.n_support_,
        "dual": sign * machine.dual_coef_,
        "intercepts": sign * machine.intercept_,
        "gamma": np.array(1 / (train.shape[1] * train.var())),
        "classes": machine.classes_,
        "outputs": np.array(outputs),
    }


def votes(fitted: Mapping[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Let the pairs of a machine vote, as libsvm does.

    Parameters
    ----------
    fitted : mapping
        As from `machine_arrays`; ``gamma`` 0 stands for a linear kernel.

    Returns
    -------
    float32 (features, outputs)
        Share of its pairs that each class won. The first of the best is the machine's decision.
    """
    gamma, classes = float(fitted["gamma"]), fitted["classes"]
    kernel = (
        np.exp(-gamma * euclidean_distances(features, fitted["support"], squared=True))
        if gamma
        else features @ fitted["support"].T
    )
    ends = np.cumsum(fitted["counts"])
    own = [slice(end - count, end) for end, count in zip(ends, fitted["counts"], strict=True)]
    shares = np.zeros((len(features), int(fitted["outputs"])), np.float32)
    pairs = list(combinations(range(len(classes)), 2))
    for (first, second), intercept in zip(pairs, fitted["intercepts"], strict=True):
        # a class has coefficients against every other one, in their order without itself
        distance = kernel[:, own[first]] @ fitted["dual"][second - 1, own[first]]
        distance += kernel[:, own[second]] @ fitted["dual"][first, own[second]]
        won = distance + intercept > 0
        shares[:, classes[first]] += won
        shares[:, classes[second]] += ~won
    return shares / (len(classes) - 1)
