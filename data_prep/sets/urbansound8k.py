"""UrbanSound8K: 8,732 sounds of a city of up to 4 s in ten classes, in ten official folds.

Cut from Freesound by Justin Salamon: clips of one recording (the *group*, the `fsID` of the
published table) lie in one fold but for five recordings. Rates run from 8 to 192 kHz. A file is
named `<fsID>-<classID>-<occurrence>-<slice>.wav` and lies in the folder of its fold, so that the
table is not needed.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataError, DataSet
from data_prep.index import find_layout, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

SPLIT = "official"
FOLDS = tuple(map(str, range(1, 11)))
#: In the order of `classID`: clips in each fold.
COUNTED = {
    "air_conditioner": (100,) * 10,
    "car_horn": (36, 42, 43, 59, 98, 28, 28, 30, 32, 33),
    "children_playing": (100,) * 10,
    "dog_bark": (100,) * 10,
    "drilling": (100,) * 10,
    "engine_idling": (96, 100, 107, 107, 107, 107, 106, 88, 89, 93),
    "gun_shot": (35, 35, 36, 38, 40, 46, 51, 30, 31, 32),
    "jackhammer": (120, 120, 120, 120, 120, 68, 76, 78, 82, 96),
    "siren": (86, 91, 119, 166, 71, 74, 77, 80, 82, 83),
    "street_music": (100,) * 10,
}
CLASSES = tuple(COUNTED)


def index(root: Path) -> pd.DataFrame:
    """List the clips: ids `<class>/<stem>`, the fold in the column `official`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        A file in a folder of a fold is not named as the published ones, or two stand for one clip.
    """
    place = find_layout(root, [f"fold{fold}" for fold in FOLDS])
    if place is None:
        return make_index((), root)
    endings, tracks, fold_of, group_of = audio_extensions(), [], {}, {}
    for fold in FOLDS:
        folder = place / f"fold{fold}"
        for file in files_below(folder) if folder.is_dir() else ():
            if file.suffix.lower() not in endings:
                continue
            source, *parts = file.stem.split("-")
            if len(parts) != 3 or not parts[0].isdigit() or int(parts[0]) >= len(CLASSES):
                raise DataError(
                    f"{file} is not named as a clip of UrbanSound8K, such as 100032-3-0-0.wav; "
                    "move it away"
                )
            label = CLASSES[int(parts[0])]
            track = f"{label}/{file.stem}"
            if fold_of.setdefault(track, fold) != fold:
                raise DataError(f"{file}: this clip is in fold {fold_of[track]}, too; keep one")
            group_of[track] = source
            tracks.append((track, file, label, float("nan")))
    found = make_index(tracks, root)
    columns = {"group": found["track"].map(group_of), SPLIT: found["track"].map(fold_of)}
    return found.assign(**columns)


def counts_of(folds: tuple[str, ...]) -> dict[str, object]:
    """Counts of some folds, as a declaration has them."""
    by_fold = {
        fold: {label: counts[int(fold) - 1] for label, counts in COUNTED.items()} for fold in folds
    }
    return {
        "counts": {label: sum(counts[label] for counts in by_fold.values()) for label in CLASSES},
        "splits": {SPLIT: {fold: sum(counts.values()) for fold, counts in by_fold.items()}},
        "class_splits": {SPLIT: by_fold},
    }


CITATION = """\
@inproceedings{salamon2014dataset,
  author = {Salamon, Justin and Jacoby, Christopher and Bello, Juan Pablo},
  title = {A Dataset and Taxonomy for Urban Sound Research},
  booktitle = {22nd {ACM} International Conference on Multimedia},
  pages = {1041--1044},
  year = {2014},
  doi = {10.1145/2647868.2655045}
}"""
LICENCE = "Creative Commons Attribution Non-Commercial 3.0."

DATASET = DataSet(
    name="urbansound8k",
    description="8,732 sounds of a city of up to 4 s in ten classes and ten folds, many rates.",
    citation=CITATION,
    licence=LICENCE,
    archives=(
        Archive(
            filename="UrbanSound8K.tar.gz",
            urls=("https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",),
            checksum=None,  # the sum of the first download is kept
            size=None,
            max_unpacked=16 * 2**30,
        ),
    ),
    layout="""\
urbansound8k/UrbanSound8K/   (or without this folder)
    audio/fold1/ … fold10/   100032-3-0-0.wav …, in any format libsndfile reads""",
    index=index,
    **counts_of(FOLDS),
)
