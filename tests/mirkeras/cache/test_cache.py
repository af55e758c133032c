"""The cache: what it holds, what it accepts, what it refuses."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import audio, cache, features
from mirkeras.audio import decoding
from mirkeras.cache import build
from mirkeras.cache.shards import refuse_losses
from mirkeras.cache.statistics import cell_statistics, statistics
from mirkeras.features import extraction, logmel

RECIPE = features.RECIPES["cbmi2016"]


def noise(seed: int, seconds: float) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-0.5, 0.5, int(44100 * seconds))


def index_of(root: Path) -> pd.DataFrame:
    files = sorted(path.name for path in root.iterdir())
    return pd.DataFrame({"track": [f"Ré/{Path(f).stem}" for f in files], "path": files})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five good tracks of different lengths; only read by the tests."""
    root = tmp_path_factory.mktemp("audio")
    for i in range(5):
        soundfile.write(root / f"{i}.wav", noise(i, 2 + i / 3), 44100)
    return root


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """An uninterrupted cache of the five tracks; only read by the tests."""
    path = tmp_path_factory.mktemp("finished") / "cbmi2016.h5"
    return cache.build_cache(index_of(root), root, RECIPE, path, jobs=1)


@pytest.fixture
def copied(root, finished, tmp_path):
    """Copies of audio and cache that a test may spoil: (audio root, cache file)."""
    own = Path(shutil.copytree(root, tmp_path / "audio"))
    path = Path(shutil.copy(finished.path, tmp_path / "cbmi2016.h5"))
    return own, path


def test_a_cache_holds_every_tracks_frames(root, finished):
    frames = [RECIPE.extract(audio.load(root / f"{i}.wav", sample_rate=44100)) for i in range(5)]
    assert finished.tracks == ("Ré/0", "Ré/1", "Ré/2", "Ré/3", "Ré/4")
    assert finished.bands == 40
    np.testing.assert_array_equal(np.diff(finished.offsets), [len(f) for f in frames])
    np.testing.assert_array_equal(finished.memmap(), np.concatenate(frames))
    np.testing.assert_array_equal(finished.track("Ré/3"), frames[3])
    assert finished.memmap().flags.aligned
    assert not finished.memmap().flags.writeable
    with pytest.raises(KeyError, match="not in the data set"):
        finished.track("Ré/9")


def test_statistics_are_those_of_all_values(finished):
    everything = finished.memmap().astype(np.float64)
    assert statistics(finished) == pytest.approx((everything.mean(), everything.std()))
    some = np.concatenate([finished.track("Ré/1"), finished.track("Ré/4")]).astype(np.float64)
    assert statistics(finished, ["Ré/4", "Ré/1"]) == pytest.approx((some.mean(), some.std()))
    with pytest.raises(ValueError, match="at least one"):
        statistics(finished, [])


def test_the_file_depends_on_the_data_only(root, finished, tmp_path):
    shuffled = index_of(root).sample(frac=1, random_state=1)
    again = cache.build_cache(shuffled, root, RECIPE, tmp_path / "cbmi2016.h5", jobs=2)
    assert again.path.read_bytes() == finished.path.read_bytes()


def test_the_fingerprint_is_of_names_and_audio_bytes(root, finished):
    lines = [
        f"Ré/{i}\0{hashlib.sha256((root / f'{i}.wav').read_bytes()).hexdigest()}\n"
        for i in range(5)
    ]
    assert finished.fingerprint == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_complete_cache_is_opened_without_a_word(root, finished, capfd, monkeypatch):
    monkeypatch.setattr(extraction, "extract_all", None)
    again = cache.build_cache(index_of(root), root, RECIPE, finished.path)
    assert again.fingerprint == finished.fingerprint
    assert cache.open_cache(finished.path, RECIPE).tracks == finished.tracks
    assert capfd.readouterr() == ("", "")


