"""The evaluate command that the paper folders share: from finished runs to tables and figures."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mirkeras.evaluation import answered, comparison, metrics, results
from mirkeras.evaluation.drawing import draw_comparisons, in_words, names_of_rows, short_names
from mirkeras.experiment import Experiment, find_experiment, published, records
from mirkeras.experiment.runs import BASELINES, Run
from mirkeras.pipeline.splits import DRAWN, SEEDED
from mirkeras.report import bars, curves, matrices
from mirkeras.report.tables import escaped, markdown, measured_alone, table
from mirkeras.storage.files import whole_file, write_text
from mirkeras.storage.tables import write_checked_csv, write_csv


def summary(compared: pd.DataFrame, place: Path, *, all_rows: bool = False) -> str:
    """Lay out what was measured, count what was not, and say where the rest is.

    Parameters
    ----------
    place : Path
        The paper's folder below ``--out``.
    all_rows : bool
        See `layout`.
    """
    measured = compared[compared.measured.notna()]
    left = (compared.verdict == "not run").sum()
    return (
        f"\n{layout(measured, place, all_rows=all_rows)}\n{left} published row(s) not run. Written "
        f"to {place}: comparison.csv, comparison.md (with every class and tag), measured.csv, "
        "predictions/, figures/"
    )


def layout(compared: pd.DataFrame, place: Path, *, all_rows: bool = False) -> str:
    """Lay a comparison out, or what was measured on one's own data: beside what is easy on these.

    A published number was measured on other data, so the difference says nothing: `all_rows` asks
    for it all the same.
    """
    measured = compared[compared.measured.notna()]
    own = measured.dataset.str.startswith(comparison.OWN)
    if all_rows or not own.any():
        return markdown(compared)
    others = "" if own.all() else f"\n{markdown(compared[~compared.index.isin(own.index[own])])}"
    return f"{measured_alone(measured[own])}\n{_easy(place)}{others}"


def _easy(place: Path) -> str:
    """Tabulate the baselines of one's own data, as the train command left them."""
    lines = []
    for path in sorted(place.glob(f"*/*/{BASELINES}")):
        if not path.parents[1].name.startswith(comparison.OWN):
            continue
        name = f"{path.parents[1].name}:{path.parent.name}"
        for baseline, scores in pd.read_csv(path).groupby("baseline", sort=False).accuracy:
            score = f"{scores.mean():.2f} ± {scores.std(ddof=0):.2f}"
            lines.append([name, baseline, score, len(scores)])
    head = ["data", "what is easy there", "accuracy", "n"]
    return table(head, "llrr", lines) + "\n" if lines else ""


def evaluate_runs(paper: str, out: Path, *, all_rows: bool = False) -> pd.DataFrame:
    """Evaluate all finished runs of a paper below `out`; write tables, page, figures to its folder.

    Returns
    -------
    DataFrame
        As from `mirkeras.evaluation.results.with_known_repeats`.
    """
    experiment = find_experiment(paper)

    score = partial(metrics.score_run, experiment)
    measured, place = results.collect(out, paper, score), out / paper
    compared = results.with_known_repeats(paper, measured)
    write_checked_csv(measured, place / "measured.csv")
    write_csv(compared[comparison.COLUMNS], place / "comparison.csv")
    details = []
    if experiment.detailed:
        draw_comparisons(experiment, measured, place / "figures")
        for name, group in measured.groupby(short_names(measured)):
            details += _details(group, place / "figures" / name, out, experiment)
    laid_out = layout(compared, place, all_rows=all_rows)
    page = f"# {paper}: published and measured\n\n{laid_out}\n" + "\n".join(details)
    write_text(place / "comparison.md", page)
    return compared


def publish_figures(paper: str, out: Path) -> Path:
    """Put the runs below `out`, and the figures that pages show, into ``results/``."""
    remedy = f"it is written anew by: mirkeras compare {paper} --out {out}"
    page = results.publish(paper, results.read_measured(out / paper / "measured.csv", remedy))
    for figure in (out / paper / "figures").glob("*.png"):
        if not figure.match("*-confusion.png") and not figure.match("fig[24]*"):
            with whole_file(page.with_suffix("") / figure.name) as copy:
                shutil.copyfile(figure, copy)
    answered.publish(paper)
    draw_recorded(paper)
    return page


def draw_recorded(paper: str) -> None:
    """Draw the comparisons of a paper's page from all measured runs that came with the suite."""
    experiment, known = find_experiment(paper), results.recorded(paper)
    if experiment.detailed and len(known):
        several = known.groupby(comparison.SETUP).row.transform("nunique") > 1
        folder = published.RESULTS / "pages" / paper
        draw_comparisons(experiment, known, folder, several)


def setup_name(runs: pd.DataFrame) -> str:
    """Name runs of one set-up for tables, see `short_names` for figures."""
    dataset, split, protocol, folds, epochs = runs[comparison.SETUP].iloc[0]
    data = dataset if split == DRAWN else f"{dataset}-{split}"
    return f"{data}-{protocol}-{folds}folds-{epochs}epochs"


