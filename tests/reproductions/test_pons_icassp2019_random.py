"""Random CNNs: front-ends counted by hand, grids beside plain ones, runs on sounds made here."""

import io
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVC

from mirkeras.cli import app
from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.train import train
from mirkeras.experiment import find_experiment
from mirkeras.experiment.records import read_predictions, read_record
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pipeline.segments import repeated
from reproductions.pons_icassp2019_random import classifiers, features, front_ends, models
from reproductions.pons_icassp2019_random.experiments import ROWS, Unshuffled
from reproductions.pons_icassp2019_random.learners import on_the_wrong_axis

PAPER = "pons_icassp2019_random"

#: (N of some 3,500 features, features; N of some 150, features), of the fact that N fixes them.
SIZES = {
    "vgg": (717, 3585, 32, 160),
    "7x96": (3585, 3585, 160, 160),
    "7x86": (3585, 3585, 160, 160),
    "timbral": (256, 3584, 8, 112),
    "temporal": (256, 3584, 8, 112),
    "timbral-temporal": (128, 3584, 4, 112),
    "sample-level": (512, 3584, 23, 161),
    "frame-level": (896, 3584, 40, 160),
    "frame-level-many": (448, 3584, 20, 160),
}
PARAMETERS = {
    "vgg": lambda n: 10 * n + 4 * (9 * n * n + n),
    "7x96": lambda n: 7 * 96 * n + n,
    "7x86": lambda n: 7 * 86 * n + n,
    "timbral": lambda n: (7 + 3 * 2 + 4) * (86 + 38) * n + 14 * n,
    "temporal": lambda n: sum(
        (frames + 1) * (times * n - n // 4)
        for frames, times in ((165, 1), (128, 2), (64, 4), (32, 8))
    ),
    "sample-level": lambda n: 4 * n + 6 * (3 * n * n + n),
    "frame-level": lambda n: 513 * n + 3 * (7 * n * n + n),
    "frame-level-many": lambda n: (992 + 5) * n + (35 * n * n + n) + 2 * (7 * n * n + n),
}


@pytest.mark.parametrize("name", SIZES)
def test_features_and_parameters_follow_from_the_number_of_filters(name: str) -> None:
    front_end = models.FRONT_ENDS[name]
    assert front_end.filters == SIZES[name][::2]
    for filters, count in zip(SIZES[name][::2], SIZES[name][1::2], strict=True):
        for length in (1376, 188) if front_end.recipe == models.MEL else (48_000,):
            network = front_end.build(length, filters)
            assert network.output_shape == (None, count)
            if name in PARAMETERS:
                assert count_trainable(network) == PARAMETERS[name](filters)


@pytest.mark.parametrize("name", SIZES)
def test_no_network_can_see_less_than_it_says(name: str) -> None:
    front_end = models.FRONT_ENDS[name]
    assert front_end.build(front_end.shortest, 4).output_shape[1] > 0
    if name != "temporal":
        with pytest.raises(ValueError, match=r"[Nn]egative|shape|kernel|size"):
            front_end.build(front_end.shortest - 1, 4)


def test_a_feature_is_the_mean_of_a_map() -> None:
    """7×86 by hand: a filter at every band it fits, its largest, rectified, averaged over time."""
    network = models.FRONT_ENDS["7x86"].build(20, 3)
    kernel = np.asarray(network.get_layer("tall_conv").kernel)[:, :, 0]
    segment = np.random.default_rng(0).normal(size=(20, 96)).astype(np.float32)
    maxima = [
        [
            max((segment[t : t + 7, f : f + 86] * kernel[..., n]).sum() for f in range(11))
            for n in range(3)
        ]
        for t in range(14)
    ]
    expected = np.maximum(maxima, 0).mean(axis=0)
    found = keras.ops.convert_to_numpy(network(segment[None]))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_transposed_back_end_leaves_few_features() -> None:
    """Of 3,584 values 899 and 2,243 are not constant."""
    for name, alive in (("frame-level", 899), ("frame-level-many", 2243)):
        front_end = models.FRONT_ENDS[name]
        filters = front_end.filters[0]
        values = np.random.default_rng(1).uniform(1, 2, (4, SIZES[name][1])).astype(np.float32)
        changed = on_the_wrong_axis(values, front_end.front * filters)
        assert (np.ptp(changed, axis=0) > 0).sum() == alive
        first = front_end.front * filters
        np.testing.assert_array_equal(changed[:, :first], values[:, :first])
        layer = values[:, first : first + filters]
        np.testing.assert_allclose(changed[:, first], layer.mean(axis=1), rtol=1e-6)


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    classes = np.repeat([2, 5, 9], 20)
    train = random.normal(size=(60, 30)) + classes[:, None] / 4
    return train, classes, random.normal(size=(25, 30)) + 1.5


def test_the_grid_is_that_of_plain_machines(points) -> None:
    train, classes, others = points
    decided, facts = classifiers.svm_grid(train, classes, others)
    names = classifiers.svm_points()
    assert len(names) == len(decided) == 7 * 4 + 4
    assert facts == {"stopped": 0}
    for gamma, c in product((2**-3, 2**-7, "auto"), (0.1, 8.0)):
        plain = SVC(kernel="rbf", gamma=gamma, C=c).fit(train, classes).predict(others)
        np.testing.assert_array_equal(decided[names.index(f"rbf gamma {gamma} C {c}")], plain)
    plain = SVC(kernel="linear", C=2.0).fit(train, classes).predict(others)
    np.testing.assert_array_equal(decided[names.index("linear C 2.0")], plain)


@pytest.mark.parametrize("hidden", [40, 60, 100])
def test_an_extreme_learning_machine_is_a_pseudo_inverse(points, hidden: int) -> None:
    train, classes, _ = points
    random = np.random.default_rng(3)
    layer = random.standard_normal((30, hidden)), random.standard_normal(hidden)
    units = np.maximum(train @ layer[0] + layer[1], 0)
    targets = np.array([[1 if c == name else -1 for name in (2, 5, 9)] for c in classes])
    plain = np.linalg.pinv(units) @ targets
    np.testing.assert_allclose(classifiers.solve(train, classes, layer), plain, atol=1e-6)


def test_machines_of_all_sizes_decide_for_classes_that_occur(points, monkeypatch) -> None:
    monkeypatch.setattr(classifiers, "HIDDEN", (20, 50))
    decided, _ = classifiers.elm_grid(*points, seed=0)
    assert decided.shape == (2, 25)
    assert {*decided.ravel()} <= {2, 5, 9}
    again, _ = classifiers.elm_grid(*points, seed=0)
    other, _ = classifiers.elm_grid(*points, seed=1)
    np.testing.assert_array_equal(decided, again)
    assert (decided != other).any()


def test_folds_of_the_code_are_in_the_order_of_the_files() -> None:
    tracks = pd.DataFrame({"label": ["a"] * 10 + ["b"] * 5})
    parts = [Unshuffled()(tracks, 5, fold, seed=9) for fold in range(5)]
    assert parts[0][2].tolist() == parts[0][1].tolist() == [0, 1, 10]
    assert parts[4][2].tolist() == [8, 9, 14]
    assert sorted(np.concatenate([test for *_, test in parts])) == list(range(15))
    with pytest.raises(ValueError, match=r"b has 5 track\(s\)"):
        Unshuffled()(tracks, 6, 0, 0)


def test_a_short_track_is_repeated_and_a_long_one_begun() -> None:
    track = np.arange(5)[:, None]
    assert repeated(track, 12)[:, 0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert repeated(track, 3)[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("seconds", "mel", "samples"), [(30, 1376, 350_000), (4, 188, 48_000), (5, 235, 60_000)]
)
def test_segments_are_as_long_as_the_authors_had_them(seconds, mel, samples) -> None:
    class Cache:
        offsets = np.array([0, 1, 1, 1]).cumsum()

    for name, recipe in (("vgg", models.MEL), ("sample-level", models.WAVEFORM)):
        frames = 1 + 12_000 * seconds // 256 if recipe == models.MEL else 12_000 * seconds
        Cache.offsets = np.array([0, frames, 2 * frames, 2 * frames + 60])
        row = ROWS[f"figures/{name}-150-svm"]
        assert features.segment_length(row, Cache) == (mel if recipe == models.MEL else samples)


def test_mfcc_statistics_by_hand() -> None:
    librosa = pytest.importorskip("librosa")
    samples = np.random.default_rng(4).uniform(-0.5, 0.5, 12_000).astype(np.float32)
    row = find_recipe("pons2019-mfcc").extract(samples)
    plain = librosa.feature.mfcc(y=samples, sr=12_000, n_mfcc=20)
    steps = plain[:, 1:] - plain[:, :-1]
    again = steps[:, 1:] - steps[:, :-1]
    parts = [f(x, axis=1) for x in (plain, steps, again) for f in (np.mean, np.std)]
    assert row.shape == (1, 120)
    np.testing.assert_allclose(row[0], np.concatenate(parts), rtol=1e-4, atol=1e-4)
    short = find_recipe("pons2019-mfcc").extract(samples[:100])[0]
    assert short[40:].tolist() == [0] * 80


def run(audio_folder: Path, cached: Path, out: Path, *words: str) -> int:
    given = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached), "--folds", "2"]
    return train(PAPER, [*given, "--data-root", str(out / "data"), "--out", str(out), *words])