def test_another_identity_is_refused(root, finished, monkeypatch):
    index, path = index_of(root), finished.path
    with pytest.raises(cache.CacheError, match=r"cbmi2016\.h5.*hop 1024 -> 512.*delete it"):
        cache.build_cache(index, root, replace(RECIPE, hop=512), path)
    with pytest.raises(cache.CacheError, match="hop 1024 -> 512"):
        cache.open_cache(path, replace(RECIPE, hop=512))
    with pytest.raises(cache.CacheError, match="min_frames 80 -> 250"):
        cache.build_cache(index, root, RECIPE, path, min_frames=250)
    monkeypatch.setattr(logmel, "version", lambda name: "9.9")
    with pytest.raises(cache.CacheError, match=r"numpy \S+ -> 9\.9"):
        cache.open_cache(path, RECIPE)
    monkeypatch.setattr(decoding.soxr, "__version__", "9.9")
    with pytest.raises(cache.CacheError, match=r"resampler soxr \S+ HQ -> soxr 9\.9 HQ"):
        cache.open_cache(path, RECIPE)


def test_files_that_are_no_complete_cache_are_refused(copied, tmp_path):
    _, path = copied
    with pytest.raises(cache.CacheError, match="no such cache"):
        cache.open_cache(tmp_path / "none.h5")
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:2000], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(cache.CacheError, match=r"cbmi2016\.h5 is damaged .*delete it"):
            cache.open_cache(path)


def test_an_index_must_name_each_track_once(root, tmp_path):
    index = index_of(root)
    for wrong in (index[:0], pd.concat([index, index[:1]])):
        with pytest.raises(cache.CacheError, match="only once"):
            cache.build_cache(wrong, root, RECIPE, tmp_path / "cbmi2016.h5")


@pytest.fixture
def spoiled(root, tmp_path):
    """The good tracks, a poor but good one, and six bad ones."""
    own = Path(shutil.copytree(root, tmp_path / "audio"))
    soundfile.write(own / "poor.wav", noise(8, 25)[::5].reshape(-1, 2), 8000, subtype="PCM_U8")
    (own / "bytes.wav").touch()
    (own / "text.wav").write_text("not audio at all")
    (own / "cut.wav").write_bytes((own / "1.wav").read_bytes()[:50_000])
    soundfile.write(own / "silent.wav", np.zeros(100_000), 44100)
    soundfile.write(own / "nan.wav", np.full(100_000, np.nan), 44100, subtype="FLOAT")
    soundfile.write(own / "short.wav", noise(8, 0.5), 44100)
    return own


def test_bad_tracks_are_set_aside_with_reasons(spoiled, tmp_path):
    index = index_of(spoiled)
    index.loc[len(index)] = ["Ré/gone", "gone.wav"]
    built = cache.build_cache(index, spoiled, RECIPE, tmp_path / "c.h5", jobs=1, max_rejected=0.6)
    assert len(built.tracks) == 6
    assert len(built.track("Ré/poor")) > 80
    reasons = built.rejected.set_index("track")["reason"].str.split(":").str[0].to_dict()
    assert reasons == {
        "Ré/bytes": "empty file",
        "Ré/cut": "unreadable",
        "Ré/gone": "missing",
        "Ré/nan": "non-finite",
        "Ré/short": "too short",
        "Ré/silent": "silent",
        "Ré/text": "unreadable",
    }
    report = pd.read_csv(tmp_path / "c.rejected.csv")
    assert report.equals(built.rejected.drop(columns="digest").astype(report.dtypes))
    with pytest.raises(KeyError, match="set aside, silent"):
        built.track("Ré/silent")
    assert built.set_aside.startswith("7 track(s) set aside (2 × unreadable, 1 × ")
    options = {"jobs": 1, "max_rejected": 0.6}
    again = cache.build_cache(index, spoiled, RECIPE, tmp_path / "c.h5", **options)
    assert again.tracks == built.tracks
    first = built.track("Ré/0")
    with pytest.raises(cache.CacheError, match=r"not used; 7 of 13 tracks are unusable"):
        cache.build_cache(index, spoiled, RECIPE, tmp_path / "c.h5")
    (spoiled / "gone.wav").write_bytes((spoiled / "0.wav").read_bytes())
    mended = cache.build_cache(index, spoiled, RECIPE, tmp_path / "c.h5", jobs=1, max_rejected=0.6)
    np.testing.assert_array_equal(mended.track("Ré/gone"), first)


