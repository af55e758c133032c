"""Which instruments an excerpt has: scores of segments, two rules, and the choice of a threshold.

From Veleslavia/EUSIPCO2017 (`evaluation.py`). By `s1` the scores of an excerpt's segments are
averaged, and an instrument is there above a threshold; by `s2` they are added and divided by the
largest of the excerpt, and an instrument is there from a threshold on. The authors print precision,
recall and F1 of the test part at each of eight thresholds; at which of them they were published is
not said.

Here the threshold with the best micro F1 is taken, the lowest of those that are equally good: of
the test part, or, by protocol `clean`, of the validation part, when the network has been trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics import f1_score

from mirkeras.evaluation.metrics import mean_scores
from mirkeras.system.errors import UsageError
from mirkeras.training.learner import Learned, Network
from mirkeras.training.learners import LEARNERS
from mirkeras.transfer.networks import load_network
from reproductions.pons_eusipco2017.instruments import TASK

CLEAN = "clean"


@dataclass(frozen=True)
class Rule:
    """How scores of excerpts become instruments.

    Attributes
    ----------
    thresholds : tuple of float
        Those that the authors tried.
    relative : bool
        Whether scores are divided by the excerpt's largest; then one at the threshold is enough.
    """

    thresholds: tuple[float, ...]
    relative: bool

    def found(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        """Say which instruments excerpts have: bool, as mean scores (excerpts, instruments)."""
        if self.relative:  # of means or of sums, that is the same
            return scores / scores.max(axis=1, keepdims=True) >= threshold
        return scores > threshold

    def best(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """Choose the threshold with the best micro F1."""
        each = [f1(labels, self.found(scores, threshold), "micro") for threshold in self.thresholds]
        return self.thresholds[int(np.argmax(each))]


RULES = {
    "s1": Rule((0.10, 0.12, 0.14, 0.16, 0.18, 0.20, 0.22, 0.24), relative=False),
    "s2": Rule((0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60), relative=True),
}


def f1(labels: np.ndarray, found: np.ndarray, average: str) -> float:
    """Compute F1 in [0, 1]; that of an instrument which is neither there nor found is 0."""
    return float(f1_score(labels > 0, found, average=average, zero_division=0))


def best_thresholds(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Choose one threshold per rule, named as in records.

    Parameters
    ----------
    labels, scores : float (excerpts, instruments)
        1 for each instrument of an excerpt; the means over its segments.
    """
    return {f"threshold_{name}": rule.best(labels, scores) for name, rule in RULES.items()}


def score(predictions: Mapping, record: Mapping) -> dict[str, float]:
    """Measure a run of this task: micro and macro F1 by both rules, and their thresholds.

    Parameters
    ----------
    predictions, record
        See `mirkeras.experiment.Experiment`.

    Returns
    -------
    dict
        ``micro_f1_s1``, ``macro_f1_s1``, ``micro_f1_s2``, ``macro_f1_s2``, ``threshold_s1``,
        ``threshold_s2``.
    """
    labels, excerpts = predictions["labels"], len(predictions["tracks"])
    scores = mean_scores(predictions["scores"], predictions["segment_track"], excerpts)
    chosen = record if record["protocol"] == CLEAN else best_thresholds(labels, scores)
    measured = {}
    for name, rule in RULES.items():
        threshold = measured[f"threshold_{name}"] = chosen[f"threshold_{name}"]
        for average in ("micro", "macro"):
            measured[f"{average}_f1_{name}"] = f1(labels, rule.found(scores, threshold), average)
    return measured


class Thresholded(Network):
    """A network of this task; by `clean`, the record keeps the thresholds that validation chose."""

    learns_all = False

    def fits(self, protocol) -> bool:
        return TASK in protocol.variants

    def check_index(self, row, protocol, prepared, split) -> None:
        if not prepared.dataset.tags:
            raise UsageError(
                f"row {row.id} learns sets of instruments, and here every track has one class: "
                "train it on irmas, or on another set with tags"
            )

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        learned = super().learn(run, experiment, cache, tracks, setting, report)
        if run.protocol != CLEAN:
            return learned
        network = load_network(run.directory(setting.out) / "model.keras")
        segments, validation = learned.segments, learned.parts.validation
        scores = network.predict(
            cache.segments(segments.first[validation], segments.length), verbose=0
        )
        clips, clip_of = np.unique(segments.track[validation], return_inverse=True)
        means = mean_scores(scores, clip_of, len(clips))
        chosen = best_thresholds(learned.labels.values[clips], means)
        return replace(learned, facts=learned.facts | chosen)


LEARNERS[TASK] = Thresholded()
