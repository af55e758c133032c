"""The evaluate command that the paper folders share: from finished runs to tables and figures."""

import argparse
import shutil
import sys
from pathlib import Path

import pandas as pd

from mirkeras import figures, metrics, records, results
from mirkeras.errors import expected_errors, explained
from mirkeras.files import whole_file, write_text
from mirkeras.runs import Run


def evaluate(paper: str, argv: list[str] | None = None) -> int:
    """Run ``python -m reproductions.<paper>.evaluate``; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=f"python -m reproductions.{paper}.evaluate",
        description="Compare finished runs with the published rows. Reads predictions, never "
        "networks; writes comparison.csv, comparison.md, measured.csv and figures.",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    arguments = parser.parse_args(argv)
    try:
        print(summary(compare(paper, arguments.out), arguments.out))
    except expected_errors() as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1
    return 0


def summary(table: pd.DataFrame, out: Path) -> str:
    """Lay out what was measured, count what was not, and say where the rest is."""
    measured = table[table.verdict != "not run"]
    written = f"{out}: comparison.csv, comparison.md, measured.csv, figures/"
    return (
        f"\n{results.markdown(measured)}\n{len(table) - len(measured)} published row(s) not run. "
        f"Written to {written}"
    )


def compare(paper: str, out: Path) -> pd.DataFrame:
    """Evaluate all finished runs below `out` and write tables, page and figures there.

    Returns
    -------
    DataFrame
        As from `mirkeras.results.compare`.
    """
    measured = results.collect(out, paper, metrics.accuracies)
    table = results.compare(paper, measured)
    results.write_csv(measured, out / "measured.csv")
    results.write_csv(table[results.COLUMNS], out / "comparison.csv")
    details = []
    for _, group in measured.groupby(results.SETUP):
        details.append(_details(group, out))
        lines = results.compare(paper, group).dropna(subset="measured")
        figures.comparison(lines, out / "figures" / f"{setup_name(group)}-comparison.png")
    page = f"# {paper}: published and measured\n\n{results.markdown(table)}\n" + "\n".join(details)
    write_text(out / "comparison.md", page)
    return table


def publish(paper: str, out: Path) -> Path:
    """Put the runs below `out`, their comparison and filter figures into ``results/``.

    Returns
    -------
    Path
        The paper's page.
    """
    measured = pd.read_csv(out / "measured.csv", dtype=results.TEXT)
    page = results.publish(paper, measured)
    for kind in ("comparison", "tempo", "time-filters", "frequency-filters"):
        for figure in (out / "figures").glob(f"*-{kind}.png"):
            with whole_file(page.with_suffix("") / figure.name) as copy:
                shutil.copyfile(figure, copy)
    return page


def setup_name(runs: pd.DataFrame) -> str:
    """Name runs of one set-up for files."""
    dataset, protocol, folds, epochs = runs[results.SETUP].iloc[0]
    return f"{dataset}-{protocol}-{folds}folds-{epochs}epochs"


def _details(group: pd.DataFrame, out: Path) -> str:
    """Segment accuracy, recall and confusion per row of one set-up; figures too."""
    name, lines, logs = setup_name(group), [], {}
    for row, members in group.groupby("row", sort=False):
        folders = [_directory(line, out) for line in members.to_dict("records")]
        predictions = [records.read_predictions(folder) for folder in folders]
        matrix, classes = metrics.confusion(predictions), predictions[0]["classes"]
        cells = " | ".join(f"{value:.1f}" for value in metrics.recall(matrix))
        lines.append(f"| {row} | {members.segment_accuracy.mean():.2f} | {cells} |")
        title = f"{row}, {name}\n{matrix.trace()} of {matrix.sum()} tracks right"
        path = out / "figures" / f"{name}-{row.replace('/', '-')}-confusion.png"
        figures.confusion(matrix, classes, title, path)
        logs[row] = records.read_log(folders[0])
    figures.training_curves(logs, out / "figures" / f"{name}-training.png")
    head = "| row | segment accuracy | " + " | ".join(f"recall {name}" for name in classes) + " |"
    rule = "|---|" + "--:|" * (len(classes) + 1)
    return "\n".join([f"## {name}: segments and classes (per cent)", "", head, rule, *lines, ""])


def _directory(line: dict, out: Path) -> Path:
    return Run(**{name: line[name] for name in Run.__dataclass_fields__}).directory(out)
