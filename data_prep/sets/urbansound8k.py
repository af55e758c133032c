"""UrbanSound8K: 8,732 sounds of the city of at most 4 s in ten classes, in ten official folds.

Cut from recordings of Freesound by Salamon, Jacoby and Bello; rates, channels and bits are those of
the recordings. The split `official` has the folds `1` to `10` of the published table; clips of one
recording (the *group*, column `fsID`) are always in one fold. Other folds put clips of one
recording on both sides, which inflates scores: the authors ask not to draw any.

Files are called `<fsID>-<classID>-<occurrence>-<slice>.wav`.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.lists import add_split
from data_prep.index import find_layout, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

#: In the order of their numbers.
CLASSES = (
    "air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling", "engine_idling",
    "gun_shot", "jackhammer", "siren", "street_music",
)  # fmt: skip

SPLIT = "official"

#: Clips of each fold, in the order of `CLASSES`: counted in the published table.
_COUNTED = {
    "1": (100, 36, 100, 100, 100, 96, 35, 120, 86, 100),
    "2": (100, 42, 100, 100, 100, 100, 35, 120, 91, 100),
    "3": (100, 43, 100, 100, 100, 107, 36, 120, 119, 100),
    "4": (100, 59, 100, 100, 100, 107, 38, 120, 166, 100),
    "5": (100, 98, 100, 100, 100, 107, 40, 120, 71, 100),
    "6": (100, 28, 100, 100, 100, 107, 46, 68, 74, 100),
    "7": (100, 28, 100, 100, 100, 106, 51, 76, 77, 100),
    "8": (100, 30, 100, 100, 100, 88, 30, 78, 80, 100),
    "9": (100, 32, 100, 100, 100, 89, 31, 82, 82, 100),
    "10": (100, 33, 100, 100, 100, 93, 32, 96, 83, 100),
}
FOLDS = {fold: dict(zip(CLASSES, counts, strict=True)) for fold, counts in _COUNTED.items()}

CITATION = """\
@inproceedings{salamon2014dataset,
  author = {Salamon, Justin and Jacoby, Christopher and Bello, Juan Pablo},
  title = {A Dataset and Taxonomy for Urban Sound Research},
  booktitle = {22nd {ACM} International Conference on Multimedia},
  pages = {1041--1044},
  year = {2014}
}"""
LICENCE = "Creative Commons Attribution Non-Commercial 4.0."
REPEATS = (
    "Folds drawn at random put clips of one recording into both training and test, which inflates "
    "scores; use the split official."
)

_COLUMNS = ["slice_file_name", "fsID", "fold", "classID", "class"]


def index(root: Path) -> pd.DataFrame:
    """List the clips of the table whose audio is there: ids `<class>/<stem>`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        The table is missing, lacks a column or names an unknown class or fold, or two files stand
        for one clip.
    """
    place = find_layout(root, ("audio",))
    if place is None:
        return make_index((), root)
    table = _table(place)
    clips = {clip.stem: clip for clip in table.itertuples()}
    endings = audio_extensions()
    tracks = (
        (clips[file.stem].track, file, clips[file.stem].label, float("nan"))
        for file in files_below(place / "audio")
        if file.suffix.lower() in endings and file.stem in clips
    )
    found = make_index(tracks, root)
    recording = dict(zip(table["track"], table["fsID"], strict=True))
    found = found.assign(group=found["track"].map(recording))
    return add_split(found, SPLIT, table.groupby("fold")["track"].apply(list).to_dict())


def _table(place: Path) -> pd.DataFrame:
    """Read the published table as text, with the columns stem, label and track beside."""
    paths = [place / "metadata" / "UrbanSound8K.csv", place / "UrbanSound8K.csv"]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DataError(
            f"{place} has the audio of UrbanSound8K but no metadata/UrbanSound8K.csv; put it there."
        )
    try:
        table = pd.read_csv(path, usecols=_COLUMNS, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise DataError(f"{path} is not the published table ({error}).") from error
    for column, known in (("class", CLASSES), ("fold", FOLDS)):
        if odd := sorted(set(table[column]) - set(known)):
            raise DataError(f"{path} is not the published table ({column} {odd[0]!r}).")
    stems = table["slice_file_name"].str.rsplit(".", n=1).str[0]
    return table.assign(stem=stems, label=table["class"], track=table["class"] + "/" + stems)


DATASET = DataSet(
    name="urbansound8k",
    description="8,732 sounds of the city of at most 4 s in ten classes and ten folds, many rates.",
    citation=CITATION,
    seconds=3.6,
    licence=LICENCE,
    archives=(
        Archive(
            filename="UrbanSound8K.tar.gz",
            urls=("https://zenodo.org/record/1203745/files/UrbanSound8K.tar.gz",),
            # As soundata records it.
            checksum="md5:9aa69802bbf37fb986f71ec1483a196e",
            size=6_023_741_708,
            max_unpacked=16 * 2**30,
        ),
    ),
    layout="""\
urbansound8k/UrbanSound8K/       (or without this folder)
    metadata/UrbanSound8K.csv    the table (or UrbanSound8K.csv)
    audio/fold1/ … fold10/       8,732 files named as in the table, in any usual format""",
    counts={name: sum(fold[name] for fold in FOLDS.values()) for name in CLASSES},
    index=index,
    splits={SPLIT: {fold: sum(counts.values()) for fold, counts in FOLDS.items()}},
    class_splits={SPLIT: FOLDS},
    repeats=REPEATS,
)
