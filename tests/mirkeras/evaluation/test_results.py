import re

import numpy as np
import pandas as pd
import pytest

from mirkeras.evaluation import evaluate, results
from mirkeras.evaluation.comparison import COLUMNS, SETUP, compare
from mirkeras.evaluation.results import with_known_repeats
from mirkeras.experiment import find_experiment, published
from mirkeras.experiment.published import ResultsError, published_rows
from mirkeras.experiment.records import RunError, read_predictions, write_predictions, write_record
from mirkeras.experiment.runs import Run
from mirkeras.report.tables import markdown
from mirkeras.storage.tables import CHECK, TableError, write_checked_csv

PAPER = "pons_cbmi2016"
TIME = "table1/time-1x60"


def measured(values: list[float], **changes) -> pd.DataFrame:
    """Ten folds of Time on Ballroom as the paper has them, unless changed."""
    lines = {
        "paper": PAPER,
        "row": TIME,
        "dataset": "ballroom",
        "split": "drawn",
        "protocol": "code",
        "seed": 0,
        "fold": range(len(values)),
        "folds": 10,
        "max_epochs": 2000,
        "capped": False,
        "parameters": 7336,
        "features": "f",
        "accuracy": values,
    }
    return pd.DataFrame(lines | changes)


def line_of(table: pd.DataFrame, row: str = TIME) -> pd.Series:
    return table.set_index("id").loc[f"{PAPER}/{row}"]


def test_published_rows_are_the_papers() -> None:
    table = published_rows(PAPER).set_index("id")
    assert len(table) == 12
    assert table.value[f"{PAPER}/table1/time-frequency-init"] == 87.68
    assert table["std"][f"{PAPER}/table1/frequency-40x1"] == 5.63
    assert (table.folds == 10).all()
    assert table.source.str.startswith("Pons, Lidy & Serra 2016, Table I").all()


def test_ten_folds_of_the_papers_data_are_judged() -> None:
    near = np.array([75, 78, 80, 80, 82, 83, 84, 85, 86, 87.0])
    assert line_of(with_known_repeats(PAPER, measured(near))).verdict == "consistent"
    assert line_of(with_known_repeats(PAPER, measured(near + 15))).verdict == "above"
    assert line_of(with_known_repeats(PAPER, measured(near - 15))).verdict == "below"


def test_difference_and_interval_by_hand() -> None:
    line = line_of(with_known_repeats(PAPER, measured([80.0] * 5 + [84.0] * 5)))
    assert (line.measured, line.measured_std, line.n) == (82.0, 2.0, 10)
    assert line.difference == pytest.approx(0.21)
    # Welch: variances 2²/9 and 4.72²/9, about 12 degrees of freedom, t = 2.18
    assert (line.low, line.high) == pytest.approx((0.21 - 3.72, 0.21 + 3.72), abs=0.05)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"dataset": "music_speech"}, "data set music_speech, not ballroom"),
        ({"dataset": "ballroom-stand-in"}, "data set ballroom-stand-in"),
        ({"protocol": "clean"}, "split of protocol clean"),
        ({"folds": 12}, "12 folds, published 10; 10 of 12 folds run"),
        ({"features": [*"fffffffffg"]}, "audio changed between the runs"),
        ({"capped": True, "max_epochs": 5}, "training cut at 5 epochs"),
    ],
)
def test_anything_else_is_different_data(changes: dict, note: str) -> None:
    line = line_of(with_known_repeats(PAPER, measured([81.0] * 10, **changes)))
    assert line.verdict == "different data"
    assert note in line.note


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),  # older records, and what has no epochs
        ({"epochs": np.nan}, ""),
        ({"epochs": 150.0}, "150"),
        ({"epochs": np.arange(193.0, 203.0)}, "193–202"),
        ({"epochs": 30, "capped": [False] * 9 + [True]}, "30 (cut)"),
    ],
)
def test_it_is_said_how_long_networks_were_trained(changes: dict, said: str) -> None:
    table = with_known_repeats(PAPER, measured([80.0] * 10, **changes))
    assert line_of(table).epochs == said
    assert f"| 10 | {said} | -1.79" in markdown(table)
    assert line_of(table, "table1/time-1x200").epochs == ""


