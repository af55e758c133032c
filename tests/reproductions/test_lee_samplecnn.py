"""The paper's commands from audio to verdict: tags on a miniature of MagnaTagATune, transfer."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from mirkeras.cache import open_cache
from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.train import train
from mirkeras.evaluation.comparison import COLUMNS
from mirkeras.experiment.records import read_predictions, read_record, write_predictions
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.system import jobs
from mirkeras.transfer import song_features
from reproductions.lee_samplecnn import reproduce
from reproductions.lee_samplecnn.experiments import EXPERIMENT, DecayingSGD
from tests.conftest import run_here
from tests.data_prep.miniature import make_mirror

PAPER = "lee_samplecnn"
STAND_IN = "magnatagatune-stand-in"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a mirror of the miniature; data, caches and runs are made beside it."""
    folder = tmp_path_factory.mktemp("mtat")
    make_mirror(folder / "mirror")
    return folder


def arguments(home: Path, **changes) -> list[str]:
    options = {
        "dataset": "magnatagatune",
        "mirror": home / "mirror",
        "data-root": home / "data",
        "cache-root": home / "cache",
        "out": home / "runs",
        "rows": "table5/2000-auc,table2/mel-729-729",
        "epochs": 2,
    } | changes
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def trained(home: Path, in_process) -> Path:
    """Two networks trained as taggers, drawn, and two classifiers on hidden layers of one."""
    drawn = {"filter-layers": "1,2", "marks": "guitar,slow"}
    assert reproduce.main(arguments(home, jobs=2, **drawn)) == 0
    transfer = {"rows": "table6/layer-1-magnatagatune", "extractor": tagger(home / "runs")}
    for protocol in ("paper", "code"):
        assert train(PAPER, arguments(home, protocol=protocol, **transfer)) == 0
    assert evaluate(PAPER, ["--out", str(home / "runs")]) == 0
    return home / "runs"


def tagger(out: Path) -> Path:
    return out / PAPER / f"{STAND_IN}@mtat-lee/paper/table5/2000/seed0/fold01of01"


def test_tags_are_trained_and_predicted_in_the_papers_order(trained: Path) -> None:
    from data_prep.sets.magnatagatune import TAGS

    record, predictions = read_record(tagger(trained)), read_predictions(tagger(trained))
    assert (record["split"], record["folds"], record["epochs"]) == ("mtat-lee", 1, 2)
    assert record["parameters"] == 1_805_106
    assert predictions["classes"].tolist() == list(TAGS)
    assert predictions["labels"].shape == (record["sizes"]["test"]["tracks"], 50)
    assert 0 <= predictions["scores"].min() <= predictions["scores"].max() <= 1
    log = pd.read_csv(tagger(trained) / "log.csv")
    assert list(log) == ["epoch", "loss", "val_loss", "learning_rate", "seconds"]


def test_the_saved_tagger_takes_plain_samples(trained: Path) -> None:
    network = keras.saving.load_model(tagger(trained) / "model.keras", compile=False)
    assert network.input_shape == (None, 5184, 1)
    mel = next(trained.rglob("mel-729-729/**/model.keras"))
    assert keras.saving.load_model(mel, compile=False).layers[0].name == "z_score"


def test_a_stand_in_is_different_data_whatever_its_split(trained: Path) -> None:
    table = pd.read_csv(trained / PAPER / "comparison.csv").dropna(subset="measured")
    assert set(table.verdict) == {"different data"}
    assert list(table.columns) == COLUMNS
    ids = set(table.id.str.removeprefix(f"{PAPER}/"))
    assert {"table5/2000-auc", "table2/mel-729-729", "table6/layer-1-magnatagatune"} <= ids
    assert table.measured.between(0, 1).all()


def test_tags_nobody_has_in_the_test_part_are_dropped_by_name(trained: Path) -> None:
    predictions = read_predictions(tagger(trained))
    counts = predictions["labels"].sum(axis=0)
    unranked = (counts == 0) | (counts == len(predictions["labels"]))
    measured = pd.read_csv(trained / PAPER / "measured.csv", keep_default_na=False)
    named = measured.dropped_tags[measured.row == "table5/2000"].iloc[0]
    assert named == ", ".join(predictions["classes"][unranked])
    tags = pd.read_csv(next((trained / PAPER / "tags").glob("*-paper-*.csv")))
    assert tags["table5/2000"].isna().tolist() == unranked.tolist()
    assert len(list((trained / PAPER / "figures").glob("*-tags.png"))) == 2  # paper and code
    assert (trained / PAPER / "comparison.md").read_text().count("| mean PR-AUC |") == 2


