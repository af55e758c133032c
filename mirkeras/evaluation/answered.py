"""The papers' claims, answered: as tables, for a terminal, and as pages in ``results/pages``."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from mirkeras.evaluation import metrics, results
from mirkeras.evaluation.claims import (
    COLUMNS,
    MEASURED,
    PARAMETERS,
    PRINTED,
    WORST_FIRST,
    answers,
    find_claims,
)
from mirkeras.experiment import find_experiment, published
from mirkeras.experiment.published import ResultsError
from mirkeras.experiment.runs import find_runs
from mirkeras.report.tables import DECIMALS, escaped, table
from mirkeras.storage.files import write_text
from mirkeras.system.errors import shown


def of_paper(paper: str, measured: pd.DataFrame | None = None) -> pd.DataFrame:
    """Answer a paper's claims by its printed numbers and by measured runs.

    Parameters
    ----------
    measured : DataFrame or None
        A line per run, as from `mirkeras.evaluation.results.collect`; None: those that came with
        the suite.

    Returns
    -------
    DataFrame
        As from `mirkeras.evaluation.claims.answers`.
    """
    claims = find_claims(paper)
    others = {name.partition("/")[0] for claim in claims for group in claim.order for name in group}
    rows = [published.published_rows(paper).assign(paper=paper)]
    for other in sorted(others & {*published.papers()} - {paper}):
        # named by their whole ids, so that rows of the same name stay apart
        rows.append(published.published_rows(other).assign(paper="", row=""))
    measured = results.recorded(paper) if measured is None else measured
    return answers(claims, pd.concat(rows, ignore_index=True), measured)


def of_papers(paper: str | None = None, out: Path | None = None) -> dict[str, pd.DataFrame]:
    """Answer the claims of a paper, or of all that have some: paper → as from `of_paper`.

    Parameters
    ----------
    out : Path or None
        Where finished runs are, in place of those of the suite; then only papers with runs there.

    Raises
    ------
    ResultsError
        There is no such paper, it brings no claims, or none of its runs is finished below `out`.
    """
    if paper and not find_claims(paper):
        raise ResultsError(f"{paper} brings no claims: beside it is no module claims with CLAIMS")
    names = [paper] if paper else [name for name in published.papers() if find_claims(name)]
    if out is None:
        return {name: of_paper(name) for name in names}
    found = {}
    for name in names:
        # of one paper, that nothing is finished is an error of `collect`
        if paper or any(find_runs(out, name)):
            score = partial(metrics.score_run, find_experiment(name))
            found[name] = of_paper(name, results.collect(out, name, score))
    if not found:
        raise ResultsError(f"no finished run below {out}; see `mirkeras train --help`")
    return found


def joined(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the answers of several papers below each other, named by a first column ``paper``."""
    tables = [answers.assign(paper=paper) for paper, answers in found.items()]
    return pd.concat(tables, ignore_index=True)[["paper", *COLUMNS]]


def _points(line: tuple) -> str:
    """Write a difference with its interval, in the metric's decimals."""
    if pd.isna(line.difference):
        return "–"
    if line.metric == PARAMETERS:
        return f"{line.difference:.1f} ×"
    digits = DECIMALS[line.metric]
    # a difference that rounds to nothing is +0, whichever side it is on
    difference, low, high = (
        f"{round(value, digits) + 0.0:+.{digits}f}"
        for value in (line.difference, line.low, line.high)
    )
    return difference if pd.isna(line.low) else f"{difference} [{low}, {high}]"


def _told(lines: pd.DataFrame) -> str:
    """Sum the answers of a claim up."""
    at_hand = lines[lines.difference.notna()]
    if at_hand.empty:
        return "; ".join(lines.note) or "–"
    if len(at_hand) == 1:
        one = next(at_hand.itertuples(index=False))
        return f"{one.answer}: {_points(one)}"
    counts = Counter(at_hand.answer)
    return ", ".join(
        f"{answer} {counts[answer]}" for answer in reversed(WORST_FIRST) if counts[answer]
    )