def test_a_part_of_the_folds_is_different_data() -> None:
    line = line_of(with_known_repeats(PAPER, measured([80.0, 82.0])))
    assert line.verdict == "different data"
    assert line.note == "2 of 10 folds run"


def test_fold_counts_are_never_mixed() -> None:
    mixed = pd.concat([measured([80.0] * 10), measured([60.0] * 3, folds=3)])
    lines = with_known_repeats(PAPER, mixed).dropna(subset="measured")
    assert lines[["measured", "n"]].values.tolist() == [[60.0, 3], [80.0, 10]]
    assert lines.verdict.tolist()[0] == "different data"


def test_an_unfinished_second_seed_is_no_full_measurement() -> None:
    seeds = pd.concat([measured([80.0] * 10), measured([81.0] * 3, seed=1)])
    assert line_of(with_known_repeats(PAPER, seeds)).note == "3 of 10 folds run"
    whole = pd.concat([measured([80.0] * 10), measured([81.0] * 10, seed=1)])
    assert line_of(with_known_repeats(PAPER, whole)).n == 20


def test_a_run_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ResultsError, match="seed 0 fold 0 is twice"):
        with_known_repeats(PAPER, pd.concat([measured([80.0] * 10), measured([80.0])]))


def test_rows_without_runs_are_not_run() -> None:
    table = with_known_repeats(PAPER, measured([81.0] * 10))
    assert (table.verdict == "not run").sum() == 11
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS


def test_protocols_are_lines_of_their_own() -> None:
    both = pd.concat([measured([81.0] * 10), measured([60.0] * 10, protocol="clean")])
    lines = with_known_repeats(PAPER, both)
    lines = lines[lines.id == f"{PAPER}/{TIME}"].set_index("dataset")
    assert lines.measured.to_dict() == {"ballroom:clean": 60.0, "ballroom:code": 81.0}


def tagged(values: list[float], **changes) -> pd.DataFrame:
    """Runs of SampleCNN at 8,000 Hz on MagnaTagATune, a seed each, as the paper has it."""
    lines = {
        "paper": "lee_samplecnn",
        "row": "table5/8000",
        "dataset": "magnatagatune",
        "split": "mtat-lee",
        "protocol": "paper",
        "seed": range(len(values)),
        "fold": 0,
        "folds": 1,
        "max_epochs": 200,
        "capped": False,
        "parameters": 2067250,
        "features": "f",
        "roc_auc": values,
    }
    return pd.DataFrame(lines | changes)


def area_of(measured: pd.DataFrame, id: str = "table5/8000-auc") -> pd.Series:
    return with_known_repeats("lee_samplecnn", measured).set_index("id").loc[f"lee_samplecnn/{id}"]


def test_a_single_published_number_is_judged_by_several_runs_of_ours() -> None:
    near = np.array([0.902, 0.903, 0.904])
    assert area_of(tagged(near)).verdict == "consistent"
    assert area_of(tagged(near - 0.02)).verdict == "below"
    assert area_of(tagged(near + 0.02)).verdict == "above"
    alone = area_of(tagged([0.9031]))
    assert (alone.verdict, alone.difference) == ("no interval", 0.0)
    assert "--seeds" in alone.note


def test_scores_on_another_split_are_never_compared() -> None:
    line = area_of(tagged([0.90, 0.91], split="mtat-pons"))
    assert line.verdict == "different data"
    assert line.note == "split mtat-pons, not mtat-lee"


def test_one_network_stands_beside_every_row_it_is_published_in() -> None:
    table = with_known_repeats("lee_samplecnn", tagged([0.905, 0.906], row="table5/22050"))
    found = table[table.verdict == "undecided"].id.str.removeprefix("lee_samplecnn/").tolist()
    assert found == [
        "table2/sample-3-3",
        "table5/22050-auc",
        "table6/samplecnn-3-9-magnatagatune",
    ]
    # its row on another data set is not judged by these runs, nor by runs on a part of the set
    for name in ("magnatagatune", "magnatagatune-stand-in"):
        other = tagged([0.905], row="table5/22050", dataset=name)
        assert area_of(other, "table6/samplecnn-3-9-msd").n is pd.NA


