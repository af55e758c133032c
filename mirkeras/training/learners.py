"""The table of learners: the name that a row gives → how it is learned.

A paper that learns in another way adds an entry where its rows are declared:
``LEARNERS["elm"] = …``.
"""

from mirkeras.training.learner import Learner, Network
from mirkeras.training.transferred import Head, LinearSVM, PcaSVM

LEARNERS: dict[str, Learner] = {
    "network": Network(),
    "head": Head(),
    "svm": LinearSVM(),
    "pca-svm": PcaSVM(),
}
