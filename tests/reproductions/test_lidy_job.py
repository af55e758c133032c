"""A whole MIREX job: lists of three folds, the steps called for each, scores and records."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from mirkeras.cli.evaluate import evaluate
from mirkeras.experiment.records import read_record, write_record
from mirkeras.features import extraction
from mirkeras.system.machine import device
from reproductions.lidy_mirex2016 import job, mirex, mirex_folds, mirex_lists
from reproductions.lidy_mirex2016.mirex_training import Options
from tests.conftest import extract_here
from tests.reproductions.mirex_tones import make_tones


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``audio/high/0.wav`` …, see `make_tones`."""
    folder = tmp_path_factory.mktemp("job")
    make_tones(folder / "audio")
    return folder


def run_here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the job's executables in this process; returns a list that fills with their names."""
    calls: list[str] = []
    monkeypatch.setattr(extraction, "extract_all", extract_here)

    def run(command: list, **options) -> subprocess.CompletedProcess:
        calls.append(Path(command[0]).name)
        return subprocess.CompletedProcess(command, mirex.main([calls[-1], *command[1:]]))

    # threads cannot be set any more once another test has used TensorFlow
    monkeypatch.setattr(device, "configure", lambda **options: None)
    monkeypatch.setattr(mirex_folds.subprocess, "run", run)
    # the commit is asked for by a process, too
    monkeypatch.setattr(mirex_folds.records, "commit", lambda: None)
    return calls


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """See `run_here`."""
    return run_here(monkeypatch)


