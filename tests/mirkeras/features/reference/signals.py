"""The test signals of the Essentia reference, the same on every machine.

They need exact arithmetic only (the reference was computed elsewhere, and random generators may
change between releases of NumPy); the one sine may differ in its last bit.
"""

import numpy as np

SAMPLE_RATE = 44100


def noise(samples: int, seed: int = 1) -> np.ndarray:
    """White noise in [-0.25, 0.25) from a linear congruential generator (Numerical Recipes)."""
    values, state = np.empty(samples, np.float32), seed
    for i in range(samples):
        state = (1664525 * state + 1013904223) % 2**32
        values[i] = (state / 2**32 - 0.5) / 2
    return values


def triangle_wave(samples: int, period: np.ndarray | int) -> np.ndarray:
    """A triangle wave of amplitude 0.5; `period` in samples may change over time."""
    phase = np.cumsum(np.full(samples, 1.0) / period) % 1.0
    return (np.abs(4 * phase - 2) / 2 - 0.5).astype(np.float32)


def chirp(samples: int) -> np.ndarray:
    """A triangle wave whose period falls from 1024 samples (43 Hz) to 4 (11 kHz)."""
    return triangle_wave(samples, np.linspace(1024, 4, samples))


def clicks(samples: int) -> np.ndarray:
    """One full-scale sample every 5000: silence between, so many frames are exactly zero."""
    signal = np.zeros(samples, np.float32)
    signal[777::5000] = 1
    return signal


def chord(samples: int) -> np.ndarray:
    """Three triangle waves (441, 525 and 630 Hz) in noise 40 dB below, quiet at first."""
    tones = sum(triangle_wave(samples, period) for period in (100, 84, 70)) / 3
    ramp = np.linspace(0, 1, samples, dtype=np.float32)
    return (tones * ramp + noise(samples) / 100).astype(np.float32)


def sine(samples: int) -> np.ndarray:
    """A full-scale sine of 1 kHz: energies from nearly 1 down to rounding noise."""
    return np.sin(2 * np.pi * 1000 / SAMPLE_RATE * np.arange(samples)).astype(np.float32)


def all_signals() -> dict[str, np.ndarray]:
    """Name to samples, float32 mono at 44.1 kHz; lengths at and around multiples of the hop."""
    return {
        "noise": noise(20 * 1024 + 1),
        "chirp": chirp(60 * 1024),
        "clicks": clicks(30 * 1024 - 1),
        "chord": chord(45_000),
        "impulse": clicks(778),
        "sine": sine(44_100),
    }