def test_too_many_bad_tracks_stop_the_job_but_keep_the_work(spoiled, finished, tmp_path):
    path = tmp_path / "cache" / "cbmi2016.h5"
    with pytest.raises(
        cache.CacheError, match=r"6 of 12 tracks .* at most 1 of 12 \(10%\) .*--allow-bad 0\.5"
    ):
        cache.build_cache(index_of(spoiled), spoiled, RECIPE, path, jobs=1, max_rejected=0.1)
    assert not path.exists()
    assert len(pd.read_csv(path.with_suffix(".rejected.csv"))) == 6
    assert list(build.partial_folder(path).glob("*.npz"))
    good = index_of(spoiled)[lambda index: index["track"].isin(finished.tracks)]
    built = cache.build_cache(good, spoiled, RECIPE, path, jobs=1)
    assert built.path.read_bytes() == finished.path.read_bytes()


@pytest.mark.parametrize(
    ("rejected", "message"),
    [
        ("", None),
        ("d", None),  # one is always allowed
        ("ad", None),
        ("abc", r"3 of 6 .* every one of 'A', 'B'; .*c\.rejected\.csv names"),
        ("ef", r"2 of 6 .* every one of 'C'; "),
        ("adef", r"4 of 6 .* at most 3 of 6 \(50%\) may be; .*--allow-bad 0\.67"),
        ("abcdef", "6 of 6 .* none is left"),
    ],
)
def test_a_class_of_which_nothing_is_left_is_named(tmp_path, rejected, message):
    members = {"A": ["a", "b"], "B": ["b", "c"], "C": ["e", "f"]}
    wanted = build.Build(tmp_path / "c.h5", tmp_path, {}, [*"abcdef"], 0.5, members)
    if message is None:
        refuse_losses(wanted, rejected)
        return
    with pytest.raises(cache.CacheError, match=message):
        refuse_losses(wanted, rejected)


def test_no_class_may_vanish_before_or_after_a_cache_is_built(spoiled, tmp_path):
    path, options = tmp_path / "c.h5", {"jobs": 1, "max_rejected": 0.5}
    lost = {"good": ["Ré/0"], "bad": ["Ré/bytes", "Ré/cut"]}
    with pytest.raises(cache.CacheError, match=r"not built; .* every one of 'bad';"):
        cache.build_cache(index_of(spoiled), spoiled, RECIPE, path, **options, members=lost)
    cache.build_cache(index_of(spoiled), spoiled, RECIPE, path, **options)
    with pytest.raises(cache.CacheError, match=r"not used; .* every one of 'bad';"):
        cache.build_cache(index_of(spoiled), spoiled, RECIPE, path, **options, members=lost)


def test_no_bad_track_passes_a_share_of_zero_nor_a_set_of_one(tmp_path):
    root = tmp_path / "audio"
    root.mkdir()
    (root / "bad.wav").touch()
    for share in (0, 0.05):
        with pytest.raises(
            cache.CacheError, match=r"1 of 1 tracks.*none is left|1 of 1 tracks.*at most 0 of 1"
        ):
            cache.build_cache(index_of(root), root, RECIPE, tmp_path / "c.h5", max_rejected=share)


def test_work_left_beside_a_finished_cache_is_removed(copied):
    root, path = copied
    build.partial_folder(path).mkdir()
    cache.build_cache(index_of(root), root, RECIPE, path)
    assert not build.partial_folder(path).exists()


def test_cells_are_scaled_as_scikit_learn_scales_flattened_segments(finished, monkeypatch):
    from sklearn.preprocessing import StandardScaler

    monkeypatch.setattr("mirkeras.cache.statistics._SCALED_AT_ONCE", 4)
    first = np.array([40, 3, 17, 17, 60, 9, 25, 31, 2])
    mean, std = cell_statistics(finished, first, 5)
    flat = finished.segments(first, 5).reshape(9, -1)
    scaler = StandardScaler().fit(flat.astype(float))
    assert mean.shape == std.shape == (5, finished.bands)
    np.testing.assert_allclose(mean.ravel(), scaler.mean_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(std.ravel(), scaler.scale_, rtol=1e-5, atol=1e-6)


def test_a_cell_that_never_varies_is_not_divided_by_0(finished):
    _, std = cell_statistics(finished, np.array([3, 3]), 5)
    assert (std == 1).all()
