"""mini-ballroom: a synthetic control set, eight dances that differ in rhythm and in nothing else.

Pons, Lidy and Serra (CBMI 2016) found that filters along time recognise Ballroom's dances and
filters along frequency do so less well. On recordings one cannot tell why: orchestras, studios and
tempi go with the dances. Here they do not. Each of 32 arrangements (key, harmony, instruments,
which instrument plays which voice, room, noise, loudness, start within the bar) is played in all
eight dances, so that only metre, accents, swing and tempo can tell them apart, and the tempo ranges
of neighbouring dances overlap. A network that sees rhythm can solve it; one that sees only the
spectrum cannot. One trace of rhythm does reach the spectrum: busy dances fill more of the time than
sparse ones, so averages over time do somewhat better than chance.

The arrangement is the *group* of a track: with folds by group, no test track's instruments were
heard in training, and every fold holds each dance equally often.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.declare import DataSet
from data_prep.synthesis import making
from data_prep.synthesis.dance_music import SAMPLE_RATE, draw_arrangement, play
from data_prep.synthesis.dances import DANCES, Dance

TRACKS_PER_CLASS = 32
SECONDS = 7.5  # four segments of 80 frames (1024 samples each), and a little more
SEED = 2016
# Part of every file: raise it with any change of the sound, or a resumed making would mix two sets.
VERSION = 1


@dataclass(frozen=True)
class Track:
    """One track to make: `tempo` in BPM, `number` of its arrangement."""

    dance: Dance
    number: int
    tempo: float

    sample_rate = SAMPLE_RATE
    samples = int(SECONDS * SAMPLE_RATE)

    @property
    def name(self) -> str:
        """Track id, also the path without its suffix."""
        return f"{self.dance.name}/arrangement-{self.number:02d}"

    @property
    def comment(self) -> str:
        """Written into the file, so that a resumed making knows what it finds."""
        return f"mini-ballroom {VERSION}, seed {SEED}, {self.tempo:.2f} BPM, {SECONDS} s"

    @property
    def row(self) -> dict[str, object]:
        """Its line in the table of tracks."""
        return {
            "track": self.name,
            "label": self.dance.name,
            "tempo": f"{self.tempo:.2f}",
            "arrangement": self.number,
        }

    def play(self) -> np.ndarray:
        """Make the sound: int16, shape (samples,)."""
        return play(draw_arrangement(SEED, self.number), self.dance, self.tempo, SECONDS)


def tracks(count: int = TRACKS_PER_CLASS) -> list[Track]:
    """The first `count` arrangements in all dances, arrangement by arrangement."""
    return [
        Track(dance, number, _tempo(dance, number)) for number in range(count) for dance in DANCES
    ]


def _tempo(dance: Dance, number: int) -> float:
    """Steps of the golden ratio from a drawn start fill the dance's range evenly."""
    start = np.random.RandomState([SEED, *dance.name.encode()]).uniform()
    low, high = dance.tempo
    return round(low + (start + number * 0.618034) % 1 * (high - low), 2)


def make(
    root: Path, *, tracks_per_class: int = TRACKS_PER_CLASS, processes: int | None = None
) -> None:
    """Make the set under `root`, or the first tracks of each class; half a minute on two cores."""
    making.make_tracks(root, tracks(tracks_per_class), "mini_ballroom", processes)


def index(root: Path) -> pd.DataFrame:
    """List the tracks under `root`, with tempi in BPM; the group is the arrangement.

    Raises
    ------
    data_prep.DataError
        The table or one of the files it lists is missing: the making was interrupted or files were
        removed.
    """
    found = making.made_index(root, "mini-ballroom")
    # the part of the id after the dance names the arrangement
    return found.assign(group=[track.partition("/")[2] for track in found["track"]])


DATASET = DataSet(
    name="mini_ballroom",
    description="Synthetic control set: 32 arrangements, each played in the eight dance rhythms of "
    "Ballroom; 256 tracks of 7.5 s, 44,100 Hz mono, FLAC. Nothing but the rhythm depends on the "
    "class.",
    citation="Made by mirkeras; cite the suite.",
    seconds=SECONDS,
    licence="The making is deterministic and the result free of rights: do with it what you like.",
    layout="""\
mini_ballroom/
    tracks.csv   written last: track, label, tempo, arrangement, sha256 (of the 16-bit samples)
    ChaChaCha/   arrangement-00.flac to arrangement-31.flac
    Jive/ Quickstep/ Rumba/ Samba/ Tango/ VienneseWaltz/ Waltz/   the same arrangements""",
    counts={dance.name: TRACKS_PER_CLASS for dance in DANCES},
    index=index,
    make=make,
)
