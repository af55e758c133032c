"""What MIREX makes of output lists: mean accuracy over folds, confusions, differences of systems.

Systems are compared by Friedman's test with the folds as blocks, then pair by pair by the
Tukey-Kramer criterion on their mean ranks. With three folds only the largest differences can be
told from chance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix

PER_CENT = 100
ALPHA = 0.05
LEAST = 3  # systems: Friedman's test is for more than two


@dataclass(frozen=True)
class Comparison:
    """Whether systems differ.

    Attributes
    ----------
    p : float
        The p-value of Friedman's test; nan where all systems are equal in every fold.
    critical : float
        Two mean ranks that differ by more than this differ significantly.
    pairs : DataFrame
        Columns one, other, difference (of mean ranks, positive: `one` is better), significant.
    """

    p: float
    critical: float
    pairs: pd.DataFrame


def accuracy(truth: Mapping[str, str], given: Mapping[str, str]) -> float:
    """Count the files of `truth` that were given their class, in per cent."""
    return PER_CENT * accuracy_score(list(truth.values()), [given[file] for file in truth])


def confusion(truth: Mapping[str, str], given: Mapping[str, str]) -> pd.DataFrame:
    """Count files: true classes in rows, given ones in columns."""
    classes = sorted({*truth.values(), *given.values()})
    counts = confusion_matrix(list(truth.values()), [given[file] for file in truth], labels=classes)
    return pd.DataFrame(counts, index=classes, columns=classes)


def compare(accuracies: pd.DataFrame) -> Comparison | None:
    """Compare systems; None for fewer than three, of which Friedman's test knows nothing.

    Parameters
    ----------
    accuracies : DataFrame
        A line per fold, a column per system.
    """
    folds, systems = accuracies.shape
    if systems < LEAST:
        return None
    ranks = stats.rankdata(accuracies.to_numpy(), axis=1)
    spread = ranks.var(axis=1, ddof=1).mean()  # k(k+1)/12 without ties
    p = stats.friedmanchisquare(*accuracies.to_numpy().T).pvalue if spread else np.nan
    # ranks have a known variance: infinite degrees of freedom
    quantile = stats.studentized_range.ppf(1 - ALPHA, systems, np.inf)
    critical = float(quantile * np.sqrt(spread / folds))
    means = dict(zip(accuracies.columns, ranks.mean(axis=0), strict=True))
    lines = [
        (one, other, means[one] - means[other], abs(means[one] - means[other]) > critical)
        for one, other in combinations(means, 2)
    ]
    columns = ["one", "other", "difference", "significant"]
    return Comparison(float(p), critical, pd.DataFrame(lines, columns=columns))
