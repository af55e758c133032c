"""The paper's commands from audio to verdict, on small audio of the same form."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.train import train
from mirkeras.evaluation.comparison import COLUMNS
from mirkeras.evaluation.evaluate import evaluate_runs
from mirkeras.experiment.published import published_rows
from mirkeras.experiment.records import read_predictions, read_record
from mirkeras.system.machine import device

PAPER = "pons_cbmi2016"
ROOT = Path(__file__).parents[2]
ROWS = "table1/time-frequency-init"


def arguments(audio: Path, cache: Path, out: Path, **changes) -> list[str]:
    options = {
        "dataset": f"folder:{audio}",
        "cache-root": cache,
        "out": out,
        "rows": ROWS,
        "split": "drawn",
        "folds": 2,
        "epochs": 3,
    } | changes
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def trained(audio_folder: Path, cached: Path, in_process, tmp_path_factory) -> Path:
    """Two folds of Time-FrequencyInit and the rows it starts from, evaluated."""
    out = tmp_path_factory.mktemp("runs")
    assert train(PAPER, arguments(audio_folder, cached, out)) == 0
    assert evaluate(PAPER, ["--out", str(out)]) == 0
    return out


def run_of(out: Path, row: str, fold: str = "fold01of02") -> Path:
    (directory,) = (out / PAPER).glob(f"*/*/{row}/seed0/{fold}")
    return directory


def test_the_rows_it_starts_from_are_trained_too(trained: Path) -> None:
    rows = {read_record(path.parent)["row"] for path in trained.rglob("run.json")}
    assert rows == {"table1/time-1x60", "table1/frequency-32x1", ROWS}


def test_a_run_leaves_its_files_and_where_they_come_from(trained: Path) -> None:
    directory = run_of(trained, ROWS)
    names = {path.name for path in directory.iterdir() if not path.name.startswith(".")}
    assert names == {"run.json", "log.csv", "model.keras", "predictions.npz"}
    record = read_record(directory)
    assert record["status"] == "finished"
    assert (record["epochs"], record["capped"]) == (3, True)
    assert record["recipe"]["recipe"]["name"] == "cbmi2016"
    assert {
        "command",
        "commit",
        "versions",
        "seed",
        "features",
        "hardware",
        "started",
        "finished",
    } <= set(record)


def test_every_track_is_tested_once(trained: Path, audio_folder: Path) -> None:
    folds = [read_predictions(run_of(trained, ROWS, f"fold0{n}of02")) for n in (1, 2)]
    tested = sorted(np.concatenate([fold["tracks"] for fold in folds]))
    assert tested == sorted(f"{path.parent.name}/{path.stem}" for path in audio_folder.glob("*/*"))
    for fold in folds:
        assert sorted([*fold["tracks"], *fold["learned_from"]]) == tested


def test_init_takes_over_the_trained_convolutions(trained: Path) -> None:
    import keras

    def kernel(row: str, layer: str) -> np.ndarray:
        model = keras.saving.load_model(run_of(trained, row) / "model.keras")
        return model.layers[-1].get_layer(layer).get_weights()[0].ravel()

    # three epochs move the filters little: they still are those of Time, not new random ones
    start, end = kernel("table1/time-1x60", "time_conv"), kernel(ROWS, "time_conv")
    assert np.corrcoef(start, end)[0, 1] > 0.9


def test_comparison_has_the_promised_form(trained: Path) -> None:
    table = pd.read_csv(trained / PAPER / "comparison.csv")
    assert list(table.columns) == COLUMNS
    assert (table.verdict == "different data").sum() == 3
    assert (table.verdict == "not run").sum() == 9
    page = (trained / PAPER / "comparison.md").read_text()
    assert "recall fast" in page
    measured = pd.read_csv(trained / PAPER / "measured.csv")
    assert len(measured) == 6
    figures = {path.name.split("-", 3)[-1] for path in (trained / PAPER / "figures").glob("*.png")}
    assert len(figures) == 5  # three confusions, one comparison, training curves


def test_finished_runs_are_skipped(
    trained: Path, audio_folder: Path, cached: Path, capsys: pytest.CaptureFixture
) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("model.keras")}
    assert train(PAPER, arguments(audio_folder, cached, trained)) == 0
    assert "4 run(s) already finished, skipped" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in trained.rglob("model.keras")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 4}, "max_epochs 3, now 4"),
        ({"rows": "table1/nothing"}, "unknown row 'table1/nothing'; rows: table1/black-box"),
        ({"rows": "table1/time-1x200"}, "needs tracks of 250 frames"),
        ({"folds": 19}, "18 tracks cannot be cut into 19 folds"),
        ({"folds": 1}, "--folds must be at least 2"),
        ({"folds": 8, "split": "stratified"}, "each: 'fast' (6), 'medium' (6), 'slow' (6); use"),
        ({"dataset": "nothing"}, "unknown data set 'nothing'"),
        ({"dataset": "folder:/nowhere"}, "/nowhere"),
    ],
)
def test_mistakes_are_one_clear_message(
    changes: dict, message: str, trained: Path, audio_folder: Path, cached: Path, capsys
) -> None:
    assert train(PAPER, arguments(audio_folder, cached, trained, **changes)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_mixed_precision_without_fast_units_is_refused(
    audio_folder, cached, trained, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(device, "half_precision", lambda: None)
    words = [*arguments(audio_folder, cached, trained), "--mixed-precision"]
    assert train(PAPER, words) == 1
    assert "needs a GPU, or a processor that multiplies bfloat16" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--plan"]])
@pytest.mark.parametrize("out", ["file", "file/runs"])
def test_an_out_folder_that_cannot_be_is_refused(
    audio_folder, cached, tmp_path, capsys, out: str, more: list[str]
) -> None:
    (tmp_path / "file").touch()
    assert train(PAPER, [*arguments(audio_folder, cached, tmp_path / out), *more]) == 1
    error = capsys.readouterr().err
    assert str(tmp_path / out) in error
    assert "Traceback" not in error


def test_changed_labels_make_another_run(trained: Path, audio_folder, cached, tmp_path) -> None:
    from mirkeras.experiment import find_experiment
    from mirkeras.experiment.records import RunError
    from mirkeras.experiment.runs import Run, is_finished
    from mirkeras.experiment.setting import Setting
    from mirkeras.training.one_run import origin_of

    (index,) = cached.rglob("index.csv")
    other = tmp_path / "index.csv"
    other.write_text(index.read_text().replace(",slow,", ",SLOW,"))
    run = Run.of(read_record(run_of(trained, ROWS)))

    def finished(index: Path) -> bool:
        caches = {"cbmi2016": cached / run.dataset / "cbmi2016.h5"}
        setting = Setting(trained, index, caches, (), (), "", "", 1, 0, False)
        origin = origin_of(run, find_experiment(PAPER), setting)
        return is_finished(run, run.directory(trained), origin)

    assert finished(index)
    with pytest.raises(RunError, match="other tracks, labels, features or protocol"):
        finished(other)


def test_records_older_than_named_splits_are_still_read(trained: Path, tmp_path) -> None:
    import json
    import shutil

    from mirkeras.experiment.runs import Run, is_finished

    shutil.copytree(trained, tmp_path / "old")
    for path in (tmp_path / "old").rglob("run.json"):
        record = json.loads(path.read_text())
        for name in ("split", "digest"):
            del record[name]
        path.write_text(json.dumps(record))
    assert len(evaluate_runs(PAPER, tmp_path / "old").dropna(subset="measured")) == 3
    record = read_record(run_of(tmp_path / "old", ROWS))
    assert is_finished(Run.of(record), run_of(tmp_path / "old", ROWS), record["origin"])


def test_a_row_whose_sources_failed_says_so(trained: Path, tmp_path) -> None:
    from mirkeras.experiment import find_experiment
    from mirkeras.experiment.records import RunError
    from mirkeras.experiment.runs import Run
    from mirkeras.training.plan import trained_before

    run = Run.of(read_record(run_of(trained, ROWS)))
    with pytest.raises(RunError, match=r"needs table1/time-1x60 .* which is not finished"):
        trained_before(run, find_experiment(PAPER).rows[ROWS], tmp_path)


def test_help_teaches(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="0"):
        train(PAPER, ["--help"])
    text = capsys.readouterr().out
    for word in ("folder:PATH", "table1/black-box-12x8", "without leakage", "MIRKERAS_DATA"):
        assert word in text


def test_evaluation_needs_no_network(trained: Path, monkeypatch) -> None:
    for model in trained.rglob("model.keras"):
        model.rename(model.with_suffix(".away"))
    try:
        table = evaluate_runs(PAPER, trained)
    finally:
        for model in trained.rglob("model.away"):
            model.rename(model.with_suffix(".keras"))
    assert (table.verdict == "different data").sum() == 3


def test_our_parameters_are_the_published_ones() -> None:
    command = [sys.executable, "-m", "mirkeras", "list", PAPER, "--csv"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert listed.stderr == ""
    lines = [line.split(",") for line in listed.stdout.splitlines()]
    assert lines[0] == COLUMNS
    assert len(lines) == 13
    assert [line[2] for line in lines[1:]] == [line[3] for line in lines[1:]]
    assert [int(line[3]) for line in lines[1:]] == published_rows(PAPER).params.tolist()


def test_tensorflow_does_not_talk_over_the_commands() -> None:
    command = [sys.executable, "-m", f"reproductions.{PAPER}.train", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def kill_and_go_on(audio: Path, cache: Path, out: Path, times: int) -> int:
    """Train, killed with SIGKILL at random moments; the last time to the end.

    Half of the kills come a random number of epochs after the start, half a random time after a
    checkpoint was written. Returns how often a kill left a checkpoint to go on from.
    """
    command = [sys.executable, "-m", f"reproductions.{PAPER}.train"]
    command += arguments(audio, cache, out, rows="table1/time-frequency", epochs=1000)
    moments, left = random.Random(0), 0
    for kill in range(times):
        training = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL
        )
        if kill % 2:
            wait_until(lambda: checkpoints(out), training)
            time.sleep(moments.uniform(0, 2))
        else:
            enough = logged_epochs(out) + moments.randint(1, 100)
            wait_until(lambda enough=enough: logged_epochs(out) >= enough, training)
        if training.poll() is None:
            os.killpg(training.pid, signal.SIGKILL)
        training.wait()
        left += bool(checkpoints(out))
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return left


def checkpoints(out: Path) -> list[Path]:
    return list(out.rglob("checkpoint.npz"))


def logged_epochs(out: Path) -> int:
    return sum(len(log.read_text().splitlines()) for log in out.rglob("log.csv"))


def wait_until(condition, training: subprocess.Popen) -> None:
    while not condition() and training.poll() is None:
        time.sleep(0.02)


@pytest.mark.long
def test_training_killed_ten_times_ends_the_same(
    audio_folder: Path, cached: Path, tmp_path: Path
) -> None:
    kill_and_go_on(audio_folder, cached, tmp_path / "whole", times=0)
    assert kill_and_go_on(audio_folder, cached, tmp_path / "killed", times=10) >= 3
    pairs = list((tmp_path / "whole").rglob("predictions.npz"))
    assert len(pairs) == 2
    for whole in pairs:
        killed = tmp_path / "killed" / whole.relative_to(tmp_path / "whole")
        ours, theirs = read_predictions(whole.parent), read_predictions(killed.parent)
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name])
        assert log_of(whole) == log_of(killed)
        assert weights_of(whole) == weights_of(killed)


def log_of(predictions: Path) -> list[str]:
    lines = (predictions.parent / "log.csv").read_text().splitlines()
    return [line.rsplit(",", 1)[0] for line in lines]


def weights_of(predictions: Path) -> list[bytes]:
    import keras

    model = keras.saving.load_model(predictions.parent / "model.keras")
    return [weight.tobytes() for weight in model.get_weights()]
