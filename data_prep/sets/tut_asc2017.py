"""TUT Acoustic Scenes 2017: 6,300 clips of 10 s in 15 scenes, 44,100 Hz stereo.

Of DCASE 2017, task 1. The split `official` trains on the development set and tests on the
evaluation set. Clips of one place (the *group*: the third column of `meta.txt`) are in one of them.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.fetch.lists import read_lines
from data_prep.index import make_index

SPLIT = "official"
#: Part → what the name of its folder ends with.
PARTS = {"train": "development", "test": "evaluation"}
CLASSES = (
    "beach", "bus", "cafe/restaurant", "car", "city_center", "forest_path", "grocery_store", "home",
    "library", "metro_station", "office", "park", "residential_area", "train", "tram",
)  # fmt: skip
PER_CLASS = {"train": 312, "test": 108}


def index(root: Path) -> pd.DataFrame:
    """List the clips of both tables: ids `<part>/<stem>`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        A table is not of the published form or names a file that is not there.
    """
    tracks, part_of, group_of = [], {}, {}
    for part, ending in PARTS.items():
        for table in sorted(root.rglob(f"*{ending}/meta.txt")):
            for number, line in enumerate(read_lines(table), 1):
                path, label, *place = line.split("\t")
                file = table.parent / path
                if label not in CLASSES or not file.is_file():
                    what = f"no scene {label!r}" if label not in CLASSES else f"no file {file}"
                    raise DataError(f"{table}, line {number}: there is {what}")
                track = f"{part}/{file.stem}"
                part_of[track], group_of[track] = part, place[0] if place else track
                tracks.append((track, file, label, float("nan")))
    found = make_index(tracks, root)
    columns = {"group": found["track"].map(group_of), SPLIT: found["track"].map(part_of)}
    return found.assign(**columns)


DATASET = DataSet(
    name="tut_asc2017",
    description="6,300 clips of 10 s in 15 acoustic scenes, 44,100 Hz stereo.",
    citation="""\
@inproceedings{mesaros2016tut,
  author = {Mesaros, Annamaria and Heittola, Toni and Virtanen, Tuomas},
  title = {{TUT} Database for Acoustic Scene Classification and Sound Event Detection},
  booktitle = {24th European Signal Processing Conference},
  pages = {1128--1132},
  year = {2016}
}""",
    licence="For non-commercial use, see the EULA beside it.",
    layout="""\
tut_asc2017/                                    (Zenodo records 400515 and 1040168)
    TUT-acoustic-scenes-2017-development/
        meta.txt      audio/b020_90_100.wav, its scene, its place; tabs between them
        audio/        4,680 files
    TUT-acoustic-scenes-2017-evaluation/        the same, 1,620 files""",
    counts=dict.fromkeys(CLASSES, sum(PER_CLASS.values())),
    index=index,
    splits={SPLIT: {part: count * len(CLASSES) for part, count in PER_CLASS.items()}},
    class_splits={SPLIT: {part: dict.fromkeys(CLASSES, n) for part, n in PER_CLASS.items()}},
    own_audio=True,
)
