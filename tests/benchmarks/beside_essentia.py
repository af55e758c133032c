"""Essentia's part of `tests.benchmarks.beside`, for a Python that has Essentia and NumPy.

Reads ``{"clip", "repeats", "recipes": {name: numbers}}`` from its input and prints
``{"version", "seconds": {name: processor time, or null where Essentia refuses the recipe}}``.
"""

import json
import sys
import time

import essentia
import essentia.standard as es
import numpy as np


def frames(clip: str, recipe: dict) -> np.ndarray:
    """Mel frames, (time, band), with the logarithm of NumPy."""
    n_fft = recipe["n_fft"] + recipe["n_fft"] % 2
    length = recipe.get("window_length", n_fft)
    length += length % 2
    window = es.Windowing(
        type="blackmanharris62" if recipe["window"] == "blackmanharris62" else "hann",
        zeroPadding=n_fft - length,
    )
    spectrum = es.Spectrum(size=n_fft)
    bands = es.MelBands(
        numberBands=recipe["bands"],
        inputSize=n_fft // 2 + 1,
        sampleRate=recipe["sample_rate"],
        highFrequencyBound=recipe.get("highest", recipe["sample_rate"] / 2),
    )
    audio = es.MonoLoader(filename=clip, sampleRate=recipe["sample_rate"])()
    cut = es.FrameGenerator(audio, frameSize=length, hopSize=recipe["hop"])
    return np.log1p(np.stack([bands(spectrum(window(frame))) for frame in cut]))


def least(clip: str, recipe: dict, repeats: int) -> float | None:
    """Seconds of processor time, the least of all repeats; None: Essentia refuses the recipe."""
    times = []
    try:
        for _ in range(repeats + 1):  # the first is warming
            begin = time.process_time()
            frames(clip, recipe)
            times.append(time.process_time() - begin)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return None
    return min(times[1:])


if __name__ == "__main__":
    essentia.log.infoActive = essentia.log.warningActive = False
    asked = json.load(sys.stdin)
    seconds = {
        name: least(asked["clip"], recipe, asked["repeats"])
        for name, recipe in asked["recipes"].items()
    }
    print(json.dumps({"version": essentia.__version__, "seconds": seconds}))
