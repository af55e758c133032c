"""The input of VGGish and YAMNet."""

import numpy as np
import pytest

from mirkeras.features import find_recipe


@pytest.mark.parametrize(("name", "offset"), [("yamnet", 0.001), ("vggish", 0.01)])
def test_the_input_is_the_sum_that_the_authors_wrote(name: str, offset: float) -> None:
    """Frame by frame and band by band, in float64."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 5_000).astype(np.float32)
    found = find_recipe(name).extract(samples)
    assert found.shape == (1 + (5_000 - 400) // 160, 64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    bins = 1127 * np.log(1 + np.arange(257) * 16_000 / 512 / 700)
    for frame, band in ((0, 0), (0, 63), (7, 20), (28, 45)):
        spectrum = np.abs(np.fft.rfft(samples[160 * frame :][:400].astype(float) * window, 512))
        low, centre, high = edges[band : band + 3]
        heights = [max(0, min((b - low) / (centre - low), (high - b) / (high - centre)))
                   for b in bins]  # fmt: skip
        assert found[frame, band] == pytest.approx(np.log(spectrum @ heights + offset), abs=2e-5)
    assert find_recipe(name).extract(samples[:399]).shape == (0, 64)