def test_cited_rows_and_unpublished_networks_are_said_to_be_so() -> None:
    runs = tagged([0.8, 0.9]).drop(columns="roc_auc").assign(accuracy=[80.0, 90.0])
    table = with_known_repeats("lee_samplecnn", runs)
    assert (table.verdict == "cited").sum() == 17
    (line,) = table[table.verdict == "not published"].itertuples()
    assert (line.id, line.measured, line.n) == ("lee_samplecnn/table5/8000", 85.0, 2)


def test_times_are_of_other_hardware() -> None:
    times = tagged([0.5, 0.6]).drop(columns="roc_auc")
    times = times.assign(dataset="timing", split="drawn", time_ratio=[0.5, 0.6], hardware="toaster")
    line = area_of(times, "table5/8000-time-ratio")
    assert (line.verdict, line.note) == ("different hardware", "timed on toaster")


def test_times_of_two_machines_are_never_averaged(tmp_path, monkeypatch) -> None:
    times = tagged([0.5, 0.6]).drop(columns="roc_auc")
    times = times.assign(dataset="timing", split="drawn", time_ratio=[0.5, 0.6], hardware="oven")
    other = times.assign(hardware="toaster", time_ratio=[0.2, 0.2])
    table = with_known_repeats("lee_samplecnn", pd.concat([times, other], ignore_index=True))
    lines = table[(table.metric == "time_ratio") & table.n.notna()]
    assert lines[["measured", "n"]].values.tolist() == [[0.55, 2], [0.2, 2]]
    (tmp_path / "published").mkdir()
    source = published.RESULTS / "published" / "lee_samplecnn.csv"
    (tmp_path / "published" / "lee_samplecnn.csv").write_text(source.read_text())
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    results.publish("lee_samplecnn", times)
    results.publish("lee_samplecnn", other)
    assert len(results.recorded("lee_samplecnn")) == 4


def test_features_of_other_networks_are_another_measurement() -> None:
    layer = tagged([82.0, 83.0], row="table6/layer-1", dataset="gtzan", split="fault-filtered")
    layer = layer.rename(columns={"roc_auc": "accuracy"}).assign(extractors="msd:table5/22050")
    esc = layer.assign(extractors="esc50:table5/8000", pretrained="features trained on esc50")
    lines = with_known_repeats("lee_samplecnn", pd.concat([layer, esc], ignore_index=True))
    lines = lines[lines.id == "lee_samplecnn/table6/layer-1-gtzan"].set_index("dataset")
    judged = lines.verdict.to_dict()
    assert judged == {
        "gtzan@fault-filtered:paper ← esc50:table5/8000": "different data",
        "gtzan@fault-filtered:paper ← msd:table5/22050": "undecided",
    }


def test_markdown_shows_the_interval_and_the_reason() -> None:
    page = markdown(with_known_repeats(PAPER, measured([81.0, 83.0], folds=2)))
    assert (
        "| Time 1×60 | accuracy | 7,336 | 82.3 | 81.79 ± 4.72 | ballroom:code | 82.00 ± 1.00 | 2 |"
        in page
    )
    assert "- 2 folds, published 10" in page


def test_unknown_papers_and_empty_folders_are_named(tmp_path) -> None:
    with pytest.raises(ResultsError, match="unknown paper 'nobody'; known: lee_samplecnn, "):
        published_rows("nobody")
    with pytest.raises(ResultsError, match="no finished run of pons_cbmi2016"):
        results.collect(tmp_path, PAPER, dict)


def test_publishing_replaces_runs_of_the_same_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "published").mkdir()
    source = published.RESULTS / "published" / f"{PAPER}.csv"
    (tmp_path / "published" / f"{PAPER}.csv").write_text(source.read_text())
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    results.publish(PAPER, measured([70.0] * 10))
    results.publish(PAPER, measured([80.0] * 5, commit="12345e678901"))
    kept = results.recorded(PAPER)
    assert kept.accuracy.tolist() == [80.0] * 5 + [70.0] * 5
    assert kept.commit[0] == "12345e678901"
    assert "75.00 ± 5.00" in (tmp_path / "pages" / f"{PAPER}.md").read_text()


