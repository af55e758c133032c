"""Sung phonemes from recordings to predictions: frames, lists, trainings, the test's features."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd
import pytest

from data_prep.sets import jingju_phonemes as jingju
from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.train import train
from mirkeras.experiment import find_experiment
from mirkeras.experiment.records import read_log, read_predictions, read_record
from mirkeras.experiment.runs import Run
from mirkeras.features import find_recipe
from mirkeras.system.errors import UsageError
from mirkeras.training import checkpoint
from mirkeras.training.checkpoint import Checkpoint
from reproductions.pons_eusipco2017 import phonemes, sung
from tests.data_prep.jingju import record

PAPER = "pons_eusipco2017"
# in the lists (of the test script, of the feature script): trains/trains, …
TRAINED = ["shiwenhui_tingxiongyan", "xixiangji_biyuntian", "yutangchun_yutangchun"]
NOT_IN_CODE = "wangjiangting_dushoukong"  # trains, is not trained on by the feature script
LEAK, TESTED = "xixiangji_diyilai", "zhuangyuanmei_zinari"
SPLITS = {"dan": {"train": 4, "test": 2}, "dan-scores": {"train": 4, "test": 2}}
PHONEMES = [(0.1, 0.4, "f"), (0.4, 0.8, "a"), (0.8, 0.9, ""), (0.9, 1.3, "i"), (1.3, 1.5, "u")]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("data") / "jingju_phonemes"
    for seed, name in enumerate([*TRAINED, NOT_IN_CODE, LEAK, TESTED]):
        record(place, name, PHONEMES, seed)
    return place


def heard(root: Path) -> tuple[pd.DataFrame, SimpleNamespace]:
    """The index as `tracks_of` gives it, and the face of a cache of the recipe."""
    tracks = jingju.index(root).set_index("track").sort_index()
    frames = 2 * 10 + 1 + int(np.ceil(1.6 * 44_100 / 441))
    cache = SimpleNamespace(offsets=np.arange(len(tracks) + 1) * frames)
    return tracks.assign(heard=True, stratum=""), cache


def sung_of(root: Path, row: int = 1) -> tuple[sung.Sung, pd.DataFrame]:
    tracks, cache = heard(root)
    return sung.read_sung(tracks, cache, phonemes.ROWS[row], jingju.PHONEMES), tracks


@pytest.mark.parametrize(("row", "half"), [(1, 10), (4, 2)])
def test_segments_lie_around_the_frames_of_phonemes(root, row, half):
    found, tracks = sung_of(root, row)
    assert found.segments.length == 2 * half + 1
    assert found.units.tracks[:5] == [
        f"{tracks.index[0]}@{start}" for start in (0.1, 0.4, 0.8, 0.9, 1.3)
    ]
    names = [found.labels.names[number] for number in found.labels.values[:5]]
    assert names == ["nvc", "a", "sil", "i", "u"]
    assert not found.labels.are_tags
    counts = np.bincount(found.segments.track)
    assert counts[:5].tolist() == [30, 40, 10, 40, 20]  # a frame every 10 ms
    # frame n of a recording is centred on n * 10 ms; ten repeated ones stand before it
    second = np.flatnonzero(found.recording == 1)[0]
    mine = found.segments.first[found.segments.track == second]
    centre = mine + half - heard(root)[1].offsets[1] - 10
    assert centre.tolist() == list(range(10, 40))
    assert (found.units.offsets == found.segments.first[np.cumsum([0, *counts[:-1]])]).all()


@pytest.mark.parametrize(
    ("annotation", "frames"),
    [
        ("0.0 0.0149 a", [0]),
        ("0.0 0.015 a", [0, 1]),  # halves are rounded up
        ("0.004 0.006 a;0.006 0.03 i", [0, 1, 2]),  # "a" has no frame, "i" has no first one
        ("1.59 9.0 a", [159, 160]),  # the recording ends before
        ("", []),
    ],
)
def test_frames_belong_to_rounded_intervals(root, annotation, frames):
    tracks, cache = heard(root)
    one = tracks[:1].assign(phonemes=annotation)
    found = sung.read_sung(one, cache, phonemes.ROWS[1], jingju.PHONEMES)
    assert found.segments.first.tolist() == frames
    assert (
        len(found.units.tracks)
        == len(found.labels.values)
        == annotation.count("@") + len(annotation.split(";") if annotation else [])
    )


def divided(root: Path, name: str, split: str = "dan"):
    found, tracks = sung_of(root)
    row = "phonemes/proposed-3"
    protocol = find_experiment(PAPER).protocol_of(name, row)
    run = Run(PAPER, row, "jingju_phonemes", name, 3, 0, 1, 500, split)
    parts = sung.divide_frames(run, protocol, found, tracks)
    names = {
        part: {
            tracks.index[number]
            for number in found.recording[found.segments.track[getattr(parts, part)]]
        }
        for part in ("train", "validation", "test")
    }
    return parts, names, found, tracks


@pytest.mark.parametrize(
    ("name", "trained"),
    [("paper", [*TRAINED, NOT_IN_CODE]), ("code", [*TRAINED, LEAK])],
)
def test_validation_is_drawn_from_frames_of_every_class(root, name, trained):
    parts, names, found, _ = divided(root, name)
    assert names["train"] == names["validation"] == set(trained)
    assert names["test"] == {LEAK, TESTED}
    assert sung._leaked(parts, found) == (name == "code")
    assert len(np.intersect1d(parts.train, parts.validation)) == 0
    classes = found.labels.values[found.segments.track]
    for number in np.unique(classes):
        both = np.union1d(parts.train, parts.validation)
        all_of_it = (classes[both] == number).sum()
        held = (classes[parts.validation] == number).sum()
        assert abs(held - all_of_it / 5) <= 1
    assert set(found.recording[parts.normalise_on]) == set(
        found.recording[found.segments.track[both]]
    )
    again = divided(root, name)[0]
    assert (again.validation == parts.validation).all()


def test_clean_keeps_recordings_apart(root):
    parts, names, found, tracks = divided(root, "clean")
    assert names["train"] | names["validation"] == {*TRAINED, NOT_IN_CODE}
    assert not names["train"] & names["validation"]
    assert names["test"] == {LEAK, TESTED}
    fitted = {tracks.index[number] for number in found.recording[parts.normalise_on]}
    assert fitted == names["train"]
    joined = sung.joined(parts, found)
    assert len(joined.train) == len(parts.train) + len(parts.validation)
    assert not len(joined.validation)
    fitted = {tracks.index[number] for number in found.recording[joined.normalise_on]}
    assert fitted == {*TRAINED, NOT_IN_CODE}


def test_a_split_without_another_list_cannot_leak(root, tmp_path, small, capsys):
    given = words(root, tmp_path, "phonemes/choi", "code", "--split", "dan-scores")
    assert train(PAPER, given) == 1
    assert "use --split dan or laosheng" in capsys.readouterr().err


@pytest.fixture
def small(monkeypatch):
    """Let the data set be as small as its miniature."""
    monkeypatch.setattr(jingju, "DATASET", replace(jingju.DATASET, tracks=6, splits=SPLITS))


def words(root: Path, out: Path, row: str, protocol: str, *more: str) -> list[str]:
    places = ["--data-root", str(root.parent), "--cache-root", str(root.parent / "cache")]
    return [*places, "--dataset", "jingju_phonemes", "--rows", row, "--protocol", protocol,
            "--out", str(out), *more]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "protocol"),
    [
        ("phonemes/maas-475", "code"),
        pytest.param("phonemes/proposed-1", "code", marks=pytest.mark.long),
        pytest.param("phonemes/choi", "clean", marks=pytest.mark.long),
    ],
)
def test_from_recordings_to_predictions(
    small, in_process, root, tmp_path, monkeypatch, row, protocol
):
    given = words(root, tmp_path, row, protocol, "--epochs", "4")
    kind = find_experiment(PAPER).protocol_of(protocol, row).cut.tested_on
    with monkeypatch.context() as patch:
        patch.setitem(sung.TESTED_ON, kind, interrupt)
        assert train(PAPER, given) == 130
    with monkeypatch.context() as patch:  # what is trained is not trained again
        patch.setattr(keras.Model, "fit", interrupt)
        assert train(PAPER, given) == 0
    (place,) = {path.parent for path in tmp_path.rglob("run.json")}
    kept, predictions = read_record(place), read_predictions(place)
    assert kept["status"] == "finished"
    assert kept["recordings_trained_on_and_tested"] == (protocol == "code")
    assert kept["sizes"]["test"] == {"tracks": 10, "segments": 280}
    # the second training takes as many epochs as the first, on both parts
    assert kept["epochs"] == len(read_log(place)) == len(read_log(place / sung.SEARCH)) == 4
    assert "val_loss" in read_log(place / sung.SEARCH)
    assert "val_loss" not in read_log(place)
    assert not list(tmp_path.rglob("checkpoint.npz"))
    assert predictions["classes"].tolist() == list(jingju.PHONEMES)
    assert predictions["tracks"][0] == f"{LEAK}@0.1"
    assert predictions["segment_frame"][:31].tolist() == [*range(30), 0]
    assert predictions["scores"].sum(axis=1) == pytest.approx(1, abs=1e-4)
    truth = predictions["labels"][predictions["segment_track"]]
    assert (predictions["scores"].argmax(axis=1) == truth).mean() > 0.6  # of five tones
    assert evaluate(PAPER, ["--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / PAPER / "comparison.csv").set_index("id")
    assert (table.verdict[table.measured.notna()] == "not published").all()
    assert "segment_accuracy" in set(table.metric[table.measured.notna()])


@pytest.mark.long
def test_a_second_training_that_was_interrupted_goes_on(
    small, in_process, root, tmp_path, monkeypatch
):
    found = []
    for stop in (None, 9):  # of six epochs and six
        given = words(root, tmp_path / str(stop), "phonemes/maas-475", "clean", "--epochs", "6")
        epochs = iter(range(1, 100))
        at_end = Checkpoint.on_epoch_end

        def on_epoch_end(self, epoch, logs=None, stop=stop, epochs=epochs, at_end=at_end):
            at_end(self, epoch, logs)
            if next(epochs) == stop:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "CHECKPOINT_SECONDS", 0)
            patch.setattr(Checkpoint, "on_epoch_end", on_epoch_end)
            assert train(PAPER, given) == (130 if stop else 0)
        assert train(PAPER, given) == 0
        (place,) = {path.parent for path in (tmp_path / str(stop)).rglob("run.json")}
        found.append(read_predictions(place)["scores"])
    np.testing.assert_array_equal(*found)


def interrupt(*arguments, **options) -> None:
    """Stand for Ctrl-C."""
    raise KeyboardInterrupt


def test_tested_features_are_what_the_protocol_says(root):
    """What a network sees: the plain energies of each recording, standardised."""
    random = np.random.RandomState(0)
    recipe = find_recipe("jingju2017")
    frames = np.log1p(1e5 * random.rand(70, 80)).astype("float32")
    windows = np.lib.stride_tricks.sliding_window_view(frames, 5, axis=0).transpose(0, 2, 1)
    cache = SimpleNamespace(
        offsets=np.array([0, 30, 70]), bands=80, segments=lambda first, length: windows[first]
    )
    seen = []

    class Network:
        output_shape = (None, 80)

        def predict(self, segments, verbose):
            seen.append(segments)
            return segments[:, 2]

    first = np.array([8, 9, 40, 41])
    plan = SimpleNamespace(
        feed=SimpleNamespace(cache=cache, segments=SimpleNamespace(first=first)),
        network=SimpleNamespace(layers=[None, Network()]),
        test=np.arange(4),
    )
    scores = sung.plain_scores(plan, phonemes.ROWS[4])
    energies = np.expm1(frames.astype(float))
    for number, (start, end) in enumerate([(10, 20), (40, 60)]):  # without the repeated frames
        inner = energies[start:end]
        standard = (inner - inner.mean(axis=0)) / inner.std(axis=0)
        expected = standard[first[2 * number : 2 * number + 2] + 2 - start]
        np.testing.assert_allclose(scores[2 * number : 2 * number + 2], expected, atol=1e-4)
    assert recipe.context == 10
    assert [len(segments) for segments in seen] == [2, 2]


def test_rows_are_for_annotated_recordings_only():
    plain = SimpleNamespace(index=pd.DataFrame({"track": ["x"], "dan": ["train"]}))
    protocol = find_experiment(PAPER).protocol_of("clean", "phonemes/choi")
    with pytest.raises(UsageError, match=r"annotated phonemes.*jingju_phonemes"):
        sung.Phonemes().check_index(phonemes.ROWS[3], protocol, plain, "dan")


def test_another_annotation_is_another_run(tmp_path):
    found = []
    for annotation, second in (("0.1 0.2 a", "train"), ("0.1 0.21 a", "train"), ("0.1 0.2 a", "")):
        index = tmp_path / "index.csv"
        head = "track,path,label,group,tempo,dan,dan-scores,phonemes"
        index.write_text(f"{head}\nx,x.wav,a,x,,train,{second},{annotation}\n")
        run = Run(PAPER, "phonemes/choi", "own", "clean", 0, 0, 1, 500, "dan")
        setting = SimpleNamespace(index=index, extractors=(), out=tmp_path)
        found.append(str(sung.Phonemes().digested(run, phonemes.ROWS[3], setting)))
    assert len(set(found)) == 3
