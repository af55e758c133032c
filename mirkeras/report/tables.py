"""Tables and pages in Markdown."""

import numpy as np
import pandas as pd

# What a paper may print, with its decimals: accuracies in per cent, the others as they are.
DECIMALS = {"accuracy": 2, "raw": 2, "max": 2, "maj": 2}
DECIMALS |= {"roc_auc": 4, "pr_auc": 4, "time_ratio": 2}

# Verdicts that rest on an interval.
JUDGED = ("consistent", "above", "below")


def markdown(table: pd.DataFrame) -> str:
    """Lay a comparison out for people: published | baseline | measured | difference | verdict."""
    head = (
        "| row | metric | parameters | baseline | published | data | measured | n "
        "| difference (95 %) | verdict |"
    )
    lines = [head, "|---|---|--:|--:|--:|---|--:|--:|--:|---|"]
    for row in table.itertuples(index=False):
        published = _number(row.published, row.published_std, row.metric)
        count = row.published_params if pd.isna(row.params) else row.params
        lines.append(
            f"| {row.model} | {row.metric.replace('_', ' ')} | {_text(count, ',')} "
            f"| {_text(row.baseline)} | {published} | {row.dataset} | {_measured_text(row)} "
            f"| {row.verdict} |"
        )
    said = [text for note in table.note.dropna() for text in note.splitlines()]
    judged = table.verdict.isin(JUDGED).sum()
    if judged:
        said.append(
            f"{judged} verdict(s) at 95 %: about {judged * 0.05:.2g} of them would be above or "
            "below by chance alone"
        )
    notes = [f"- {text}" for text in dict.fromkeys(said)]
    return "\n".join([*lines, "", *notes]) + "\n"


def _text(value: float, form: str = "") -> str:
    return "–" if pd.isna(value) else format(value, form)


def _number(value: float, std: float, metric: str) -> str:
    """Write a value with its deviation, where there is one, in the metric's decimals."""
    digits = DECIMALS[metric]
    return _text(value, f".{digits}f") + ("" if pd.isna(std) else f" ± {std:.{digits}f}")


def _measured_text(row: tuple) -> str:
    if pd.isna(row.measured):
        return "– | 0 | –"
    digits = DECIMALS[row.metric]
    low, high = (f"{bound:+.{digits}f}" for bound in (row.low, row.high))
    interval = "" if pd.isna(row.low) else f" [{low}, {high}]"
    value = _number(row.measured, row.measured_std if row.n > 1 else np.nan, row.metric)
    return f"{value} | {row.n} | {_text(row.difference, f'+.{digits}f')}{interval}"


PAGE = """\
# {paper}: published and measured

Made by `mirkeras compare {paper} --publish` from `results/published/{paper}.csv` and the {runs} run
records in `results/measured/{paper}.csv` (command, commit, versions, seed, data fingerprint,
hardware and time of every run). `data` reads data set@split:protocol (no split: folds drawn from a
seed); accuracies are of tracks (`raw`: of segments) and in per cent, areas (AUC) lie in [0, 1];
values are mean ± standard deviation over `n` runs (folds × seeds); `baseline` is the paper's
reference.

{table}
"""
