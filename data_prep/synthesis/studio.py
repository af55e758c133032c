"""What both synthesisers do with their sounds: place them, put them into a room, add noise, round.

Random streams are `numpy.random.RandomState`, whose streams NumPy never changes (NEP 19).
"""

import numpy as np
from scipy import signal


def add(mix: np.ndarray, sound: np.ndarray, at: int) -> None:
    """Add a sound from a sample on, as far as it lies within the mix."""
    first, last = max(at, 0), min(at + sound.size, mix.size)
    if first < last:
        mix[first:last] += sound[first - at : last - at]


def in_room(dry: np.ndarray, seed: int, seconds: float, decibel: float, rate: int) -> np.ndarray:
    """Add a room: noise of a level that falls by 60 dB within some seconds; `rate` in Hz."""
    rng = np.random.RandomState(seed)
    time = np.arange(int(seconds * rate)) / rate
    tail = rng.standard_normal(time.size) * 10 ** (-3 * time / seconds)
    tail *= 10 ** (decibel / 20) / np.sqrt(np.sum(tail**2))
    return dry + signal.oaconvolve(dry, tail)[: dry.size]


def noise(seed: int, pole: float, decibel: float, samples: int) -> np.ndarray:
    """Noise through a one-pole low-pass (`pole` 0 is white), its level in dB re full scale."""
    white = np.random.RandomState(seed).standard_normal(samples)
    hiss = signal.lfilter([np.sqrt(1 - pole**2)], [1, -pole], white)
    return hiss * 10 ** (decibel / 20)


def rounded(mix: np.ndarray, grid: int) -> np.ndarray:
    """Round to int16 multiples of `grid`, clipped at full scale."""
    top = 32768 // grid
    return (grid * np.clip(np.round(mix * top), -top, top - 1)).astype(np.int16)
