"""Audio for the tests of MIREX's interface."""

from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS = 22_050, 4
TRACKS = 6  # of each class


def make_tones(folder: Path) -> None:
    """Write two classes of tones in noise that a network tells apart: ``high/0.wav`` …"""
    random = np.random.RandomState(0)
    for label, pitch in (("high", 1760), ("low", 220)):
        (folder / label).mkdir(parents=True)
        for number in range(TRACKS):
            time = np.arange(SECONDS * RATE) / RATE
            tone = 0.3 * np.sin(2 * np.pi * pitch * (1 + 0.05 * number) * time)
            noise = 0.02 * random.randn(len(time))
            soundfile.write(folder / label / f"{number}.wav", tone + noise, RATE)
