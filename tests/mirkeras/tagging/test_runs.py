"""Finished runs tag files, and say of their own test tracks what they said when they were trained.

One row of every paper and kind of learner, on small audio that the tests make.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirkeras.cli.app import main
from mirkeras.cli.train import train
from mirkeras.experiment import find_experiment
from mirkeras.experiment.records import RunError, read_predictions, read_record, write_record
from mirkeras.pipeline.segments import Drawn
from mirkeras.system.errors import UsageError
from mirkeras.tagging import Tagger
from mirkeras.tagging.models import find_model
from tests.conftest import make_classes

CBMI = ("pons_cbmi2016", "table1/time-1x60")
RANDOM = "pons_icassp2019_random"

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of four tracks of 12 s, longer than any network's segment."""
    return make_classes(tmp_path_factory.mktemp("music") / "music", tracks=4, seconds=12.0)


def trained(music: Path, paper: str, row: str, **options) -> Path:
    """Train two folds of a row for an epoch; returns the folder of their runs."""
    home = music.parent
    given = {
        "dataset": f"folder:{music}",
        "rows": row,
        "out": home / "runs",
        "cache-root": home / "cache",
        "split": "stratified",
        "folds": 2,
        "epochs": 1,
    } | options
    words = [str(word) for name, value in given.items() for word in (f"--{name}", value)]
    assert train(paper, words) == 0
    (folder,) = (home / "runs" / paper).glob(f"*/{options.get('protocol', '*')}/{row}/seed0")
    return folder


@pytest.fixture(scope="module")
def folds(music: Path) -> Path:
    return trained(music, *CBMI)


def tagger_cut(run: Path) -> object:
    """How the tracks of a run were cut."""
    record = read_record(run)
    return find_experiment(record["paper"]).protocol_of(record["protocol"], record["row"]).cut