def _details(group: pd.DataFrame, figure: Path, out: Path, experiment: Experiment) -> list[str]:
    """Lay out what a mean hides, per row of one set-up: classes or tags; figures too.

    `figure` is what the names of figures begin with.
    """
    members = dict(list(group.groupby("row", sort=False)))
    place = out / experiment.paper
    folders = {
        row: [Run.of(line).directory(out) for line in runs.to_dict("records")]
        for row, runs in members.items()
    }
    _training(group, folders, figure, experiment)
    predicted = {
        row: [records.read_predictions(path) for path in paths]
        for row, paths in folders.items()
        if (paths[0] / "predictions.npz").exists()
    }
    for row, found in predicted.items():
        _write_decisions(setup_name(group), found, members[row], place, experiment)
    # what has tags may also be learned as something that has classes
    tagged = {row: runs for row, runs in predicted.items() if runs[0]["labels"].ndim == 2}
    classed = {row: runs for row, runs in predicted.items() if row not in tagged}
    details = [_tags(group, tagged, place, figure, experiment)] if tagged else []
    if classed:
        details.append(_classes(group, classed, figure, experiment))
    return details


def _training(
    group: pd.DataFrame, folders: dict[str, list[Path]], figure: Path, experiment: Experiment
) -> None:
    """Draw the learning curves of the rows that have them."""
    names = names_of_rows(experiment, group)
    logs = {
        names[row]: [records.read_log(path) for path in paths]
        for row, paths in folders.items()
        if all((path / "log.csv").exists() for path in paths)
    }
    if not logs:
        return
    # Protocols without a validation part watch the test part, unless the split brings one.
    one = group.iloc[0]
    held_out = one.folds == 1 and one.split not in SEEDED
    is_test = experiment.protocols[one.protocol].validate_by == "test" and not held_out
    watched = "test (nothing is chosen by it)" if is_test else "validation"
    path = figure.with_name(f"{figure.name}-training.png")
    title = f"{in_words(experiment, group)}: a line per run"
    curves.training_curves(logs, path, title=title, watched=watched)


def _write_decisions(
    name: str, found: list[dict], runs: pd.DataFrame, place: Path, experiment: Experiment
) -> None:
    """Write what the runs of a row decided about every test track."""
    row = runs.row.iloc[0]
    aggregate = experiment.protocol_of(runs.protocol.iloc[0], row).aggregate
    tables = [
        metrics.decisions(predictions, aggregate).assign(seed=run.seed, fold=run.fold + 1)
        for predictions, run in zip(found, runs.itertuples(), strict=True)
    ]
    write_csv(pd.concat(tables), place / "predictions" / f"{name}-{row.replace('/', '-')}.csv")


def _tags(
    group: pd.DataFrame,
    predicted: dict[str, list[dict]],
    place: Path,
    figure: Path,
    experiment: Experiment,
) -> str:
    """Tabulate the ROC-AUC of every tag, mean over runs, and draw it."""
    tables = {row: [metrics.per_tag(run) for run in runs] for row, runs in predicted.items()}
    first = next(iter(tables.values()))[0]
    values = pd.DataFrame(
        {row: pd.concat([t.roc_auc for t in found], axis=1).mean(axis=1)
         for row, found in tables.items()}
    )  # fmt: skip
    values.insert(0, "positives", first.positives)
    values.insert(0, "tag", first.tag)
    name = setup_name(group)
    write_csv(values, place / "tags" / f"{name}.csv")
    bars.tags(
        values.rename(columns=names_of_rows(experiment, group)),
        figure.with_name(f"{figure.name}-tags.png"),
        title=in_words(experiment, group),
    )
    dropped = "dropped (not in the test part)"
    lines = [
        [tag, positives, *(dropped if pd.isna(area) else f"{area:.4f}" for area in areas)]
        for tag, positives, *areas in values.itertuples(index=False, name=None)
    ]
    for area in ("roc_auc", "pr_auc"):
        means = [np.mean([table[area].mean() for table in found]) for found in tables.values()]
        lines.append([f"mean {area[:-4].upper()}-AUC", "", *(f"{mean:.4f}" for mean in means)])
    page = table(["tag", "positives", *tables], "lr" + "r" * len(tables), lines)
    return f"## {escaped(name)}: ROC-AUC per tag\n\n{page}\n"


def _classes(
    group: pd.DataFrame, predicted: dict[str, list[dict]], figure: Path, experiment: Experiment
) -> str:
    """Tabulate segment accuracy and recall per class, and draw the confusions."""
    lines, names = [], names_of_rows(experiment, group)
    for row, runs in predicted.items():
        mine = group[group.row == row]
        aggregate = experiment.protocol_of(mine.protocol.iloc[0], row).aggregate
        matrix, classes = metrics.confusion(runs, aggregate), runs[0]["classes"]
        recalls = (f"{value:.1f}" for value in metrics.recall(matrix))
        of_segments = mine.filter(["segment_accuracy", "raw"]).iloc[:, 0].mean()
        lines.append([row, f"{of_segments:.2f}", *recalls])
        right = f"{matrix.trace()} of {matrix.sum()} tracks right"
        title = f"{names[row]}\n{in_words(experiment, mine)}\n{right}"
        path = figure.with_name(f"{figure.name}-{row.replace('/', '-')}-confusion.png")
        matrices.confusion(matrix, classes, path, title=title)
    head = ["row", "segment accuracy", *(f"recall {label}" for label in classes)]
    page = table(head, "lr" + "r" * len(classes), lines)
    return f"## {escaped(setup_name(group))}: segments and classes (per cent)\n\n{page}\n"
