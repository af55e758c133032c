"""The paper's commands from audio to table, and its published numbers."""

import keras
import numpy as np
import pandas as pd
import pytest

from mirkeras.cache import open_cache
from mirkeras.cli.train import train
from mirkeras.evaluation import results
from mirkeras.evaluation.evaluate import evaluate_runs
from mirkeras.experiment.published import published_rows
from mirkeras.experiment.records import read_log, read_predictions, read_record
from mirkeras.features import find_recipe
from mirkeras.pipeline.segments import Consecutive
from reproductions.lidy_mirex2016 import job, reproduce
from reproductions.lidy_mirex2016.experiments import EXPERIMENT, PROTOCOLS, ROWS

PAPER = "lidy_mirex2016"
MODEL_1 = "mirex2016/model-1"


def arguments(home, **changes) -> list[str]:
    options = {
        "dataset": f"folder:{home.audio}",
        "cache-root": home.cache,
        "out": home.out,
        "rows": MODEL_1,
        "epochs": 2,
        "split": "stratified",
        "folds": 1,
    } | changes
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


class Home:
    """Where the audio, the caches and the runs of this module lie."""

    def __init__(self, audio, root) -> None:
        self.audio, self.cache, self.out = audio, root / "cache", root / "runs"

    def run(self, protocol: str, row: str = MODEL_1, fold: str = "fold01of01"):
        (directory,) = (self.out / PAPER).glob(f"*/{protocol}/{row}/seed0/{fold}")
        return directory


@pytest.fixture(scope="module")
def home(audio_folder, tmp_path_factory, in_process) -> Home:
    """Model 1 under the protocol `paper`, one division."""
    home = Home(audio_folder, tmp_path_factory.mktemp("lidy"))
    assert reproduce.main(arguments(home)) == 0
    return home


@pytest.fixture(scope="module")
def whole(home: Home) -> Home:
    """The other protocols, the tall model 2 and the network of 2015 beside it."""
    rows = f"{MODEL_1},mirex2016/model-2-80x82,mirex2015/music-speech"
    for protocol in ("anew", "consecutive", "code"):
        assert train(PAPER, arguments(home, protocol=protocol, epochs=1)) == 0
    assert reproduce.main(arguments(home, rows=rows)) == 0
    return home


def test_a_run_is_what_the_paper_says(home: Home) -> None:
    record = read_record(home.run("paper"))
    assert record["recipe"]["recipe"]["name"] == "lidy2016-22050"
    assert record["parameters"] == 562_433  # three classes
    assert (record["epochs"], record["capped"]) == (2, True)
    assert record["sizes"]["train"]["segments"] == 30 * record["sizes"]["train"]["tracks"]
    assert record["sizes"]["validation"] == record["sizes"]["test"]
    log = read_log(home.run("paper"))
    assert log.learning_rate.tolist() == pytest.approx([0.02, 0.02])
    assert {"val_loss", "val_accuracy"} <= set(log)


@pytest.mark.long
def test_the_80_by_82_reading_is_trained_on_its_own_features(whole: Home) -> None:
    directory = whole.run("paper", "mirex2016/model-2-80x82")
    assert read_record(directory)["recipe"]["recipe"]["bands"] == 80
    network = keras.saving.load_model(directory / "model.keras", compile=False)
    assert network.input_shape == (None, 82, 80)


def test_random_segments_lie_within_their_tracks(home: Home) -> None:
    predictions = read_predictions(home.run("paper"))
    (path,) = home.cache.glob("*/lidy2016-22050.h5")
    cache = open_cache(path)
    frames = dict(zip(cache.tracks, np.diff(cache.offsets), strict=True))
    assert (np.bincount(predictions["segment_track"]) == 30).all()
    last = np.array([frames[track] - 80 for track in predictions["tracks"]])
    start = predictions["segment_frame"]
    assert (start >= 0).all()
    assert (start <= last[predictions["segment_track"]]).all()
    assert len(np.unique(start)) > 10


@pytest.mark.long
def test_drawing_anew_leaves_the_test_part_as_it_is(whole: Home) -> None:
    once, anew = (read_predictions(whole.run(protocol)) for protocol in ("paper", "anew"))
    np.testing.assert_array_equal(once["segment_frame"], anew["segment_frame"])
    assert abs(once["scores"] - anew["scores"]).max() > 1e-6


@pytest.mark.long
def test_consecutive_segments_do_not_overlap(whole: Home) -> None:
    predictions = read_predictions(whole.run("consecutive"))
    # 4 s are 113 frames: one segment of 80
    assert len(predictions["scores"]) == len(predictions["tracks"])
    assert not predictions["segment_frame"].any()


@pytest.mark.long
def test_only_code_standardises_and_does_it_per_cell(whole: Home) -> None:
    plain, code = (
        keras.saving.load_model(whole.run(protocol) / "model.keras", compile=False)
        for protocol in ("paper", "code")
    )
    assert plain.name == "model_1"
    z_score = code.layers[0]
    assert z_score.name == "z_score"
    assert keras.ops.size(z_score.mean) == 80 * 40
    assert float(keras.ops.std(z_score.mean)) > 0


