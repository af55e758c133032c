"""Intervals for the difference of two means: measured and published, or two rows of a claim."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Mean and population standard deviation (NumPy's default, ddof = 0) over `n` folds or runs.

    The CBMI 2016 code reports `numpy.std`; a measured summary is made the same way. Nan: unknown.
    """

    mean: float
    std: float
    n: float

    @property
    def squared_error(self) -> float:
        """Estimated variance of the mean: the unbiased variance divided by n."""
        return self.std**2 / (self.n - 1)


def welch_interval(
    measured: Summary, published: Summary, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """95 % interval of measured − published by Welch's t, unequal variances.

    Folds share training data, so they are not independent and the interval is somewhat narrow;
    it is what the published summary allows.

    Returns
    -------
    (low, high), or None
        None where a side has fewer than two folds, or an unknown number of them, or no published
        deviation: no interval.
    """
    known = measured.n > 1 and published.n > 1  # nan is not
    if not known or math.isnan(measured.std + published.std):
        return None
    a, b = measured.squared_error, published.squared_error
    difference = measured.mean - published.mean
    if a + b == 0:
        return difference, difference
    freedom = (a + b) ** 2 / (a**2 / (measured.n - 1) + b**2 / (published.n - 1))
    half = t.ppf((1 + confidence) / 2, freedom) * math.sqrt(a + b)
    return difference - half, difference + half


def prediction_interval(measured: Summary, value: float) -> tuple[float, float] | None:
    """95 % interval of measured − published for a single published number without a deviation.

    One more run of ours would lie within mean ± t·s·√(1 + 1/n) of our own runs; a published number
    that does could be one of them. None with fewer than two runs.
    """
    if measured.n < 2:
        return None
    spread = math.sqrt(measured.squared_error * measured.n)  # unbiased deviation of a run
    half = t.ppf((1 + CONFIDENCE) / 2, measured.n - 1) * spread * math.sqrt(1 + 1 / measured.n)
    difference = measured.mean - value
    return difference - half, difference + half


def paired_interval(
    differences: np.ndarray, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """95 % interval of the mean of differences that were each taken on the same fold and seed.

    Folds share training data, so it is somewhat narrow, as Welch's is. None of fewer than two, and
    where all are the same: that shows no spread, not that there is none (two networks that are
    right about every track).
    """
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    error = np.std(differences, ddof=1) / math.sqrt(len(differences))
    half = t.ppf((1 + confidence) / 2, len(differences) - 1) * error
    return differences.mean() - half, differences.mean() + half


def proportions_interval(
    one: Summary, other: Summary, tracks: tuple[float, float], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """95 % interval of the difference of two accuracies in per cent, of so many tracks each.

    Of two proportions, taken as if they were of different tracks and each track told something of
    its own (clips of one recording do not), and of the spread over the n draws of each side; of one
    draw, it is about that one.
    """
    variance = 0.0
    for side, count in zip((one, other), tracks, strict=True):
        variance += side.mean * (100 - side.mean) / count
        variance += side.squared_error if side.n > 1 else 0
    half = norm.ppf((1 + confidence) / 2) * math.sqrt(variance)
    difference = one.mean - other.mean
    return difference - half, difference + half
