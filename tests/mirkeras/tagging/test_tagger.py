import threading

from mirkeras.system.backend import keras

import numpy as np
import pytest
import soundfile

from mirkeras import audio, tagging
from mirkeras.audio import AudioError
from mirkeras.features import RECIPES
from mirkeras.system.errors import UsageError
from mirkeras.tagging import Tagger, models
from mirkeras.tagging import tagger as tagging_tagger
from tests.fake_card import card

RATE = 16_000
MUSICNN = RECIPES["musicnn"]
TAGS = tuple(f"tag {number}" for number in range(7))


def small_network() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((187, 96))
    x = keras.layers.Conv1D(8, 3, strides=2, activation="relu", name="hidden")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pooled")(x)
    return keras.Model(inputs, keras.layers.Dense(len(TAGS), "sigmoid", name="scores")(x))


CARD = card(name="small", frames=187, tags=TAGS, embeddings=("pooled", "hidden"))


@pytest.fixture(autouse=True)
def network(monkeypatch) -> keras.Model:
    """A small network of random weights instead of a trained one."""
    network = small_network()
    monkeypatch.setattr(models.cards, "find_card", lambda name: CARD)
    monkeypatch.setattr(models.cards, "all_cards", lambda: {"MTT_musicnn": CARD})
    monkeypatch.setattr(models.trained, "load", lambda card, weights=None, **options: network)
    return network


