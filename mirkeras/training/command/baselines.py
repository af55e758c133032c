"""What is easy on a data set: scores to hold a network's against, for every division that is used.

`majority`: the commonest class of the training tracks. `stratified random`: a guess by their
shares, in expectation. `tempo`: the class of the training track whose tempo is nearest (on
Ballroom 82.3 %, Gouyon & Dixon 2004). `MFCC`: that of the nearest by statistics of its MFCCs
(`pons2019-mfcc`), by the cosine.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.cache import FeatureCache
from mirkeras.evaluation.metrics import PER_CENT
from mirkeras.experiment import Protocol
from mirkeras.experiment.division import divide
from mirkeras.pipeline.segments import consecutive
from mirkeras.storage.tables import write_csv

RECIPE = "pons2019-mfcc"


def write_baselines(
    path: Path,
    tracks: pd.DataFrame,
    mfcc: FeatureCache | None,
    protocol: Protocol,
    *,
    split: str,
    folds: int,
    seeds: list[int],
) -> pd.DataFrame:
    """Compute the baselines of every seed and fold, and write them.

    Parameters
    ----------
    tracks : DataFrame
        As from `mirkeras.experiment.division.tracks_of`, for the cache of MFCCs, if there is one.
    mfcc : FeatureCache or None
        One frame of `RECIPE` per track.

    Returns
    -------
    DataFrame
        Columns baseline, seed, fold, accuracy (per cent); what cannot be computed is missing.
    """
    heard = tracks[tracks.heard]
    labels, tempi = heard.label.to_numpy(str), np.log(heard.tempo.to_numpy(float))
    values = None if mfcc is None else np.array(mfcc.memmap(), np.float64)
    lines = []
    whole = consecutive(np.arange(len(heard) + 1), 1)  # a segment per track
    for seed in seeds:
        for fold in range(folds):
            part = divide(protocol, whole, tracks, split=split, folds=folds, fold=fold, seed=seed)
            known = np.setdiff1d(np.union1d(part.train, part.validation), part.test)
            found = _of_division(labels, tempi, values, known, part.test)
            for name, accuracy in found.items():
                lines.append({"baseline": name, "seed": seed, "fold": fold, "accuracy": accuracy})
    table = pd.DataFrame(lines)
    write_csv(table, path)
    return table


def _of_division(
    labels: np.ndarray,
    tempi: np.ndarray,
    values: np.ndarray | None,
    known: np.ndarray,
    test: np.ndarray,
) -> dict[str, float]:
    """Score the test tracks (numbers) by each baseline that can be computed: per cent."""
    classes, counts = np.unique(labels[known], return_counts=True)
    shares = dict(zip(classes, counts / counts.sum(), strict=True))
    right = {
        "majority": labels[test] == classes[counts.argmax()],
        "stratified random": np.array([shares.get(label, 0.0) for label in labels[test]]),
    }
    if np.isfinite(tempi).all():
        nearest = np.abs(tempi[test][:, None] - tempi[known]).argmin(axis=1)
        right["tempo, nearest neighbour"] = labels[known][nearest] == labels[test]
    if values is not None:
        length = np.linalg.norm(values, axis=1, keepdims=True)
        unit = values / np.where(length > 0, length, 1)
        nearest = (unit[test] @ unit[known].T).argmax(axis=1)
        right["MFCC, nearest neighbour"] = labels[known][nearest] == labels[test]
    return {name: round(PER_CENT * float(np.mean(hits)), 2) for name, hits in right.items()}
