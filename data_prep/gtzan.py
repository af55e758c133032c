"""GTZAN: 1,000 excerpts of 30 s in ten genres, 22,050 Hz mono.

The most used set for recognising genre, and one with known faults (Sturm 2013): 50 exact replicas,
22 excerpts from the same recordings, and wrong labels. Replicas are not declared here one by one;
the split `fault-filtered` (Kereliuk, Sturm and Larsen 2015) leaves the faulty excerpts out and puts
no artist in two parts: 443 / 197 / 290, from the lists that Lee, Park, Kim and Nam (2018) used
(github.com/jongpillee/music_dataset_split). Without it, folds over tracks are over-optimistic.

`jazz.00054` is cut short in common copies of the set and left out of others; it is in the training
list. Any format libsndfile reads will do, one file per excerpt. Some genres alone are a set of
their own: `gtzan:classical,jazz,rock`.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import (
    Archive,
    DataSet,
    audio_extensions,
    files_below,
    find_layout,
    make_index,
)
from data_prep.lists import add_split, read_lines, split_files

DESCRIPTION = "1,000 excerpts of 30 s of music in ten genres, 22,050 Hz mono."

CITATION = """\
@article{tzanetakis2002musical,
  author = {Tzanetakis, George and Cook, Perry},
  title = {Musical Genre Classification of Audio Signals},
  journal = {{IEEE} Transactions on Speech and Audio Processing},
  volume = {10},
  number = {5},
  pages = {293--302},
  year = {2002}
}
@article{kereliuk2015deep,
  author = {Kereliuk, Corey and Sturm, Bob L. and Larsen, Jan},
  title = {Deep Learning and Music Adversaries},
  journal = {{IEEE} Transactions on Multimedia},
  volume = {17},
  number = {11},
  pages = {2059--2071},
  year = {2015}
}"""

LICENCE = "No licence is published with it; it is distributed for research."

SPLIT = "fault-filtered"
_LISTS = (
    "https://raw.githubusercontent.com/jongpillee/music_dataset_split/"
    "07e855758f180ac8bdc0e3abebbde19277094681/GTZAN_split"
)


def _list(filename: str, sha256: str) -> Archive:
    return Archive(
        filename=filename,
        urls=(f"{_LISTS}/{filename}",),
        checksum=f"sha256:{sha256}",
        size=None,
        max_unpacked=2**20,
        optional=True,
        keep=True,
        split=SPLIT,
    )


ARCHIVES = (
    Archive(
        filename="genres.tar.gz",
        urls=("http://opihi.cs.uvic.ca/sound/genres.tar.gz",),
        # As TensorFlow Datasets records them for gtzan.
        checksum="sha256:24347e0223d2ba798e0a558c4c172d9d4a19c00bb7963fe055d183dadb4ef2c6",
        size=1_225_571_541,
        max_unpacked=4 * 2**30,
    ),
    _list("train_filtered.txt", "2b04966cef1486f1a7767b74271533fa23e220388db804a1937835e1fc4fa3fa"),
    _list("valid_filtered.txt", "f8fbee7c52397a0e0f3a91dc54fedecb2e27f5bdc9a9daeab8cb10d077e26956"),
    _list("test_filtered.txt", "09cafa6a89ce0a27f30ed250d56ecb4d03c22fffb5a693f96c7ae655ee02ac72"),
)

GENRES = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip

LAYOUT = """\
gtzan/genres/            (or without this folder)
    blues/               blues.00000 to blues.00099, in any format libsndfile reads
    classical/ country/ disco/ hiphop/ jazz/ metal/ pop/ reggae/ rock/   the same"""

COUNTS = dict.fromkeys(GENRES, 100)
KNOWN_BAD = ("jazz/jazz.00054",)

CLASS_SPLITS = {
    SPLIT: {
        "train": dict(zip(GENRES, (46, 48, 45, 42, 47, 43, 44, 41, 43, 44), strict=True)),
        "validation": dict(zip(GENRES, (23, 20, 23, 22, 18, 17, 20, 13, 17, 24), strict=True)),
        "test": dict(zip(GENRES, (31, 31, 30, 29, 27, 27, 27, 30, 26, 32), strict=True)),
    }
}
SPLITS = {SPLIT: {"train": 443, "validation": 197, "test": 290}}


def index(root: Path) -> pd.DataFrame:
    """List the excerpts under `root`: ids `<genre>/<genre>.<number>`, tempi unknown.

    The column `fault-filtered` is there if its lists are.

    Raises
    ------
    data_prep.DataError
        Two files stand for one excerpt, or a list is not text.
    """
    place = find_layout(root, GENRES)
    if place is None:
        return make_index((), root)
    endings = audio_extensions()
    table = make_index(
        (
            (f"{genre}/{file.stem}", file, genre, float("nan"))
            for genre in GENRES
            if (place / genre).is_dir()
            for file in files_below(place / genre)
            if file.suffix.lower() in endings
        ),
        root,
    )
    lists = split_files(root, DATASET, SPLIT)
    if lists is None:
        return table
    parts = {
        part: [line.removesuffix(".wav") for line in read_lines(lists[f"{name}_filtered.txt"])]
        for part, name in (("train", "train"), ("validation", "valid"), ("test", "test"))
    }
    return add_split(table, SPLIT, parts)


DATASET = DataSet(
    name="gtzan",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    archives=ARCHIVES,
    layout=LAYOUT,
    counts=COUNTS,
    known_bad=KNOWN_BAD,
    replicas=(),
    index=index,
    splits=SPLITS,
    class_splits=CLASS_SPLITS,
)
