"""ESC-50: 2,000 environmental sounds of 5 s in 50 classes, in five official folds.

Collected from Freesound by Karol Piczak: animals, weather, people, rooms and streets, 44,100 Hz
mono. The split `official` has the folds `1` to `5` of the published table, eight clips per class
in each; clips cut from one recording (the *group*, column `src_file`) are always in one fold.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.lists import add_split
from data_prep.index import find_layout, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

CLASSES = (
    "airplane", "breathing", "brushing_teeth", "can_opening", "car_horn", "cat", "chainsaw",
    "chirping_birds", "church_bells", "clapping", "clock_alarm", "clock_tick", "coughing", "cow",
    "crackling_fire", "crickets", "crow", "crying_baby", "dog", "door_wood_creaks",
    "door_wood_knock", "drinking_sipping", "engine", "fireworks", "footsteps", "frog",
    "glass_breaking", "hand_saw", "helicopter", "hen", "insects", "keyboard_typing", "laughing",
    "mouse_click", "pig", "pouring_water", "rain", "rooster", "sea_waves", "sheep", "siren",
    "sneezing", "snoring", "thunderstorm", "toilet_flush", "train", "vacuum_cleaner",
    "washing_machine", "water_drops", "wind",
)  # fmt: skip

SPLIT = "official"
FOLDS = ("1", "2", "3", "4", "5")

_COLUMNS = ["filename", "fold", "category", "src_file"]


def index(root: Path) -> pd.DataFrame:
    """List the clips of the table whose audio is there: ids `<class>/<stem>`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        The table is missing or lacks a column, or two files stand for one clip.
    """
    place = find_layout(root, ("audio",))
    if place is None:
        return make_index((), root)
    table = _table(place)
    table["stem"] = table["filename"].str.rsplit(".", n=1).str[0]
    table["track"] = table["category"] + "/" + table["stem"]
    clips = {clip.stem: clip for clip in table.itertuples()}
    endings = audio_extensions()
    tracks = (
        (clips[file.stem].track, file, clips[file.stem].category, float("nan"))
        for file in files_below(place / "audio")
        if file.suffix.lower() in endings and file.stem in clips
    )
    found = make_index(tracks, root)
    source = dict(zip(table["track"], table["src_file"], strict=True))
    found = found.assign(group=found["track"].map(source))
    return add_split(found, SPLIT, table.groupby("fold")["track"].apply(list).to_dict())


def _table(place: Path) -> pd.DataFrame:
    """Columns filename, fold, category and src_file as text."""
    for path in (place / "meta" / "esc50.csv", place / "esc50.csv"):
        if path.is_file():
            try:
                return pd.read_csv(path, usecols=_COLUMNS, dtype=str, keep_default_na=False)
            except ValueError as error:
                raise DataError(f"{path} is not the published table ({error}).") from error
    raise DataError(f"{place} has the audio of ESC-50 but no meta/esc50.csv; put it there.")


DATASET = DataSet(
    name="esc50",
    description="2,000 environmental sounds of 5 s in 50 classes and five folds, 44,100 Hz mono.",
    citation="""\
@inproceedings{piczak2015esc,
  author = {Piczak, Karol J.},
  title = {{ESC}: Dataset for Environmental Sound Classification},
  booktitle = {23rd {ACM} International Conference on Multimedia},
  pages = {1015--1018},
  year = {2015},
  doi = {10.1145/2733373.2806390}
}""",
    seconds=5,
    licence="Creative Commons Attribution Non-Commercial 3.0.",
    archives=(
        Archive(
            filename="master.zip",
            urls=("https://github.com/karolpiczak/ESC-50/archive/master.zip",),
            # Made by the host at each change of the repository, so no sum or length of it can last;
            # the table and the counts are checked instead.
            checksum=None,
            size=None,
            max_unpacked=2 * 2**30,
        ),
    ),
    layout="""\
esc50/ESC-50-master/    (or without this folder)
    meta/esc50.csv      the table (or esc50.csv)
    audio/              2,000 files named as in the table, in any format libsndfile reads""",
    counts=dict.fromkeys(CLASSES, 40),
    index=index,
    splits={SPLIT: dict.fromkeys(FOLDS, 400)},
    class_splits={SPLIT: {fold: dict.fromkeys(CLASSES, 8) for fold in FOLDS}},
)
