"""The paper's rows and protocols, and its commands from audio to pictures, on small audio."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from mirkeras.experiment import Constant, records
from mirkeras.experiment.records import read_predictions, read_record
from mirkeras.experiment.runs import Run
from mirkeras.features import find_recipe
from mirkeras.pipeline.segments import Drawn
from reproductions.schindler_gtzan import confusion, reproduce
from reproductions.schindler_gtzan.experiments import (
    EXPERIMENT,
    PROTOCOLS,
    ROWS,
    DecayingAdam,
    DecayPerEpoch,
)
from tests.conftest import make_classes

PAPER = "schindler_gtzan"


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_s_network_takes_its_recipe(row) -> None:
    network = row.build(3, "softmax", **EXPERIMENT.protocol_of("student", row.id).network)
    assert network.input_shape == (None, row.frames, find_recipe(row.recipe).bands)
    assert row.id.endswith(f"-{row.epochs}")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_what_the_protocols_share(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert (protocol.cut, protocol.split) == (Drawn(15), "stratified")
    assert (protocol.validate_by, protocol.select_by) == ("test", "last")
    assert protocol.z_score == "none"
    config = protocol.optimizer().get_config()
    wanted = {"learning_rate": 5e-5, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    assert {key: config[key] for key in wanted} == pytest.approx(wanted, rel=1e-6)
    for epochs in (100, 200):
        assert EXPERIMENT.protocol_of(name, f"table2/deep-{epochs}").max_epochs == epochs


# protocol → EXP's rule, EXP's optimiser
@pytest.mark.parametrize(
    ("name", "rule", "optimizer"),
    [
        ("paper", Constant(), DecayingAdam),
        ("student", Constant(), DecayingAdam),
        ("student-text", DecayPerEpoch(), keras.optimizers.Adam),
    ],
)
def test_variants_of_the_report(name: str, rule, optimizer: type) -> None:
    for kind, rate in (("base", 5e-5), ("cqt", 3e-5), ("exp", 5e-5), ("cqt-exp", 3e-5)):
        protocol = EXPERIMENT.protocol_of(name, f"report/{kind}-deep-100")
        made = protocol.optimizer()
        decays = kind.endswith("exp")
        assert protocol.rule == (rule if decays else Constant())
        assert type(made) is (optimizer if decays else keras.optimizers.Adam)
        assert float(made.learning_rate) == pytest.approx(rate, rel=1e-6)


def first_step(optimizer: keras.optimizers.Optimizer, batches: int) -> float:
    """Take a step as if so many batches had passed."""
    weight = keras.Variable([0.0])
    optimizer.build([weight])
    optimizer.iterations.assign(batches)
    optimizer.apply([keras.ops.ones(1)])
    return -float(weight[0])


@pytest.mark.parametrize("batches", [0, 750, 3000, 100 * 750])
def test_the_rate_of_the_report_s_code_falls_with_every_batch(batches: int) -> None:
    base, exp = (
        first_step(
            EXPERIMENT.protocol_of("student", f"report/{kind}-deep-100").optimizer(), batches
        )
        for kind in ("base", "exp")
    )
    assert base > 1e-6
    assert exp / base == pytest.approx(0.9 ** (batches / 3000), rel=1e-4)


def test_the_rate_of_the_report_s_text_falls_with_every_epoch() -> None:
    rule, rate = DecayPerEpoch(), 5e-5
    memory = rule.start()
    for _ in range(200):
        verdict = rule.step(memory, {"loss": 1.0})
        assert not verdict.stop
        rate *= verdict.factor
    assert rate == pytest.approx(5e-5 * 0.9 ** (200 / 3000))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """9 tracks of 1.5 s in three classes; caches and runs are made beside them."""
    folder = tmp_path_factory.mktemp("schindler")
    make_classes(folder / "tempi", tracks=3, seconds=1.5)
    return folder


@pytest.fixture(scope="module")
def words(home: Path) -> list[str]:
    """Both networks under the reproduction's protocol: one division, one epoch."""
    options = {
        "dataset": f"folder:{home / 'tempi'}",
        "cache-root": home / "cache",
        "out": home / "runs",
        "protocol": "student",
        "rows": f"table2/shallow-100-max,{confusion.ROW}",
        "epochs": 1,
        "jobs": 2,
    }
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def reproduced(home: Path, words: list[str], in_process: None) -> Path:
    """Everything that the command makes."""
    assert reproduce.main(words) == 0
    return home / "runs"


def run_of(out: Path, row: str) -> Path:
    (directory,) = (out / PAPER).glob(f"*@stratified/student/{row}/seed0/fold01of01")
    return directory


def test_a_run_is_of_one_stratified_division_and_15_segments(reproduced: Path) -> None:
    directory = run_of(reproduced, "table2/shallow-100")
    record = read_record(directory)
    assert (record["split"], record["folds"], record["capped"]) == ("stratified", 1, True)
    assert record["parameters"] == 2_060_610 - 7 * 201
    assert record["sizes"]["train"] == {"tracks": 6, "segments": 6 * 15}
    assert record["sizes"]["test"] == {"tracks": 3, "segments": 3 * 15}
    assert np.bincount(read_predictions(directory)["labels"]).tolist() == [1, 1, 1]
    network = keras.saving.load_model(directory / "model.keras", compile=False)
    assert network.name == "shallow"  # no z-score in front


