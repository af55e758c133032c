"""`--cluster` gives what `--jobs 1` gives, byte for byte, though a worker is killed midway."""

import multiprocessing
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirkeras.cli.app import main
from mirkeras.cli.train import train
from mirkeras.experiment.records import read_log, read_predictions, read_record
from mirkeras.storage.files import locked
from mirkeras.system import processes

pytest.importorskip("distributed")

PAPER, ROW = "pons_cbmi2016", "table1/time-1x60"


@contextmanager
def killing_a_worker(moment: Callable[[], bool]) -> Iterator[list[int]]:
    """Kill one of Dask's processes as soon as something has happened; gives whom."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set() and not moment():
            time.sleep(0.01)
        workers = [child for child in multiprocessing.active_children() if "Dask" in child.name]
        if workers and not over.is_set():
            killed.append(workers[0].pid)
            workers[0].kill()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def test_features_are_the_same_though_a_worker_is_killed(
    audio_folder: Path, cached: Path, tmp_path: Path, capsys
) -> None:
    places = ["--cache-root", str(tmp_path), "--data-root", str(tmp_path / "data")]
    words = ["features", f"folder:{audio_folder}", "cbmi2016", *places, "--cluster", "local:3"]
    with killing_a_worker(lambda: any(tmp_path.glob("*/cbmi2016.h5.partial/*.npz"))) as killed:
        assert main(words) == 0
    assert killed
    assert "18 tracks" in capsys.readouterr().out
    (made,), (known,) = tmp_path.glob("*/cbmi2016.h5"), cached.glob("*/cbmi2016.h5")
    assert made.read_bytes() == known.read_bytes()
    assert not list(made.parent.glob(".mirkeras.*"))


@pytest.mark.long
def test_runs_are_the_same_though_a_worker_is_killed(
    audio_folder: Path, cached: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(processes, "usable_cores", lambda: 1)  # one thread for every run
    given = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached), "--rows", ROW]
    given += ["--folds", "3", "--epochs", "60"]
    one, many = tmp_path / "one", tmp_path / "many"
    assert train(PAPER, [*given, "--out", str(one), "--jobs", "1"]) == 0
    with killing_a_worker(lambda: any(len(log_of(log)) > 2 for log in many.rglob("log.csv"))):
        assert train(PAPER, [*given, "--out", str(many), "--cluster", "local:3"]) == 0
    runs = [path.parent.relative_to(one) for path in one.rglob("run.json")]
    assert len(runs) == 3
    assert max(len(read_record(many / run)["starts"]) for run in runs) > 1
    for run in runs:
        ours, theirs = read_predictions(many / run), read_predictions(one / run)
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name])
        for name in ("threads", "origin"):
            assert read_record(many / run)[name] == read_record(one / run)[name]
        times = ["seconds"]
        assert (
            read_log(many / run).drop(columns=times).equals(read_log(one / run).drop(columns=times))
        )
        assert weights_of(many / run) == weights_of(one / run)
    tagged = ["tag", str(audio_folder), "--model", str(one / runs[0]), "--format", "csv", "--out"]
    assert main([*tagged, str(tmp_path / "here.csv")]) == 0
    assert main([*tagged, str(tmp_path / "there.csv"), "--cluster", "local:2"]) == 0
    here, there = (pd.read_csv(tmp_path / name) for name in ("here.csv", "there.csv"))
    # other segments share a batch: the last bit, in the sixth decimal where that is rounded
    pd.testing.assert_frame_equal(there, here, rtol=0, atol=1.5e-6)


def log_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def weights_of(run: Path) -> bytes:
    with zipfile.ZipFile(run / "model.keras") as archive:
        return archive.read("model.weights.h5")


@pytest.mark.long
def test_a_second_command_takes_the_free_run_and_then_waits(
    audio_folder: Path, cached: Path, tmp_path: Path, capsys
) -> None:
    given = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached), "--rows", ROW]
    given += ["--folds", "3", "--epochs", "1", "--out", str(tmp_path)]
    assert train(PAPER, [*given, "--only-folds", "1"]) == 0
    (first,) = (path.parent for path in tmp_path.rglob("run.json"))
    claimed = first.parent / "fold02of03"
    last = first.parent / "fold03of03" / "predictions.npz"

    def hold() -> None:
        with locked(claimed / ".lock"):
            begun.set()
            while not last.exists():
                time.sleep(0.1)
            (tmp_path / "released").touch()

    begun = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    assert train(PAPER, [*given, "--only-folds", "2,3"]) == 0
    holder.join()
    assert "1 run(s) are being trained by another command" in capsys.readouterr().err
    assert (claimed / "predictions.npz").stat().st_mtime_ns > last.stat().st_mtime_ns
    assert train(PAPER, [*given, "--only-folds", "4"]) == 1
    assert "--only-folds: there are 3 folds" in capsys.readouterr().err
    assert train(PAPER, [*given, "--only-folds", "2", "--final"]) == 1
    assert "--final needs all folds" in capsys.readouterr().err
    assert os.path.exists(claimed / "model.keras")
