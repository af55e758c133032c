"""Tables and pages in Markdown."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mirkeras.system.errors import shown

# What a paper may print, with its decimals: accuracies in per cent, the others as they are.
DECIMALS = {"accuracy": 2, "segment_accuracy": 2, "raw": 2, "max": 2, "maj": 2}
DECIMALS |= {"roc_auc": 4, "pr_auc": 4, "time_ratio": 2}
DECIMALS |= {f"{kind}_f1_{rule}": 4 for kind in ("micro", "macro") for rule in ("s1", "s2")}

# Verdicts that rest on an interval.
JUDGED = ("consistent", "above", "below")

# What Markdown takes for markup where names may have it; an underscore within a word is none.
_MARKUP = re.compile(r"[\\`*~$|<]|&(?=#?\w+;)|](?=[(\[])|(?<![^\W_])_|_(?![^\W_])")


def escaped(text: object) -> str:
    """Write text so that Markdown shows it as it is, on one line."""
    return _MARKUP.sub(r"\\\g<0>", shown(text)).encode("utf-8", "backslashreplace").decode()


def table(head: Sequence[str], align: str, rows: Iterable[Sequence[object]]) -> str:
    """Lay a table out in Markdown, its cells escaped; `align` has an l or an r per column."""
    rule = "".join({"l": "|---", "r": "|--:"}[side] for side in align) + "|"
    lines = ["| " + " | ".join(map(escaped, cells)) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])


def markdown(compared: pd.DataFrame) -> str:
    """Lay a comparison out for people: published | baseline | measured | difference | verdict."""
    head = (
        *("row", "metric", "parameters", "baseline", "published", "data", "measured", "n"),
        *("epochs", "difference (95 %)", "verdict"),
    )
    rows = [
        (
            row.model,
            row.metric.replace("_", " "),
            text_of(row.published_params if pd.isna(row.params) else row.params, ","),
            text_of(row.baseline),
            number(row.published, row.published_std, row.metric),
            row.dataset,
            *measured_text(row),
            row.verdict,
        )
        for row in compared.itertuples(index=False)
    ]
    said = [text for note in compared.note.dropna() for text in note.splitlines()]
    judged = compared.verdict.isin(JUDGED).sum()
    if judged:
        said.append(
            f"{judged} verdict(s) at 95 %: about {judged * 0.05:.2g} of them would be above or "
            "below by chance alone"
        )
    notes = [f"- {escaped(text)}" for text in dict.fromkeys(said)]
    return "\n".join([table(head, "llrrrlrrrrl", rows), "", *notes]) + "\n"


def measured_alone(compared: pd.DataFrame) -> str:
    """Lay out what was measured on data of one's own, without what papers measured on theirs."""
    rows = [
        (row.model, row.metric.replace("_", " "), text_of(row.params, ","), row.dataset,
         *measured_text(row)[:3])
        for row in compared.itertuples(index=False)
    ]  # fmt: skip
    head = ("row", "metric", "parameters", "data", "measured", "n", "epochs")
    said = [text for warned in compared.warned.dropna() for text in warned.splitlines()]
    notes = [f"- {escaped(text)}" for text in dict.fromkeys(said)]
    return "\n".join([table(head, "llrlrrr", rows), "", *notes]).rstrip() + "\n"


def text_of(value: float, form: str = "") -> str:
    """Write a number, or a dash where there is none."""
    return "–" if pd.isna(value) else format(value, form)


def number(value: float, std: float, metric: str) -> str:
    """Write a value with its deviation, where there is one, in the metric's decimals."""
    digits = DECIMALS[metric]
    return text_of(value, f".{digits}f") + ("" if pd.isna(std) else f" ± {std:.{digits}f}")


def measured_text(row: tuple) -> tuple[str, object, str, str]:
    """Write what was measured, of how many runs and epochs, and how it differs."""
    if pd.isna(row.measured):
        return "–", 0, "", "–"
    digits = DECIMALS[row.metric]
    low, high = (f"{bound:+.{digits}f}" for bound in (row.low, row.high))
    interval = "" if pd.isna(row.low) else f" [{low}, {high}]"
    value = number(row.measured, row.measured_std if row.n > 1 else np.nan, row.metric)
    return value, row.n, row.epochs, text_of(row.difference, f"+.{digits}f") + interval


PAGE = """\
# {paper}: published and measured

Made by `mirkeras compare {paper} --publish` from {published} and the {runs} run
records in `results/measured/{paper}.csv` (command, commit, versions, seed, data fingerprint,
hardware and time of every run). `data` reads data set@split:protocol (no split: folds drawn from a
seed); accuracies are of tracks (`raw`: of segments) and in per cent, areas (AUC) lie in [0, 1];
values are mean ± standard deviation over `n` runs (folds × seeds), trained for `epochs` (cut: by
us); `baseline` is the paper's reference.

{table}
"""
