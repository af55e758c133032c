"""Plays the clips of mini-tags: what is drawn for a clip decides its tags and its sound at once.

A *recording* is what clips of one group share and no tag is about: key, tuning, room, noise. A
*score* is what the tags are about: instruments, style, pace, level. All streams are
`numpy.random.RandomState` (see `data_prep.synthesis.instruments`), sums have a fixed order, and
rounding to `GRID` swallows what the last bits of a sine may differ by between machines.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.synthesis import instruments
from data_prep.synthesis.instruments import INSTRUMENTS, SAMPLE_RATE
from data_prep.synthesis.studio import add, in_room, noise, rounded

GRID = 8  # 13 of the 16 bits: a third less on disk, and still 40 dB below the quiet clips

#: Names as in MagnaTagATune's annotations, in the order of its 50 most frequent tags.
TAGS = (
    "guitar", "slow", "techno", "strings", "drums", "fast", "piano", "ambient", "beat", "vocal",
    "synth", "no vocals", "harpsichord", "loud", "quiet", "flute",
)  # fmt: skip

PACES = {"slow": (46, 62), "medium": (88, 108), "fast": (150, 185)}  # beats per minute
TECHNO_PACE = (138, 152)
LEVELS = {"quiet": (-39, -34), "medium": (-26, -23), "loud": (-14, -12)}  # RMS, dB re full scale
SUSTAINED = ("strings", "vocal", "synth", "flute")  # instruments that can hold a note
PLUCKED = ("guitar", "piano", "harpsichord")
STYLES = ("ambient", "techno", "free", "pulse", "kit", "toms")
WITH_BEAT = ("techno", "pulse", "kit")
WITH_DRUMS = ("techno", "kit", "toms")

SCALE = (0, 2, 4, 7, 9)  # pentatonic: any two notes go together
CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # semitones above the key
#: Lowest key note of each instrument (MIDI); they overlap, so that pitch names no instrument.
REGISTERS = {
    "guitar": 48, "piano": 50, "harpsichord": 53, "strings": 50, "synth": 45, "flute": 62,
    "vocal": 52,
}  # fmt: skip
Note = tuple[float, float, float, float]  # start (s), length (s), MIDI pitch, gain


@dataclass(frozen=True)
class Recording:
    """What the clips of a group share; levels in dB re full scale, times in seconds."""

    key: int  # semitones above the instruments' lowest key note
    cents: float  # tuning
    noise_db: float
    noise_colour: float  # pole of a one-pole low-pass, 0 is white
    reverb_time: float  # to fall by 60 dB
    reverb_db: float
    seed: int


@dataclass(frozen=True)
class Score:
    """What the tags of a clip are about.

    Attributes
    ----------
    style : str
        One of `STYLES`: long notes in a wide room; drum machine and synthesiser; no percussion;
        a bass on every beat; a drum kit; drums that keep no beat.
    instruments : tuple of str
        One or two of `INSTRUMENTS`.
    pace : str
        One of `PACES`; `bpm` is the tempo drawn from it.
    level : str
        One of `LEVELS`; `decibel` is the RMS drawn from it.
    seed : int
        Seed of notes and strokes.
    """

    style: str
    instruments: tuple[str, ...]
    pace: str
    bpm: float
    level: str
    decibel: float
    seed: int

    @property
    def tags(self) -> tuple[str, ...]:
        """The clip's tags in the order of `TAGS`."""
        true = {*self.instruments, self.style, self.pace, self.level}
        true |= {"beat"} if self.style in WITH_BEAT else set()
        true |= {"drums"} if self.style in WITH_DRUMS else set()
        true |= set() if "vocal" in self.instruments else {"no vocals"}
        return tuple(tag for tag in TAGS if tag in true)


def draw_recording(seed: int, number: int) -> Recording:
    """Draw recording `number`: a pure function of its two arguments."""
    rng = np.random.RandomState([seed, number])
    return Recording(
        key=int(rng.randint(8)),
        cents=rng.uniform(-40, 40),
        noise_db=rng.uniform(-72, -62),
        noise_colour=rng.uniform(0.3, 0.9),
        reverb_time=rng.uniform(0.2, 0.6),
        reverb_db=rng.uniform(-28, -18),
        seed=int(rng.randint(2**31)),
    )


