"""TAGTRAUM: songs of the Million Song Dataset in 15 genres; the lists are public, the audio is not.

189,189 songs with previews longer than 29.1 s of the annotations CD2C (Schreiber 2015: 191,401
songs whose genre is not ambiguous), split as Lee, Park, Kim and Nam (2018) used it: a stratified
80 per cent for training and validation (141,372 / 10,000) and 37,817 for testing
(github.com/jongpillee/music_dataset_split, `TAGTRAUM_split`).

Bring your own audio, as for the set `msd`: any file below `<data root>/msd` whose name begins with
the song's MSD id. Songs without audio are counted and said.

Not verified: no public source states how many songs each genre has, so the genres are checked by
name only; no copy of `train_list.cP` or of the annotations could be looked at, so their form is
that which loaders of others expect (`<MSD id><tab><genre>`, comments begin with #), and every song
of the lists must have one of the 15 genres. No checksums are published; the first download's are
recorded.
"""

import zipfile
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.fetch.archives import DAMAGED
from data_prep.fetch.lists import needed_file, published_list
from data_prep.sets.msd import LAYOUT, index_songs

SPLIT = "tagtraum-lee"
SPLITS = {SPLIT: {"train": 141_372, "validation": 10_000, "test": 37_817}}

_LISTS = (
    "https://raw.githubusercontent.com/jongpillee/music_dataset_split/"
    "07e855758f180ac8bdc0e3abebbde19277094681/TAGTRAUM_split"
)
_GENRES = "msd_tagtraum_cd2c.cls"
_LIMIT = 64 * 2**20  # bytes

GENRES = (
    "Blues", "Country", "Electronic", "Folk", "Jazz", "Latin", "Metal", "New Age", "Pop", "Punk",
    "Rap", "Reggae", "RnB", "Rock", "World",
)  # fmt: skip


def index(root: Path) -> pd.DataFrame:
    """List the songs of the split whose audio is below `root`; ids are MSD ids.

    Raises
    ------
    data_prep.DataError
        A list is missing or does not hold the published number of songs, a song has none of the
        15 genres, or two files stand for one song.
    """
    return index_songs(root, SPLIT, SPLITS[SPLIT], ("train_list.cP", "test_list.cP"), _genres)


def _genres(root: Path, songs: set[str]) -> dict[str, str]:
    """Read the genre of every song from the one text file in the published zip."""
    path = needed_file(root, f"{_GENRES}.zip")
    try:
        with zipfile.ZipFile(path) as packed, packed.open(_GENRES) as member:
            content = member.read(_LIMIT + 1)
    except DAMAGED as error:
        raise DataError(f"{path} is damaged or holds no {_GENRES} ({error}).") from error
    if len(content) > _LIMIT:
        raise DataError(f"{path}: {_GENRES} is longer than {_LIMIT:,} bytes.")
    lines = content.decode("utf-8", "replace").splitlines()
    rows = (line.split("\t") for line in lines if line.strip() and not line.startswith("#"))
    genres = {row[0]: row[1].strip() for row in rows if len(row) > 1}
    if without := [song for song in sorted(songs) if genres.get(song) not in GENRES]:
        raise DataError(
            f"{root}: {len(without):,} songs of the lists have none of the 15 genres, for one "
            f"{without[0]} ({genres.get(without[0])!r})."
        )
    return genres


DATASET = DataSet(
    name="tagtraum",
    description="189,189 songs of the Million Song Dataset in 15 genres; audio of the user's own.",
    citation="""\
@inproceedings{schreiber2015improving,
  author = {Schreiber, Hendrik},
  title = {Improving Genre Annotations for the Million Song Dataset},
  booktitle = {16th International Society for Music Information Retrieval Conference},
  pages = {241--247},
  year = {2015}
}""",
    seconds=30,
    licence="As stated at tagtraum.com/msd_genre_datasets.html; the audio is not part of the set.",
    archives=(
        published_list("train_list.cP", _LISTS, max_bytes=_LIMIT),
        published_list("test_list.cP", _LISTS, max_bytes=_LIMIT),
        published_list(f"{_GENRES}.zip", "https://www.tagtraum.com/genres", max_bytes=_LIMIT),
    ),
    layout=LAYOUT,
    counts=dict.fromkeys(GENRES),
    index=index,
    splits=SPLITS,
    folder="msd",
    own_audio=True,
)
