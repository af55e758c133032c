"""mini-tags: a synthetic control set for tagging, whose tags are true by construction.

MagnaTagATune's tags are what players of a game typed: a clip without "guitar" may well have one,
and guitars go with genres, studios and levels. Here a tag is a fact about how the clip was made:
which instruments play, how fast, how loud, with a beat or with drums or neither (see
`data_prep.synthesis.tag_music`). The names are MagnaTagATune's, so that rows and figures about its
tags (piano, techno: Lee et al. 2018, Fig. 5) have something to be about. Two tags go together only
where their meaning says so: techno has a beat, drums, a synthesiser and is fast; ambient is slow;
what has vocals is not without.

The *recording* (key, tuning, room, noise) is the *group* of a clip, and the split is by group: no
recording is heard in two parts. Every recording has one clip in each of six styles.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.declare import DataSet
from data_prep.index import TAG_SEPARATOR
from data_prep.synthesis import making
from data_prep.synthesis.instruments import SAMPLE_RATE
from data_prep.synthesis.tag_music import (
    STYLES,
    TAGS,
    WITH_BEAT,
    Recording,
    Score,
    draw_recording,
    draw_scores,
    play,
)

RECORDINGS = 60
SECONDS = 6.0  # two segments of 59,049 samples at 22,050 Hz
SEED = 2018
# Part of every file: raise it with any change of the sound, or a resumed making would mix two sets.
VERSION = 1

SPLIT = "parts"
#: Parts of every six recordings in a row: 40, 10 and 10 of 60.
PARTS = ("train", "train", "train", "train", "validation", "test")


@dataclass(frozen=True)
class Clip:
    """One clip to make, of recording `number`."""

    number: int
    recording: Recording
    score: Score

    sample_rate = SAMPLE_RATE
    samples = int(SECONDS * SAMPLE_RATE)

    @property
    def group(self) -> str:
        """Id of the recording."""
        return f"recording-{self.number:02d}"

    @property
    def name(self) -> str:
        """Track id, also the path without its suffix."""
        return f"{self.group}/{self.score.style}"

    @property
    def part(self) -> str:
        """Part of the split `SPLIT`."""
        return PARTS[self.number % len(PARTS)]

    @property
    def tempo(self) -> float:
        """Beats per minute, NaN where nothing marks the beat."""
        return self.score.bpm if self.score.style in WITH_BEAT else np.nan

    @property
    def comment(self) -> str:
        """Written into the file, so that a resumed making knows what it finds."""
        tags = TAG_SEPARATOR.join(self.score.tags)
        return f"mini-tags {VERSION}, seed {SEED}, {SECONDS} s, {tags}"

    @property
    def row(self) -> dict[str, object]:
        """Its line in the table of tracks."""
        return {
            "track": self.name,
            "label": TAG_SEPARATOR.join(self.score.tags),
            "group": self.group,
            "tempo": self.tempo,
            SPLIT: self.part,
        }

    def play(self) -> np.ndarray:
        """Make the sound: int16, shape (samples,)."""
        return play(self.recording, self.score, SECONDS)


def clips(recordings: int = RECORDINGS) -> list[Clip]:
    """All clips of the first recordings."""
    return [
        Clip(number, draw_recording(SEED, number), score)
        for number in range(recordings)
        for score in draw_scores(SEED, number)
    ]


def make(root: Path, *, recordings: int = RECORDINGS, processes: int | None = None) -> None:
    """Make the set under `root`, or its first recordings: about half a minute on two cores."""
    making.make_tracks(root, clips(recordings), "mini_tags", processes)


def index(root: Path) -> pd.DataFrame:
    """List the clips under `root`: tags joined by `|`, tempi in BPM, the column `parts`.

    Raises
    ------
    data_prep.DataError
        The set is not whole: the making was interrupted or files were removed.
    """
    return making.made_index(root, "mini-tags", "group", SPLIT)


DATASET = DataSet(
    name="mini_tags",
    description="Synthetic control set: 60 recordings of six clips, 360 clips of 6 s, 22,050 Hz "
    f"mono, FLAC, with {len(TAGS)} of MagnaTagATune's tags, true by construction.",
    citation="Made by mirkeras; cite the suite.",
    seconds=SECONDS,
    licence="The making is deterministic and the result free of rights: do with it what you like.",
    layout="""\
mini_tags/
    tracks.csv     written last: track, label, group, tempo, parts, sha256 (of the 16-bit samples)
    recording-00/  ambient.flac free.flac kit.flac pulse.flac techno.flac toms.flac
    recording-01/ … recording-59/   the same six styles, played otherwise""",
    index=index,
    make=make,
    tags=TAGS,
    tracks=RECORDINGS * len(STYLES),
    splits={
        SPLIT: {
            part: RECORDINGS // len(PARTS) * PARTS.count(part) * len(STYLES)
            for part in ("train", "validation", "test")
        }
    },
)
