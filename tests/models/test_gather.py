"""Segments cut out of frames in memory, on whatever backend Keras runs."""

import keras
import numpy as np
import pytest

from mirkeras.pipeline.feed import Gather


@pytest.mark.parametrize(("dtype", "scale"), [("float32", 1.0), ("int16", 2.0**-15)])
@pytest.mark.parametrize("bands", [1, 3])
def test_segments_are_the_scaled_frames(dtype, scale, bands):
    frames = np.random.RandomState(0).randint(-(2**15), 2**15, (100, bands)).astype(dtype)
    first = keras.Input((), dtype="int32")
    model = keras.Model(first, Gather(frames, 7, scale)(first))
    assert model.output_shape == (None, 7, bands)
    numbers = np.array([0, 93, 41], np.int32)
    segments = model.predict(numbers, verbose=0)
    assert segments.dtype == np.float32
    np.testing.assert_array_equal(segments, [frames[n : n + 7] * scale for n in numbers])
