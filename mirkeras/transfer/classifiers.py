"""Support vector machines on features of trained networks, as in the transfer code of two papers.

`scores`: a linear machine on song features (Lee et al. 2018). Its penalty is not published; it is
chosen on the validation part, as is usual.

`vote_shares`: principal components and a machine with radial kernel on the features of segments
(jordipons/sklearn-audio-transfer-learning, src/audio_transfer_learning.py). Nothing is chosen.
"""

from itertools import combinations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from mirkeras.experiment.division import Parts

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: Of `vote_shares`, fewer only where there are fewer features or training segments.
COMPONENTS = 128


def scores(
    features: np.ndarray, labels: np.ndarray, parts: Parts, *, outputs: int, seed: int
) -> tuple[np.ndarray, float]:
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
    (scores, penalty)
        float32 (test tracks, outputs), distances to the planes, -inf for a class that no training
        track has; and the C chosen: best validation accuracy, or macro ROC-AUC of tags.
    """
    scale = StandardScaler().fit(features[parts.train])
    train, held, test = (
        scale.transform(features[part]) for part in (parts.train, parts.validation, parts.test)
    )
    best = (-1.0, None, 0.0)
    for penalty in PENALTIES:
        machine = OneVsRestClassifier(LinearSVC(C=penalty, random_state=seed))
        machine.fit(train, labels[parts.train])
        value = _merit(_distances(machine, held, outputs), labels[parts.validation])
        if value > best[0]:
            best = (value, machine, penalty)
    return _distances(best[1], test, outputs), best[2]


def _distances(machine: OneVsRestClassifier, features: np.ndarray, outputs: int) -> np.ndarray:
    """Distances to the planes in the order of all classes or tags."""
    found = machine.decision_function(features)
    if found.ndim == 1:  # two classes share a plane
        found = np.stack([-found, found], axis=1)
    distances = np.full((len(features), outputs), -np.inf, np.float32)
    distances[:, machine.classes_] = found
    return distances


def _merit(distances: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy, or the mean ROC-AUC of the tags that can be ranked."""
    if labels.ndim == 1:
        return float((distances.argmax(axis=1) == labels).mean())
    ranked = (labels.min(axis=0) == 0) & (labels.max(axis=0) == 1)
    return float(roc_auc_score(labels[:, ranked], distances[:, ranked])) if ranked.any() else 0.0


def vote_shares(
    features: np.ndarray, labels: np.ndarray, parts: Parts, *, outputs: int, seed: int
) -> tuple[np.ndarray, dict[str, int]]:
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
    (scores, facts)
        float32 (test segments, outputs): which share of its pairs a class won, 0 to 1, and 0 for a
        class that no training segment has. The class with the largest, of equal ones the first, is
        the machine's decision. The facts are for the run's record.
    """
    train = features[parts.train]
    components = min(COMPONENTS, *train.shape)
    rotation = PCA(components, whiten=True, random_state=seed).fit(train)
    machine = SVC(C=1, kernel="rbf", gamma="scale", decision_function_shape="ovo")
    machine.fit(rotation.transform(train), labels[parts.train])
    shares = np.zeros((len(parts.test), outputs), np.float32)
    shares[:, machine.classes_] = _won(machine, rotation.transform(features[parts.test]))
    facts = {"components": components, "support_vectors": int(machine.n_support_.sum())}
    return shares, facts


def _won(machine: SVC, features: np.ndarray) -> np.ndarray:
    """Share of its pairs that each class of a machine won, float64 (segments, classes)."""
    distances, classes = machine.decision_function(features), len(machine.classes_)
    if classes == 2:  # of two, and only then, scikit-learn turns the sign round
        distances = -distances[:, None]
    wins = np.zeros((len(features), classes))
    for distance, (first, second) in zip(distances.T, combinations(range(classes), 2), strict=True):
        wins[:, first] += distance > 0
        wins[:, second] += distance <= 0
    return wins / (classes - 1)