PAGE = """\
# {paper}: what is claimed, and what answers it

Made by `mirkeras claims {paper} --publish` from `results/published/{paper}.csv` and
`results/measured/{paper}.csv`. A claim *holds* where the 95 % interval of its difference
lies on the right side of its threshold, *does not hold* where it lies on the other, else it *cannot
be told*. *Printed so* or *otherwise*: the paper's numbers are in that order or not, but stand
without a deviation, so chance is not judged. Folds share training data, so intervals over them are
somewhat narrow; and of twenty answers at 95 %, about one rests on chance. **A measured answer is
about the data and protocol it names**, which the notes below compare with the paper's.

{claims}

## Every answer

`by`: differences of the same folds and seeds (pairs), two means with their deviations (Welch), the
tracks tested, or a count; `between`: the pair of rows that decides, the worst for the claim.

{answers}

{notes}
"""


HEAD = ("claim", "in our words", "where", "holds if", "by its own numbers", "measured here")
ANSWERS = (
    *("claim", "of", "metric", "source", "data", "answer", "difference (95 %)", "n", "by"),
    "between",
)


def in_short(paper: str, found: pd.DataFrame) -> list[tuple[str, ...]]:
    """Sum up the answers, as from `of_paper`: a line of `HEAD` for each claim."""
    return [
        (claim.id, claim.text, claim.place, claim.threshold,
         *(_told(found[(found.claim == claim.id) & (found.source == source)])
           for source in (PRINTED, MEASURED)))
        for claim in find_claims(paper)
    ]  # fmt: skip


def in_full(found: pd.DataFrame) -> list[tuple[str, ...]]:
    """List what could be compared, as from `of_paper`: lines of `ANSWERS`."""
    return [
        (line.claim, line.form, line.metric.replace("_", " "), line.source, line.data, line.answer,
         _points(line), "" if pd.isna(line.n) else f"{line.n:.0f}", line.by, line.between)
        for line in found[found.difference.notna()].itertuples(index=False)
    ]  # fmt: skip


def page(paper: str, found: pd.DataFrame) -> str:
    """Lay answers, as from `of_paper`, out in Markdown."""
    claims, told = find_claims(paper), found[found.difference.notna()]
    noted = told[told.note.ne("") & told.source.eq(MEASURED)]
    notes = [f"{claim.id}, {claim.threshold}: {claim.why}" for claim in claims if claim.why]
    for (data, note), same in noted.groupby(["data", "note"], sort=False):
        notes.append(f"{data} ({', '.join(dict.fromkeys(same.claim))}): {note}")
    return PAGE.format(
        paper=paper,
        claims=table(HEAD, "llllll", in_short(paper, found)),
        answers=table(ANSWERS, "llllllrrll", in_full(found)),
        notes="\n".join(f"- {escaped(note)}" for note in notes),
    )


def text(paper: str, found: pd.DataFrame) -> str:
    """Lay answers out for a terminal."""
    lines = [paper]
    for claim in find_claims(paper):
        lines.append(f"\n{claim.text} ({claim.place}; holds if {claim.threshold})")
        for one in found[found.claim == claim.id].itertuples(index=False):
            said = f"  {one.source:9}  {one.answer:17}  {_points(one)}"
            if not pd.isna(one.difference):
                said += f", n {one.n:.0f}" if one.n > 0 else ""
                said += f"  {' '.join(filter(None, (one.data, one.form, one.metric)))}"
            lines.append(said + (f" ({one.note})" if one.note else ""))
    return "\n".join(map(shown, "\n".join(lines).splitlines())) + "\n"


def publish(paper: str) -> Path | None:
    """Rewrite the page of a paper's claims from the runs of the suite; None if it has no claims."""
    if not find_claims(paper):
        return None
    path = published.RESULTS / "pages" / paper / "claims.md"
    path.parent.mkdir(exist_ok=True)
    write_text(path, page(paper, of_paper(paper)))
    return path