def test_transfer_says_whose_features_it_uses(trained: Path) -> None:
    places = {path.parts[-6]: path.parent for path in trained.rglob("layer-1/**/run.json")}
    network, machine = read_record(places["paper"]), read_record(places["code"])
    for record in (network, machine):
        assert record["extractors"] == f"{STAND_IN}:table5/2000"
        assert record["pretrained"] == (  # of the same division: no test track was learned from
            f"features trained on {STAND_IN}, not msd; features of table5/2000; "
            "feature networks cut short by --epochs"
        )
    assert network["parameters"] == 513 * 4096 + 4097 * 4096 + 4097 * 50
    assert machine["penalty"] in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    assert not (places["code"] / "model.keras").exists()
    assert not list(trained.rglob("features.raw"))


def test_features_are_the_strongest_in_a_segment_averaged_over_the_track(
    trained: Path, home: Path
) -> None:
    path = tagger(trained) / "model.keras"
    cache = open_cache(home / "cache" / STAND_IN / "waveform-2000.h5")
    found = song_features.song_features(path, cache)
    network = keras.saving.load_model(path, compile=False)
    name = cache.tracks[3]
    samples = cache.track(name)
    whole = samples[: len(samples) // 5184 * 5184].reshape(-1, 5184, 1)
    for layer, stage in ((-3, "pool8"), (-2, "pool9"), (-1, "relu10")):
        inside = keras.Model(network.input, network.get_layer(stage).output)
        expected = np.asarray(inside(whole)).max(axis=1).mean(axis=0)
        np.testing.assert_allclose(found[layer][3], expected, rtol=1e-4, atol=1e-5)


def test_missing_split_lists_stop_instead_of_another_division(
    trained: Path, home: Path, tmp_path: Path, capsys
) -> None:
    import shutil

    shutil.copytree(home / "data", tmp_path / "data")
    for list_ in (tmp_path / "data").rglob("*_list_pub.cP"):
        list_.unlink()
    changes = {"data-root": tmp_path / "data", "cache-root": tmp_path / "cache"}
    words = arguments(home, **changes)
    del words[words.index("--mirror") : words.index("--mirror") + 2]
    assert train(PAPER, words) == 1
    assert "has no split 'mtat-lee' (its lists are missing" in capsys.readouterr().err


def test_the_figures_of_the_paper_are_drawn_too(trained: Path) -> None:
    drawn = {path.name for path in (trained / PAPER / "figures").glob("fig*.png")}
    assert drawn == {
        "fig2-table5-2000.png",
        "fig3-table5-2000.png",
        "fig4.png",
        "fig5-guitar-slow.png",
    }
    table = pd.read_csv(trained / PAPER / "figures" / "filters.csv")
    sizes = table.groupby(["layer", "weights"]).size()
    assert sizes.to_dict() == {(n, of): 128 for n in (1, 2) for of in ("trained", "untrained")}


@pytest.mark.long
def test_the_other_published_split_is_another_run(trained: Path, home: Path, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "run_all", run_here)
    changed = arguments(home, split="mtat-pons", rows="table5/2000", epochs=1)
    assert train(PAPER, changed) == 0
    other = Path(str(tagger(trained)).replace("mtat-lee", "mtat-pons"))
    assert read_record(other)["sizes"]["train"]["tracks"] > 0
    assert read_record(other)["split"] == "mtat-pons"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "mine"}, "has no split 'mine'; known: mtat-lee, mtat-pons, drawn"),
        ({"folds": 3}, "--split drawn or stratified; the split mtat-lee has its own"),
        ({"rows": "table6/crnn-msd"}, "cited from earlier work row 'table6/crnn-msd'"),
        ({"rows": "table9/x"}, "unknown row 'table9/x'"),
        ({"rows": "table6/layer-1", "extractor": "/nowhere"}, "neither a run's directory"),
        ({"rows": "table5/2000", "extractor": "RUN"}, "none is wanted"),
        ({"rows": "table6/layer-1", "extractor": "TRANSFER"}, "itself made on features of other"),
        ({"rows": "table6/layer-1", "extractor": "TEXT"}, "what does it take?"),
        (
            {"rows": "table6/layer-1", "extractor": "TEXT", "extractor-recipe": "waveform-2000"},
            "is no file of a Keras network",
        ),
        (
            {"rows": "table6/layer-1", "extractor": "FILE", "extractor-recipe": "waveform-100"},
            "needs tracks of 5184 frames of waveform-100",
        ),
        ({"rows": "mn/5-6"}, "needs tracks of 78125 frames"),
    ],
)
def test_mistakes_are_one_clear_message(
    changes: dict, message: str, trained: Path, home: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(jobs, "run_all", run_here)
    text = home / "network.keras"
    text.write_text("no network")
    places = {
        "RUN": tagger(trained),
        "FILE": tagger(trained) / "model.keras",
        "TRANSFER": next(trained.rglob("layer-1/**/model.keras")).parent,
        "TEXT": text,
    }
    changes = {name: places.get(given, given) for name, given in changes.items()}
    assert train(PAPER, arguments(home, **changes)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_paper_that_classifies_refuses_tags(home: Path, trained: Path, capsys) -> None:
    words = arguments(home, rows="table1/time-1x60", folds=2)
    assert train("pons_cbmi2016", words) == 1
    assert "the tracks of magnatagatune have tags" in capsys.readouterr().err


@pytest.mark.long
def test_classes_are_trained_with_softmax_and_folds(audio_folder: Path, tmp_path: Path) -> None:
    options = {
        "dataset": f"folder:{audio_folder}",
        "cache-root": tmp_path,
        "out": tmp_path / "runs",
        "rows": "table5/2000",
        "folds": 2,
        "epochs": 1,
    }
    words = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    assert train(PAPER, words) == 0
    assert evaluate(PAPER, ["--out", str(tmp_path / "runs")]) == 0
    table = pd.read_csv(tmp_path / "runs" / PAPER / "comparison.csv").dropna(subset="measured")
    assert table[["metric", "verdict", "n"]].values.tolist() == [["accuracy", "not published", 2]]
    predictions = read_predictions(next((tmp_path / "runs").rglob("predictions.npz")).parent)
    np.testing.assert_allclose(predictions["scores"].sum(axis=1), 1, rtol=1e-5)


def test_what_a_transfer_tests_is_known_before_it_learns(trained: Path, home: Path) -> None:
    (directory,) = trained.rglob("paper/table6/layer-1/seed0/*")
    run, index = Run.of(read_record(directory)), home / "cache" / STAND_IN / "index.csv"
    setting = Setting(trained, index, {}, ("tags",), (), "", "", 1, 0, False)
    cache = open_cache(index.with_name("waveform-2000.h5"))
    # a song is one frame
    songs = replace(cache, offsets=np.arange(len(cache.tracks) + 1))
    tested = song_features._tested(run, EXPERIMENT.protocols["paper"], songs, setting)
    assert tested == set(read_predictions(directory)["tracks"])


@pytest.mark.parametrize(
    ("dataset", "arrays", "reason"),
    [
        ("gtzan-jazz-rock", {"learned_from": ["c", "d"]}, ""),
        ("gtzan-jazz-rock", {"learned_from": ["b", "d", "e"]}, "learned from 1 of 2 test tracks"),
        ("gtzan", {"learned_from": ["a", "b", "c"]}, "learned from 2 of 2 test tracks"),
        # older runs name what they tested only
        ("gtzan-jazz-rock", {"tracks": ["a", "b"]}, ""),
        ("gtzan-jazz-rock", {"tracks": ["b", "c"]}, "learned from 1 of 2 test tracks"),
        ("msd", {"learned_from": ["a", "b"]}, "features trained on msd, not gtzan-jazz-rock"),
    ],
)
def test_networks_that_learned_from_test_tracks_are_said_to(
    dataset: str, arrays: dict, reason: str, tmp_path: Path
) -> None:
    row = EXPERIMENT.rows["table4/3-9"]
    run = Run(PAPER, row.id, "gtzan-jazz-rock", "clean", 0, 3, 10, 5)
    write_predictions(tmp_path, **{"tracks": np.array(["x"])} | arrays)
    one = Extractor(tmp_path / "model.keras", "waveform-22050", dataset, "table5/22050")
    found = song_features._provenance(run, row, (one,), {"a", "b"}).get("pretrained", "")
    assert found.endswith(reason) if reason else found == ""


def test_the_code_s_decay_falls_with_every_step() -> None:
    decaying = DecayingSGD(0.5, learning_rate=1.0)
    weight = keras.Variable([0.0])
    decaying.build([weight])
    steps = []
    for _ in range(3):
        before = float(weight[0])
        decaying.apply([keras.ops.ones(1)])
        steps.append(before - float(weight[0]))
    assert steps == pytest.approx([1.0, 1 / 1.5, 1 / 2.0])


def test_batches_are_the_papers() -> None:
    assert (EXPERIMENT.batch, EXPERIMENT.batches["msd"]) == (23, 50)
