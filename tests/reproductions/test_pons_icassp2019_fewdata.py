"""Few data: networks counted, prototypes by hand, runs on sounds made here, curves."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from mirkeras.cli import app
from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.train import train
from mirkeras.experiment import find_experiment
from mirkeras.experiment.division import Parts
from mirkeras.experiment.records import read_predictions, read_record
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pipeline.segments import DrawnToTrainHopped, consecutive, cut
from mirkeras.system.errors import UsageError
from reproductions.pons_icassp2019_fewdata import curve, models, prototypes
from reproductions.pons_icassp2019_fewdata.experiments import CLEAN, CODE, EXPERIMENT, ROWS
from reproductions.pons_icassp2019_fewdata.learners import draw_clips, training_tracks
from tests import fake_card

PAPER = "pons_icassp2019_fewdata"


@pytest.mark.parametrize(
    ("row", "ten", "fifteen"),
    [
        ("sb-cnn-bn", 241_436, 241_761),
        ("sb-cnn", 241_434, 241_759),
        ("sb-cnn-log", 241_438, 241_763),
        ("vgg", 42_764, 45_329),
        ("vgg-128", 613_388, 623_633),
        ("timbre", 7_572, 11_357),
        ("prototypical", 613_642, 613_642),
        ("vggish-softmax", 1_290, 1_935),
        ("vggish-prototypes", 1_290, 1_290),
    ],
)
def test_parameters_are_those_of_the_sheet(row: str, ten: int, fifteen: int) -> None:
    row = ROWS[f"curve/{row}-n1"]
    for classes, count in ((10, ten), (15, fifteen)):
        network = row.build(classes, "softmax", **row.options(CODE.of(row.variant, None), 0))
        assert count_trainable(network) == count


def test_kernels_are_penalised_by_half_their_squares() -> None:
    network = models.timbre(10)
    kernel = np.asarray(network.get_layer("conv").kernel)
    assert float(sum(network.losses)) == pytest.approx(
        0.001 * np.square(kernel).sum() / 2, rel=1e-5
    )
    assert not models.prototypical().losses


def test_the_learned_logarithm_starts_as_the_authors_have_it() -> None:
    values = np.array([[0.0, 1e-3, 2.0]], np.float32)
    found = keras.ops.convert_to_numpy(models.LearnableLog()(values))
    expected = np.log(np.exp(7) * values + np.log1p(np.exp(1)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_silence_is_not_cut_off() -> None:
    frames = find_recipe("pons2019-few").extract(np.zeros(1_000, np.float32))
    assert frames.shape == (128, 128)  # repeated to a patch
    np.testing.assert_allclose(frames, np.log10(2.220446e-16), rtol=1e-6)
    linear = find_recipe("pons2019-few-linear").extract(np.ones(200_000, np.float32))
    assert linear.shape == (196, 128)
    assert linear.min() >= 0


def test_the_loss_of_an_episode_by_hand() -> None:
    """Two classes, two shots, five queries each, an embedding that doubles its two values."""
    given = keras.Input((1, 2))
    double = keras.layers.Dense(
        2, use_bias=False, kernel_initializer=keras.initializers.Identity(2)
    )
    embed = keras.Model(given, double(keras.layers.Flatten()(given)))
    support = np.array([[0, 0], [2, 0], [4, 4], [4, 6]], np.float32)
    queries = np.array([[1, 1]] * 4 + [[3, 3]] + [[4, 5]] * 5, np.float32)
    network = prototypes.episode(embed, 2, 2)
    patches = np.concatenate([support, queries])[None, :, None]
    scores = keras.ops.convert_to_numpy(network(patches))[0]
    # prototypes (2, 0) and (8, 10) after doubling
    by_hand = []
    for x, y in 2 * queries:
        first, second = ((x - 2) ** 2 + y**2) / 2, ((x - 8) ** 2 + (y - 10) ** 2) / 2
        by_hand.append(np.exp([-first, -second]) / np.exp([-first, -second]).sum())
    np.testing.assert_allclose(scores, by_hand, rtol=1e-5)
    network.compile(loss="sparse_categorical_crossentropy")
    loss = network.test_on_batch(patches, np.repeat([0, 1], 5)[None])
    right = [line[n] for line, n in zip(by_hand, np.repeat([0, 1], 5), strict=True)]
    assert float(np.ravel(loss)[0]) == pytest.approx(
        -np.log(np.maximum(right, 1e-7)).mean(), rel=1e-4
    )


def clips() -> prototypes.Clips:
    """Three clips of class 0, one of class 1, three patches each."""
    patches = np.random.default_rng(0).normal(size=(12, 1, 4)).astype(np.float32)
    label = np.array([0, 1, 0, 0])
    patches += 3 * np.repeat(label, 3)[:, None, None]
    return prototypes.Clips(patches, np.repeat(np.arange(4), 3), label)


def test_supports_and_queries_are_drawn_class_by_class() -> None:
    known, random = clips(), np.random.default_rng(1)
    for _ in range(20):
        support = prototypes.draw_support(known, 2, 3, random)
        assert known.labels[support].tolist() == [0, 0, 0, 1, 1, 1]
        assert {*known.clip[support[:3]]} == {0, 2, 3}  # a patch of each clip
        queries = prototypes.draw_queries(known.labels, 2, random)
        assert known.labels[queries].tolist() == [0] * 5 + [1] * 5
        assert len({*queries[:5]}) == 5  # there are nine
        assert {*queries[5:]} <= {3, 4, 5}


@pytest.mark.parametrize("redraw", [False, True])
def test_training_ends_after_epochs_without_a_new_best(monkeypatch, redraw: bool) -> None:
    monkeypatch.setattr(prototypes, "PATIENCE", 3)
    keras.utils.set_random_seed(0)
    embed, seen = models.linear_embedding(features=4), []
    centres, epochs = prototypes.train(
        embed, clips(), seed=0, redraw=redraw, clip_norm=5.0, max_epochs=50, report=seen.append
    )
    assert centres.shape == (2, 10)
    # every clip is right from the first, or a later, epoch on: four more without a better one
    assert 5 <= epochs < 50
    assert len(seen) == epochs
    scores = prototypes.probabilities(embed, clips().patches, centres)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert (scores.argmax(axis=1) == clips().labels).mean() > 0.8


def run_of(**changes) -> SimpleNamespace:
    given = {"seed": 0, "fold": 0, "name": "a run", "split": "official", "folds": 5}
    return SimpleNamespace(**given | changes)


def test_all_rows_of_an_n_learn_from_the_same_clips_and_say_what_lacks() -> None:
    classes, tracks = np.repeat([0, 1, 2], (30, 30, 4)), np.arange(64)
    one, other, more = (ROWS[f"curve/{name}"] for name in ("vgg-n5", "mfcc-n5", "vgg-nall"))
    drawn, facts = draw_clips(run_of(), one, classes, tracks)
    np.testing.assert_array_equal(drawn, draw_clips(run_of(), other, classes, tracks)[0])
    assert np.bincount(classes[drawn]).tolist() == [5, 5, 4]
    assert facts == {"clips": 14, "trained_classes": 3, "classes_with_fewer": 1}
    assert len(draw_clips(run_of(), more, classes, tracks)[0]) == 64
    again = draw_clips(run_of(seed=1), one, classes, tracks)[0]
    assert not np.array_equal(drawn, again)
    with pytest.raises(UsageError, match="a run: the training part has clips of one class only"):
        draw_clips(run_of(), one, classes, np.arange(20))


def test_the_code_leaves_a_fold_without_a_use_where_folds_are_many() -> None:
    segments = consecutive(np.arange(11) * 2, 1)  # ten tracks
    parts = Parts(np.arange(8), np.arange(8, 14), np.arange(14, 20), np.arange(4))
    assert training_tracks(run_of(), CODE, parts, segments).tolist() == [0, 1, 2, 3]
    for run in (run_of(folds=2), run_of(folds=1), run_of(split="stratified")):
        assert training_tracks(run, CODE, parts, segments).tolist() == list(range(7))


def test_scoring_sees_a_patch_every_so_many_frames() -> None:
    segments = cut(DrawnToTrainHopped(1, hop=4), np.array([0, 10, 22]), 5, seed=0)
    scored = segments.of_tracks(np.array([0, 1]))
    assert segments.first[scored].tolist() == [0, 4, 10, 14]
    assert len(segments.of_tracks(np.array([0, 1]), training=True)) == 2


@pytest.fixture(scope="module")
def trained(in_process, audio_folder: Path, cached: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("few")
    words = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached), "--folds", "1"]
    words += ["--data-root", str(out / "data"), "--out", str(out), "--epochs", "2"]
    with pytest.MonkeyPatch.context() as patch:
        fake_card.install(patch)
        for name in ("softmax", "prototypes", "nearest"):
            row = ROWS[f"curve/yamnet-{name}-n2"]
            own = replace(row, pretrained=fake_card.NAME, feature="penultimate", width=6)
            patch.setitem(EXPERIMENT.rows, row.id, own)
        methods = ("yamnet-softmax", "yamnet-prototypes", "yamnet-nearest", "timbre", "mfcc")
        rows = [f"curve/{name}-n2" for name in methods]
        assert train(PAPER, [*words, "--rows", ",".join(rows), "--seeds", "0,1"]) == 0
        assert train(PAPER, [*words, "--rows", "curve/timbre-n1", "--protocol", "code"]) == 0
    return out


def test_every_kind_of_row_learns_from_few_clips(trained: Path) -> None:
    places = sorted(path.parent for path in trained.rglob("predictions.npz"))
    assert len(places) == 5 * 2 + 1
    for place in places:
        record, predictions = read_record(place), read_predictions(place)
        n = int(record["row"][-1])
        assert record["clips"] == n * 3 == record["sizes"]["train"]["tracks"]
        assert record["sizes"].keys() == {"train", "test"}
        assert np.isfinite(predictions["scores"]).all()
        np.testing.assert_allclose(predictions["scores"].sum(axis=1), 1, rtol=1e-4)
        if "timbre" in record["row"]:
            assert record["parameters"] == 756 * 3 + 3 + 2
            assert (place / "model.keras").exists()


def test_a_run_is_the_same_again(trained: Path, tmp_path: Path, audio_folder, cached) -> None:
    words = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached), "--folds", "1"]
    words += ["--data-root", str(tmp_path / "data"), "--out", str(tmp_path), "--epochs", "2"]
    assert train(PAPER, [*words, "--rows", "curve/timbre-n2"]) == 0
    for path in tmp_path.rglob("predictions.npz"):
        again = trained / path.relative_to(tmp_path)
        assert path.read_bytes() == again.read_bytes()


def test_the_curve_has_draws_and_chance(trained: Path) -> None:
    assert evaluate(PAPER, ["--out", str(trained)]) == 0
    assert curve.main(["--out", str(trained)]) == 0
    found = pd.read_csv(trained / PAPER / "curve.csv")
    clean = found[found.protocol == "clean"]
    assert {*clean.method} == {
        "timbre", "mfcc", "yamnet-softmax", "yamnet-prototypes", "yamnet-nearest",
    }  # fmt: skip
    assert (clean.draws == 2).all()
    assert clean.chance.unique() == pytest.approx([100 / 3])
    assert len(list((trained / PAPER / "figures").glob("*-curve.png"))) == 2


def test_the_conclusions_are_answered_from_the_draws(trained: Path, capsys) -> None:
    assert app.main(["claims", PAPER, "--out", str(trained), "--csv"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    measured = found[(found.source == "measured") & found.difference.notna()]
    # MFCCs, and transfer, against TIMBRE; two draws are too few
    assert {*measured.claim} == {"limits-of-the-pipeline", "transfer"}
    assert ((measured.answer == "cannot be told") & (measured.n == 2)).all()


def test_rows_are_seventeen_methods_at_eight_numbers_of_clips() -> None:
    assert len(ROWS) == 17 * 8
    assert {*find_experiment(PAPER).protocols} == {CLEAN.name, CODE.name}
    assert ROWS["curve/vgg-nall"].clips == 0
