"""Rows on features of trained taggers: from segments to the vote, through the ordinary command."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from mirkeras.cache import CacheError, FeatureCache, open_cache
from mirkeras.cli.train import train
from mirkeras.evaluation import metrics
from mirkeras.experiment import Experiment, Protocol, Row
from mirkeras.experiment.division import Parts
from mirkeras.experiment.records import read_predictions, read_record
from mirkeras.pipeline.segments import stream_segments
from mirkeras.pretrained import weights
from mirkeras.system.errors import UsageError
from mirkeras.transfer import classifiers, segment_features
from tests import fake_card
from tests.one_epoch import PROTOCOL

PAPER = "package.fake_paper"
HOP = 40
LOAD = weights.load
ROW = Row(
    "transfer/fake",
    "fake",
    learner="pca-svm",
    pretrained=fake_card.NAME,
    feature="penultimate",
    hop=HOP,
)
ROWS = {
    "network": Row("network", "none", fake_card.build, 80, "cbmi2016"),
    "transfer/fake": ROW,
    "other/no-tagger": replace(ROW, id="other/no-tagger", pretrained="MTT_nothing"),
    "other/no-feature": replace(ROW, id="other/no-feature", feature="max_pool"),
}
FITTED = Protocol(
    name="transfer",
    summary="",
    normalise_on="training tracks",
    validate_by="test",
    keep_groups=False,
    drop_incomplete=False,
    select_by="last",
    aggregate="majority",
    folds=2,
)
PROTOCOLS = {protocol.name: protocol for protocol in (PROTOCOL, FITTED)}
EXPERIMENT = Experiment(PAPER, ROWS, ("network",), PROTOCOLS, batch=1)


@pytest.fixture(scope="module")
def paper():
    """A paper with such rows, and the only tagger they can name."""
    package, module = ModuleType("package"), ModuleType("experiments")
    module.EXPERIMENT = EXPERIMENT
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "package", package)
        patch.setitem(sys.modules, PAPER, module)
        fake_card.install(patch)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfer")


def arguments(audio_folder: Path, home: Path, **changes) -> list[str]:
    options = {
        "dataset": f"folder:{audio_folder}",
        "rows": "transfer",
        "data-root": home / "data",
        "cache-root": home / "cache",
        "out": home / "runs",
    } | changes
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def trained(paper, in_process, audio_folder: Path, home: Path) -> list[Path]:
    """Directories of the two folds' runs."""
    assert train(PAPER, arguments(audio_folder, home)) == 0
    return sorted(path.parent for path in home.rglob("run.json"))


@pytest.fixture(scope="module")
def cache(trained: list[Path], home: Path) -> FeatureCache:
    return open_cache(next(home.rglob("musicnn.h5")))


def by_hand(cache: FeatureCache, name: str) -> np.ndarray:
    frames = cache.track(name)
    starts = range(0, len(frames) - fake_card.FRAMES + 1, HOP)
    return fake_card.penultimate(
        np.stack([frames[start : start + fake_card.FRAMES] for start in starts])
    )


def test_the_vote_is_that_of_the_published_procedure(
    trained: list[Path], cache: FeatureCache
) -> None:
    classes = ["fast", "medium", "slow"]
    for directory in trained:
        found = read_predictions(directory)
        tested = found["tracks"].tolist()
        features = {name: by_hand(cache, name) for name in cache.tracks}
        rest = [name for name in cache.tracks if name not in tested]
        x = np.concatenate([features[name] for name in rest])
        y = np.repeat(
            [classes.index(name.split("/")[0]) for name in rest],
            [len(features[name]) for name in rest],
        )
        rotation = PCA(6, whiten=True, random_state=0).fit(x)
        machine = SVC(C=1, kernel="rbf", gamma="scale").fit(rotation.transform(x), y)
        votes = [machine.predict(rotation.transform(features[name])) for name in tested]
        np.testing.assert_array_equal(found["scores"].argmax(axis=1), np.concatenate(votes))
        decided = np.array([np.bincount(vote).argmax() for vote in votes])
        right = 100 * (decided == found["labels"]).mean()
        assert metrics.accuracies(found, "majority")["accuracy"] == pytest.approx(right)


