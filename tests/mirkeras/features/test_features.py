import json
import runpy
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

from mirkeras import features
from mirkeras.features import filterbanks, waveform
from mirkeras.features.logmel import WINDOWS

RECIPE = features.RECIPES["cbmi2016"]
LIBROSA = features.RECIPES["cbmi2016-librosa"]
REFERENCE = Path(__file__).with_name("reference")
# Mel energies below this compress to less than 5e-7, and are rounding noise of float32 spectra.
FLOOR = 1e-10


def by_mel(recipe: features.Recipe) -> bool:
    return getattr(recipe, "filterbank", "") in ("librosa", "torchaudio")


@pytest.fixture(scope="module")
def essentia():
    with np.load(REFERENCE / "essentia.npz", allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def signals():
    return runpy.run_path(str(REFERENCE / "signals.py"))["all_signals"]()


def test_window_is_essentias(essentia):
    window = filterbanks.blackmanharris62(2048)
    window *= 2 / window.sum()
    np.testing.assert_allclose(window, essentia["window"], rtol=0, atol=1e-6 * window.max())


def test_filterbank_is_essentias(essentia):
    bank = filterbanks.essentia_mel(44100, 2048, 40, 22050)
    np.testing.assert_array_equal(bank > 0, essentia["filterbank"] > 0)
    np.testing.assert_allclose(bank, essentia["filterbank"], rtol=0, atol=1e-6)


def test_frame_counts_are_essentias(essentia):
    for samples, count in zip(essentia["lengths"], essentia["frame_counts"], strict=True):
        assert len(RECIPE.extract(np.zeros(samples, np.float32))) == count


@pytest.mark.parametrize("name", ["noise", "chirp", "clicks", "chord", "impulse", "sine"])
def test_mel_energies_are_essentias(essentia, signals, name):
    expected = essentia[f"mel_{name}"]
    found = RECIPE.energies(signals[name])
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    loud = expected > FLOOR
    assert loud.mean() > 0.35
    np.testing.assert_allclose(found[loud], expected[loud], rtol=1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)


@pytest.mark.parametrize("name", ["noise", "clicks", "chord"])
def test_jingju_is_essentias_mfcc_bands_with_the_ends_repeated(signals, name):
    with np.load(REFERENCE / "essentia-mfcc.npz", allow_pickle=False) as archive:
        expected = archive[name]
    recipe, samples = features.RECIPES["jingju2017"], signals[name][:8000]
    found = recipe.energies(samples)
    assert found.shape == expected.shape
    loud = expected > 1e-8
    np.testing.assert_allclose(found[loud], expected[loud], rtol=1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)
    frames, compressed = recipe.extract(samples), np.log(100_000 * expected.astype(float) + 1)
    np.testing.assert_allclose(frames[10:-10], compressed, rtol=0, atol=1e-3)
    assert (frames[:10] == frames[10]).all()
    assert (frames[-10:] == frames[-11]).all()


@pytest.mark.parametrize("name", ["noise", "chord", "sine"])
def test_frames_are_compressed_essentia(essentia, signals, name):
    expected = np.log10(10000 * essentia[f"mel_{name}"].astype(np.float64) + 1)
    np.testing.assert_allclose(RECIPE.extract(signals[name]), expected, rtol=0, atol=5e-6)


def test_the_reference_holds_every_signal(essentia, signals):
    assert {key.removeprefix("mel_") for key in essentia if key.startswith("mel_")} == set(signals)
    assert str(essentia["essentia_version"]).startswith("2.1-beta6")


def test_librosa_recipe_is_the_plain_definition(signals):
    import librosa

    signal = signals["chord"]
    padded = np.pad(signal.astype(np.float64), 1024)
    starts = range(0, len(padded) - 2048 + 1, 1024)
    window = filterbanks.blackmanharris62(2048)
    power = np.abs(np.fft.rfft([padded[s : s + 2048] * window for s in starts])) ** 2
    mel = power @ librosa.filters.mel(sr=44100, n_fft=2048, n_mels=40, htk=False, norm="slaney").T
    frames = LIBROSA.extract(signal)
    assert frames.shape == (1 + len(signal) // 1024, 40)
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames, np.log10(10000 * mel + 1), atol=1e-4)


@pytest.mark.parametrize("name", ["hann", "slaney_mel", "htk_mel"])
def test_windows_and_filterbanks_are_those_of_the_libraries(name):
    import librosa

    for n_fft, rate, bands in ((512, 16_000, 96), (729, 22_050, 128), (3072, 44_100, 40)):
        if name == "hann":
            found, expected = filterbanks.hann(n_fft), librosa.filters.get_window("hann", n_fft)
        else:
            found = getattr(filterbanks, name)(rate, n_fft, bands)
            kind = {"htk": True, "norm": None} if name == "htk_mel" else {}
            expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, **kind)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore:n_fft=")  # tracks shorter than a transform