def test_nothing_is_judged_against_what_was_never_published(home: Home) -> None:
    assert verdicts(home)[f"{PAPER}/{MODEL_1}"].tolist() == ["not published"]
    evaluate_runs(PAPER, home.out, all_rows=True)
    page = (home.out / PAPER / "comparison.md").read_text()
    assert "MIREX 2016 scores are not publicly found" in page


@pytest.mark.long
def test_music_speech_is_judged_by_data_of_its_own(whole: Home) -> None:
    assert verdicts(whole)[f"{PAPER}/mirex2015/music-speech"].tolist() == ["different data"]


def verdicts(home: Home) -> pd.Series:
    """Verdicts of each row that was measured."""
    table = (
        pd.read_csv(home.out / PAPER / "comparison.csv").dropna(subset="measured").set_index("id")
    )
    assert table.measured.between(0, 100).all()
    return table.verdict.groupby(level=0).unique()


@pytest.mark.parametrize(("given", "models"), [([], "1"), (["2,2015"], "2,2015")])
def test_reproduce_also_runs_the_executables_if_asked(
    given: list[str], models: str, monkeypatch
) -> None:
    called = []
    monkeypatch.setattr(reproduce, "train", lambda paper, words: called.append(words) or 0)
    monkeypatch.setattr(reproduce, "evaluate", lambda paper, words: called.append(words) or 0)
    monkeypatch.setattr(job, "main", lambda words: called.append(words) or 0)
    words = ["--dataset", "music_speech", "--folds", "10", "--epochs", "4", "--out", "runs/here"]
    assert reproduce.main([*words, "--executables", *given]) == 0
    trained, done, evaluated = called
    assert "--folds" in trained  # MIREX has three, whatever is drawn here
    understood = job._parser().parse_args(done)
    assert (understood.dataset, understood.folds, understood.epochs) == ("music_speech", 3, 4)
    assert (understood.model, str(understood.out)) == (models.split(","), "runs/here")
    assert evaluated == ["--out", "runs/here"]


def test_a_failure_ends_the_reproduction(monkeypatch) -> None:
    monkeypatch.setattr(reproduce, "train", lambda paper, words: 1)
    monkeypatch.setattr(job, "main", lambda words: pytest.fail("went on"))
    monkeypatch.setattr(reproduce, "evaluate", lambda paper, words: pytest.fail("went on"))
    assert reproduce.main(["--dataset", "gtzan", "--executables"]) == 1


def test_published_is_one_number_and_no_count() -> None:
    table = published_rows(PAPER)
    assert table.row.tolist() == list(ROWS)
    assert table.value.dropna().tolist() == [99.73]
    assert table.dataset[table.value.notna()].tolist() == ["mirex2015-music-speech"]
    assert table[["params", "std", "baseline"]].isna().all(axis=None)
    assert (table.note[table.value.isna()] == "MIREX 2016 scores are not publicly found").all()


def test_the_listing_counts_for_the_classes_of_the_tasks() -> None:
    counts = results.listing(PAPER).set_index("id").params
    assert dict(zip(counts.index.str.removeprefix(f"{PAPER}/"), counts, strict=True)) == {
        "mirex2016/model-1": 563_840,
        "mirex2016/model-2": 1_462_818,
        "mirex2016/model-2-80x82": 4_125_218,
        "mirex2016/model-3": 946_070,
        "mirex2015/music-speech": 3_068_057,
    }


@pytest.mark.parametrize(("rate", "samples"), [(44100, 124_416), (22050, 62_208), (11025, 31_104)])
def test_124416_samples_at_44100_hz_are_80_frames(rate: int, samples: int) -> None:
    recipe = find_recipe(f"lidy2016-{rate}")
    noise = np.random.RandomState(0).randn(samples + 1).astype("float32")
    assert recipe.extract(noise[:samples]).shape == (80, 40)
    assert recipe.extract(noise[: samples - 1]).shape == (79, 40)


def test_training_is_that_of_section_2_4() -> None:
    assert EXPERIMENT.batch == 40
    for protocol in PROTOCOLS.values():
        optimizer = protocol.optimizer()
        assert (float(optimizer.learning_rate), optimizer.momentum) == (pytest.approx(0.02), 0)
        assert (protocol.max_epochs, protocol.folds, protocol.select_by) == (150, 10, "last")
        assert protocol.aggregate == "mean"


def test_protocols_differ_in_one_thing_each() -> None:
    paper = vars(PROTOCOLS["paper"])
    for name, field in (("anew", "cut"), ("consecutive", "cut"), ("code", "z_score")):
        other = vars(PROTOCOLS[name])
        assert {key for key in paper if other[key] != paper[key]} == {"name", "summary", field}
    assert (paper["cut"].count, paper["cut"].anew, paper["z_score"]) == (30, False, "none")
    assert PROTOCOLS["anew"].cut.anew
    assert isinstance(PROTOCOLS["consecutive"].cut, Consecutive)