def draw_scores(seed: int, number: int) -> list[Score]:
    """Draw the clips of recording `number`, one in each style.

    Paces, levels and plucked instruments are dealt like cards, so that every six clips hold all.
    """
    rng = np.random.RandomState([seed, number, len(STYLES)])
    paces = ["slow", "slow", "fast", "fast", "medium", "medium"]
    levels = ["quiet", "quiet", "loud", "loud", "medium", "medium"]
    leads = [*PLUCKED, SUSTAINED[rng.randint(len(SUSTAINED))]]
    for cards in (paces, levels, leads):
        rng.shuffle(cards)
    scores = []
    for place, style in enumerate(STYLES):
        fixed = {"ambient": "slow", "techno": "fast"}
        pace = fixed.get(style, paces[place])
        lead = {"ambient": SUSTAINED[rng.randint(4)], "techno": "synth"}.get(style)
        scores.append(_score(rng, style, lead or leads[place - 2], pace, levels[place]))
    return scores


def _score(rng: np.random.RandomState, style: str, lead: str, pace: str, level: str) -> Score:
    alike = style == "ambient" or lead in PLUCKED  # held notes go with either, plucked ones do not
    others = [name for name in (SUSTAINED if alike else INSTRUMENTS) if name != lead]
    other = others[rng.randint(len(others))]
    return Score(
        style=style,
        instruments=(lead, other) if rng.uniform() < 0.7 else (lead,),
        pace=pace,
        bpm=round(rng.uniform(*(TECHNO_PACE if style == "techno" else PACES[pace])), 2),
        level=level,
        decibel=rng.uniform(*LEVELS[level]),
        seed=int(rng.randint(2**31)),
    )


def play(recording: Recording, score: Score, seconds: float) -> np.ndarray:
    """Play a clip.

    Returns
    -------
    np.ndarray
        int16, shape (samples,), mono at `SAMPLE_RATE`; multiples of `GRID`.
    """
    rng = np.random.RandomState(score.seed)
    total = int(seconds * SAMPLE_RATE)
    mix = np.zeros(total)
    for rank, name in enumerate(score.instruments):
        notes = _part(rng, name, score, seconds)
        mix += (1, 0.75)[rank] * _level(_sounding(notes, name, recording, total))
    if score.style in (*WITH_BEAT, *WITH_DRUMS):
        mix += 1.1 * _level(_rhythm(rng, score, recording, total))
    # ambient music is played in a wide room
    wide = score.style == "ambient"
    room = (2.5, -3) if wide else (recording.reverb_time, recording.reverb_db)
    mix = _level(in_room(mix, recording.seed, *room, SAMPLE_RATE))
    # a limiter, as on every record: loud clips have drums whose peaks would not fit
    mix = np.tanh(mix * 10 ** (score.decibel / 20))
    mix += noise(score.seed + 1, recording.noise_colour, recording.noise_db, total)
    return rounded(mix, GRID)


def _level(sound: np.ndarray) -> np.ndarray:
    """Scale to an RMS of 1."""
    return sound / np.sqrt(np.mean(sound**2))


def _part(rng: np.random.RandomState, name: str, score: Score, seconds: float) -> list[Note]:
    """Notes of one instrument, from a random place within a beat before the clip on."""
    beat = 60 / score.bpm
    start = -rng.uniform() * beat
    notes: list[Note] = []
    for number in range(int((seconds - start) / beat) + 1):
        at = start + number * beat
        if score.style == "ambient":
            notes += _held(rng, at, 4 * beat) if number % 3 == 0 else []
        else:
            notes += MANNERS[name](rng, at, beat, number)
    return notes


def _held(rng: np.random.RandomState, at: float, length: float) -> list[Note]:
    chord = CHORDS[rng.randint(len(CHORDS))]
    return [(at, length, pitch, 1.0) for pitch in chord]


