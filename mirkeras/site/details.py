"""What a mean hides, of the runs at hand: how they learned, what they confuse, tag by tag."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.evaluation import metrics
from mirkeras.experiment import Experiment, published
from mirkeras.experiment.records import read_log, read_predictions
from mirkeras.report import charts

MOST_PAIRS = 5  # of confused classes


def curves(folders: Sequence[Path]) -> list[charts.Chart]:
    """Lay out how runs learned; none where nothing was trained epoch by epoch."""
    logs = [read_log(path) for path in folders if (path / "log.csv").exists()]
    return charts.training(logs)


def decided(folders: Sequence[Path], experiment: Experiment, record: dict) -> dict:
    """Lay out what the runs of a row on one set-up decided.

    Parameters
    ----------
    record : dict
        Of one of them.

    Returns
    -------
    dict
        ``confusion``, see `confused`, or ``tags``, see `tags`; empty without predictions.
    """
    found = [read_predictions(path) for path in folders if (path / "predictions.npz").exists()]
    found = [predictions for predictions in found if len(predictions["tracks"])]
    if not found:
        return {}
    if found[0]["labels"].ndim == 2:
        return {"tags": tags(found)}
    aggregate = experiment.protocol_of(record["protocol"], record["row"]).aggregate
    return {"confusion": confused(metrics.confusion(found, aggregate), found[0]["classes"])}


def confused(matrix: np.ndarray, classes: Sequence[str]) -> dict:
    """Lay out a confusion matrix in tracks, true class in rows.

    Returns
    -------
    dict
        classes; lines: name, cells (tracks, shade from 0 to 10 by share of the class), recall;
        right, of, share in per cent; pairs: the classes most confused with each other, in both
        directions: first, second, tracks of the first taken for the second, and the reverse.
    """
    names = [str(name) for name in classes]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    recalls = metrics.recall(matrix)
    lines = [
        {
            "name": name,
            "cells": [
                (int(count), round(10 * share))
                for count, share in zip(matrix[n], shares[n], strict=True)
            ],
            "recall": "–" if np.isnan(recalls[n]) else f"{recalls[n]:.1f}",
        }
        for n, name in enumerate(names)
    ]
    pairs = [
        (names[a], names[b], int(matrix[a, b]), int(matrix[b, a]))
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if matrix[a, b] + matrix[b, a]
    ]
    pairs.sort(key=lambda pair: -(pair[2] + pair[3]))
    # whatever ties with the last one shown is as much confused
    least = min(sum(pair[2:]) for pair in pairs[:MOST_PAIRS]) if pairs else 0
    right, of = int(matrix.trace()), int(matrix.sum())
    return {
        "classes": names,
        "lines": lines,
        "right": right,
        "of": of,
        "share": f"{metrics.PER_CENT * right / of:.1f}",
        "pairs": [pair for pair in pairs if sum(pair[2:]) >= least],
    }


def tags(found: Sequence[dict]) -> list[dict]:
    """Tabulate tags: positives of the first run, areas as means over runs; "–" without any."""
    tables = [metrics.per_tag(predictions) for predictions in found]
    areas = {
        name: pd.concat([table[name] for table in tables], axis=1).mean(axis=1)
        for name in ("roc_auc", "pr_auc")
    }
    return [
        {
            "tag": str(tag),
            "positives": int(tables[0].positives[n]),
            **{k: "–" if pd.isna(a[n]) else f"{a[n]:.4f}" for k, a in areas.items()},
        }
        for n, tag in enumerate(tables[0].tag)
    ]


def published_confusions(paper: str) -> list[tuple[str, dict]]:
    """Lay out the confusion matrices that a paper prints: (figure, see `confused`)."""
    found = []
    for path in sorted((published.RESULTS / "published" / "confusion").glob(f"{paper}_*.csv")):
        table = pd.read_csv(path, index_col="true")
        figure = re.sub(r"fig(\d+)$", r"Figure \1", path.stem.removeprefix(f"{paper}_"))
        found.append((figure, confused(table.to_numpy(), table.columns)))
    return found
