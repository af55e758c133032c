"""GTZAN: 1,000 excerpts of 30 s in ten genres, 22,050 Hz mono.

The most used set for recognising genre, and one with known faults (Sturm 2013): 50 exact replicas,
22 excerpts from the same recordings, wrong labels, and many excerpts by the same artists. Replicas
are not declared here one by one; two published splits leave faulty excerpts out and keep artists
apart. Folds drawn over tracks do neither and are over-optimistic.

`fault-filtered`
    443 / 197 / 290 excerpts, no artist in two parts (Kereliuk, Sturm and Larsen 2015), from the
    lists that Lee, Park, Kim and Nam (2018) used (github.com/jongpillee/music_dataset_split).
`sturm-3folds`
    Three stratified folds of 315, 316 and 317 excerpts, no artist in two folds; 52 replicas and
    distorted excerpts are left out. Made by Foleis and Tavares (2020) after Sturm's catalogue
    (github.com/julianofoleiss/gtzan_sturm_filter_3folds_stratified); a fold is its test list.

An excerpt in none of a split's lists has an empty text in its column. Lists that cannot be
downloaded may be placed by hand, see `data_prep.fetch.lists`.

`jazz.00054` is cut short in common copies of the set and left out of others; it is in the training
list of the first split and in fold 2 of the second. Any format libsndfile reads will do, one file
per excerpt. Some genres alone are a set of their own: `gtzan:classical,jazz,rock`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataSet
from data_prep.fetch.lists import add_splits, published_list, read_lines
from data_prep.index import from_class_folders
from mirkeras.audio.formats import audio_extensions

FAULT_FILTERED = "fault-filtered"
STURM = "sturm-3folds"
FOLDS = ("1", "2", "3")
_ADDRESSES = {
    FAULT_FILTERED: (
        "https://raw.githubusercontent.com/jongpillee/music_dataset_split/"
        "07e855758f180ac8bdc0e3abebbde19277094681/GTZAN_split"
    ),
    STURM: (
        "https://raw.githubusercontent.com/julianofoleiss/gtzan_sturm_filter_3folds_stratified/"
        "48aa11abb34e4ad4e263d201f582001170fdddc4"
    ),
}
_SUMS = {
    FAULT_FILTERED: {
        "train_filtered.txt": "2b04966cef1486f1a7767b74271533fa23e220388db804a1937835e1fc4fa3fa",
        "valid_filtered.txt": "f8fbee7c52397a0e0f3a91dc54fedecb2e27f5bdc9a9daeab8cb10d077e26956",
        "test_filtered.txt": "09cafa6a89ce0a27f30ed250d56ecb4d03c22fffb5a693f96c7ae655ee02ac72",
    },
    STURM: {
        "f1_test.txt": "7fee10ad9b5665e6025e4b55f3f37122e6c8fec4a31136bd2ada5580ec4ca206",
        "f2_test.txt": "c4b0c387802e6db32707531a635b788b9e71473553be6f8d319ce0d54a44b01c",
        "f3_test.txt": "8e1895d1de29855b57161bef249c3427598c6476e540168772ad38d019ce6746",
    },
}

ARCHIVES = (
    Archive(
        filename="genres.tar.gz",
        urls=("http://opihi.cs.uvic.ca/sound/genres.tar.gz",),
        # As TensorFlow Datasets records them for gtzan.
        checksum="sha256:24347e0223d2ba798e0a558c4c172d9d4a19c00bb7963fe055d183dadb4ef2c6",
        size=1_225_571_541,
        max_unpacked=4 * 2**30,
    ),
    *(
        published_list(name, _ADDRESSES[split], max_bytes=2**20, sha256=sha256, split=split)
        for split, sums in _SUMS.items()
        for name, sha256 in sums.items()
    ),
)

GENRES = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip

KNOWN_BAD = ("jazz/jazz.00054",)

_COUNTED = {  # in the order of `GENRES`
    FAULT_FILTERED: {
        "train": (46, 48, 45, 42, 47, 43, 44, 41, 43, 44),
        "validation": (23, 20, 23, 22, 18, 17, 20, 13, 17, 24),
        "test": (31, 31, 30, 29, 27, 27, 27, 30, 26, 32),
    },
    STURM: {
        "1": (32, 34, 34, 31, 33, 29, 30, 30, 29, 33),
        "2": (34, 34, 32, 32, 33, 29, 30, 30, 29, 33),
        "3": (34, 32, 34, 31, 32, 29, 31, 30, 30, 34),
    },
}
CLASS_SPLITS = {
    split: {part: dict(zip(GENRES, counts, strict=True)) for part, counts in parts.items()}
    for split, parts in _COUNTED.items()
}


def index(root: Path) -> pd.DataFrame:
    """List the excerpts under `root`: ids `<genre>/<genre>.<number>`, tempi unknown.

    The column of a split is there if its lists are.

    Raises
    ------
    data_prep.DataError
        Two files stand for one excerpt, or a list is not text.
    """
    table = from_class_folders(root, {genre: genre for genre in GENRES}, audio_extensions())
    if table.empty:
        return table
    readers = {FAULT_FILTERED: _fault_filtered, STURM: _sturm}
    return add_splits(table, root, DATASET, readers)


def _fault_filtered(lists: Mapping[str, Path]) -> dict[str, list[str]]:
    """Lines `blues/blues.00029.wav`."""
    return {
        part: [line.removesuffix(".wav") for line in read_lines(lists[f"{name}_filtered.txt"])]
        for part, name in (("train", "train"), ("validation", "valid"), ("test", "test"))
    }


def _sturm(lists: Mapping[str, Path]) -> dict[str, list[str]]:
    """Lines `./blues_00012.wav`."""
    return {
        fold: [
            re.sub(r"^\./([a-z]+)_([0-9]+)\.wav$", r"\1/\1.\2", line)
            for line in read_lines(lists[f"f{fold}_test.txt"])
        ]
        for fold in FOLDS
    }


DATASET = DataSet(
    name="gtzan",
    description="1,000 excerpts of 30 s of music in ten genres, 22,050 Hz mono.",
    citation="""\
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
}
@article{foleis2020texture,
  author = {Foleis, Juliano Henrique and Tavares, Tiago Fernandes},
  title = {Texture Selection for Automatic Music Genre Classification},
  journal = {Applied Soft Computing},
  volume = {89},
  pages = {106127},
  year = {2020},
  doi = {10.1016/j.asoc.2020.106127}
}
@misc{sturm2013gtzan,
  author = {Sturm, Bob L.},
  title = {The {GTZAN} Dataset: Its Contents, Its Faults, Their Effects on Evaluation, and Its
    Future Use},
  year = {2013},
  note = {arXiv:1306.1461}
}""",
    seconds=30,
    licence="No licence is published with it; it is distributed for research.",
    archives=ARCHIVES,
    layout="""\
gtzan/genres/            (or without this folder, or Data/genres_original/)
    blues/               blues.00000 to blues.00099, in any format libsndfile reads
    classical/ country/ disco/ hiphop/ jazz/ metal/ pop/ reggae/ rock/   the same""",
    counts=dict.fromkeys(GENRES, 100),
    known_bad=KNOWN_BAD,
    index=index,
    splits={
        split: {part: sum(counts) for part, counts in parts.items()}
        for split, parts in _COUNTED.items()
    },
    class_splits=CLASS_SPLITS,
    repeats="Folds drawn at random put excerpts of one artist, of one recording and exact replicas "
    "into both training and test, which inflates scores (Sturm 2013, arXiv:1306.1461).",
)
