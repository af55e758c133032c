"""Recordings with TextGrids of the published form, as small as tests need them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100
#: What sounds as each phoneme here, in Hz.
TONES = {"a": 400, "i": 900, "u": 2000, "f": 4500, "": 0}


def tier(name: str, intervals: Sequence[tuple[float, float, str]], number: int = 1) -> str:
    lines = [
        f"    item [{number}]:",
        '        class = "IntervalTier" ',
        f'        name = "{name}" ',
        f"        xmin = {intervals[0][0]} ",
        f"        xmax = {intervals[-1][1]} ",
        f"        intervals: size = {len(intervals)} ",
    ]
    for place, (start, stop, text) in enumerate(intervals, 1):
        lines += [f"        intervals [{place}]:", f"            xmin = {start} "]
        lines += [f"            xmax = {stop} ", f'            text = "{text}" ']
    return "\n".join(lines) + "\n"


def grid(*tiers: str, seconds: float) -> str:
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    head += f"xmin = 0 \nxmax = {seconds} \ntiers? <exists> \nsize = {len(tiers)} \nitem []: \n"
    return head + "".join(tiers)


def syllables(phonemes: Sequence[tuple[float, float, str]], text: str = "yi") -> str:
    """One syllable over all phonemes, with silence before it."""
    start, stop = phonemes[0][0], phonemes[-1][1]
    return tier("dian", [(0, start, ""), (start, stop, text)])


def record(
    root: Path, name: str, phonemes: Sequence[tuple[float, float, str]], seed: int = 0
) -> None:
    """Write a recording that sings these phonemes, and its TextGrid, in UTF-16 as published."""
    seconds = phonemes[-1][1] + 0.1
    samples = 0.02 * np.random.RandomState(seed).randn(round(seconds * RATE))
    for start, stop, text in phonemes:
        span = slice(round(start * RATE), round(stop * RATE))
        samples[span] += 0.3 * np.sin(2 * np.pi * TONES[text] / RATE * np.arange(RATE * 60)[span])
    role = "dan" if name[0] != "l" else "laosheng"
    (root / "wav" / role).mkdir(parents=True, exist_ok=True)
    (root / role).mkdir(exist_ok=True)
    soundfile.write(root / "wav" / role / f"{name}.wav", samples, RATE)
    text = grid(syllables(phonemes), tier("details", phonemes, 2), seconds=seconds)
    (root / role / f"{name}.TextGrid").write_text(text, encoding="utf-16")
