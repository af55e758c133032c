"""IRMAS: the predominant instruments of music, 6,705 clips to train on, 2,874 excerpts to test.

Eleven instruments (ten and the voice). A training clip has 3 s and one instrument, which its folder
names; an excerpt of 5 to 20 s has one or more, in a text file beside it, a code a line. All is
44,100 Hz stereo. The split `official` has the parts `train` and `test` alone: a protocol draws its
validation part from the training clips.

A clip's *group* is its song, as far as file names tell. Training clips are called
`[cel][cla]0001__2.wav` or `008__[cel][nod][cla]0058__2.wav` (instrument, whether there are drums,
genre): four digits number the recordings of an instrument and `__2` is its second clip, mostly of
three. Two names may carry one number (`[pia][cla]1444__1`, `031__[pia][nod][cla]1444__1`); they
share a group. A recording that was cut for two instruments has two numbers, which no name betrays.
Excerpts are called `<song>-<number>.wav`.

The order of the instruments is that of the authors' classes in Veleslavia/EUSIPCO2017
(`metadata/classes.pkl`), whose trained network gives its scores in it.
"""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.lists import add_split, read_lines
from data_prep.index import TAG_SEPARATOR, find_layout, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

if TYPE_CHECKING:
    import pandas as pd

#: Folder, and label in a text file → name.
INSTRUMENTS = {
    "cel": "cello", "pia": "piano", "vio": "violin", "cla": "clarinet", "org": "organ",
    "gac": "acoustic guitar", "tru": "trumpet", "flu": "flute", "sax": "saxophone",
    "gel": "electric guitar", "voi": "voice",
}  # fmt: skip

#: Training clips of each, as the set's page says (and mirdata's `irmas.py` after it).
CLIPS = {
    "cello": 388, "piano": 721, "violin": 580, "clarinet": 505, "organ": 682,
    "acoustic guitar": 637, "trumpet": 577, "flute": 451, "saxophone": 626,
    "electric guitar": 760, "voice": 778,
}  # fmt: skip
EXCERPTS = 2_874

SPLIT = "official"


def index(root: Path) -> "pd.DataFrame":
    """List the clips (ids `<code>/<stem>`) and the excerpts (`<folder>/<stem>`) below `root`.

    Training clips are what lies in the eleven folders; all other audio is an excerpt, in whatever
    folder, with its text file beside it.

    Raises
    ------
    data_prep.DataError
        An excerpt has no text file, or that names no instrument, or another than the eleven.
    """
    place = find_layout(root, INSTRUMENTS) or root
    endings, folders = audio_extensions(), {place / code for code in INSTRUMENTS}
    audio = [file for file in files_below(root) if file.suffix.lower() in endings]
    parts = {
        "train": [file for file in audio if file.parent in folders],
        "test": [file for file in audio if file.parent not in folders],
    }
    labels = [INSTRUMENTS[file.parent.name] for file in parts["train"]]
    labels += [_labels(file.with_suffix(".txt")) for file in parts["test"]]
    files = [*parts["train"], *parts["test"]]
    tracks = ((_id(file), file, label, math.nan) for file, label in zip(files, labels, strict=True))
    table = make_index(tracks, root)
    songs = {_id(file): _song(file) for file in files}
    table = table.assign(group=table["track"].map(songs))
    return add_split(table, SPLIT, {part: map(_id, files) for part, files in parts.items()})


def _id(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


def _song(file: Path) -> str:
    """Name what a clip or an excerpt is cut from."""
    numbered = re.search(r"(\d+)__\d+$", file.stem)
    if file.parent.name in INSTRUMENTS and numbered:
        return f"{file.parent.name}/{numbered[1]}"
    return re.sub(r"-\d+$", "", file.stem)


def _labels(path: Path) -> str:
    """Read the instruments of an excerpt, in the order of the vocabulary."""
    if not path.is_file():
        raise DataError(
            f"{path} is missing: every excerpt of the testing data has its instruments in a text "
            "file beside it. Unpack the testing data anew."
        )
    codes = {*read_lines(path)}
    if unknown := sorted(codes - {*INSTRUMENTS}):
        raise DataError(
            f"{path} names {unknown[0]!r}, no instrument of {', '.join(INSTRUMENTS)}. Unpack the "
            "testing data anew."
        )
    if not codes:
        raise DataError(f"{path} names no instrument. Unpack the testing data anew.")
    return TAG_SEPARATOR.join(name for code, name in INSTRUMENTS.items() if code in codes)


def _published(filename: str, md5: str) -> Archive:
    """The sums are those of mirdata (`mirdata/datasets/irmas.py`); no source states lengths."""
    return Archive(
        filename=filename,
        urls=(f"https://zenodo.org/record/1290750/files/{filename}",),
        checksum=f"md5:{md5}",
        size=None,
        max_unpacked=8 * 2**30,
    )


DATASET = DataSet(
    name="irmas",
    description="6,705 clips of 3 s with one predominant instrument of eleven, and 2,874 excerpts "
    "of 5 to 20 s with one or more, 44,100 Hz stereo.",
    citation="""\
@inproceedings{bosch2012comparison,
  author = {Bosch, Juan J. and Janer, Jordi and Fuhrmann, Ferdinand and Herrera, Perfecto},
  title = {A Comparison of Sound Segregation Techniques for Predominant Instrument Recognition in
           Musical Audio Signals},
  booktitle = {13th International Society for Music Information Retrieval Conference},
  pages = {559--564},
  year = {2012}
}""",
    seconds=3,
    licence="Creative Commons Attribution-NonCommercial-ShareAlike 3.0 Unported.",
    archives=(
        _published("IRMAS-TrainingData.zip", "4fd9f5ed5a18d8e2687e6360b5f60afe"),
        _published("IRMAS-TestingData-Part1.zip", "5a2e65520dcedada565dff2050bb2a56"),
        _published("IRMAS-TestingData-Part2.zip", "afb0c8ea92f34ee653693106be95c895"),
        _published("IRMAS-TestingData-Part3.zip", "9b3fb2d0c89cdc98037121c25bd5b556"),
    ),
    layout="""\
irmas/
    IRMAS-TrainingData/           (or without this folder)
        cel/ cla/ … voi/          eleven folders, 6,705 clips
    IRMAS-TestingData-Part1/ …    2,874 excerpts in any folders, each with its .txt beside it""",
    index=index,
    tags=tuple(INSTRUMENTS.values()),
    tracks=sum(CLIPS.values()) + EXCERPTS,
    splits={SPLIT: {"train": sum(CLIPS.values()), "test": EXCERPTS}},
    class_splits={SPLIT: {"train": CLIPS}},
)
