"""Ballroom: 698 excerpts of about 30 s of dance music, in the class of the dance.

The audio of the tempo contest of ISMIR 2004, taken from preview excerpts of a shop for ballroom
dancers; a track's class is the dance the shop sold it for. The archive keeps rumba in three
folders; the literature (and Pons, Lidy and Serra, CBMI 2016) counts it as one of eight classes.

Tempi, where annotations are present, come from two public sources, found anywhere below the root:
the contest's ground truth (`<stem>.bpm`, one number; archive `data2.tar.gz`) or, for tracks without
it, the beats of Krebs, Böck and Widmer (`<stem>.beats`, a beat's time in seconds and its place in
the bar on each line), of which the tempo is 60 over the median interval.

Replicas: found by Sturm (2014), as listed in the README of github.com/CPJKU/BallroomAnnotations.
One of the exact pairs lies in two classes.
"""

import statistics
from itertools import pairwise
from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataError, DataSet
from data_prep.index import from_class_folders
from mirkeras.storage.files import files_below

_CONTEST = "mtg.upf.edu/ismir2004/contest/tempoContest"

ARCHIVES = (
    Archive(
        filename="data1.tar.gz",
        urls=(f"https://{_CONTEST}/data1.tar.gz", f"http://{_CONTEST}/data1.tar.gz"),
        # As published in the README of CPJKU/BallroomAnnotations.
        checksum="md5:2872a3e52070bc342a4510a95e2fa0b8",
        size=1_453_888_083,
        max_unpacked=4 * 2**30,
    ),
    Archive(
        filename="data2.tar.gz",
        urls=(f"https://{_CONTEST}/data2.tar.gz", f"http://{_CONTEST}/data2.tar.gz"),
        # As recorded by mirdata; no public source states the size.
        checksum="md5:4a0ec5518bbb4dbf3ab02de0383b0994",
        size=None,
        max_unpacked=256 * 2**20,
        optional=True,
    ),
)

COUNTS = {
    "ChaChaCha": 111,
    "Jive": 60,
    "Quickstep": 82,
    "Rumba": 98,
    "Samba": 86,
    "Tango": 86,
    "VienneseWaltz": 65,
    "Waltz": 110,
}

REPLICAS = (
    # exact
    ("Quickstep/Albums-AnaBelen_Veneo-11", "Quickstep/Albums-Chrisanne2-12"),
    ("ChaChaCha/Albums-Fire-08", "Samba/Albums-Fire-09"),
    ("ChaChaCha/Albums-Latin_Jam2-05", "ChaChaCha/Albums-Latin_Jam2-13"),
    ("Waltz/Albums-Secret_Garden-01", "Waltz/Media-104705"),
    # of the same recording
    ("Rumba/Albums-AnaBelen_Veneo-03", "Rumba/Albums-AnaBelen_Veneo-15"),
    ("Waltz/Albums-Ballroom_Magic-03", "Waltz/Albums-Ballroom_Magic-18"),
    ("ChaChaCha/Albums-Latin_Jam-04", "ChaChaCha/Albums-Latin_Jam-13"),
    ("Rumba/Albums-Latin_Jam-08", "Rumba/Albums-Latin_Jam-14"),
    ("Samba/Albums-Latin_Jam-06", "Samba/Albums-Latin_Jam-15"),
    ("Samba/Albums-Latin_Jam2-02", "Samba/Albums-Latin_Jam2-14"),
    ("Rumba/Albums-Latin_Jam2-07", "Rumba/Albums-Latin_Jam2-15"),
    ("ChaChaCha/Albums-Latin_Jam3-02", "ChaChaCha/Media-103414"),
    ("ChaChaCha/Media-103402", "ChaChaCha/Media-103415"),
)

_RUMBAS = ("Rumba-American", "Rumba-International", "Rumba-Misc")
_FOLDERS = {name: name for name in COUNTS if name != "Rumba"} | dict.fromkeys(_RUMBAS, "Rumba")


def index(root: Path) -> pd.DataFrame:
    """List the .wav files of the class folders: ids `<class>/<stem>`, rumba merged.

    Parameters
    ----------
    root : Path
        Folder that holds the class folders or, one deeper, `BallroomData`.

    Returns
    -------
    pandas.DataFrame
        See `data_prep.index.make_index`; tempo in BPM, NaN where no annotation is present.

    Raises
    ------
    data_prep.DataError
        An annotation file cannot be read as what its ending promises.
    """
    return from_class_folders(root, _FOLDERS, {".wav"}, _tempi(root), REPLICAS)


def _tempi(root: Path) -> dict[str, float]:
    """Annotated tempo in BPM by file stem (stems are unique in the whole set)."""
    files = list(files_below(root))
    tempi = {file.stem: _from_beats(file) for file in files if file.suffix == ".beats"}
    tempi |= {file.stem: _from_bpm(file) for file in files if file.suffix == ".bpm"}
    return tempi


def _from_bpm(file: Path) -> float:
    """The one number of the contest's ground truth."""
    try:
        (value,) = file.read_text(encoding="utf-8").split()
        tempo = float(value)
    except ValueError:
        raise DataError(f"{file}: one number (BPM) is expected; fix or remove the file.") from None
    if not 0 < tempo < 1000:
        raise DataError(f"{file}: {tempo} is no tempo in BPM; fix or remove the file.")
    return tempo


def _from_beats(file: Path) -> float:
    """60 over the median beat interval in seconds; NaN for fewer than two beats."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        times = [float(line.split()[0]) for line in lines if line.strip()]
    except ValueError:
        raise DataError(
            f"{file}: a time in seconds is expected first on each line; fix or remove the file."
        ) from None
    intervals = [later - earlier for earlier, later in pairwise(times)]
    if not intervals:
        return float("nan")
    if not min(intervals) > 0:
        raise DataError(f"{file}: the beats are not in order of time; fix or remove the file.")
    return 60.0 / statistics.median(intervals)


DATASET = DataSet(
    name="ballroom",
    description="698 excerpts of about 30 s of ballroom dance music in eight classes, 44,100 Hz "
    "mono; the tempo contest of ISMIR 2004.",
    citation="""\
@article{gouyon2006tempo,
  author = {Gouyon, Fabien and Klapuri, Anssi and Dixon, Simon and Alonso, Miguel and
            Tzanetakis, George and Uhle, Christian and Cano, Pedro},
  title = {An experimental comparison of audio tempo induction algorithms},
  journal = {{IEEE} Transactions on Audio, Speech, and Language Processing},
  volume = {14},
  number = {5},
  pages = {1832--1844},
  year = {2006},
  doi = {10.1109/TSA.2005.858509}
}
@inproceedings{krebs2013rhythmic,
  author = {Krebs, Florian and B{\\"o}ck, Sebastian and Widmer, Gerhard},
  title = {Rhythmic Pattern Modeling for Beat and Downbeat Tracking in Musical Audio},
  booktitle = {14th International Society for Music Information Retrieval Conference},
  year = {2013}
}""",
    seconds=30,
    licence="No licence is published with the audio; it is distributed for research.",
    archives=ARCHIVES,
    layout="""\
ballroom/BallroomData/      (or without this folder)
    ChaChaCha/              111 .wav files
    Jive/                   60
    Quickstep/              82
    Rumba-American/         \\
    Rumba-International/     > 98 together
    Rumba-Misc/             /
    Samba/                  86
    Tango/                  86
    VienneseWaltz/          65
    Waltz/                  110
ballroom/BallroomAnnotations/   optional: <stem>.bpm or <stem>.beats, in any folder""",
    counts=COUNTS,
    replicas=REPLICAS,
    index=index,
)