@pytest.mark.parametrize("paper", [p for p in published.papers() if len(results.recorded(p))])
def test_what_was_measured_is_as_it_was_written(paper) -> None:
    runs = results.recorded(paper)  # checked line by line
    assert {"row", "seed", *SETUP} < set(runs)
    assert CHECK not in runs
    assert runs.paper.unique().tolist() == [paper]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace(",80.0,", ",90.0,", 1), "line 2: it was changed"),
        (lambda text: text[: len(text) // 2], "line 6: "),
        (lambda text: text.replace(",seed,", ",sead,"), "line 1: the table has no column seed"),
        (lambda text: re.sub(",[^,]+$", "", text, flags=re.MULTILINE), f"column, {CHECK}, are"),
        (lambda text: "null", "line 1: the table has no column"),
        (lambda text: "", "line 1: it is empty"),
        (lambda text: "\xff" + text, "line 2: it was changed"),
    ],
)
def test_an_edited_measurement_is_named_with_the_remedy(tmp_path, monkeypatch, edit, message):
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    path = tmp_path / "measured" / f"{PAPER}.csv"
    write_checked_csv(measured([80.0] * 10).assign(note="a"), path)
    path.write_bytes(edit(path.read_text()).encode("latin-1"))
    with pytest.raises(TableError, match=f"{PAPER}.csv, .*{message}.*; restore it, or delete it"):
        results.recorded(PAPER)


