"""What is ahead is told before it begins: as it will be, and without doing any of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import pandas as pd
import pytest

from data_prep.prepare import prepare
from mirkeras.cache import open_cache
from mirkeras.cli.train import train
from mirkeras.experiment import Experiment, Row, find_experiment
from mirkeras.experiment.division import tracks_of
from mirkeras.experiment.records import read_record, write_record
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Setting
from mirkeras.pipeline.segments import CONSECUTIVE, Consecutive, Drawn, DrawnToTrain
from mirkeras.training.command import foreseen, timing
from mirkeras.training.fit import Timed, time_steps
from mirkeras.training.plan import plan_run
from tests.mirkeras.training.test_fit import make_plan
from tests.one_epoch import PROTOCOL

PAPER = "pons_cbmi2016"
ROWS = "table1/time-1x60,table1/frequency-32x1"


@pytest.fixture(autouse=True)
def _briefly(monkeypatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.05)


@pytest.fixture
def words(audio_folder: Path, tmp_path: Path, in_process) -> list[str]:
    words = ["--dataset", f"folder:{audio_folder}", "--folds", "2", "--rows", ROWS]
    words += ["--data-root", str(tmp_path / "data"), "--cache-root", str(tmp_path / "cache")]
    return [*words, "--out", str(tmp_path / "runs"), "--protocol", "clean"]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_plan_of_what_was_never_begun(words, tmp_path: Path, capsys) -> None:
    assert train(PAPER, [*words, "--plan", "--epochs", "30"]) == 0
    said = capsys.readouterr()
    assert "features: 18 tracks, 0.0 h of audio, 2 recipes: about" in said.out
    assert "plan: 4 run(s), at most 120 epoch(s) in all, 1 at once\n" in said.out
    for row in ROWS.split(","):
        (line,) = (line for line in said.out.splitlines() if line.strip().startswith(row))
        assert "≤ 30" in line
        assert line.endswith(" steps")
    for what in ("time: about", "at most", "included", "memory: 1 × ", "disk: 620 kB, predictions"):
        assert what in said.out
    assert files(tmp_path) == ["index.csv"]


def test_the_plan_counts_what_is_finished_and_learns_from_it(words, capsys) -> None:
    assert train(PAPER, [*words, "--epochs", "1", "--only-folds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "plan: 2 run(s), at most 2 epoch(s) in all, 1 at once\n" in printed
    assert "known from" not in printed, "few epochs are done before they could be timed"
    assert train(PAPER, [*words, "--epochs", "1", "--plan"]) == 0
    printed = capsys.readouterr().out
    assert "features: 2 recipe(s), all here" in printed
    assert "plan: 2 run(s), at most 2 epoch(s) in all, 1 at once; 2 are finished" in printed
    assert printed.count("1 finished run(s)") == 2
    assert "steps" not in printed
    assert train(PAPER, [*words, "--epochs", "1"]) == 0
    # no more at once than there are
    assert train(PAPER, [*words, "--epochs", "1", "--plan", "--jobs", "9"]) == 0
    said = "plan: 0 run(s), at most 0 epoch(s) in all, 1 at once; 4 are finished and skipped\n"
    assert said in capsys.readouterr().out


def test_interrupted_runs_tell_how_long_an_epoch_is(words, tmp_path: Path, capsys) -> None:
    given = [*words, "--rows", ROWS.split(",")[0], "--epochs", "20", "--only-folds", "1"]
    assert train(PAPER, given) == 0
    (path,) = (tmp_path / "runs").rglob("run.json")
    log = "epoch,loss,seconds\n" + "".join(f"{n},1,60\n" for n in range(1, 16))
    (path.parent / "log.csv").write_text(log)
    write_record(path.parent, read_record(path.parent) | {"status": "started"})
    capsys.readouterr()
    assert train(PAPER, [*given, "--plan"]) == 0
    printed = capsys.readouterr().out
    assert "20      60 s  20 min  1 begun run(s)\n" in printed
    assert "time: about 5 min, until" in printed


def test_runs_of_other_hardware_say_nothing_of_time(words, tmp_path: Path, capsys) -> None:
    assert train(PAPER, [*words, "--epochs", "1", "--only-folds", "1"]) == 0
    for path in (tmp_path / "runs").rglob("run.json"):
        write_record(path.parent, read_record(path.parent) | {"threads": 99})
    capsys.readouterr()
    assert train(PAPER, [*words, "--epochs", "1", "--plan"]) == 0
    printed = capsys.readouterr().out
    assert "2 are finished and skipped" in printed
    assert printed.count(" steps\n") == 2


def test_a_set_that_is_not_here_is_planned_as_declared(tmp_path: Path, capsys, in_process) -> None:
    words = ["--dataset", "ballroom", "--rows", ROWS, "--plan"]
    places = ["--data-root", str(tmp_path / "data"), "--cache-root", str(tmp_path / "cache")]
    assert train(PAPER, [*words, *places, "--out", str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr().out
    assert f"ballroom: not in {tmp_path / 'data' / 'ballroom'}; 1.5 GB to fetch." in printed
    assert "698 tracks, 5.8 h of audio" in printed
    assert "plan: 20 run(s), at most 40,000 epoch(s) in all, 1 at once" in printed
    assert files(tmp_path) == []


def test_rows_whose_time_cannot_be_known_before(words, tmp_path: Path, capsys) -> None:
    row = find_experiment("pons_icassp2019_random").headline[0]
    words = [*words[:4], *words[6:-2], "--rows", row, "--epochs", "1"]
    assert train("pons_icassp2019_random", [*words, "--plan"]) == 0
    printed = capsys.readouterr().out
    assert "  1 row(s), 2 run(s): how long they take is not known before one is done" in printed
    assert "time:" not in printed


def test_a_plan_refuses_what_the_command_would(words, tmp_path: Path, capsys) -> None:
    assert train(PAPER, [*words, "--epochs", "1", "--only-folds", "1"]) == 0
    assert train(PAPER, [*words, "--epochs", "9", "--plan"]) == 1
    assert "holds a run with max_epochs 1, now 9 is asked for" in capsys.readouterr().err
    assert train(PAPER, [*words, "--out", "/proc/nowhere", "--plan"]) == 1
    assert "nothing can be made there" in capsys.readouterr().err


def test_tracks_too_short_for_a_row_are_said(known) -> None:
    run, _, setting, tracks = known(CONSECUTIVE, "track")
    said = []
    timing.time_runs([run], setting, replace(tracks, frames={"cbmi2016": 19}), said.append)
    assert said[0]["unfit"] == "it would be refused: a usual track has 19 frames, it needs 20"


def build(outputs: int, activation: str) -> keras.Model:
    pooled = [keras.Input((20, 40)), keras.layers.GlobalMaxPooling1D()]
    return keras.Sequential([*pooled, keras.layers.Dense(outputs, activation=activation)])


CUTS = [CONSECUTIVE, Consecutive(hop=7), Consecutive(drop_last=True), Drawn(3), DrawnToTrain(5)]


@pytest.fixture
def known(audio_folder: Path, cached: Path, tmp_path: Path, monkeypatch) -> Callable:
    """(cut, validate_by) → run, experiment, setting, made-up tracks, as if they had no features."""
    prepared = prepare(f"folder:{audio_folder}", data_root=tmp_path, cache_root=cached)
    path = prepared.home / "cbmi2016.h5"
    setting = Setting(
        tmp_path / "runs", prepared.home / "index.csv", {"cbmi2016": path}, (), (), "", "here", 1,
        10**9, False,
    )  # fmt: skip

    def make(cut, validate_by: str) -> tuple:
        select = {"select_by": "last"} if validate_by == "test" else {}
        protocol = replace(PROTOCOL, cut=cut, validate_by=validate_by, **select)
        rows = {"net": Row("net", "net", build, 20, "cbmi2016")}
        found = Experiment("paper", rows, ("net",), {"paper": protocol}, batch=4)
        monkeypatch.setattr(timing, "find_experiment", lambda paper: found)
        run = Run("paper", "net", prepared.home.name, "paper", 0, 0, 3, 5)
        each = int(open_cache(path).offsets[1])
        return run, found, setting, timing.MadeUp.of(prepared, {"cbmi2016": each})

    return make


@pytest.mark.parametrize("validate_by", ["track", "segment", "test"])
@pytest.mark.parametrize("cut", CUTS, ids=repr)
def test_made_up_segments_are_as_many_as_the_real_ones(known, cut, validate_by: str) -> None:
    run, experiment, setting, made_up = known(cut, validate_by)
    cache = open_cache(setting.caches["cbmi2016"])
    real, _, _ = plan_run(run, experiment, setting, cache, tracks_of(cache, setting.index))
    noise, sizes, held = timing._plan_made_up(run, experiment, setting, made_up)
    assert sizes == [len(real.train), len(real.validation), len(real.test)]
    assert held == cache.memmap().nbytes
    assert bool(len(noise.validation)) == bool(len(real.validation))


@pytest.mark.parametrize("made_up", [True, False])
def test_an_epoch_is_its_steps_and_its_validation(known, monkeypatch, made_up: bool) -> None:
    timed = Timed(step=2.0, scored=0.25, steps=9, seconds=0.0)
    monkeypatch.setattr(timing, "time_steps", lambda *_: timed)
    run, _, setting, tracks = known(CONSECUTIVE, "track")
    found = timing._time_run(run, setting, tracks if made_up else None)
    _, (train, validation, test), _ = timing._plan_made_up(run, *_of(known), tracks)
    assert found["per_epoch"] == 2.0 * -(-train // 4) + 0.25 * validation
    assert found["after"] == 0.25 * test
    assert found["before"] > 0
    assert found["weights"] == 40 * 3 + 3


def _of(known: Callable) -> tuple:
    _, experiment, setting, _ = known(CONSECUTIVE, "track")
    return experiment, setting


@pytest.mark.parametrize("validates", [True, False])
def test_steps_are_timed_and_the_training_ends(cached: Path, validates: bool) -> None:
    changes = {} if validates else {"select_by": "last", "metrics": ()}
    plan = make_plan(cached, **changes)
    if not validates:
        plan = replace(plan, validation=plan.validation[:0])
    timed = time_steps(plan, steps=5, seconds=0.1)
    assert timed.steps >= 2
    assert timed.step > 0
    assert timed.scored > 0
    assert timed.seconds >= timed.steps * timed.step


def test_likely_epochs_are_those_that_runs_ended_with(monkeypatch) -> None:
    rows = ["table1/frequency-32x1"] * 4 + ["table1/time-1x60"]
    known = pd.DataFrame({
        "row": rows, "protocol": ["code"] * 3 + ["clean", "code"],
        "epochs": [100, 110, 50, 300, 200], "capped": [False, False, True, False, False],
    })  # fmt: skip
    monkeypatch.setattr(foreseen, "recorded", {PAPER: known, "schindler_gtzan": known}.get)
    experiment = find_experiment(PAPER)
    run = Run(PAPER, "table1/frequency-32x1", "ballroom", "code", 0, 0, 10, 2000)
    others = replace(run, row="table1/time-1x200"), replace(run, row=rows[-1], protocol="paper")
    # its own that were not cut, else those of the protocol, else of the paper
    assert foreseen._likely_epochs(run, experiment) == 105
    assert foreseen._likely_epochs(others[0], experiment) == 110
    assert foreseen._likely_epochs(others[1], experiment) == 155
    assert foreseen._likely_epochs(replace(run, max_epochs=7), experiment) == 7
    schindler = Run("schindler_gtzan", "table2/deep-100", "gtzan", "paper", 0, 0, 4, 100)
    assert foreseen._likely_epochs(schindler, find_experiment("schindler_gtzan")) == 100
