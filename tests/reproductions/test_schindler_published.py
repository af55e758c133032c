"""The published numbers of Schindler et al. 2016 and of its reproduction: all, and plausible."""

import numpy as np
import pandas as pd
import pytest

from mirkeras.experiment.published import published_rows
from reproductions.schindler_gtzan.confusion import ROW
from reproductions.schindler_gtzan.confusion import published as fig_7
from reproductions.schindler_gtzan.experiments import PROTOCOLS, ROWS

PAPER = "schindler_gtzan"
TABLE = published_rows(PAPER)
IMPOSSIBLE = "report/base-shallow-100"  # its majority score is no share of 250 tracks


def of_table(name: str) -> pd.DataFrame:
    """Select the lines of a table that have a value."""
    return TABLE[TABLE.id.str.startswith(f"{PAPER}/{name}/") & TABLE.value.notna()]


@pytest.mark.parametrize(("name", "lines"), [("table2", 18), ("report", 48)])
def test_every_number_is_there_once(name: str, lines: int) -> None:
    assert len(of_table(name)) == lines
    metrics = {"-".join(rows.metric) for _, rows in of_table(name).groupby("row")}
    assert metrics == {"raw-max-maj"}
    assert TABLE.id.is_unique


def test_ids_are_rows_of_the_experiment_with_a_metric() -> None:
    assert (TABLE.id == PAPER + "/" + TABLE.row + "-" + TABLE.metric).all()
    assert set(TABLE.row) == {name for name in ROWS if not name.startswith("kernel/")}
    assert (TABLE.model == TABLE.row.map({name: row.model for name, row in ROWS.items()})).all()


@pytest.mark.parametrize(("name", "protocol"), [("table2", "paper"), ("report", "student")])
def test_each_table_was_made_by_the_division_of_a_protocol(name: str, protocol: str) -> None:
    assert set(of_table(name).folds) == {PROTOCOLS[protocol].folds}
    assert set(TABLE.split) == {PROTOCOLS[protocol].split} == {"stratified"}
    assert set(TABLE.dataset) == {"gtzan"}


def test_deviations_are_the_papers_alone() -> None:
    assert of_table("table2")["std"].between(0.3, 3).all()
    assert of_table("report")["std"].isna().all()


def test_no_counts_are_published() -> None:
    assert TABLE.params.isna().all()


def test_track_scores_of_the_report_are_shares_of_250_tracks() -> None:
    scores = of_table("report").query("metric != 'raw'")
    tracks = scores.value * 250 / 100
    whole = np.isclose(tracks, tracks.round())
    assert scores.id[~whole].tolist() == [f"{PAPER}/{IMPOSSIBLE}-maj"]
    assert "impossible" in scores.note[~whole].iloc[0]


def test_summed_scores_beat_single_segments() -> None:
    values = TABLE.pivot(index="row", columns="metric", values="value").dropna()
    assert len(values) == 22
    assert (values["max"] > values.raw + 10).all()
    assert (values["max"] - values.maj).abs().max() < 4


def test_nothing_is_published_of_84_bins() -> None:
    empty = TABLE[TABLE.value.isna()]
    assert set(empty.row) == {"report/cqt84-shallow-100", "report/cqt84-deep-100"}
    assert len(empty) == 6
    assert empty.note.str.contains("nothing published").all()


def test_the_text_of_the_report_disagrees_where_the_note_says_so() -> None:
    values = TABLE.set_index("id").value

    def gain(kind: str, network: str, metric: str) -> float:
        row, base = (f"{PAPER}/report/{name}-{network}-{metric}" for name in (kind, "base"))
        return round(values[row] - values[base], 2)

    said = {
        ("cqt", "shallow-100"): 4.0, ("cqt", "shallow-200"): 4.8,
        ("exp", "shallow-100"): 6.0, ("exp", "shallow-200"): 5.6,
        ("cqt-exp", "shallow-100"): 8.0, ("cqt-exp", "shallow-200"): 8.0,
        ("exp", "deep-100"): 0.0, ("cqt-exp", "deep-100"): 3.6,
    }  # fmt: skip
    notes = TABLE.set_index("id").note
    for (kind, network), by_text in said.items():
        by_table = gain(kind, network, "maj")
        assert abs(by_table - by_text) > 0.5
        assert f"{by_table:g}" in notes[f"{PAPER}/report/{kind}-{network}-maj"]


def test_figure_7_is_the_best_row_of_the_report() -> None:
    matrix, classes = fig_7()
    assert matrix.shape == (10, 10)
    assert classes.tolist() == sorted(classes)
    assert (matrix.sum(axis=1) == 25).all()  # the report's division is stratified
    assert matrix.trace() == 214
    best = TABLE[(TABLE.row == ROW) & (TABLE.metric == "max")].value.item()
    assert best == of_table("report").query("metric == 'max'").value.max() == 85.6
    assert 100 * matrix.trace() / matrix.sum() == pytest.approx(best)