def test_a_run_on_constant_q_frames_with_decay(reproduced: Path) -> None:
    directory = run_of(reproduced, confusion.ROW)
    record = read_record(directory)
    assert record["recipe"]["recipe"]["name"] == "schindler2016-cqt-80"
    assert record["parameters"] == 1_279_522 - 7 * 201
    log = pd.read_csv(directory / "log.csv")
    assert log.learning_rate.tolist() == pytest.approx([3e-5])
    assert log[["val_loss", "val_accuracy"]].notna().all(axis=None)


def test_raw_max_and_maj_are_measured(reproduced: Path) -> None:
    table = pd.read_csv(reproduced / PAPER / "comparison.csv").dropna(subset="measured")
    ids = [f"{PAPER}/{row}-{name}" for row in ("table2/shallow-100", confusion.ROW)
           for name in ("raw", "max", "maj")]  # fmt: skip
    assert table.id.tolist() == ids
    assert set(table.verdict) == {"different data"}
    measured = pd.read_csv(reproduced / PAPER / "measured.csv")
    assert len(measured) == 2
    assert measured[["raw", "max", "maj"]].stack().between(0, 100).all()


def test_the_best_row_is_drawn_and_made_a_page_of(reproduced: Path) -> None:
    measured = pd.read_csv(reproduced / PAPER / "measured.csv")
    best = measured.row[measured["max"] == measured["max"].max()].str.replace("/", "-")
    (figure,) = (reproduced / PAPER / "figures").glob("fig7-*-stratified-student-*.png")
    (page,) = (reproduced / PAPER).glob("misclassified-*-stratified-student-1folds-1epochs-*.html")
    assert figure.stem.partition("-student-")[2] in set(best)
    assert page.stem.partition("-1epochs-")[2] in set(best)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert page.read_text().startswith("<!")


def test_reproducing_again_trains_nothing(reproduced: Path, words: list[str], capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in reproduced.rglob("model.keras")}
    assert reproduce.main([*words, "--no-browser"]) == 0
    assert "2 run(s) already finished, skipped" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in reproduced.rglob("model.keras")}


@pytest.mark.parametrize(
    ("lists", "asked", "splits"),
    [
        (True, [], ["", "fault-filtered"]),
        (False, [], [""]),
        (True, ["--split", "drawn"], ["drawn"]),
    ],
)
def test_gtzan_is_trained_once_more_without_its_faults(
    lists: bool, asked: list[str], splits: list[str], tmp_path: Path, monkeypatch
) -> None:
    calls = []
    index = pd.DataFrame({"fault-filtered": ["train"]} if lists else {"track": ["x"]})
    monkeypatch.setattr(reproduce, "train", lambda paper, words: calls.append(words) or 0)
    monkeypatch.setattr(
        reproduce.options, "prepared", lambda *_, **__: SimpleNamespace(index=index)
    )
    monkeypatch.setattr(reproduce, "evaluate", lambda *_: 1)
    words = ["--dataset", "gtzan:jazz,rock", "--folds", "2", "--rows", "table2", *asked]
    assert reproduce.main([*words, "--out", str(tmp_path)]) == 1
    found = [words[words.index("--split") + 1] if "--split" in words else "" for words in calls]
    assert found == splits
    assert ["--folds" in words for words in calls] == [split != "fault-filtered" for split in found]
    assert all("table2" in words for words in calls)


def finish(out: Path, protocol: str, scores: list[list[list[float]]]) -> None:
    """Leave a finished run behind: one track per class, its segments' scores."""
    run = Run(PAPER, confusion.ROW, "made", protocol, 0, 0, 1, 100, "stratified")
    directory = run.directory(out)
    directory.mkdir(parents=True)
    tracks = len(scores)
    segment_track = np.repeat(np.arange(tracks), [len(track) for track in scores])
    records.write_predictions(
        directory,
        scores=np.concatenate(scores).astype(np.float32),
        segment_track=segment_track,
        tracks=np.array([f"track {number}" for number in range(tracks)]),
        labels=np.arange(tracks),
        classes=np.array(["slow", "fast"]),
    )
    records.write_record(directory, asdict(run) | {"status": "finished", "versions": {}})


def test_our_matrix_is_of_max_as_the_protocol_sums(tmp_path: Path, monkeypatch) -> None:
    # sums of probabilities: 1.8 slow, 1.2 fast; of their logarithms: -7.1 slow, -4.6 fast
    slow = [[0.9, 0.1], [0.9, 0.1], [0.001, 0.999]]
    fast = [[0.1, 0.9]]
    for protocol in ("paper", "student"):
        finish(tmp_path, protocol, [slow, fast])
    panels = {}
    monkeypatch.setattr(confusion, "beside", lambda pair, path: panels.update({path.stem: pair}))
    assert confusion.main(["--out", str(tmp_path)]) == 0
    found = {name.split("-")[3]: pair for name, pair in panels.items()}
    theirs, ours = found["paper"]
    assert (theirs[0].trace(), theirs[0].sum()) == (214, 250)
    assert ours[0].tolist() == [[1, 0], [0, 1]]
    assert ours[1].tolist() == ["slow", "fast"]
    assert found["student"][1][0].tolist() == [[0, 1], [0, 1]]
    assert "1 of 2 tracks right (50.0 %)" in found["student"][1][2]


@pytest.mark.parametrize(
    ("row", "message"),
    [("table9/x", "unknown row 'table9/x'"), ("table2/deep-100", "no finished run of table2/deep")],
)
def test_mistakes_are_one_clear_message(row: str, message: str, tmp_path: Path, capsys) -> None:
    assert confusion.main([row, "--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
