"""The folds 1 and 2 of UrbanSound8K as somebody re-encoded them: NOT the published audio.

Everything is 22,050 Hz mono, and every clip was looped or cut to exactly 4.00 s, so that lengths
and rates, which tell classes apart in the published set, are gone. Numbers measured on it stand
beside no published one. It is not published anywhere known: bring your own copy.

The split `official` has the folds `1` and `2`, to be trained on one and tested on the other. Folds
are those of the folders; class and recording (the *group*) are read off the files' names,
`<recording>-<number of the class>-<occurrence>-<slice>`, so that no table is needed.
"""

import re
from pathlib import Path

import pandas as pd

from data_prep.declare import DataSet
from data_prep.fetch.lists import add_split
from data_prep.index import find_layout, make_index
from data_prep.sets.urbansound8k import CITATION, CLASSES, FOLDS, LICENCE, REPEATS, SPLIT
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

HERE = ("1", "2")

_NAME = re.compile(r"(?P<recording>[0-9]+)-(?P<number>[0-9])-[0-9]+-[0-9]+")


def index(root: Path) -> pd.DataFrame:
    """List the clips of both folds: ids `<class>/<stem>`, tempi unknown.

    Other files, and audio of other names, are passed over.

    Raises
    ------
    data_prep.DataError
        Two files stand for one clip.
    """
    folders = {fold: f"fold{fold}" for fold in HERE}
    place = find_layout(root, folders.values())
    tracks, parts, recordings = [], {}, {}
    for fold, folder in folders.items() if place is not None else ():
        parts[fold] = []
        for file in files_below(place / folder) if (place / folder).is_dir() else ():
            name = _NAME.fullmatch(file.stem)
            if name is None or file.suffix.lower() not in audio_extensions():
                continue
            label = CLASSES[int(name["number"])]
            track = f"{label}/{file.stem}"
            tracks.append((track, file, label, float("nan")))
            parts[fold].append(track)
            recordings[track] = name["recording"]
    found = make_index(tracks, root)
    if found.empty:
        return found
    return add_split(found.assign(group=found["track"].map(recordings)), SPLIT, parts)


DATASET = DataSet(
    name="urbansound8k_partial",
    description="Folds 1 and 2 of UrbanSound8K re-encoded, NOT the published audio: 1,761 clips, "
    "22,050 Hz mono, looped or cut to exactly 4.00 s.",
    citation=CITATION,
    seconds=4,
    licence=LICENCE,
    folder="us8k",
    layout="""\
us8k/audio/      (or without this folder)
    fold1/       873 files <recording>-<number of the class>-<occurrence>-<slice>, in any format
    fold2/       888 files""",
    counts={name: sum(FOLDS[fold][name] for fold in HERE) for name in CLASSES},
    index=index,
    splits={SPLIT: {fold: sum(FOLDS[fold].values()) for fold in HERE}},
    class_splits={SPLIT: {fold: FOLDS[fold] for fold in HERE}},
    own_audio=True,
    repeats=REPEATS,
)