def test_a_run_says_whose_features_it_read(trained: list[Path], home: Path) -> None:
    assert len(trained) == 2
    record, found = read_record(trained[0]), read_predictions(trained[0])
    assert record["protocol"] == "transfer"  # the only one for such rows
    assert (record["tagger"], record["feature"], record["hop"]) == (
        *(fake_card.NAME, "penultimate", HOP),
    )
    assert (record["weights"], record["components"]) == ("0" * 64, 6)
    assert 0 < record["support_vectors"] <= record["sizes"]["train"]["segments"] == 9 * 4
    assert record["sizes"].keys() == {"train", "test"}  # nothing is validated
    assert record["recipe"]["features"]["recipe"]["name"] == "musicnn"
    assert found["segment_frame"][:4].tolist() == [0, HOP, 2 * HOP, 3 * HOP]
    assert 0 <= found["scores"].min() <= found["scores"].max() == 1
    # both folds read the same file
    assert len(list(home.rglob("embeddings/*.npy"))) == 1


def test_what_is_finished_is_not_done_again(
    trained: list[Path], audio_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(segment_features, "_compute", None)
    assert train(PAPER, arguments(audio_folder, home)) == 0
    assert "2 run(s) already finished" in capsys.readouterr().out
    assert train(PAPER, arguments(audio_folder, home, out=home / "again")) == 0
    again = sorted(path.parent for path in (home / "again").rglob("run.json"))
    for one, other in zip(trained, again, strict=True):
        first, second = (read_predictions(path)["scores"] for path in (one, other))
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("present", [(0, 1), (1, 3), (0, 1, 2, 3)])
def test_shares_of_pairs_decide_as_the_machine_does(present: tuple[int, ...]) -> None:
    random = np.random.RandomState(1)
    labels = np.resize(present, 120)
    features = random.randn(120, 9).astype(np.float32) + labels[:, None] * random.randn(9) / 2
    parts = Parts(*(np.arange(begin, 120, 3) for begin in range(3)), np.arange(120))
    shares, facts, _ = classifiers.vote_shares(features, labels, parts, outputs=4, seed=0)
    rotation = PCA(9, whiten=True).fit(features[parts.train])
    machine = SVC().fit(rotation.transform(features[parts.train]), labels[parts.train])
    expected = machine.predict(rotation.transform(features[parts.test]))
    np.testing.assert_array_equal(shares.argmax(axis=1), expected)
    assert not shares[:, sorted({0, 1, 2, 3} - set(present))].any()
    np.testing.assert_allclose(shares.sum(axis=1), len(present) / 2)
    assert facts["support_vectors"] == machine.n_support_.sum()


def test_nothing_is_fitted_on_what_is_tested() -> None:
    random = np.random.RandomState(2)
    features, labels = random.randn(60, 5), np.arange(60) % 3
    parts = Parts(np.arange(30), np.arange(30, 59), np.array([59]), np.arange(30))
    expected, _, _ = classifiers.vote_shares(features, labels, parts, outputs=3, seed=0)
    features[30:59] *= 100  # all that is neither trained on nor the tested segment itself
    many = replace(parts, test=np.arange(30, 60))
    found, _, _ = classifiers.vote_shares(features, labels, many, outputs=3, seed=0)
    np.testing.assert_array_equal(found[-1:], expected)


def test_segments_are_counted_as_they_are_cut() -> None:
    lengths = np.array([3, 4, 5, 6, 7, 16])
    counts = [sum(map(len, stream_segments([np.zeros((length, 2))], 4, 2))) for length in lengths]
    assert segment_features.segment_counts(lengths, 4, 2).tolist() == counts == [1, 1, 1, 2, 2, 7]


def test_an_interrupted_computation_goes_on(
    cache: FeatureCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding = segment_features.Embedding(fake_card.card(), "mean_pool", HOP)
    whole = segment_features.cached_features(embedding, cache, tmp_path / "whole", None)
    monkeypatch.setattr(segment_features, "BLOCK", 5)

    def stop(part: float) -> None:
        if part > 0.5:  # after two of four blocks
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_features.cached_features(embedding, cache, tmp_path, None, stop)
    assert not list(tmp_path.glob("*.npy"))
    left, values = [], segment_features._values

    def count(*given) -> np.ndarray:
        left.append(1)
        return values(*given)

    monkeypatch.setattr(segment_features, "_values", count)
    resumed = segment_features.cached_features(embedding, cache, tmp_path, None)
    assert len(left) == 2
    assert resumed.offsets.tolist() == whole.offsets.tolist() == list(range(0, 4 * 18 + 1, 4))
    np.testing.assert_allclose(resumed.memmap(), whole.memmap(), rtol=1e-6)
    assert not list(tmp_path.glob("*.partial"))
    resumed.path.write_bytes(resumed.path.read_bytes()[:-9])
    with pytest.raises(CacheError, match=r"is damaged .*delete it and run again"):
        segment_features.cached_features(embedding, cache, tmp_path, None)


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    segments = np.random.RandomState(4).rand(7, fake_card.FRAMES, fake_card.BANDS)
    sizes = []

    def score(batch: np.ndarray) -> list[np.ndarray]:
        sizes.append(len(batch))
        return [batch.mean(axis=1)]

    for most, expected in ((3 * segments[0].size, [3, 3, 1]), (1, [1] * 7)):
        monkeypatch.setattr(segment_features, "BATCH_VALUES", most)
        found = segment_features._values(score, iter(segments))
        np.testing.assert_allclose(found, segments.mean(axis=1), rtol=1e-6)
        assert sizes == expected
        sizes.clear()


def test_taggrams_are_features_too(cache: FeatureCache, tmp_path: Path) -> None:
    embedding = segment_features.Embedding(
        fake_card.card(frames=300), segment_features.TAGGRAM, 300
    )
    taggrams = segment_features.cached_features(embedding, cache, tmp_path, None)
    frames = cache.track(cache.tracks[2])
    repeated = np.concatenate([frames, frames])[None, :300]
    expected = fake_card.build()(repeated)
    np.testing.assert_allclose(taggrams.track(cache.tracks[2]), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": "other/no-tagger"}, f"no trained tagger 'MTT_nothing'.*{fake_card.NAME}"),
        ({"rows": "other/no-feature"}, "no feature 'max_pool'; it has: penultimate, mean_pool"),
        ({"rows": "network,transfer"}, "another protocol than networks"),
        ({"protocol": "paper"}, "protocol paper is not for transfer/fake; use --protocol transfer"),
        ({"dataset": "mini_tags"}, "protocol transfer of package.fake_paper classifies"),
    ],
)
def test_mistakes_are_one_clear_message(
    changes: dict, message: str, paper, audio_folder: Path, tmp_path: Path, capfd
) -> None:
    assert train(PAPER, arguments(audio_folder, tmp_path, **changes)) == 1
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert not (tmp_path / "cache").exists()


def test_missing_weights_stop_before_anything_starts(
    paper, audio_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setattr(weights, "load", LOAD)
    (tmp_path / "empty").mkdir()
    given = arguments(audio_folder, tmp_path, weights=tmp_path / "empty")
    assert train(PAPER, given) == 1
    assert "fake-weights.npz" in capfd.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_a_row_must_say_what_it_reads() -> None:
    with pytest.raises(ValueError, match="which feature of FAKE_tagger, at which hop"):
        Row("x", "x", pretrained=fake_card.NAME, feature="penultimate")
    with pytest.raises(UsageError):
        segment_features.embedding_of(ROWS["other/no-tagger"], None)
