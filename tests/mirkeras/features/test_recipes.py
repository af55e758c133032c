"""The recipes of Lee et al. 2018 and waveforms; names and identities of all recipes."""

import json
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from mirkeras import features
from mirkeras.features.waveform import Waveform

LEE = [name for name in features.RECIPES if name.startswith("lee2018")]
SIGNAL = np.random.RandomState(0).uniform(-1, 1, 3000).astype(np.float32)


def plain_lee(signal: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Frame after frame in float64: Hann of `window` in the middle of 729, centred on i * hop."""
    import librosa

    bank = librosa.filters.mel(sr=22050, n_fft=729, n_mels=128)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames = []
    for i in range(1 + len(signal) // hop):
        magnitudes = np.zeros(365)
        for position, weight in enumerate(hann):
            sample = i * hop + position - window // 2
            if 0 <= sample < len(signal):
                angle = -2j * np.pi * np.arange(365) * position / 729
                magnitudes = magnitudes + signal[sample] * weight * np.exp(angle)
        frames.append(np.log(1 + 10 * (bank @ np.abs(magnitudes))))
    return np.array(frames)


@pytest.mark.parametrize("name", LEE)
def test_lee_mel_is_the_plain_definition(name):
    window, hop = map(int, name.split("-")[-2:])
    frames = features.RECIPES[name].extract(SIGNAL[:1000])
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames, plain_lee(SIGNAL[:1000], window, hop), atol=2e-4)


@pytest.mark.parametrize("name", LEE)
@pytest.mark.parametrize("samples", [728, 729, 730, 1458, 2187])
def test_lee_mel_has_a_frame_at_every_hop_and_at_the_end(name, samples):
    recipe = features.RECIPES[name]
    assert recipe.extract(SIGNAL[:samples]).shape == (1 + samples // recipe.hop, 128)


def mirrored(signal: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """Mel power frame after frame in float64: periodic Hann of 512, mirrored at both ends."""
    around = np.pad(signal.astype(float), 256, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    starts = range(0, len(signal) + 1, 256)
    frames = np.stack([around[start : start + 512] for start in starts]) * hann
    return np.abs(np.fft.rfft(frames)) ** 2 @ bank.T


@pytest.mark.parametrize(("name", "bands"), [("musicnn", 96), ("pons2017-mtt", 128)])
def test_pons_mel_at_16_khz_is_the_plain_definition(name, bands):
    import librosa

    bank = librosa.filters.mel(sr=16000, n_fft=512, n_mels=bands)
    expected = np.log10(10000 * mirrored(SIGNAL, bank) + 1)
    frames = features.RECIPES[name].extract(SIGNAL)
    assert frames.shape == (1 + len(SIGNAL) // 256, bands)
    np.testing.assert_allclose(frames, expected, atol=1e-5)


def test_won2020_is_the_plain_definition():
    # HTK's scale, bands of height 1
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 98)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.arange(257) * 16000 / 512
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise, fall = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    bank = np.maximum(0, np.minimum(rise, fall))
    expected = 10 * np.log10(np.maximum(mirrored(SIGNAL, bank), 1e-10))
    frames = features.RECIPES["won2020"].extract(SIGNAL)
    np.testing.assert_allclose(frames, expected, atol=2e-3)
    nothing = features.RECIPES["won2020"].extract(np.zeros(600, np.float32))
    assert nothing.max() == pytest.approx(-100)


def test_lee_recipes_are_table_2():
    sizes = [(recipe.window_length, recipe.hop) for recipe in map(features.RECIPES.get, LEE)]
    assert sizes == [(729, 729), (729, 243), (243, 243), (243, 81), (81, 81)]


def test_essentias_spectrum_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="Essentia"):
        replace(features.RECIPES["cbmi2016"], power=1.0).extract(SIGNAL)


def test_a_waveform_is_the_rounded_samples():
    samples = np.array([0, 1, -1, 1.5, -1.5, 0.25, 1.4 / 32768, 1.6 / 32768], np.float32)
    frames = Waveform(8000).extract(samples)
    assert frames.dtype == np.int16
    assert frames.shape == (8, 1)
    assert frames[:, 0].tolist() == [0, 32767, -32768, 32767, -32768, 8192, 1, 2]


def test_16_bit_audio_survives_as_it_is():
    steps = np.arange(-(2**15), 2**15).astype(np.int16)
    waveform = Waveform(44100).extract((steps / 2**15).astype(np.float32))
    np.testing.assert_array_equal(waveform[:, 0], steps)


def test_recipes_are_found_by_name():
    assert features.find_recipe("cbmi2016") is features.RECIPES["cbmi2016"]
    waveform = features.find_recipe("waveform-22050")
    assert (waveform, waveform.name) == (Waveform(22050), "waveform-22050")
    assert (waveform.hop, waveform.bands, waveform.dtype) == (1, 1, "int16")
    for unknown in ("cbmi", "waveform-", "waveform-0", "waveform-022050", "waveform-8000 ", ""):
        with pytest.raises(ValueError, match=r"unknown recipe.*lee2018-mel-81-81, .*waveform-<Hz>"):
            features.find_recipe(unknown)


@pytest.mark.parametrize("recipe", [*features.RECIPES.values(), Waveform(8000)])
def test_recipes_are_plain_and_travel_between_processes(recipe):
    assert json.loads(json.dumps(recipe.identity())) == recipe.identity()
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    with pytest.raises(FrozenInstanceError):
        recipe.sample_rate = 1
    assert recipe.name == recipe.identity()["name"]


def test_no_two_recipes_have_one_identity():
    recipes = [
        *features.RECIPES.values(),
        Waveform(8000),
        Waveform(22050),
    ]
    assert len({json.dumps(recipe.identity()) for recipe in recipes}) == len(recipes)


def test_caches_of_the_first_recipes_keep_their_identity():
    expected = {
        "name": "cbmi2016",
        "sample_rate": 44100,
        "window": "blackmanharris62",
        "n_fft": 2048,
        "hop": 1024,
        "bands": 40,
        "filterbank": "essentia",
        "compression": "log10(10000x+1)",
        "implementation": 1,
    }
    # as text: the order decides the tag of shards
    found = [features.RECIPES[name].identity() for name in ("cbmi2016", "cbmi2016-librosa")]
    assert json.dumps(found[0]) == json.dumps(expected)
    other = expected | {"name": "cbmi2016-librosa", "filterbank": "librosa"}
    assert json.dumps(found[1]) == json.dumps(other)


def plain_mel(signal: np.ndarray, n_fft: int, bands: int, rate: int, power: int) -> np.ndarray:
    """Frames of n_fft from sample 0, half overlapping, in float64."""
    import librosa

    bank = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    starts = range(0, len(signal) - n_fft + 1, n_fft // 2)
    spectra = [np.abs(np.fft.rfft(signal[start : start + n_fft] * hann)) for start in starts]
    return np.array([bank @ spectrum**power for spectrum in spectra])


@pytest.mark.parametrize("rate", [44100, 22050, 11025])
def test_lidys_segment_is_eighty_frames_at_every_rate(rate):
    recipe = features.find_recipe(f"lidy2016-{rate}")
    segment = np.resize(SIGNAL, 124_416 * rate // 44_100)  # 2.82 s
    frames = recipe.extract(segment)
    assert frames.shape == (80, 40)
    assert len(recipe.extract(segment[:-1])) == 79
    expected = np.log10(plain_mel(segment, recipe.n_fft, 40, rate, 2))
    np.testing.assert_allclose(frames, expected, atol=1e-4)


def test_digital_silence_is_0_as_in_the_notebook_and_shorter_than_a_window_is_nothing():
    recipe = features.find_recipe("lidy2016-22050-80")
    assert (recipe.extract(np.zeros(3000, np.float32)) == 0).all()
    assert recipe.extract(SIGNAL[:1535]).shape == (0, 80)


def test_schindlers_mel_is_that_of_its_reproduction():
    recipe = features.find_recipe("schindler2016-mel")
    frames = recipe.extract(SIGNAL)
    assert frames.shape == (1 + 3000 // 256, 80)
    padded = np.pad(SIGNAL, 256)
    expected = np.log(plain_mel(padded, 512, 80, 22050, 1) + 1e-6)
    np.testing.assert_allclose(frames, expected[: len(frames)], atol=1e-4)