@pytest.fixture(scope="module")
def finished(home: Path) -> list[str]:
    """A job done once below ``runs``: what it called."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        calls = run_here(monkeypatch)
        assert job.main(job_words(home)) == 0
        return calls


def job_words(home: Path, **changes) -> list[str]:
    artists = home / "artists.txt"
    names = [f"{label}/{number}" for label in ("high", "low") for number in range(6)]
    artists.write_text("".join(f"{name}\t{name[:-1]}{int(name[-1]) // 2}\n" for name in names))
    options = {
        "dataset": f"folder:{home / 'audio'}",
        "cache-root": home / "cache",
        "out": home / "runs",
        "groups": artists,
        "protocol": "code",
        "epochs": 1,
        "jobs": 2,
    } | changes
    given = {name: value for name, value in options.items() if value is not None}
    return [text for name, value in given.items() for text in (f"--{name}", str(value))]


def fold_directories(out: Path) -> list[Path]:
    found = sorted(path.parent for path in out.rglob("run.json"))
    assert len(found) == 3
    return found


def artists_of(path: Path) -> set[str]:
    """Artists in a list of ``…/<class>/<number>.wav``: two tracks each."""
    files = [Path(line.split("\t")[0]) for line in path.read_text().splitlines()]
    return {f"{file.parent.name}/{int(file.stem) // 2}" for file in files}


def check_job(out: Path) -> None:
    """What a finished job of three folds leaves."""
    tested = []
    for directory in fold_directories(out):
        trained, test = (artists_of(directory / f"{part}.txt") for part in ("train", "test"))
        assert not trained & test
        assert len(trained | test) == 6
        files = mirex_lists.read_files(directory / "test.txt")
        given = mirex_lists.read_pairs(directory / "output.txt")
        assert [file for file, _ in given] == files
        right = [Path(file).parent.name == label for file, label in given]
        record = read_record(directory)
        assert record["status"] == "finished"
        assert record["measurements"]["accuracy"] == pytest.approx(100 * np.mean(right))
        assert record["sizes"]["test"] == {"tracks": 4, "segments": 120}
        tested += files
    assert len(tested) == len(set(tested)) == 12


def test_a_job_extracts_once_and_tests_every_file_without_its_artist(
    home: Path, finished: list[str]
) -> None:
    assert finished == ["extractFeatures", *["Train", "Classify"] * 3]
    check_job(home / "runs")
    network = next(home.glob("cache/*/mirex2016/model/model.keras"))
    assert keras.saving.load_model(network).layers[0].name == "z_score"  # protocol code


def test_finished_folds_are_skipped_scored_and_evaluated(
    home: Path, finished, executed: list[str], capsys
) -> None:
    out = home / "runs"
    assert job.main(job_words(home)) == 0
    assert executed == ["extractFeatures"]
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("finished already, skipped") == 3
    accuracies = [read_record(path)["measurements"]["accuracy"] for path in fold_directories(out)]
    assert " ".join(f"{value:.2f}" for value in (*accuracies, np.mean(accuracies))) in printed
    matrix = pd.read_csv(next(out.rglob("confusion-*.csv")), index_col=0)
    assert matrix.to_numpy().sum() == 12
    assert evaluate("lidy_mirex2016", ["--out", str(out)]) == 0
    table = pd.read_csv(out / "lidy_mirex2016" / "comparison.csv").dropna(subset="measured")
    assert table.n.tolist() == [3]
    assert table.measured.iloc[0] == pytest.approx(np.mean(accuracies), abs=0.01)


def test_finished_folds_of_another_network_are_refused(
    home: Path, finished, executed: list[str], monkeypatch, capsys
) -> None:
    record = read_record(fold_directories(home / "runs")[0])
    assert record["origin"].count("-") == 1
    monkeypatch.setattr(Options, "built", lambda options, classes: "another")
    assert job.main(job_words(home)) == 1
    assert "holds a run with another network or optimiser than now" in capsys.readouterr().err
    assert executed == ["extractFeatures"]


@pytest.mark.parametrize(
    ("lost", "repeated"),
    [
        ((), []),
        pytest.param(("output.txt",), ["Train", "Classify"], marks=pytest.mark.long),
    ],
    ids=["killed after its output list", "killed before its output list"],
)
def test_a_job_goes_on_where_it_stopped(
    lost: tuple[str, ...], repeated: list[str], home: Path, finished, executed: list[str], capsys
) -> None:
    fold = fold_directories(home / "runs")[1]
    record = json.loads((fold / "run.json").read_text())
    known = record.pop("measurements")
    write_record(fold, record | {"status": "started"})
    for name in lost:
        (fold / name).unlink()
    assert job.main(job_words(home)) == 0
    assert executed == ["extractFeatures", *repeated]
    assert read_record(fold)["measurements"] == known
    assert capsys.readouterr().out.count("finished already, skipped") == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "mood"}, "has no class 'high', 'low'"),
        ({"task": "mood", "groups": None}, "each file's artist by --groups FILE, or the column"),
        ({"task": "composer", "groups": None}, "keeps every album in one part"),
        ({"task": "mood", "groups": None, "filter": "group"}, "has no class 'high', 'low'"),
        ({"groups": None, "filter": "artist"}, "has no column 'artist'"),
        ({"groups": "SHORT"}, "has no line for 11 track(s), the first is high/1"),
        ({"epochs": 2}, "choose another --out"),
    ],
)
def test_a_job_that_does_not_fit_is_refused(
    changes: dict, message: str, home: Path, finished, tmp_path: Path, executed, capsys
) -> None:
    short = tmp_path / "short.txt"
    short.write_text("high/0\tsomebody\n")
    changes = {name: short if value == "SHORT" else value for name, value in changes.items()}
    assert job.main(job_words(home, **changes)) == 1
    assert message in capsys.readouterr().err
    assert "Train" not in executed


@pytest.mark.parametrize(
    ("changes", "warned", "divided"),
    [
        ({"groups": None}, True, "no groups are known (group): every file is its own"),
        ({"groups": None, "filter": "group"}, True, "no groups are known (group)"),
        ({"groups": None, "filter": "label", "folds": 2}, False, "none of the 2 groups (label) is"),
        ({}, False, "none of the 6 groups (artists.txt) is in two of them"),
    ],
)
def test_folds_that_keep_only_replicas_together_are_warned_of(
    changes: dict, warned: bool, divided: str, home: Path, monkeypatch, capsys
) -> None:
    prepare = job.options.prepared

    def prepare_faulty(*words, **options):
        prepared = prepare(*words, **options)
        return replace(prepared, dataset=replace(prepared.dataset, repeats="Artists repeat."))

    monkeypatch.setattr(job.options, "prepared", prepare_faulty)
    monkeypatch.setattr(job, "draw_folds", lambda *of_files: [None] * of_files[3])
    made = job._job(job._parser().parse_args(job_words(home, **changes)))
    assert made.warning == ("Artists repeat." if warned else "")
    printed = capsys.readouterr()
    assert printed.err.count("warning: Artists repeat.") == warned
    assert divided in printed.out


def test_a_warning_stands_in_the_records(home: Path, finished, executed: list[str]) -> None:
    made = job._job(job._parser().parse_args(job_words(home)))
    features, fold = mirex_folds.extract(made), fold_directories(home / "runs")[0]
    record = read_record(fold)
    assert "warning" not in record
    for warning in ("Artists repeat.", ""):
        write_record(fold, record | {"status": "started"})
        mirex_folds.run_fold(replace(made, warning=warning), "1", 0, features)
        assert read_record(fold).get("warning", "") == warning
    assert "Train" not in executed


@pytest.mark.long
def test_a_job_through_the_real_executables(home: Path, tmp_path: Path) -> None:
    words = job_words(home, out=tmp_path / "runs", **{"cache-root": tmp_path / "cache"})
    assert job.main(words) == 0
    check_job(tmp_path / "runs")