def _strummed(rng: np.random.RandomState, at: float, beat: float, number: int) -> list[Note]:
    """A chord on the beat and a lighter one after it, string after string."""
    chord = (*CHORDS[number // 2 % len(CHORDS)], 19)
    down = [(at + 0.018 * n, beat, p, 1.0) for n, p in enumerate(chord)]
    return down + [(at + beat / 2 + 0.012 * n, beat / 2, p, 0.6) for n, p in enumerate(chord[::-1])]


def _chords_and_tune(rng: np.random.RandomState, at: float, beat: float, number: int) -> list[Note]:
    """A chord every other beat in the left hand, quavers in the right."""
    left = [(at, 2 * beat, p - 12, 0.7) for p in CHORDS[number // 2 % len(CHORDS)]]
    right = [(at + n * beat / 2, beat * 0.7, 12 + SCALE[rng.randint(5)], 1.0) for n in range(2)]
    return right + (left if number % 2 == 0 else [])


def _broken(rng: np.random.RandomState, at: float, beat: float, number: int) -> list[Note]:
    """A broken chord, three notes to the beat."""
    chord = CHORDS[number // 2 % len(CHORDS)]
    return [(at + n * beat / 3, beat / 2, chord[n] + 12 * rng.randint(2), 1.0) for n in range(3)]


def _sung(rng: np.random.RandomState, at: float, beat: float, number: int) -> list[Note]:
    """A note, or two, to the beat, bound together."""
    count = 1 + rng.randint(2)
    length = beat / count
    return [(at + n * length, length, SCALE[rng.randint(5)], 1.0) for n in range(count)]


def _bowed(rng: np.random.RandomState, at: float, beat: float, number: int) -> list[Note]:
    """A tune over chords of two beats."""
    chord = [(at, 2 * beat, p, 0.6) for p in CHORDS[number // 2 % len(CHORDS)]]
    return [*_sung(rng, at, beat, number), *(chord if number % 2 == 0 else [])]


def _repeated(rng: np.random.RandomState, at: float, beat: float, number: int) -> list[Note]:
    """The same four short notes again and again."""
    return [(at + n * beat / 4, beat / 5, p, 1.0) for n, p in enumerate((0, 12, 7, 12))]


MANNERS = {
    "guitar": _strummed,
    "piano": _chords_and_tune,
    "harpsichord": _broken,
    "strings": _bowed,
    "flute": _sung,
    "vocal": _sung,
    "synth": _repeated,
}


def _sounding(notes: list[Note], name: str, recording: Recording, total: int) -> np.ndarray:
    """Play notes, float64 (total,); equal notes are made once."""
    sounds: dict[tuple[float, float], np.ndarray] = {}
    part = np.zeros(total)
    for start, length, pitch, gain in notes:
        if (pitch, length) not in sounds:
            midi = REGISTERS[name] + recording.key + pitch + recording.cents / 100
            frequency = 440 * 2 ** ((midi - 69) / 12)
            sounds[pitch, length] = INSTRUMENTS[name](frequency, max(length, 0.08))
        add(part, gain * sounds[pitch, length], round(start * SAMPLE_RATE))
    return part


def _rhythm(
    rng: np.random.RandomState, score: Score, recording: Recording, total: int
) -> np.ndarray:
    """Bass, kit, drum machine or toms, float64 (total,)."""
    beat, part = 60 / score.bpm, np.zeros(total)
    start, seconds = -rng.uniform() * beat, total / SAMPLE_RATE
    kick, snare, hat = instruments.kick(), instruments.snare(1), instruments.hat(2)
    root = 55 * 2 ** ((recording.key + recording.cents / 100) / 12)
    low = instruments.bass(root, min(0.35, 0.7 * beat))
    for number in range(int((seconds - start) / beat) + 1):
        at = start + number * beat
        if score.style == "pulse":
            add(part, (1, 0.7)[number % 2] * low, round(at * SAMPLE_RATE))
        elif score.style == "techno":
            add(part, kick, round(at * SAMPLE_RATE))
            add(part, 0.5 * hat, round((at + beat / 2) * SAMPLE_RATE))
        elif score.style == "kit":
            add(part, (kick, 0.7 * snare)[number % 2], round(at * SAMPLE_RATE))
            for eighth in (0, 0.5):
                add(part, 0.4 * hat, round((at + eighth * beat) * SAMPLE_RATE))
    if score.style == "toms":
        for at in np.sort(rng.uniform(-0.2, seconds, int(3 * seconds))):
            add(
                part,
                (instruments.kick(rng.uniform(75, 150)), 0.5 * snare)[rng.randint(2)],
                round(at * SAMPLE_RATE),
            )
    return part
