"""One's own folder of classes: train, look, tag, with one command each."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirkeras.cli.app import main
from mirkeras.experiment.records import read_log, read_predictions, read_record
from mirkeras.experiment.schedules import Replayed
from mirkeras.tagging import Tagger
from mirkeras.training.command import baselines
from tests.conftest import make_classes

PAPER, ROW = "pons_cbmi2016", "table1/time-1x60"

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    make_classes(folder / "music", tracks=4)
    return folder


def words(home: Path, **more) -> list[str]:
    options = {
        "dataset": f"folder:{home / 'music'}",
        "rows": ROW,
        "folds": 2,
        "epochs": 3,
        "out": home / "runs",
        "cache-root": home / "cache",
    } | more
    return [str(word) for name, value in options.items() for word in (f"--{name}", value)]


@pytest.fixture(scope="module")
def said(home: Path) -> str:
    """What training says, a network on all data included."""
    with redirect_stdout(io.StringIO()) as text:
        assert main(["train", PAPER, *words(home), "--final"]) == 0
    return text.getvalue()


def test_training_ends_with_score_baselines_and_what_comes_next(said: str, home: Path) -> None:
    lines = said.splitlines()
    runs = [read_predictions(path.parent) for path in home.rglob("fold*of02/predictions.npz")]
    accuracies = [
        100 * np.mean(run["scores"].argmax(axis=1) == run["labels"][run["segment_track"]])
        for run in runs
    ]
    assert len(accuracies) == 2
    (line,) = [line for line in lines if line.startswith(f"{ROW}: accuracy")]
    assert " ± " in line
    assert line.endswith("2 runs (folds × seeds)")
    (easy,) = [line for line in lines if line.startswith("what is easy")]
    assert "majority 33.33" in easy
    assert "MFCC, nearest neighbour" in easy
    (look,) = [line for line in lines if line.startswith("look at it:")]
    assert look.endswith(f"mirkeras evaluate {PAPER} --out {home / 'runs'}")
    (tag,) = [line for line in lines if line.startswith("tag with it:")]
    assert Path(tag.split("--model ")[1]).is_dir()


def test_the_network_of_all_data_repeats_the_median_fold(said: str, home: Path) -> None:
    (directory,) = home.glob(f"runs/{PAPER}/*@final/*/{ROW}/seed0/fold01of01")
    record = read_record(directory)
    folds = {path.parent: read_record(path.parent) for path in home.rglob("fold*of02/run.json")}
    median = sorted(folds.values(), key=lambda one: one["best_epoch"])[0]
    assert record["epochs"] == record["max_epochs"] == median["best_epoch"]
    assert record["scored"] == "no test score"
    assert record["sizes"]["train"]["tracks"] == 12
    (replayed,) = [path for path in folds if path.name == record["replays"]]
    rates = read_log(replayed).learning_rate[: record["epochs"]]
    assert read_log(directory).learning_rate.tolist() == rates.tolist()
    tagged = Tagger(directory).tag(home / "music" / "slow" / "00.wav")
    assert tagged.tags == ("fast", "medium", "slow")


def test_rates_are_repeated() -> None:
    rule = Replayed((0.1, 0.1, 0.05))
    memory, rate = rule.start(), 0.1
    found = []
    for _ in range(4):
        found.append(rate)
        rate *= rule.step(memory, {}).factor
    assert found == pytest.approx([0.1, 0.1, 0.05, 0.05])


def test_tables_of_own_data_hold_nothing_of_other_data(said: str, home: Path, capsys) -> None:
    place = home / "runs" / PAPER
    assert main(["evaluate", PAPER, "--out", str(home / "runs")]) == 0
    table = capsys.readouterr().out
    assert "| row | metric | parameters | data | measured | n |" in table
    assert "| MFCC, nearest neighbour |" in table
    assert "published |" not in table
    assert "@final" not in table
    (path,) = (place / "predictions").glob("*.csv")
    decided = pd.read_csv(path)
    assert list(decided) == [
        *("track", "true", "decided", "score fast", "score medium", "score slow", "seed", "fold")
    ]
    assert len(decided) == 12
    assert main(["evaluate", PAPER, "--out", str(home / "runs"), "--all-rows"]) == 0
    assert "published" in capsys.readouterr().out
    assert (place / "comparison.md").read_text().count("not run") > 5


def test_finished_runs_are_listed(said: str, home: Path, capsys) -> None:
    assert main(["list", PAPER, "--runs", str(home / "runs"), "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run,dataset,protocol,epochs,metric,score,finished"
    assert len(lines) == 4
    assert sum("no test score" in line for line in lines) == 1
    assert main(["list", "--runs", str(home / "music")]) == 1
    assert "no finished run below" in capsys.readouterr().err


def test_baselines_by_hand() -> None:
    labels = np.array(["a", "a", "b", "a", "b", "b"])
    tempi = np.log([100.0, 110, 200, 105, 190, 101])
    values = np.array([[1.0, 0], [2, 0.1], [0, 1], [1, 0.2], [0.1, 3], [0, 2]])
    found = baselines._of_division(labels, tempi, values, np.arange(3), np.arange(3, 6))
    assert found == {
        "majority": 33.33,
        "stratified random": 44.44,  # (2/3 + 1/3 + 1/3) / 3
        "tempo, nearest neighbour": 66.67,
        "MFCC, nearest neighbour": 100.0,
    }
    unknown = baselines._of_division(labels, tempi * np.nan, None, np.arange(3), np.arange(3, 6))
    assert set(unknown) == {"majority", "stratified random"}


@pytest.mark.parametrize("command", ["train", "evaluate", "compare", "list"])
def test_a_paper_that_is_none_is_refused(command: str, capsys) -> None:
    assert main([command, "os"]) == 1
    assert "unknown paper 'os'; known: lee_samplecnn" in capsys.readouterr().err


def test_a_network_of_all_data_is_for_networks(home: Path, capsys) -> None:
    given = words(home, rows="figures/mfcc-svm")
    assert main(["train", "pons_icassp2019_random", *given, "--final"]) == 1
    assert "--final is for rows that train a network" in capsys.readouterr().err
