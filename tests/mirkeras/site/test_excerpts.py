"""Labels and sounds of the misclassification browser lie where the spectrogram says."""

import numpy as np
import pytest

from mirkeras.features import find_recipe
from mirkeras.site.browser import excerpts

RATE, FRAMES, RECIPE = 22_050, 80, "schindler2016-mel"


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "hertz", "label"),
    [
        (RECIPE, 1000.0, "1,000 Hz"),
        ("lidy2016-22050", 4000.0, "4,000 Hz"),
        ("schindler2016-mel-augmented", 4000.0, "4,000 Hz"),
        ("schindler2016-cqt-84", 261.63, "C4, 262 Hz"),
    ],
)
def test_a_tone_lies_beside_its_label(name: str, hertz: float, label: str) -> None:
    recipe = excerpts.plain(find_recipe(name))
    band = recipe.extract(tone(hertz))[40].argmax()
    (tick,) = [tick for tick in excerpts.band_ticks(recipe) if tick.label == label]
    assert abs(tick.place / 100 * recipe.bands - (band + 0.5)) <= 0.6


@pytest.mark.parametrize("name", [RECIPE, "lidy2016-22050"])
def test_a_segment_is_heard_where_it_is_seen(name: str) -> None:
    recipe, first, frames = find_recipe(name), 12, 20
    whole = tone(3000)
    start, stop = excerpts.span(recipe, first, frames, len(whole))
    assert stop - start == frames * recipe.hop
    only = np.zeros_like(whole)
    only[start:stop] = whole[start:stop]
    energy = recipe.energies(only).sum(axis=1)
    assert energy[first : first + frames].sum() > 0.9 * energy.sum()
    assert energy[first - 1] == pytest.approx(energy[first + frames], rel=0.2)  # no half hop off


def test_a_segment_ends_with_its_track() -> None:
    assert excerpts.span(find_recipe(RECIPE), 0, FRAMES, 60_000)[0] == 0
    assert excerpts.span(find_recipe(RECIPE), 160, FRAMES, 60_000)[1] == 60_000
