"""Extended Ballroom: 4,180 excerpts of about 30 s of dance music in 13 dances, by their authors.

The successor of `ballroom`, from the same shop's previews (Marchand and Peeters 2016). The audio is
not published: the authors give a table, `extendedballroom_v1.1.xml`, and a script that downloads
the previews. With the table beside the audio, its tempi (BPM) are taken, and excerpts that it calls
exact, time, karaoke or version repetitions of one another share a *group*.

Tracks per dance are not stated by a source at hand, so none are checked.
"""

from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.index import find_layout, from_class_folders, make_index
from mirkeras.audio.formats import audio_extensions

CLASSES = (
    "Chacha", "Foxtrot", "Jive", "Pasodoble", "Quickstep", "Rumba", "Salsa", "Samba", "Slowwaltz",
    "Tango", "Viennesewaltz", "Waltz", "Wcswing",
)  # fmt: skip
TABLE = "extendedballroom_v1.1.xml"

_REPETITIONS = ("exact", "time", "karaoke", "version")


def index(root: Path) -> pd.DataFrame:
    """List the excerpts of the class folders: ids `<class>/<number>`.

    Raises
    ------
    data_prep.DataError
        Two files stand for one excerpt, or the table is damaged.
    """
    place = find_layout(root, CLASSES)
    if place is None:
        return make_index((), root)
    songs = _songs(place, root)
    return from_class_folders(
        root,
        {name: name for name in CLASSES},
        audio_extensions(),
        tempi={song: _tempo(facts) for song, (_, facts) in songs.items()},
        replicas=_replicas(songs),
    )


def _songs(place: Path, root: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Read the table: number of a song → its class and what is said of it; empty without one."""
    paths = [folder / TABLE for folder in dict.fromkeys((place, root))]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return {}
    try:
        dances = ElementTree.parse(path).getroot()
        return {song.attrib["id"]: (dance.tag, song.attrib) for dance in dances for song in dance}
    except (ElementTree.ParseError, KeyError) as error:
        raise DataError(
            f"{path} is not the published table ({type(error).__name__}: {error}); get it again "
            "or delete it: tempi and repetitions are then unknown."
        ) from error


def _tempo(facts: dict[str, str]) -> float:
    try:
        return float(facts.get("bpm", "nan"))
    except ValueError:
        return float("nan")


def _replicas(songs: dict[str, tuple[str, dict[str, str]]]) -> tuple[tuple[str, ...], ...]:
    """Join songs that the table calls repetitions of one another, also by way of others."""
    together = {song: {song} for song in songs}
    for song, (_, facts) in songs.items():
        for other in (facts.get(kind) for kind in _REPETITIONS):
            if other in songs and together[other] is not together[song]:
                joined = together[song] | together[other]
                together |= dict.fromkeys(joined, joined)
    sets = {id(same): same for same in together.values() if len(same) > 1}
    return tuple(
        tuple(sorted(f"{songs[song][0]}/{song}" for song in same)) for same in sets.values()
    )


DATASET = DataSet(
    name="extended_ballroom",
    description="4,180 excerpts of about 30 s of dance music in 13 dances; audio of the user's "
    "own.",
    citation="""\
@inproceedings{marchand2016scale,
  author = {Marchand, Ugo and Peeters, Geoffroy},
  title = {Scale and Shift Invariant Time/Frequency Representation Using Auditory Statistics:
    Application to Rhythm Description},
  booktitle = {{IEEE} International Workshop on Machine Learning for Signal Processing},
  year = {2016}
}""",
    seconds=30,
    licence="No licence is published with it; the audio is not part of the set.",
    layout="""\
extended_ballroom/    (or one or two folders deeper)
    Chacha/           excerpts named by their number, in any format libsndfile reads
    Foxtrot/ Jive/ Pasodoble/ Quickstep/ Rumba/ Salsa/ Samba/ Slowwaltz/ Tango/ Viennesewaltz/
    Waltz/ Wcswing/   the same
    extendedballroom_v1.1.xml    optional: tempi and repetitions""",
    counts=dict.fromkeys(CLASSES),
    index=index,
    own_audio=True,
    repeats="Some excerpts are copies or versions of one another; without the authors' table "
    "random folds part them.",
)
