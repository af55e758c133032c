"""Networks for other programs: the front-end in the graph, and files that are compared first."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pytest
import soundfile

from mirkeras.cli.app import main
from mirkeras.export import write
from mirkeras.export.frontend import lead_of, on_samples, samples_of
from mirkeras.features import RECIPES, find_recipe
from mirkeras.features.logmel import LogMel
from mirkeras.system.errors import UsageError
from mirkeras.tagging import Tagger, models
from tests.fake_card import card

FRAMES = 20
ROOT = Path(__file__).parents[3]
WHOLE = {name for name, recipe in RECIPES.items() if not isinstance(recipe, LogMel)}
WHOLE |= {
    name
    for name, recipe in RECIPES.items()
    if isinstance(recipe, LogMel)
    and (recipe.depth, recipe.context, recipe.filled) != (None, None, None)
}
WHOLE |= {
    name for name, recipe in RECIPES.items() if getattr(recipe, "compression", "") == "log10(x)"
}


def nothing(recipe) -> keras.Model:
    """A network that gives its input back."""
    frames = keras.Input((FRAMES, recipe.bands))
    return keras.Model(frames, keras.layers.Identity()(frames))


def noise(seconds: float, rate: int) -> np.ndarray:
    random = np.random.default_rng(0)
    loud = np.repeat(random.uniform(0.001, 0.5, int(seconds * 10) + 1), rate // 10)
    return (random.uniform(-1, 1, int(seconds * rate)) * loud[: int(seconds * rate)]).astype("f4")


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - WHOLE))
def test_the_graph_computes_the_recipe(name: str) -> None:
    recipe = RECIPES[name]
    track = noise(2.5 + FRAMES * recipe.hop / recipe.sample_rate, recipe.sample_rate)
    frames = recipe.extract(track)
    first = 1 + recipe.n_fft // recipe.hop  # beyond what the track's edge touches
    start = first * recipe.hop - lead_of(recipe)
    samples = track[start : start + samples_of(recipe, FRAMES)]
    network = on_samples(nothing(recipe), recipe, FRAMES)
    found = network.predict(samples[None], verbose=0)[0]
    np.testing.assert_allclose(found, frames[first : first + FRAMES], atol=2e-3, rtol=2e-3)


def test_samples_themselves_need_no_front_end() -> None:
    recipe = find_recipe("waveform-8000")
    frames = keras.Input((FRAMES, 1))
    network = on_samples(keras.Model(frames, keras.layers.Identity()(frames)), recipe, FRAMES)
    assert network.input_shape == (None, FRAMES)


@pytest.mark.parametrize("name", sorted(WHOLE)[:4])
def test_what_cannot_be_put_into_a_graph_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be put into a graph"):
        on_samples(nothing(RECIPES[name]), RECIPES[name], FRAMES)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> models.Model:
    given = card(tags=("slow", "fast food", "Medi-um", "no voice", "male voice"))
    monkeypatch.setattr(models.trained, "load", lambda card, *_, **__: fixed())
    found = models.of_card(given)
    monkeypatch.setattr(write, "find_model", lambda *_, **__: found)
    return found


def fixed() -> keras.Model:
    keras.utils.set_random_seed(1)
    frames = keras.Input((100, 96))
    x = keras.layers.Conv1D(4, 3, activation="relu")(frames)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(frames, keras.layers.Dense(5, "sigmoid")(x))


@pytest.mark.parametrize("samples", [[], ["--samples"]])
def test_a_file_and_what_must_be_known_of_it(model, tmp_path: Path, capsys, samples) -> None:
    out = tmp_path / "m.keras"
    assert main(["export", "any", "--format", "keras", *samples, "--out", str(out)]) == 0
    about = json.loads((tmp_path / "m.keras.json").read_text())
    assert about["outputs"] == list(model.tags)
    assert about["input"] == ("samples" if samples else "frames")
    assert about["difference"] <= 1e-6
    assert about["sample_rate"] == 16_000
    shape = (1, 99 * 256 + 512) if samples else (1, 100, 96)
    network = keras.saving.load_model(out, compile=False)
    assert network.predict(np.zeros(shape, "f4"), verbose=0).shape == (1, 5)
    assert "within" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["onnx", "litert"])
@pytest.mark.parametrize("samples", [[], ["--samples"]])
def test_other_runtimes_agree(model, tmp_path: Path, form: str, samples) -> None:
    pytest.importorskip("onnxruntime" if form == "onnx" else "ai_edge_litert")
    out = tmp_path / f"m.{form}"
    assert main(["export", "any", "--format", form, *samples, "--out", str(out)]) == 0
    about = json.loads(out.with_name(f"{out.name}.json").read_text())
    assert about["difference"] <= 1e-4
    if form == "litert":
        inside = zipfile.ZipFile(out).read("mirkeras.json")
    else:
        session = pytest.importorskip("onnxruntime").InferenceSession(out)
        inside = session.get_modelmeta().custom_metadata_map["mirkeras"]
    assert json.loads(inside).items() <= about.items()


def test_a_file_that_says_something_else_is_not_kept(model, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(write.FORMS, "keras", lambda network, path, tried: np.zeros((3, 5)))
    out = tmp_path / "m.keras"
    assert main(["export", "any", "--format", "keras", "--out", str(out)]) == 1
    assert "nothing is written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_the_extra_one_line_says_what_to_install(
    model, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["export", "any", "--format", "onnx", "--out", str(tmp_path / "m.onnx")]) == 1
    assert "pip install 'mirkeras[export]'" in capsys.readouterr().err


def test_what_is_no_network_is_refused(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(write, "find_model", lambda *_, **__: replace(model, network=None))
    with pytest.raises(UsageError, match="is no network on segments"):
        write.export("any", tmp_path / "m.keras", "keras")


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_the_example_of_a_runtime_tags_as_mirkeras_does(model, tmp_path: Path, form: str) -> None:
    pytest.importorskip("onnxruntime" if form == "onnx" else "ai_edge_litert")
    out, song = tmp_path / f"m.{form}", tmp_path / "song.wav"
    soundfile.write(song, noise(7.3, 22_050), 22_050)
    assert main(["export", "any", "--format", form, "--samples", "--out", str(out)]) == 0
    command = [sys.executable, ROOT / "examples" / f"{form}_tag.py", out, song]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {line.partition("  ")[2]: float(line.partition("  ")[0]) for line in said.splitlines()}
    for tag, score in Tagger(model).tag(song).top(5):
        assert found[tag] == pytest.approx(score, abs=1e-4)
