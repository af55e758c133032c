"""The eight Ballroom dances as data: metre, tempo, swing and the accents of four rhythmic voices.

Strict tempi are those of the competition rules (WDSF rule E.3 and the ISTD's "strict tempo"
recordings), in bars per minute.  Real recordings wander further: the Ballroom data set holds
jives and sambas well outside them.  ``tempo`` is therefore wider than the rules allow, wide enough
that every dance shares tempi with its neighbours and the tempo alone does not name the dance.

A pattern is a string with one character per step of a regular grid over one bar: ``.`` is
silence, ``1`` to ``9`` a stroke, 9 the strongest.  The number of steps must be a multiple of the
beats in a bar.  Spaces separate beats for the eye and mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

VOICES = ("bass", "beat", "ride", "comp")
STEP_DB = 2.0  # loudness between two neighbouring digits of a pattern


@dataclass(frozen=True)
class Stroke:
    """One stroke: ``beat`` counted from the start of the bar, ``gain`` linear in (0, 1]."""

    beat: float
    gain: float


@dataclass(frozen=True)
class Dance:
    """A dance rhythm.

    Attributes
    ----------
    name : str
        Class name as the Ballroom data set spells it.
    metre : int
        Beats in a bar.
    strict : tuple of float
        Lowest and highest competition tempo, bars per minute.
    tempo : tuple of float
        Lowest and highest tempo drawn here, beats per minute.
    patterns : tuple of str
        One pattern per voice, in the order of `VOICES`.
    swing : float
        Where the second half of a beat falls, in beats: 0.5 is straight, 2/3 a triplet swing.
    """

    name: str
    metre: int
    strict: tuple[float, float]
    tempo: tuple[float, float]
    patterns: tuple[str, str, str, str]
    swing: float = 0.5

    def strokes(self, voice: str) -> tuple[Stroke, ...]:
        """Return the strokes of one bar of `voice`, ordered by time."""
        steps = self.patterns[VOICES.index(voice)].replace(" ", "")
        per_beat, rest = divmod(len(steps), self.metre)
        if rest:
            raise ValueError(
                f"{self.name}, {voice}: {len(steps)} steps do not fill {self.metre} beats"
            )
        return tuple(
            Stroke(self._swung(i, per_beat), 10 ** ((int(step) - 9) * STEP_DB / 20))
            for i, step in enumerate(steps)
            if step != "."
        )

    def _swung(self, step: int, per_beat: int) -> float:
        """Bend the straight grid so that the middle of each beat falls on `swing`."""
        whole, part = divmod(step, per_beat)
        position = part / per_beat
        if position <= 0.5:
            return whole + position * self.swing / 0.5
        return whole + self.swing + (position - 0.5) * (1 - self.swing) / 0.5


# A pattern a line, as drummers write them.
# fmt: off
DANCES = (
    # "Four-and-one": congas and bass split beat four and land on one; the güiro scrapes
    # long, short-short.
    Dance("ChaChaCha", 4, (30, 32), (112, 130), (
        "9. .. 8. 99",
        ".. 8. .. 99",
        "9. 88 9. 88",
        "9. 88 9. 88",
    )),
    # Shuffle: every eighth swung, the backbeat on two and four, a walking bass.
    Dance("Jive", 4, (42, 44), (134, 180), (
        "9. 8. 9. 8.",
        ".. 9. .. 9.",
        "77 97 77 97",
        "66 96 66 96",
    ), swing=2 / 3),
    # Light two-feel: bass on one and three, the off-beats short and bright, nothing between.
    Dance("Quickstep", 4, (50, 52), (184, 212), (
        "9 . 9 .",
        ". 9 . 9",
        "9 6 9 6",
        ". 9 . 9",
    )),
    # Bolero figure (eighth, two sixteenths, then eighths), the accent on four.
    Dance("Rumba", 4, (25, 27), (92, 110), (
        "8... .... 7... 9...",
        "8.77 7.7. 7.7. 9.7.",
        "8.77 7.7. 7.7. 9.7.",
        "8.77 7... 7... 9...",
    )),
    # "One-a-two": three quarters of a beat, one quarter, one beat, over running sixteenths.
    Dance("Samba", 2, (50, 52), (98, 118), (
        "8..6 9..6",
        "9..8 9...",
        "9558 9558",
        "9..8 9.8.",
    )),
    # Marcato: dry strokes on every beat, syncopated pick-up on "four-and".
    Dance("Tango", 4, (31, 33), (120, 138), (
        "9. 8. 9. 8.",
        "9. 7. 9. 78",
        "9. 8. 9. 88",
        "9. 8. 9. 8.",
    )),
    # Oom-pah-pah at a gallop: one heavy one in the bar.
    Dance("VienneseWaltz", 3, (58, 60), (164, 192), (
        "9 . .",
        ". 8 8",
        "9 5 5",
        ". 8 8",
    )),
    # The same oom-pah-pah at half the speed, three full beats.
    Dance("Waltz", 3, (28, 30), (80, 98), (
        "9 . .",
        ". 8 8",
        "9 6 6",
        ". 8 8",
    )),
)
# fmt: on
