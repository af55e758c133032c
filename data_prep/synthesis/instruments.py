"""Seven instruments and three drums, additive synthesis in NumPy: one note, one array.

Each instrument is recognised by what makes the real one: how its partials are tuned, how strong
they are, how they begin and end. All of that lies below 4 kHz, so that it survives a sample rate
of 8,000 Hz. Sounds are float64, mono at `SAMPLE_RATE`; frequencies in Hz, times in seconds.

Noise comes from `numpy.random.RandomState`, whose streams NumPy never changes (NEP 19).
"""

from collections.abc import Callable

import numpy as np
from scipy import signal

SAMPLE_RATE = 22_050  # Hz
TOP = 8_000  # Hz; no partials above

Instrument = Callable[[float, float], np.ndarray]


def _time(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _partials(frequency: float, most: int) -> np.ndarray:
    """Numbers of the partials, 1 to `most`, that lie below `TOP`."""
    return np.arange(1, max(1, min(most, int(TOP / frequency))) + 1)


def _rise_and_end(time: np.ndarray, rise: float, end: float = 0.02) -> np.ndarray:
    """Envelope (samples,): a rise to 1 within `rise`, a linear end over the last `end`."""
    left = (time[-1] - time) / end
    return np.clip(time / rise, 0, 1) * np.clip(left, 0, 1)


def _hiss(samples: int, low: float, high: float, seed: int) -> np.ndarray:
    """Noise between two frequencies, RMS 1 before the band is cut out."""
    band = signal.butter(2, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos")
    return signal.sosfilt(band, np.random.RandomState(seed).standard_normal(samples))


def _vibrato(time: np.ndarray, rate: float, cents: float, start: float = 0.0) -> np.ndarray:
    """Phase in cycles per Hz (samples,): time, bent by a vibrato that sets in after 0.2 s."""
    depth = cents * np.log(2) / 1200 * np.clip(time / 0.2, 0, 1)
    bend = 1 + depth * np.sin(2 * np.pi * (rate * time + start))
    return np.cumsum(bend) / SAMPLE_RATE


def guitar(frequency: float, seconds: float) -> np.ndarray:
    """A plucked string: the partials with a node where it is plucked are missing."""
    time, sound = _time(seconds), 0.0
    for n in _partials(frequency, 14):
        gain = abs(np.sin(np.pi * n / 5)) / n
        sound += (
            gain * np.exp(-time * (1 + 0.25 * n) / 0.9) * np.sin(2 * np.pi * n * frequency * time)
        )
    return sound * _rise_and_end(time, 0.002)


def piano(frequency: float, seconds: float) -> np.ndarray:
    """Two stiff strings, stretched and beating, a fast then a slow decay, a hammer's thump."""
    time, sound = _time(seconds), 0.0
    fall = 0.65 * np.exp(-time / 0.18) + 0.35 * np.exp(-time / 1.6)
    for n in _partials(frequency, 10):
        stretched = n * frequency * np.sqrt(1 + 0.0006 * n**2)
        strings = sum(np.sin(2 * np.pi * stretched * bend * time) for bend in (0.9985, 1.0015))
        sound += strings * fall**n**0.5 / n**1.3
    thump = _hiss(time.size, 60, 350, seed=88) * np.exp(-time / 0.015)
    return (sound + 2.5 * thump) * _rise_and_end(time, 0.005, 0.06)


def harpsichord(frequency: float, seconds: float) -> np.ndarray:
    """A quill on a thin string and one an octave higher: many strong partials, two clicks."""
    time, sound = _time(seconds), 0.0
    for n in _partials(frequency, 24):
        gain = (1 + (n % 2 == 0)) / n**0.35
        sound += (
            gain * np.exp(-time * (1 + 0.04 * n) / 0.4) * np.sin(2 * np.pi * n * frequency * time)
        )
    click = _hiss(time.size, 1800, 3600, seed=61) * np.exp(-time / 0.003)
    return (sound + 4 * (click + 0.5 * click[::-1])) * _rise_and_end(time, 0.001)


def strings(frequency: float, seconds: float) -> np.ndarray:
    """Three bows, a little apart in tune and vibrato, that begin softly."""
    time, sound = _time(seconds), 0.0
    for player, cents in enumerate((-9, 0, 8)):
        phase = _vibrato(time, 5.0 + 0.4 * player, 12, start=player / 3) * 2 ** (cents / 1200)
        for n in _partials(frequency, 20):
            body = 1 / (1 + (n * frequency / 2600) ** 4)
            sound += body / n * np.sin(2 * np.pi * (n * frequency * phase + player * n / 3))
    return sound * _rise_and_end(time, min(0.15, seconds / 3), min(0.15, seconds / 4))


def flute(frequency: float, seconds: float) -> np.ndarray:
    """Hardly more than a fundamental, trembling in strength, with breath around it."""
    time, sound = _time(seconds), 0.0
    phase = _vibrato(time, 5.2, 10)
    for n, gain in enumerate((1, 0.3, 0.1, 0.03), start=1):
        sound += gain * np.sin(2 * np.pi * n * frequency * phase)
    sound *= 1 + 0.25 * np.sin(2 * np.pi * 5.2 * time)
    breath = 0.12 * _hiss(time.size, 900, 3500, seed=440)
    return (sound + breath) * _rise_and_end(time, 0.05, 0.05)


def synth(frequency: float, seconds: float) -> np.ndarray:
    """A square wave whose resonant low-pass closes from 3 kHz to 300 Hz."""
    time, sound = _time(seconds), 0.0
    cutoff = 300 + 2700 * np.exp(-time / 0.12)
    for n in _partials(frequency, 25)[::2]:
        ratio = n * frequency / cutoff
        gain = 1 / np.sqrt((1 - ratio**2) ** 2 + (ratio / 4) ** 2)  # a resonance of Q = 4
        sound += gain / n * np.sin(2 * np.pi * n * frequency * time)
    return sound * _rise_and_end(time, 0.002, 0.005)


VOWELS = ((700, 1150, 2600), (450, 800, 2550), (550, 1750, 2500))  # a, o, e: formants in Hz


def vocal(frequency: float, seconds: float) -> np.ndarray:
    """A sung vowel, which of three the pitch decides: formants over a wide vibrato."""
    time, sound = _time(seconds), 0.0
    vowel = VOWELS[round(12 * np.log2(frequency / 55)) % len(VOWELS)]
    scoop = 1 - 0.06 * np.exp(-time / 0.05)  # singers slide up into a note
    phase = _vibrato(time, 5.6, 70) - np.cumsum(1 - scoop) / SAMPLE_RATE
    for n in _partials(frequency, 24):
        away = [(n * frequency - formant) / (60 + formant / 15) for formant in vowel]
        gain = sum(g / (1 + a**2) for g, a in zip((1, 0.7, 0.35), away, strict=True))
        sound += (0.02 + gain) * np.sin(2 * np.pi * n * frequency * phase)
    return sound * _rise_and_end(time, 0.07, 0.07)


def bass(frequency: float, seconds: float) -> np.ndarray:
    """A short, dark bass note."""
    time, sound = _time(seconds), 0.0
    for n in range(1, 6):
        sound += np.sin(2 * np.pi * n * frequency * time) / n * np.exp(-time * n / 0.25)
    return sound * _rise_and_end(time, 0.004)


def kick(depth: float = 50.0) -> np.ndarray:
    """A bass drum or, from a higher `depth` (Hz), a tom: the pitch falls onto it."""
    time = _time(0.3)
    phase = depth * time + 3 * depth * 0.03 * (1 - np.exp(-time / 0.03))
    return np.sin(2 * np.pi * phase) * np.exp(-time / 0.09) * _rise_and_end(time, 0.001)


def snare(seed: int) -> np.ndarray:
    """A skin at 190 Hz and the wires below it."""
    time = _time(0.2)
    wires = _hiss(time.size, 600, 3600, seed) * np.exp(-time / 0.06)
    skin = np.sin(2 * np.pi * 190 * time) * np.exp(-time / 0.04)
    return (wires + 0.7 * skin) * _rise_and_end(time, 0.001)


def hat(seed: int) -> np.ndarray:
    """A closed hi-hat; only its lower edge lies below 4 kHz."""
    time = _time(0.08)
    return _hiss(time.size, 2800, 9500, seed) * np.exp(-time / 0.02) * _rise_and_end(time, 0.001)


INSTRUMENTS: dict[str, Instrument] = {
    "guitar": guitar,
    "strings": strings,
    "piano": piano,
    "vocal": vocal,
    "synth": synth,
    "harpsichord": harpsichord,
    "flute": flute,
}
