"""What extraction will take is told from a few tracks, and nothing of them is kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.prepare import Prepared, prepare
from mirkeras.cache import build_all, foreseen, list_missing
from mirkeras.features import RECIPES, find_recipe

NAMES = ["cbmi2016", "waveform-8000"]


@pytest.fixture
def prepared(audio_folder: Path, tmp_path: Path) -> Prepared:
    return prepare(f"folder:{audio_folder}", data_root=tmp_path / "data", cache_root=tmp_path)


def tracks_of(prepared: Prepared) -> list:
    recipes = {prepared.home / f"{name}.h5": find_recipe(name) for name in NAMES}
    return list_missing(prepared.index, prepared.root, recipes)[1]


def test_a_few_tracks_tell_of_all(prepared: Prepared) -> None:
    tracks = tracks_of(prepared)
    assert [len(tasks) for tasks in tracks] == [2] * 18
    found = foreseen.foresee(tracks, 2)
    assert found.audio == pytest.approx(4, abs=0.01)
    assert found.frames == {"cbmi2016": 174, "waveform-8000": 32_000}
    assert found.bytes == 174 * 40 * 4 + 32_000 * 2
    assert found.work > 0
    assert found.seconds(18, 2) == pytest.approx(9 * found.work)
    assert [path.name for path in prepared.home.iterdir()] == ["index.csv"]


def test_noise_has_the_frames_of_audio_as_long(prepared: Prepared) -> None:
    real = foreseen.foresee(tracks_of(prepared), 1)
    made_up = foreseen.foresee_noise(4.0, [find_recipe(name) for name in NAMES])
    assert (made_up.frames, made_up.bytes) == (real.frames, real.bytes)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_can_be_foreseen(name: str) -> None:
    recipe = RECIPES[name]
    found = foreseen.foresee_noise(8.0, [recipe])
    assert found.bytes == found.frames[name] * recipe.bands * np.dtype(recipe.dtype).itemsize


def test_tracks_that_cannot_be_read_are_passed_over(prepared: Prepared) -> None:
    tracks = tracks_of(prepared)
    gone = {"path": prepared.root / "gone.wav"}
    broken = [tuple(replace(task, **gone) for task in tasks) for tasks in tracks]
    assert foreseen.foresee(broken, 1) is None
    assert foreseen.foresee([*broken[:9], *tracks[9:]], 1).frames["cbmi2016"] == 174


def test_much_is_told_before_it_begins(prepared: Prepared, monkeypatch, capsys) -> None:
    tracks = tracks_of(prepared)
    foreseen.tell(tracks, 1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(foreseen, "MANY", 18)
    foreseen.tell(tracks, 1)
    said = capsys.readouterr().err
    assert said.startswith("features: 18 tracks, 0.0 h of audio, 2 recipes: about ")


def test_what_is_missing_is_what_would_be_built(prepared: Prepared) -> None:
    recipes = {prepared.home / f"{name}.h5": find_recipe(name) for name in NAMES}
    first, second = recipes
    old = prepared.index.iloc[2:]
    build_all(old, prepared.root, {first: recipes[first]}, jobs=2)
    before = sorted(prepared.home.iterdir())
    complete, missing = list_missing(prepared.index, prepared.root, recipes)
    assert complete == {}
    assert sorted(map(len, missing)) == [1] * 16 + [2] * 2
    complete, missing = list_missing(old, prepared.root, recipes)
    assert [*complete] == [first.stem]
    assert [len(tasks) for tasks in missing] == [1] * 16
    assert {tasks[0].recipe.name for tasks in missing} == {second.stem}
    assert sorted(prepared.home.iterdir()) == before


def test_of_some_tracks_there_may_be_more_to_extract(
    prepared: Prepared, monkeypatch, capsys
) -> None:
    tracks = tracks_of(prepared)
    uneven = [tasks[: 1 + number % 2] for number, tasks in enumerate(tracks)]
    for some in (uneven, uneven[::-1]):
        assert foreseen.foresee(some, 2).frames == {"cbmi2016": 174, "waveform-8000": 32_000}
    monkeypatch.setattr(foreseen, "MANY", 18)
    foreseen.tell(uneven, 2)
    assert "2 recipes" in capsys.readouterr().err


def test_whatever_a_recipe_raises_is_said_later(prepared: Prepared, monkeypatch) -> None:
    tracks = tracks_of(prepared)
    monkeypatch.setattr(foreseen.extraction, "extract_track", refuse)
    monkeypatch.setattr(foreseen, "work", lambda function, items, *_, **__: map(function, items))
    assert foreseen.foresee(tracks, 1) is None


def refuse(tasks) -> None:
    raise ValueError("no such samples")
