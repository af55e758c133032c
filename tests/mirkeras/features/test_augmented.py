"""Deformed copies of tracks: pitch and tempo, their places, interrupted and killed builds."""

import json
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

from mirkeras.features import RECIPES
from mirkeras.features.augmented import Deformed
from mirkeras.features.constantq import ConstantQ
from tests.mirkeras.features.test_constantq import REPOSITORY, killed_is_whole, resumed_is_whole

RATE = 22_050
BASE = RECIPES["schindler2016-mel"]
RECIPE = Deformed(BASE)
# two combinations, two segments each
SMALL = Deformed(BASE, factors=(0.5, 1.5), steps=(2,), segments=2)
SMALL_EXPRESSION = (
    'augmented.Deformed(recipes.RECIPES["schindler2016-mel"], factors=(0.5, 1.5), steps=(2,),'
    " segments=2)"
)
NOISE = np.random.RandomState(0).uniform(-0.5, 0.5, 3 * RATE).astype(np.float32)


def tone(hertz: float, seconds: float = 3) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype("f4")


def copies(recipe: Deformed, samples: np.ndarray) -> np.ndarray:
    """Extract and return the deformed part, (segments, frames, band)."""
    found = recipe.extract(samples)[-recipe.deformed :]
    return found.reshape(-1, recipe.frames, recipe.bands)


def test_a_tone_is_shifted_and_keeps_its_level_in_every_frame():
    """No start or end of an excerpt is in a segment: its level would drop there, or throughout."""
    segments = copies(replace(RECIPE, segments=1), tone(440))
    expected = {steps: BASE.extract(tone(440 * 2 ** (steps / 12)))[100] for steps in RECIPE.steps}
    assert len({frame.argmax() for frame in expected.values()}) == 4
    combinations = [(factor, steps) for factor in RECIPE.factors for steps in RECIPE.steps]
    for (_, steps), segment in zip(combinations, segments, strict=True):
        loudest = expected[steps].argmax()
        assert segment.argmax(axis=1).tolist() == [loudest] * 80
        np.testing.assert_allclose(segment[:, loudest], expected[steps].max(), atol=1e-3)


@pytest.mark.parametrize(("factor", "spacing"), [(0.5, 40), (1.25, 16)])
def test_bursts_move_apart_and_together(factor, spacing):
    bursts = np.resize(NOISE[: 20 * 256], 12 * RATE)
    bursts[np.arange(12 * RATE) % (20 * 256) > 1000] = 0  # 45 ms of noise every 20 frames
    recipe = Deformed(BASE, factors=(factor,), steps=(0,), segments=1, frames=240)
    loudness = np.exp(copies(recipe, bursts)[0]).sum(axis=1)
    loudness -= loudness.mean()
    lags = range(spacing // 2, 3 * spacing // 2)
    alike = [loudness[lag:] @ loudness[:-lag] / (240 - lag) for lag in lags]
    assert lags[np.argmax(alike)] == pytest.approx(spacing, abs=1)


def test_the_tracks_own_frames_come_first():
    frames = SMALL.extract(NOISE)
    own = BASE.extract(NOISE)
    assert SMALL.deformed == 4 * 80
    assert frames.shape == (len(own) + 4 * 80, 80)
    assert frames.dtype == np.float32
    np.testing.assert_array_equal(frames[: len(own)], own)


def test_segments_come_from_all_over_the_track():
    """A rising tone: the pitch of a segment tells its place."""
    time_axis = np.arange(10 * RATE) / RATE
    rising = (0.5 * np.sin(2 * np.pi * (200 * time_axis + 150 * time_axis**2))).astype(np.float32)
    recipe = Deformed(BASE, factors=(1.2,), steps=(0,), segments=20)
    bands = copies(recipe, rising)[:, 40].argmax(axis=1)
    assert len(set(bands)) >= 10
    everywhere = BASE.extract(rising).argmax(axis=1)[90:-90]  # an excerpt's middle
    assert bands.min() < np.quantile(everywhere, 0.2)
    assert bands.max() > np.quantile(everywhere, 0.8)


def test_places_depend_on_the_seed_and_on_the_samples_alone():
    first = copies(SMALL, NOISE)
    np.testing.assert_array_equal(copies(SMALL, NOISE.copy()), first)
    other = copies(replace(SMALL, seed=1), NOISE)
    assert (abs(other - first).max(axis=(1, 2)) > 0.1).all()
    assert not np.array_equal(first[0], first[1])


def test_all_48_segments_of_the_paper():
    assert (RECIPE.deformed, RECIPE.min_frames) == (48 * 80, 49 * 80)
    assert RECIPE.name == "schindler2016-mel-augmented"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        segments = copies(RECIPE, NOISE)
    assert len(segments) == 48
    assert np.isfinite(segments).all()
    assert len({segment.tobytes() for segment in segments}) == 48


def test_a_track_without_room_for_an_excerpt_is_set_aside():
    assert RECIPE.shortest / RATE == pytest.approx(2.45, abs=0.005)
    enough = NOISE[: SMALL.shortest]
    assert len(SMALL.extract(enough)) == 1 + len(enough) // 256 + 320
    assert SMALL.extract(enough[:-1]).shape == (0, 80)
    with pytest.raises(ValueError, match="mono"):
        SMALL.extract(NOISE[:0])


def test_the_recipe_is_plain_and_all_of_it_counts():
    identity = RECIPE.identity()
    assert json.loads(json.dumps(identity)) == identity
    assert identity["base"] == BASE.identity()
    assert pickle.loads(pickle.dumps(RECIPE)) == RECIPE
    changes = (
        {"base": replace(BASE, bands=40)},
        {"factors": (0.5,)},
        {"steps": (1,)},
        {"segments": 2},
        {"frames": 40},
        {"margin": 5000},
        {"seed": 1},
    )
    changed = {json.dumps(replace(RECIPE, **change).identity()) for change in changes}
    assert len(changed - {json.dumps(identity)}) == len(changes)
    assert {"librosa", "soxr"} <= RECIPE.libraries().keys()


def test_the_modules_can_be_imported_in_any_order():
    names = [f"mirkeras.features.{name}" for name in ("augmented", "constantq", "recipes")]
    for first in names:
        program = f"import {first}, {', '.join(names)}"
        subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)


def test_processes_and_interruptions_change_no_byte(tmp_path, monkeypatch, capfd):
    resumed_is_whole(tmp_path, SMALL, monkeypatch, capfd)


@pytest.mark.long
def test_a_killed_build_ends_with_the_same_bytes(tmp_path):
    killed_is_whole(tmp_path, SMALL, SMALL_EXPRESSION, 10)


@pytest.mark.parametrize(
    "recipe", [RECIPE, *(ConstantQ(f"schindler2016-cqt-{bands}", bands) for bands in (80, 84))]
)
def test_the_recipes_are_listed(recipe):
    assert RECIPES[recipe.name] == recipe