@pytest.fixture(scope="module")
def trained(in_process, audio_folder: Path, cached: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("random")
    rows = ("7x86-150-svm", "7x86-150-elm", "7x96-150-svm", "frame-level-150-svm", "mfcc-svm")
    rows = ["--rows", ",".join(f"figures/{row}" for row in rows), "--seeds", "0,1"]
    for protocol in (["clean"], ["code", "--split", "drawn"]):
        assert run(audio_folder, cached, out, *rows, "--protocol", *protocol) == 0
    return out


def test_runs_say_what_was_chosen(trained: Path) -> None:
    places = sorted(path.parent for path in trained.rglob("predictions.npz"))
    assert len(places) == 2 * 5 * 2 * 2
    for place in places:
        record, predictions = read_record(place), read_predictions(place)
        assert record["chosen"] in classifiers.svm_points() + classifiers.elm_points()
        assert set(np.unique(predictions["scores"])) == {0, 1}
        if "frame-level" in record["row"]:
            alive = record["values"] - record["constant_values"]
            assert (alive <= 43) == (record["protocol"] == "code")


def test_the_code_chooses_on_the_test_folds(trained: Path) -> None:
    """One point for all folds, the best in their mean; the classes of a draw of weights."""
    for row in ("7x86-150-svm", "7x86-150-elm"):
        for seed in (0, 1):
            place = f"code/figures/{row}/seed{seed}/fold*/run.json"
            records = [read_record(path.parent) for path in trained.rglob(place)]
            assert len({record["chosen"] for record in records}) == 1
            assert all("validation" not in record["sizes"] for record in records)


def test_the_same_weights_for_both_classifiers_and_others_for_other_seeds(trained: Path) -> None:
    weights = {
        (path.parent.parent.parent.name, path.parent.parent.name): read_record(path.parent)[
            "recipe"
        ]
        for path in trained.rglob("clean/figures/7x86-150-*/seed*/fold01*/run.json")
    }
    for seed in ("seed0", "seed1"):
        assert weights["7x86-150-svm", seed] == weights["7x86-150-elm", seed]
    row = ROWS["figures/7x86-150-svm"]
    first, again, other = (features.network_of(row, 30, seed).get_weights() for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_claims_are_answered_from_the_runs(trained: Path, capsys) -> None:
    assert app.main(["claims", PAPER, "--out", str(trained), "--csv"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out))
    measured = found[(found.source == "measured") & found.difference.notna()]
    assert {*measured.text} == {"7×86 > 7×96", "some random CNN outperforms MFCCs"}
    assert {*measured.by} == {"tracks"}


def test_front_ends_are_drawn_beside_each_other(trained: Path) -> None:
    assert evaluate(PAPER, ["--out", str(trained)]) == 0
    assert front_ends.main(["--out", str(trained)]) == 0
    drawn = (trained / PAPER / "figures").glob("*-150-front-ends.png")
    assert len(list(drawn)) == 2  # of two splits


def test_what_choosing_on_the_test_folds_adds_is_in_points() -> None:
    rows = pd.DataFrame(
        {
            "front_end": "vgg", "protocol": ["code", "clean"], "accuracy": [62.5, 60.0],
            "dataset": "esc50", "split": "official", "folds": 5, "size": "150",
            "classifier": "svm",
        }
    )  # fmt: skip
    assert "| vgg | +2.5 |" in front_ends.page(front_ends.gaps(rows))
    assert front_ends.gaps(rows[:1]).empty


def test_what_cannot_be_chosen_from_is_refused(
    in_process, audio_folder: Path, cached: Path, tmp_path: Path, capsys
) -> None:
    one = tmp_path / "one"
    for label in ("slow", "fast"):
        (one / label).mkdir(parents=True)
        (one / label / "0.wav").symlink_to(audio_folder / label / "00.wav")
    assert run(one, tmp_path / "cache", tmp_path, "--rows", "figures/mfcc-svm") == 1
    assert "too few tracks for 2 folds" in capsys.readouterr().err


def test_every_row_is_of_the_grid_of_the_paper() -> None:
    assert len(ROWS) == 9 * 2 * 2 + 2
    assert {*find_experiment(PAPER).protocols} == {"clean", "code"}
