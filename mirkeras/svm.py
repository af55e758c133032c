"""The classifier of the authors' transfer code: a linear support vector machine on song features.

Its penalty is not published; it is chosen on the validation part, as is usual.
"""

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mirkeras.protocols import Parts

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


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
