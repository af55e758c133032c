"""Million Song Dataset with 50 tags of Last.fm: the lists are public, the audio is not.

241,889 songs with previews longer than 29.1 s, split as Lee, Park, Kim and Nam (2018) used it
(201,680 / 11,774 / 28,435). Bring your own audio: any file below `<data root>/msd` whose name
begins with the song's MSD id (`TR…`, 18 characters). Songs without audio are counted and said.

The lists of ids are Lee's (github.com/jongpillee/music_dataset_split, `MSD_split`; the training
list holds the validation songs at its end). The tags are those of Choi's split
(github.com/keunwoochoi/MSD_split_for_tagging), of which Lee's is the part with long previews; his
arrays are read instead of Lee's dictionary `msd_id_to_tag_vector.cP`, a pickle of arrays that could
be read only by executing it.

Not verified: no copy of the two training files (`filtered_list_train.cP`, `train_y.npy`) could be
looked at, so their addresses are as the authors' READMEs name them and their form as that of the
test files beside them; that every song of Lee's lists has a row of tags is checked when the index
is made. No checksums are published; the first download's are recorded.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.lists import add_split, needed_file, read_lines
from data_prep.fetch.pickled import read_strings
from data_prep.index import TAG_SEPARATOR, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.system.files import files_below

SPLIT = "msd-lee"
SPLITS = {SPLIT: {"train": 201_680, "validation": 11_774, "test": 28_435}}

_LEE = (
    "https://raw.githubusercontent.com/jongpillee/music_dataset_split/"
    "07e855758f180ac8bdc0e3abebbde19277094681/MSD_split"
)
_LEE_COPY = (  # the copy in a later study's repository, whose README describes the same files
    "https://raw.githubusercontent.com/minzwon/sota-music-tagging-models/"
    "ffd9c4694a0f493ffd9a8ddf1302622c5f445358/split/msd"
)
_CHOI = (
    "https://raw.githubusercontent.com/keunwoochoi/MSD_split_for_tagging/"
    "f5690f26323819324cb3d54fb9ea15885d50c818"
)


def _list(filename: str, *folders: str) -> Archive:
    return Archive(
        filename=filename,
        urls=tuple(f"{folder}/{filename}" for folder in folders),
        checksum=None,
        size=None,
        max_unpacked=256 * 2**20,
        keep=True,
    )


_PARTS = ("train", "valid", "test")

# As `50tagList.txt` spells and orders them.
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
    "classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill",
    "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country",
    "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock",
    "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip

_ID = re.compile(r"TR[A-Z]{5}[0-9A-F]{11}(?![0-9A-Za-z])")


def index(root: Path) -> pd.DataFrame:
    """List the songs of the split whose audio is below `root`; ids are MSD ids.

    Raises
    ------
    data_prep.DataError
        A list is missing or does not hold the published number of songs, a song has no tags'
        row, or two files stand for one song.
    """
    audio = audio_by_id(root)
    if not audio:
        return make_index((), root)
    parts = read_parts(
        root, SPLIT, SPLITS[SPLIT], "filtered_list_train.cP", "filtered_list_test.cP"
    )
    songs = {song for part in parts.values() for song in part}
    tags = _tags(root)
    if without := songs - tags.keys():
        raise DataError(f"{root}: {len(without):,} songs have no tags, {min(without)} for one.")
    found = (
        (s, p, tags[s], float("nan")) for s, files in audio.items() if s in songs for p in files
    )
    return add_split(make_index(found, root), SPLIT, parts)


def audio_by_id(root: Path) -> dict[str, list[Path]]:
    """Audio files below `root` by the MSD id their names begin with."""
    endings = audio_extensions()
    audio: dict[str, list[Path]] = {}
    for file in files_below(root):
        match = _ID.match(file.name)
        if match and file.suffix.lower() in endings:
            audio.setdefault(match[0], []).append(file)
    return audio


def read_parts(
    root: Path, split: str, counts: dict[str, int], train: str, test: str
) -> dict[str, list[str]]:
    """Lee's two lists as three parts: the training list ends with the validation songs.

    Raises
    ------
    data_prep.DataError
        The lists do not hold as many songs as published.
    """
    both = read_strings(needed_file(root, train))
    held_out = read_strings(needed_file(root, test))
    want = (counts["train"] + counts["validation"], counts["test"])
    if (len(both), len(held_out)) != want:
        raise DataError(
            f"split {split}: {train} has {len(both):,} songs ({want[0]:,} expected), {test} "
            f"{len(held_out):,} ({want[1]:,} expected). Remove them and run again."
        )
    cut = counts["train"]
    return {"train": both[:cut], "validation": both[cut:], "test": held_out}


def _tags(root: Path) -> dict[str, str]:
    """Tags of every song of Choi's three parts, in the order of the vocabulary."""
    tags: dict[str, str] = {}
    for part in _PARTS:
        songs = read_lines(needed_file(root, f"{part}_x_msd_id.txt"))
        path = needed_file(root, f"{part}_y.npy")
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise DataError(f"{path} is no array of numbers ({error}).") from error
        if rows.shape != (len(songs), len(TAGS)):
            raise DataError(f"{path}: shape {rows.shape}, {(len(songs), len(TAGS))} is needed.")
        for song, row in zip(songs, np.asarray(rows, bool), strict=True):
            tags[song] = TAG_SEPARATOR.join(TAGS[n] for n in np.flatnonzero(row))
    return tags


DATASET = DataSet(
    name="msd",
    description="241,889 songs of the Million Song Dataset with 50 tags; audio of the user's own.",
    citation="""\
@inproceedings{bertinmahieux2011million,
  author = {Bertin-Mahieux, Thierry and Ellis, Daniel P. W. and Whitman, Brian and Lamere, Paul},
  title = {The Million Song Dataset},
  booktitle = {12th International Society for Music Information Retrieval Conference},
  year = {2011}
}
@inproceedings{choi2016automatic,
  author = {Choi, Keunwoo and Fazekas, Gy{\\"o}rgy and Sandler, Mark},
  title = {Automatic Tagging Using Deep Convolutional Neural Networks},
  booktitle = {17th International Society for Music Information Retrieval Conference},
  year = {2016}
}""",
    licence="Lists: MIT (Lee) and as published (Choi); the audio is not part of the set.",
    archives=(
        _list("filtered_list_train.cP", _LEE, _LEE_COPY),
        _list("filtered_list_test.cP", _LEE, _LEE_COPY),
        *(_list(f"{part}_x_msd_id.txt", _CHOI) for part in _PARTS),
        *(_list(f"{part}_y.npy", _CHOI) for part in _PARTS),
    ),
    layout="""\
msd/
    any/folders/TRAAAAW128F429D538.mp3  names begin with the MSD id; any format libsndfile reads""",
    index=index,
    tags=TAGS,
    tracks=sum(SPLITS[SPLIT].values()),
    splits=SPLITS,
    own_audio=True,
)
