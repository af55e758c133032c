"""What a command finds of earlier ones: finished runs, other networks, damage, interruptions."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import keras
import pytest
from tensorflow.python.eager.context import Context

from mirkeras.cli.train import train
from mirkeras.experiment import Experiment, Row
from mirkeras.experiment.records import read_record, write_record
from mirkeras.experiment.setting import Setting
from mirkeras.system import jobs, processes
from tests.one_epoch import PROTOCOL

BACKEND = keras.backend.backend()
ON_TENSORFLOW = pytest.mark.skipif(BACKEND != "tensorflow", reason="about TensorFlow")
PAPER, ROW, HEAD = "package.waves_paper", "net", "head"


def build(outputs: int, activation: str, *, filters: int = 2, rate: float = 0.1) -> keras.Model:
    layers = [
        keras.Input((80, 40)),
        keras.layers.Conv1D(filters, 8, activation="relu"),
        keras.layers.GlobalMaxPooling1D(),
        keras.layers.Dropout(rate),
        keras.layers.Dense(outputs, activation=activation),
    ]
    return keras.Sequential(layers)


def build_head(outputs: int, activation: str, *, features: int) -> keras.Model:
    return keras.Sequential([keras.Input((1, features)), keras.layers.Flatten(),
                             keras.layers.Dense(outputs, activation)])  # fmt: skip


def experiment(build: Callable = build) -> Experiment:
    rows = {
        ROW: Row(ROW, "net", build, 80, "cbmi2016", standardise=False),
        HEAD: Row(HEAD, "head", build_head, 1, learner="head", features_from=(ROW,), layers=(-1,)),
    }
    return Experiment(PAPER, rows, (ROW,), {"paper": PROTOCOL}, batch=4)


@pytest.fixture(scope="module")
def paper(in_process):
    module = ModuleType("experiments")
    module.EXPERIMENT = experiment()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "package", ModuleType("package"))
        patch.setitem(sys.modules, PAPER, module)
        yield module


@pytest.fixture(scope="module")
def words(audio_folder: Path, cached: Path, tmp_path_factory) -> list[str]:
    out = tmp_path_factory.mktemp("waves")
    words = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached)]
    return [*words, "--data-root", str(out / "data"), "--out", str(out), "--folds", "2"]


@pytest.fixture(scope="module")
def trained(paper, words: list[str]) -> list[Path]:
    assert train(PAPER, words) == 0
    return sorted(path.parent for path in Path(words[words.index("--out") + 1]).rglob("run.json"))


@pytest.fixture
def kept(trained: list[Path]):
    """Give a finished run back as it was."""
    before = {path: path.read_bytes() for path in trained[0].iterdir()}
    yield trained[0]
    for path in set(trained[0].iterdir()) - set(before):
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)


def as_of_old(directory: Path, **changes) -> None:
    """Let a record be one of an older version, which had neither network nor digests."""
    record = read_record(directory) | changes
    record["origin"] = record["origin"].partition("-")[0]
    for name in ("starts", "backend", "files"):
        del record[name]
    (directory / "run.json").write_text(json.dumps(record))


def test_a_record_says_what_computed_it(trained: list[Path]) -> None:
    record = read_record(trained[0])
    assert record["backend"] == BACKEND
    assert record["versions"].keys() >= {"keras", BACKEND}
    assert (record["mixed_precision"], record["tf32"]) == (False, False)


@pytest.mark.parametrize(
    "changes",
    [{"build": partial(build, filters=3)}, {"build": partial(build, rate=0.2)}],
    ids=["filters", "rate"],
)
def test_a_finished_run_of_another_network_is_not_finished(
    trained, paper, words, monkeypatch, capsys, changes: dict
) -> None:
    assert train(PAPER, words) == 0
    assert "2 run(s) already finished, skipped" in capsys.readouterr().out
    monkeypatch.setattr(paper, "EXPERIMENT", experiment(**changes))
    assert train(PAPER, words) == 1
    error = capsys.readouterr().err
    assert "holds a run with another network or optimiser than now; choose another --out" in error
    assert str(trained[0]) in error


@ON_TENSORFLOW
def test_finished_runs_of_older_versions_are_finished(
    kept: Path, paper, words, monkeypatch, capsys
) -> None:
    as_of_old(kept)
    assert train(PAPER, words) == 0
    printed = capsys.readouterr().out
    assert "note: 1 of them are of an older version, which kept no digest of networks" in printed
    assert "2 run(s) already finished, skipped" in printed


@pytest.mark.parametrize(
    ("old", "changes", "message"),
    [
        (True, {"versions": {"keras": "2.15.0"}}, "keras '2', now '3' is asked for"),
        (False, {"versions": {"keras": "4.0"}}, "keras '4', now '3' is asked for"),
        (False, {"backend": "torch"}, "backend 'torch', now "),
        (False, {"backend": "torch", "status": "started"}, "backend 'torch', now "),
    ],
)
def test_runs_of_another_keras_are_neither_finished_nor_gone_on_with(
    kept: Path, words, capsys, old: bool, changes: dict, message: str
) -> None:
    (as_of_old if old else lambda kept, **new: write_record(kept, read_record(kept) | new))(
        kept, **changes
    )
    assert train(PAPER, words) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["predictions.npz", "model.keras", "log.csv", "run.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "zeroed"])
def test_damaged_outputs_are_not_finished(
    kept: Path, words, capsys, name: str, damage: str
) -> None:
    content = (kept / name).read_bytes()
    middle = len(content) // 2
    damaged = {
        "cut": content[:middle],
        "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "emptied": b"",
        "zeroed": bytes(len(content)),
    }
    (kept / name).write_bytes(damaged[damage])
    assert train(PAPER, words) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{kept / name} is damaged (" in error
    assert "delete its folder and train again" in error


def test_an_interrupted_run_keeps_its_threads_and_lists_its_starts(
    kept: Path, words, monkeypatch
) -> None:
    used = []
    monkeypatch.setattr(Setting, "set_up", lambda setting: used.append(setting.threads))
    monkeypatch.setattr(processes, "usable_cores", lambda: 8)
    known = read_record(kept)
    first = known["starts"][0] | {"threads": 3, "commit": "of old"}
    begun = {"status": "started", "threads": 3, "starts": [first]}
    write_record(kept, {name: known[name] for name in known if name != "files"} | begun)
    (kept / "predictions.npz").unlink()
    assert train(PAPER, [*words, "--jobs", "2"]) == 0
    record = read_record(kept)
    assert used == [3]
    assert (record["status"], record["threads"]) == ("finished", 3)
    assert [start["threads"] for start in record["starts"]] == [3, 3]
    assert record["starts"][0] == first
    assert record["commit"] == record["starts"][1]["commit"] != "of old"
    assert record["started"] == first["time"]


@ON_TENSORFLOW
def test_what_starts_the_workers_touches_no_device(
    trained: list[Path], words, tmp_path: Path, monkeypatch
) -> None:
    asked = []

    def ask(work: list, at_once: int, set_up: Callable, **_) -> list:
        asked.extend(job.function.__name__ for job in work)
        return []

    def touched(context: object) -> None:
        raise AssertionError("TensorFlow was set to work")

    monkeypatch.setattr(jobs, "run_all", ask)
    monkeypatch.setattr(Context, "ensure_initialized", touched)
    with pytest.raises(AssertionError, match="set to work"):
        keras.ops.zeros(3) + 1
    assert train(PAPER, words) == 0
    given = ["--rows", HEAD, "--extractor", str(trained[0]), "--out", str(tmp_path)]
    assert train(PAPER, [*words, *given]) == 0
    assert asked == ["check_networks", "check_shape", "train_run", "train_run"]


def test_a_row_on_a_given_network_is_trained_on_what_it_can_read(
    trained: list[Path], words, tmp_path: Path, capsys
) -> None:
    given = ["--rows", HEAD, "--out", str(tmp_path), "--extractor"]
    assert train(PAPER, [*words, *given, str(trained[0])]) == 0
    assert {read_record(path.parent)["row"] for path in tmp_path.rglob("run.json")} == {HEAD}
    assert train(PAPER, [*words, *given, str(trained[0])]) == 0
    assert "2 run(s) already finished" in capsys.readouterr().out
    made = build(3, "softmax")
    broken = {"short.keras": b"PK", "other.keras": b"", "old.h5": b"\x89HDF"}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    made.save(tmp_path / "bands.keras")
    for name in (*broken, "bands.keras"):
        recipe = ["--extractor-recipe", "cbmi2016" if name in broken else "schindler2016-mel"]
        assert train(PAPER, [*words, *given, str(tmp_path / name), *recipe]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert str(tmp_path / name) in error