def test_predictions_come_back_and_damage_is_named(tmp_path) -> None:
    arrays = {"scores": np.eye(2, dtype="float32"), "tracks": np.array(["a/1", "b/ü"])}
    write_predictions(tmp_path, **arrays)
    loaded = read_predictions(tmp_path)
    np.testing.assert_array_equal(loaded["scores"], arrays["scores"])
    assert loaded["tracks"].tolist() == ["a/1", "b/ü"]
    content = (tmp_path / "predictions.npz").read_bytes()
    (tmp_path / "predictions.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match=r"predictions\.npz cannot be read"):
        read_predictions(tmp_path)


def test_objects_in_predictions_are_not_loaded(tmp_path) -> None:
    np.savez(tmp_path / "predictions.npz", scores=np.array([print], dtype=object))
    with pytest.raises(RunError, match="allow_pickle"):
        read_predictions(tmp_path)


def test_a_damaged_record_is_named(tmp_path) -> None:
    write_record(tmp_path, {"status": "finished"})
    for text in ('{"status": "fin', "{}"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(RunError, match=r"run\.json is damaged"):
            results.collect(tmp_path.parent, tmp_path.name, dict)


def schindler(row: str, values: list[float], **changes) -> pd.DataFrame:
    """Folds of a row of Schindler et al. on GTZAN as the paper has them, unless changed."""
    plain = {"paper": "schindler_gtzan", "row": row, "dataset": "gtzan", "split": "stratified"}
    plain |= {"protocol": "paper", "folds": 4, "max_epochs": 100}
    lines = measured(values, **(plain | changes)).rename(columns={"accuracy": "max"})
    return lines.assign(maj=lines["max"], raw=lines["max"] - 12)


def test_a_number_is_compared_with_its_own_protocol_only() -> None:
    four = [78.0, 79.0, 77.5, 78.2]
    shallow = "table2/shallow-100"
    table = with_known_repeats("schindler_gtzan", schindler(shallow, four))
    lines = table.set_index("id")
    assert "split stratified: Folds drawn at random" in lines.note[f"schindler_gtzan/{shallow}-max"]
    part = schindler(shallow, four, dataset="gtzan-jazz-rock")
    noted = (
        with_known_repeats("schindler_gtzan", part)
        .set_index("id")
        .note[f"schindler_gtzan/{shallow}-max"]
    )
    assert "Folds drawn at random" in noted
    own = schindler(shallow, four[:1], split="fault-filtered", folds=1)
    noted = (
        with_known_repeats("schindler_gtzan", own)
        .set_index("id")
        .note[f"schindler_gtzan/{shallow}-max"]
    )
    assert "Folds drawn at random" not in noted
    assert lines.verdict[f"schindler_gtzan/{shallow}-max"] == "consistent"
    other = with_known_repeats("schindler_gtzan", schindler(shallow, four, protocol="student"))
    line = other.set_index("id").loc[f"schindler_gtzan/{shallow}-max"]
    assert line.verdict == "different protocol"
    assert "protocol student, published paper" in line.note
    fewer = schindler(shallow, four[:1], protocol="student", folds=1)
    line = (
        with_known_repeats("schindler_gtzan", fewer)
        .set_index("id")
        .loc[f"schindler_gtzan/{shallow}-max"]
    )
    assert line.verdict == "different data"


def test_what_nobody_published_is_measured_without_a_verdict() -> None:
    runs = schindler("report/cqt84-deep-100", [80.0], protocol="student", folds=1)
    table = with_known_repeats("schindler_gtzan", runs.assign(warning="Artists repeat."))
    line = table.set_index("id").loc["schindler_gtzan/report/cqt84-deep-100-maj"]
    assert (line.verdict, line.measured, line.n) == ("not published", 80.0, 1)
    assert "split stratified: Artists repeat." in line.note.splitlines()
    page = markdown(table[table.measured.notna()])
    assert page.count("- split stratified: Artists repeat.") == 1
    unrun = table.set_index("id").verdict["schindler_gtzan/report/cqt84-shallow-100-maj"]
    assert unrun == "not published"


def test_unknown_folds_of_a_publication_are_no_difference() -> None:
    row = "mirex2015/music-speech"
    runs = measured([99.0] * 3, paper="lidy_mirex2016", row=row, folds=3)
    runs = runs.assign(dataset="mirex2015-music-speech", split="mirex")
    line = with_known_repeats("lidy_mirex2016", runs).set_index("id").loc[f"lidy_mirex2016/{row}"]
    assert line.verdict in ("below", "consistent")
    assert "folds" not in line.note


def test_counts_are_those_of_the_published_protocol() -> None:
    table = results.listing("schindler_gtzan").set_index("id").params
    assert table["schindler_gtzan/table2/deep-100-raw"] == 1_280_002
    assert table["schindler_gtzan/report/exp-deep-100-raw"] == 1_279_522
    assert table["schindler_gtzan/report/base-shallow-200-raw"] == 2_060_610
    assert results.listing("lidy_mirex2016").set_index("id").params.tolist()[-1] == 3_068_057


def test_accuracies_of_a_network_whose_paper_prints_areas_are_shown() -> None:
    areas = published_rows("lee_samplecnn").query("metric == 'roc_auc'").head(1)
    table = compare(areas, measured([60.0, 80.0], row=areas.row.iloc[0]))
    assert table.verdict.tolist() == ["not run", "not published"]
    assert table.measured.iloc[1] == 70


def test_a_set_up_may_hold_tags_and_classes(tmp_path) -> None:
    """What has tags may be learned as something that has classes: sung phonemes."""
    each, experiment = np.arange(3), find_experiment("pons_eusipco2017")
    names = {"classes": np.array(["a", "b", "c"]), "tracks": np.array(["x", "y", "z"])}
    known = {"scores": np.eye(3, dtype=np.float32), "segment_track": each} | names
    runs = pd.concat(
        measured([100.0], paper="pons_eusipco2017", row=row, protocol="paper", folds=1).assign(
            segment_accuracy=100.0
        )
        for row in ("tagging/proposed-1", "phonemes/choi")
    )
    for line, labels in zip(runs.to_dict("records"), (np.eye(3), each), strict=True):
        directory = Run.of(line).directory(tmp_path)
        directory.mkdir(parents=True)
        write_predictions(directory, labels=labels, **known)
    pages = evaluate._details(runs, tmp_path / "figure", tmp_path, experiment)
    assert [("ROC-AUC per tag" in page, "classes" in page) for page in pages] == [
        (True, False), (False, True)
    ]  # fmt: skip