def assert_the_same(run: Path, music: Path, weights: Path | None = None) -> None:
    """Compare tags of a run's test tracks with its predictions, segment by segment."""
    predictions, tagger = read_predictions(run), Tagger(run, weights=weights)
    recipe = tagger.model.recipe
    if isinstance(tagger_cut(run), Drawn):  # random places: those are among all
        tagger = Tagger(run, hop=1.001 * (recipe.hop + recipe.n_fft // 2) / recipe.sample_rate)
    found = dict(tagger.tag_all(sorted(music.rglob("*.wav"))))
    for number, name in enumerate(predictions["tracks"]):
        (path,) = [path for path in found if str(path.relative_to(music).with_suffix("")) == name]
        tagged = found[path]
        assert tagged.tags == tuple(predictions["classes"])
        mine = predictions["segment_track"] == number
        frames = predictions["segment_frame"][mine]
        step = recipe.hop / recipe.sample_rate
        starts = dict(zip(np.round(tagged.starts / step).astype(int), tagged.taggram, strict=True))
        common = [place for place, frame in enumerate(frames) if frame in starts]
        assert common
        expected = predictions["scores"][mine][common]
        got = np.stack([starts[frames[place]] for place in common])
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_folds_one_by_one_say_what_they_said(folds: Path, music: Path) -> None:
    for run in sorted(folds.iterdir()):
        assert_the_same(run, music)


@pytest.mark.parametrize(
    ("row", "protocol"),
    [("figures/vgg-150-svm", "clean"), ("figures/frame-level-150-elm", "code")],
)
def test_classifiers_on_random_features_too(music: Path, row: str, protocol: str) -> None:
    for run in sorted(trained(music, RANDOM, row, protocol=protocol).iterdir()):
        assert_the_same(run, music)


@pytest.mark.long
@pytest.mark.parametrize(
    ("paper", "row"),
    [
        ("lee_samplecnn", "table5/2000"),
        ("schindler_gtzan", "table2/shallow-100"),
        ("lidy_mirex2016", "mirex2016/model-1"),
        ("pons_ismir2018", "training/timbre"),
        ("pons_eusipco2017", "tagging/proposed-1"),
        ("pons_icassp2019_random", "figures/mfcc-svm"),
        ("pons_icassp2019_fewdata", "curve/vgg-n1"),
        ("pons_icassp2019_fewdata", "curve/mfcc-n2"),
        ("pons_icassp2019_fewdata", "curve/prototypical-n1"),
    ],
)
def test_a_row_of_every_paper(music: Path, paper: str, row: str) -> None:
    for run in sorted(trained(music, paper, row).iterdir()):
        assert_the_same(run, music)


@pytest.mark.long
@pytest.mark.parametrize("protocol", ["paper", "code"])
def test_rows_on_the_hidden_layers_of_a_network_that_is_given(music: Path, protocol: str) -> None:
    network = sorted(trained(music, "lee_samplecnn", "table5/2000").iterdir())[0]
    given = {"protocol": protocol, "extractor": network}
    for run in sorted(trained(music, "lee_samplecnn", "table6/layer-1", **given).iterdir()):
        with pytest.raises(UsageError, match="give the one that its --extractor was"):
            find_model(str(run))
        assert_the_same(run, music, weights=network)


def test_several_runs_are_averaged(folds: Path, music: Path) -> None:
    path = music / "slow" / "00.wav"
    together = Tagger(folds).tag(path)
    each = [Tagger(run).tag(path) for run in sorted(folds.iterdir())]
    np.testing.assert_allclose(together.taggram, np.mean([t.taggram for t in each], axis=0), 1e-5)
    np.testing.assert_allclose(together.spread, np.std([t.scores for t in each], axis=0), atol=1e-6)
    assert together.decided in ("fast", "medium", "slow")
    assert each[0].spread is None


def test_the_last_segment_is_left_out_where_the_protocol_does(folds: Path, music: Path) -> None:
    """As `pons_icassp2017` under `code`; but a track that has one segment keeps it."""
    model, path = find_model(str(folds)), music / "slow" / "00.wav"
    whole = Tagger(model).tag(path)
    fewer = Tagger(replace(model, drop_last=True))
    np.testing.assert_array_equal(fewer.tag(path).taggram, whole.taggram[:-1])
    soundfile.write(music.parent / "short.wav", soundfile.read(path, frames=88_200)[0], 44_100)
    assert len(fewer.tag(music.parent / "short.wav").taggram) == 1


def test_the_command_resumes_with_runs(folds: Path, music: Path, tmp_path, capsys) -> None:
    command = ["tag", str(music), "--model", str(folds), "--out", str(tmp_path / "t.csv")]
    assert main(command) == 0
    text = (tmp_path / "t.csv").read_text()
    assert text.splitlines()[0] == (
        "path,seconds,repeated,decided,fast,medium,slow,fast (std of 2 runs),"
        "medium (std of 2 runs),slow (std of 2 runs)"
    )
    assert len(text.splitlines()) == 13
    assert main(command) == 0
    assert "complete, nothing to write" in capsys.readouterr().err
    as_json = ["tag", str(music), "--model", str(folds), "--out", str(tmp_path / "t.json")]
    assert main(as_json) == 0
    assert '"spread"' in (tmp_path / "t.json").read_text()


def test_all_is_said_about_a_run(folds: Path, capsys) -> None:
    assert main(["tag", "--card", str(folds)]) == 0
    said = capsys.readouterr().out
    assert "3 classes   fast, medium, slow" in said
    assert "seed 0 fold 1; seed 0 fold 2" in said
    assert "recipe cbmi2016, 80 frames (1.86 s), every 1.86 s" in said


def test_a_network_file_with_its_record_and_its_last_hidden_layer(folds, music, tmp_path) -> None:
    run, copy = sorted(folds.iterdir())[0], tmp_path / "copy"
    shutil.copytree(run, copy)
    path = music / "slow" / "00.wav"
    tagged = Tagger(copy / "model.keras", features="last-hidden").tag(path)
    np.testing.assert_array_equal(tagged.taggram, Tagger(run).tag(path).taggram)
    assert tagged.features.shape == (len(tagged.starts), 32)


def test_a_short_file_is_repeated_and_an_unreadable_one_named(folds, tmp_path) -> None:
    soundfile.write(tmp_path / "short.wav", np.random.RandomState(0).randn(4410) * 0.1, 44_100)
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    tagger = Tagger(folds)
    assert tagger.tag(tmp_path / "short.wav").repeated
    ((_, error),) = tagger.tag_all([tmp_path / "bad.wav"])
    assert "bad.wav" in str(error)


def test_what_cannot_tag_is_refused_in_a_line(folds: Path, music: Path, tmp_path) -> None:
    run = sorted(folds.iterdir())[0]

    def copied(name: str, **changes) -> Path:
        shutil.copytree(run, tmp_path / name)
        write_record(tmp_path / name, read_record(run) | changes)
        return tmp_path / name

    refused = {
        tmp_path / "nowhere": (UsageError, "no such file or folder"),
        music: (UsageError, "holds no run"),
        copied("unfinished", status="started"): (RunError, "is not finished"),
        copied("paper", paper="os"): (RunError, "which no installed package declares"),
        copied("row", row="table1/other"): (RunError, "has no row table1/other"),
        copied("recipe", recipe={"recipe": {"name": "cbmi2016", "implementation": 0}}): (
            RunError,
            "another version of the recipe cbmi2016",
        ),
    }
    both = tmp_path / "both"
    shutil.copytree(run, both / "a")
    shutil.copytree(run, both / "b")
    write_record(both / "b", read_record(run) | {"dataset": "other"})
    refused[both] = (UsageError, "holds runs of several: dataset")
    damaged = copied("damaged")
    (damaged / "model.keras").write_bytes(b"torn")
    refused[damaged] = (RunError, "was changed after it was written")
    refused[damaged / "model.keras"] = (RunError, "is not the network that")
    for path, (kind, message) in refused.items():
        with pytest.raises(kind, match=message):
            find_model(str(path))