def write(path, seconds: float, seed: int = 0, rate: int = RATE):
    random = np.random.RandomState(seed)
    envelope = np.repeat(random.uniform(0.01, 0.5, int(seconds * 4) + 1), rate // 4)
    samples = random.uniform(-1, 1, int(seconds * rate)) * envelope[: int(seconds * rate)]
    soundfile.write(path, samples, rate)
    return path


def expected(path, network, hop: int = 187) -> np.ndarray:
    """The taggram, segment by segment, from the whole track's frames."""
    frames = MUSICNN.extract(audio.load(path, sample_rate=RATE))
    starts = range(0, len(frames) - 186, hop)
    return np.concatenate([np.asarray(network(frames[None, i : i + 187])) for i in starts])


def test_a_track(tmp_path, network):
    path = write(tmp_path / "a.wav", 10.5, rate=22_050)
    tagged = Tagger().tag(path)
    assert (tagged.path, tagged.model, tagged.tags) == (path, "small", TAGS)
    assert tagged.taggram.dtype == np.float32
    assert tagged.features is None
    np.testing.assert_allclose(tagged.taggram, expected(path, network), atol=1e-6)
    assert not tagged.repeated
    assert tagged.seconds == 10.5
    assert tagged.length == 187 * 256 / RATE
    np.testing.assert_allclose(tagged.starts, [0, 2.992, 5.984])
    np.testing.assert_array_equal(tagged.scores, tagged.taggram.mean(axis=0))
    best = tagged.top(3)
    assert [score for _, score in best] == sorted(tagged.scores.tolist(), reverse=True)[:3]
    assert best[0][0] == TAGS[tagged.scores.argmax()]
    assert len(tagged.top(100)) == len(TAGS)


def test_two_lines(tmp_path):
    path = write(tmp_path / "a.wav", 4)
    assert tagging.tag(path, hop=1).top(1) == Tagger(hop=1).tag(str(path)).top(1)


def test_a_second_is_61_frames(tmp_path, network):
    path = write(tmp_path / "a.wav", 7)
    tagged = Tagger(hop=1.0).tag(path)
    np.testing.assert_allclose(tagged.taggram, expected(path, network, hop=61), atol=1e-6)
    np.testing.assert_allclose(np.diff(tagged.starts), 61 * 256 / RATE)


@pytest.mark.parametrize("hop", [0, 0.01, -1, 3.1])
def test_hops_that_cannot_be(hop):
    with pytest.raises(UsageError, match="1 to 187 frames"):
        Tagger(hop=hop)


def test_features(tmp_path, network):
    path = write(tmp_path / "a.wav", 10)
    tagged = Tagger(features="pooled").tag(path)
    assert tagged.features.shape == (3, 8)
    pooled = keras.Model(network.input, network.get_layer("pooled").output)
    frames = MUSICNN.extract(audio.load(path, sample_rate=RATE))[: 3 * 187].reshape(3, 187, 96)
    np.testing.assert_allclose(tagged.features, np.asarray(pooled(frames)), atol=1e-6)
    np.testing.assert_allclose(tagged.taggram, Tagger().tag(path).taggram, atol=1e-6)
    assert Tagger(features="hidden").tag(path).features.shape == (3, 93 * 8)
    with pytest.raises(UsageError, match="'loudness'; there are: pooled, hidden"):
        Tagger(features="loudness")


def test_short_tracks_are_repeated(tmp_path, network):
    path = write(tmp_path / "a.wav", 1.0)
    tagged = Tagger().tag(path)
    frames = MUSICNN.extract(audio.load(path, sample_rate=RATE))
    filled = np.concatenate([frames] * 3)[:187]
    assert tagged.repeated
    np.testing.assert_allclose(tagged.taggram, np.asarray(network(filled[None])), atol=1e-6)
    assert Tagger().tag(write(tmp_path / "b.wav", 2.97)).repeated
    assert not Tagger().tag(write(tmp_path / "c.wav", 2.99)).repeated


@pytest.mark.parametrize("seconds", [0.2, 0.99])
def test_too_short(tmp_path, seconds):
    with pytest.raises(AudioError, match="at least 1 s") as error:
        Tagger().tag(write(tmp_path / "a.wav", seconds))
    assert error.value.reason == "too short"


def test_a_sample_less_than_a_second(tmp_path):
    with pytest.raises(AudioError, match=r"0\.999 s, at least 1 s"):
        Tagger().tag(write(tmp_path / "a.wav", 15_999 / RATE))


def test_features_that_would_fill_memory(monkeypatch):
    monkeypatch.setattr(tagging_tagger, "MOST_VALUES", 700)
    with pytest.raises(UsageError, match="'hidden' of small has 744 values per segment"):
        Tagger(features="hidden")
    Tagger(features="pooled")


@pytest.mark.parametrize("jobs", [1, 3])
def test_many_files_are_one_by_one_and_in_order(tmp_path, jobs):
    lengths = [4, 61, 1.5, 9.2, 3, 0.5, 33, 3.5, 3, 3, 3, 12]
    paths = [write(tmp_path / f"{n}.wav", s, seed=n) for n, s in enumerate(lengths)]
    (tmp_path / "text.mp3").write_text("no music\n" * 100)
    paths[4:4] = [tmp_path / "text.mp3", tmp_path / "none.wav"]
    late = np.random.RandomState(0).uniform(-0.5, 0.5, RATE * 40).astype(np.float32)
    late[-5] = np.nan
    soundfile.write(tmp_path / "nan.wav", late, RATE, subtype="FLOAT")
    paths += [tmp_path / "nan.wav", paths[0], tmp_path]
    tagger = Tagger(jobs=jobs, hop=1.0)
    results = list(tagger.tag_all(iter(paths)))
    assert [path for path, _ in results] == paths
    reasons = {path.name: r.reason for path, r in results if isinstance(r, AudioError)}
    assert reasons == {
        "text.mp3": "unreadable",
        "none.wav": "missing",
        "5.wav": "too short",
        "nan.wav": "non-finite",
        tmp_path.name: "unreadable",
    }
    for path, tagged in results:
        if not isinstance(tagged, AudioError):
            np.testing.assert_allclose(tagged.taggram, tagger.tag(path).taggram, atol=1e-6)


def test_nothing_to_do():
    assert list(Tagger().tag_all([])) == []


def test_results_do_not_wait_for_all_files(tmp_path):
    path = write(tmp_path / "a.wav", 30)
    asked = []

    def paths():
        for number in range(1000):
            asked.append(number)
            yield path

    before = threading.active_count()
    results = Tagger(jobs=2).tag_all(paths())
    for done in range(10):
        next(results)
        assert len(asked) <= done + 5  # one batch and those being read
    results.close()
    assert threading.active_count() == before


def test_segments_do_not_pile_up(tmp_path, monkeypatch):
    tagger = Tagger(hop=0.05)
    largest, score = [], tagger._score
    monkeypatch.setattr(tagger, "_score", lambda x: largest.append(len(x)) or score(x))
    tagged = tagger.tag(write(tmp_path / "a.wav", 40))
    assert len(tagged.taggram) > 1000
    assert max(largest) == 2  # 400 frames


def test_a_crash_of_the_network_is_raised(tmp_path, monkeypatch):
    def fail(segments):
        raise RuntimeError("out of memory")

    tagger, before = Tagger(), threading.active_count()
    monkeypatch.setattr(tagger, "_score", fail)
    paths = [write(tmp_path / f"{n}.wav", 60) for n in range(3)]
    with pytest.raises(RuntimeError, match="out of memory"):
        list(tagger.tag_all(paths))
    assert threading.active_count() == before


def test_ctrl_c_ends_at_once(tmp_path, monkeypatch):
    def interrupted(segments):
        raise KeyboardInterrupt

    tagger, before = Tagger(), threading.active_count()
    monkeypatch.setattr(tagger, "_score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(tagger.tag_all([write(tmp_path / "a.wav", 60)] * 100))
    assert threading.active_count() == before


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), MemoryError(), OSError(5, "I/O")])
def test_no_file_ends_a_job(tmp_path, monkeypatch, error):
    first, second, whole = [], write(tmp_path / "b.wav", 4), tagging_tagger.frames

    def breaks_once(*arguments):
        if first:
            return whole(*arguments)
        first.append(arguments)
        raise error

    monkeypatch.setattr(tagging_tagger, "frames", breaks_once)
    results = Tagger(jobs=1).tag_all([write(tmp_path / "a.wav", 4), second])
    (broken, refused), (_, tagged) = results
    assert (broken, refused.reason) == (tmp_path / "a.wav", "unreadable")
    assert tagged.path == second
