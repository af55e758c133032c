"""A small rhythm section in NumPy and SciPy: draw an arrangement, play a dance with it.

An *arrangement* is everything about a recording that is not its rhythm: key, harmony, which
instrument plays which rhythmic voice, its colour and level, the sustained drone, the room, the
noise, the loudness, where in the bar the recording starts. It is drawn without knowledge of the
dance and then played in every dance, so none of it can tell one dance from another.

All streams are `numpy.random.RandomState`: NumPy promises never to change them (NEP 19), which it
does not promise for `numpy.random.Generator`. Sums are made in double precision and in a fixed
order, and rounding to `GRID` swallows what the last bits of a sine may differ by between machines.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import signal

from data_prep.synthesis.dances import VOICES, Dance
from data_prep.synthesis.studio import add, in_room, noise, rounded

SAMPLE_RATE = 44_100  # Hz
PRE_ROLL = 0.5  # seconds played before a track starts, so that it starts in the middle of music
# 12 of the 16 bits, as the drum machines of the eighties had: half the size on disk.
GRID = 16

# Lowest and highest fundamental (Hz) of each register. The gaps between them keep the voices in
# different mel bands, whichever register each is given and whatever chord is played.
REGISTERS = ((55, 95), (190, 330), (700, 1150), (2200, 3200), (6200, 8000))
# Strokes of equal energy are stronger in a narrow mel band than in a wide one; these levels (dB)
# even that out, so that no register is the loudest.
REGISTER_DB = (-11, -9, -5.5, -3, 0)

# Chords as (root in semitones above the key, third in semitones above the root).
_I, _II, _IV, _V, _VI = (0, 4), (2, 3), (5, 4), (7, 4), (9, 3)
PROGRESSIONS = (
    (_I, _IV, _V, _I),
    (_I, _VI, _IV, _V),
    (_I, _V, _VI, _IV),
    (_VI, _IV, _I, _V),
    (_I, _II, _V, _I),
)
Chord = tuple[int, int]


@dataclass(frozen=True)
class Timbre:
    """How one voice sounds.

    Attributes
    ----------
    frequency : float
        Fundamental in Hz; pitched voices play the chord tone nearest to it.
    decay : float
        Time to fall by a factor e, seconds.
    noise : float
        Share of noise around the fundamental, 0 to 1.
    stretch : float
        Distance of two partials in fundamentals: 1 is harmonic, less sounds like wood or metal.
    brightness : float
        Gain of each partial against the one before.
    tones : int
        0: a drum, the same stroke whatever the harmony; 1: the chord's root; 3: the whole chord.
    level : float
        Linear gain.
    seed : int
        Seed of the stroke's noise.
    """

    frequency: float
    decay: float
    noise: float
    stretch: float
    brightness: float
    tones: int
    level: float
    seed: int


@dataclass(frozen=True)
class Arrangement:
    """Everything but the rhythm: levels in dB re full scale, times in seconds."""

    key: int  # semitones above C
    progression: tuple[Chord, ...]  # a chord a bar
    voices: Mapping[str, Timbre]
    drone_db: float
    noise_db: float
    noise_colour: float  # pole of a one-pole low-pass, 0 is white
    reverb_time: float  # to fall by 60 dB
    reverb_db: float
    loudness_db: float
    phase: float  # where in the bar the track starts, 0 to 1
    jitter: float  # standard deviation of the players' timing
    seed: int  # of timing, room and noise


def draw_arrangement(seed: int, number: int) -> Arrangement:
    """Draw arrangement `number`: a pure function of its two arguments, blind to the dance."""
    rng = np.random.RandomState([seed, number])
    registers = rng.permutation(len(REGISTERS))[: len(VOICES)]
    return Arrangement(
        key=int(rng.randint(12)),
        progression=PROGRESSIONS[rng.randint(len(PROGRESSIONS))],
        voices={v: _draw_timbre(rng, r) for v, r in zip(VOICES, registers, strict=True)},
        drone_db=rng.uniform(-44, -36),
        noise_db=rng.uniform(-75, -60),
        noise_colour=rng.uniform(0.5, 0.95),
        reverb_time=rng.uniform(0.15, 0.5),
        reverb_db=rng.uniform(-32, -20),
        loudness_db=rng.uniform(-3, 0),
        phase=rng.uniform(),
        jitter=rng.uniform(0.0005, 0.003),
        seed=int(rng.randint(2**31)),
    )


def _draw_timbre(rng: np.random.RandomState, register: int) -> Timbre:
    tones = (0, 1, 3)[rng.randint(3)]
    return Timbre(
        frequency=float(np.exp(rng.uniform(*np.log(REGISTERS[register])))),
        decay=float(np.exp(rng.uniform(np.log(0.035), np.log(0.065)))),
        noise=rng.uniform(0.05, 0.35),
        stretch=1.0 if tones else rng.uniform(0.62, 0.95),
        brightness=rng.uniform(0.15, 0.35),
        tones=tones,
        level=10 ** ((REGISTER_DB[register] + rng.uniform(-3, 0)) / 20),
        seed=int(rng.randint(2**31)),
    )


def play(arrangement: Arrangement, dance: Dance, tempo: float, seconds: float) -> np.ndarray:
    """Play a dance.

    Parameters
    ----------
    tempo
        Beats per minute.
    seconds
        Length of the track.

    Returns
    -------
    np.ndarray
        int16, shape (samples,), mono at `SAMPLE_RATE`; multiples of `GRID`.
    """
    total = int((PRE_ROLL + seconds) * SAMPLE_RATE)
    bar = dance.metre * 60 / tempo
    start = PRE_ROLL - arrangement.phase * bar
    first = -1 - int(start / bar)
    bars = range(first, int((PRE_ROLL + seconds - start) / bar) + 1)
    rng = np.random.RandomState(arrangement.seed)
    strokes = {chord: _strokes(arrangement, chord) for chord in set(arrangement.progression)}
    mix = np.zeros(total)
    for number in bars:
        chord = arrangement.progression[number % len(arrangement.progression)]
        for voice in VOICES:
            for stroke in dance.strokes(voice):
                at = start + (number + stroke.beat / dance.metre) * bar
                at += arrangement.jitter * rng.standard_normal()
                add(mix, stroke.gain * strokes[chord][voice], round(at * SAMPLE_RATE))
    mix = (mix + _drone(arrangement, total)) * _headroom(arrangement, strokes)
    room = arrangement.reverb_time, arrangement.reverb_db, SAMPLE_RATE
    mix = in_room(mix, arrangement.seed + 1, *room)
    mix += noise(arrangement.seed + 2, arrangement.noise_colour, arrangement.noise_db, total)
    mix = mix[-int(seconds * SAMPLE_RATE) :] * 10 ** (arrangement.loudness_db / 20)
    return rounded(mix, GRID)


def _strokes(arrangement: Arrangement, chord: Chord) -> dict[str, np.ndarray]:
    """One stroke of each voice under a chord, float64 (samples,)."""
    root, third = chord
    sounds = {}
    for voice, timbre in arrangement.voices.items():
        notes = [arrangement.key + root + step for step in (0, third, 7)][: timbre.tones]
        pitches = [_nearest(timbre.frequency, note) for note in notes] or [timbre.frequency]
        sounds[voice] = timbre.level * _unit(sum(strike(timbre, pitch) for pitch in pitches))
    return sounds


def _nearest(frequency: float, note: int) -> float:
    """Frequency (Hz) of the pitch class `note` (semitones above C) nearest to `frequency`."""
    c4 = 261.6256
    semitones = 12 * np.log2(frequency / c4) - note
    return c4 * 2 ** ((note + 12 * round(semitones / 12)) / 12)


def strike(timbre: Timbre, frequency: float) -> np.ndarray:
    """One stroke at a pitch in Hz, float64 (samples,), of energy 1 (see `_unit`)."""
    time = np.arange(int(7 * timbre.decay * SAMPLE_RATE)) / SAMPLE_RATE
    fall = np.exp(-time / timbre.decay)
    tone = np.zeros_like(time)
    for n in range(3):
        partial = frequency * (1 + timbre.stretch * n)
        if partial < 0.45 * SAMPLE_RATE:
            # Higher partials die sooner, as they do in everything that is struck.
            tone += timbre.brightness**n * fall ** (1 + n / 2) * np.sin(2 * np.pi * partial * time)
    band = signal.butter(1, (frequency / 1.3, frequency * 1.3), "bandpass", fs=SAMPLE_RATE)
    hiss = signal.lfilter(*band, np.random.RandomState(timbre.seed).standard_normal(time.size))
    mixed = (1 - timbre.noise) * _unit(tone) + timbre.noise * _unit(hiss * fall)
    return _unit(mixed * np.minimum(1, time / 0.002))


def _unit(sound: np.ndarray) -> np.ndarray:
    """Scale to the energy of 30 ms of full scale: short and long strokes are equally loud."""
    return sound * np.sqrt(0.03 * SAMPLE_RATE / np.sum(sound**2))


def _headroom(arrangement: Arrangement, strokes: Mapping[Chord, dict[str, np.ndarray]]) -> float:
    """Gain that brings all voices at once near full scale.

    It looks at the instruments, not at the piece: levelling each track by its own energy would
    make the strokes of busy dances softer, and so tell the dances apart by level.
    """
    peaks = [sum(np.abs(s).max() for s in voices.values()) for voices in strokes.values()]
    return 1.1 / max(peaks)  # the peaks of four waveforms never fall on one sample


def _drone(arrangement: Arrangement, samples: int) -> np.ndarray:
    """Key note and fifth held over seven octaves; they fill the gaps that sparse dances leave."""
    # e^(i(a + b)) = e^(ia) e^(ib): products of coarse and fine steps are far cheaper than sines.
    fine = np.arange(512) / SAMPLE_RATE
    coarse = np.arange(-(-samples // 512))[:, None] * (512 / SAMPLE_RATE)
    sound = np.zeros((coarse.size, fine.size))
    for octave in range(7):
        for interval in (0, 7):
            turn = 2j * np.pi * 65.4064 * 2 ** (octave + (arrangement.key + interval) / 12)
            sound += (np.exp(turn * coarse + 1j * (octave + interval)) * np.exp(turn * fine)).imag
    return sound.ravel()[:samples] * 10 ** (arrangement.drone_db / 20)