@pytest.mark.parametrize("name", [name for name, one in features.RECIPES.items() if by_mel(one)])
def test_mel_energies_are_librosas_to_the_bit(name):
    import librosa

    recipe = features.RECIPES[name]
    edge, hop = recipe.n_fft, recipe.hop
    noise = np.random.RandomState(0).uniform(-1, 1, 40 * edge + 3).astype(np.float32)
    for size in (edge // 2 + 1, edge, edge + 1, edge + hop, 4 * hop + edge, 20_000, noise.size):
        if recipe.centred is False and size < edge:
            continue
        samples = noise[:size]
        expected = librosa.feature.melspectrogram(
            y=np.pad(samples, (0, edge % 2)),
            sr=recipe.sample_rate,
            n_fft=edge,
            hop_length=hop,
            win_length=recipe.window_length,
            window=WINDOWS[recipe.window](recipe.window_length or edge),
            center=recipe.centred is not False,
            pad_mode=recipe.edges or "constant",
            power=recipe.power or 2.0,
            n_mels=recipe.bands,
            htk=recipe.filterbank == "torchaudio",
            norm=None if recipe.filterbank == "torchaudio" else "slaney",
        )
        np.testing.assert_array_equal(recipe.energies(samples), expected.T)


@pytest.mark.parametrize("frame", [1, 255, 256, 257, 300])
def test_a_frame_depends_on_its_own_samples_only(frame):
    signal = np.random.RandomState(0).uniform(-1, 1, 400 * 1024).astype(np.float32)
    alone = signal[(frame - 1) * 1024 : (frame + 1) * 1024]
    expected = RECIPE.extract(alone)[1]  # its second frame is centred on sample 1024
    np.testing.assert_allclose(RECIPE.extract(signal)[frame], expected, rtol=1e-5)


def test_other_parameters_are_data():
    recipe = replace(RECIPE, name="small", sample_rate=16000, n_fft=512, hop=200, bands=20)
    frames = recipe.extract(np.ones(16000, np.float32))
    assert frames.shape == (81, 20)


def test_silence_is_zero_and_overload_is_finite():
    assert not RECIPE.extract(np.zeros(5000, np.float32)).any()
    loud = LIBROSA.extract(np.full(5000, 1e4, np.float32))
    assert np.isfinite(loud).all()
    assert loud.max() > 10


@pytest.mark.parametrize("shape", [(0,), (2, 5000)])
@pytest.mark.parametrize("recipe", [RECIPE, LIBROSA, waveform.Waveform(8000)])
def test_anything_but_mono_samples_is_refused(recipe, shape):
    with pytest.raises(ValueError, match="mono"):
        recipe.extract(np.zeros(shape, np.float32))


def test_bands_narrower_than_a_bin_are_refused():
    with pytest.raises(ValueError, match="fewer bands"):
        filterbanks.essentia_mel(44100, 512, 128, 22050)


def test_recipes_are_frozen_and_plain():
    with pytest.raises(FrozenInstanceError):
        RECIPE.hop = 512
    assert json.loads(json.dumps(RECIPE.identity())) == RECIPE.identity()
    assert RECIPE.identity() != LIBROSA.identity()
    assert all(name == recipe.name for name, recipe in features.RECIPES.items())
    assert "librosa" in LIBROSA.libraries()
    assert "librosa" not in RECIPE.libraries()
