"""The classifier of the authors' transfer code: a linear support vector machine on song features.

Its penalty is not published; it is chosen on the validation part, as is usual.
"""

import numpy as np
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from mirkeras.protocols import Parts

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def scores(
    features: np.ndarray, labels: np.ndarray, parts: Parts, *, seed: int
) -> tuple[np.ndarray, float]:
    """Fit on the training part, choose the penalty on the validation part, score the test part.

    Parameters
    ----------
    features : (tracks, dimensions)
    labels : int (tracks,) classes or 0/1 (tracks, tags)
    parts : Parts
        Positions are track numbers.

    Returns
    -------
    (scores, penalty)
        float32 (test tracks, classes or tags), distances to the planes; and the C chosen.
    """
    fitted = [_fit(features, labels, parts.train, penalty, seed) for penalty in PENALTIES]
    held = features[parts.validation], labels[parts.validation]
    right = [(model.predict(held[0]) == held[1]).mean() for model in fitted]
    best = int(np.argmax(right))
    distances = fitted[best].decision_function(features[parts.test])
    if distances.ndim == 1:  # two classes have one plane
        distances = np.stack([-distances, distances], axis=1)
    return distances.astype(np.float32), PENALTIES[best]


def _fit(
    features: np.ndarray, labels: np.ndarray, chosen: np.ndarray, penalty: float, seed: int
) -> Pipeline:
    machine = OneVsRestClassifier(LinearSVC(C=penalty, random_state=seed))
    return make_pipeline(StandardScaler(), machine).fit(features[chosen], labels[chosen])
