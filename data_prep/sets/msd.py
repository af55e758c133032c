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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_prep.declare import DataError, DataSet
from data_prep.fetch.lists import add_split, needed_file, published_list, read_lines
from data_prep.fetch.pickled import read_strings
from data_prep.index import TAG_SEPARATOR, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

if TYPE_CHECKING:
    import pandas as pd

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
_LIMIT = 256 * 2**20  # bytes
_PARTS = ("train", "valid", "test")

LAYOUT = """\
msd/
    any/folders/TRAAAAW128F429D538.mp3   names begin with the MSD id; any format libsndfile reads"""

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


def index(root: Path) -> "pd.DataFrame":
    """List the songs of the split whose audio is below `root`; ids are MSD ids.

    Raises
    ------
    data_prep.DataError
        A list is missing or does not hold the published number of songs, a song has no tags'
        row, or two files stand for one song.
    """
    lists = ("filtered_list_train.cP", "filtered_list_test.cP")
    return index_songs(root, SPLIT, SPLITS[SPLIT], lists, _tags)


def index_songs(
    root: Path,
    split: str,
    counts: Mapping[str, int],
    lists: tuple[str, str],
    read_labels: Callable[[Path, set[str]], Mapping[str, str]],
) -> "pd.DataFrame":
    """List the songs of two lists of Lee's whose audio is below `root`.

    Parameters
    ----------
    counts : mapping
        Songs in each part as published.
    lists : tuple of str
        The training list, which ends with the validation songs, and the test list.
    read_labels : callable
        `read_labels(root, songs)` gives the label of each of these songs.
    """
    endings = audio_extensions()
    audio = [
        (match[0], file)
        for file in files_below(root)
        if (match := _ID.match(file.name)) and file.suffix.lower() in endings
    ]
    if not audio:
        return make_index((), root)
    both, held_out = (read_strings(needed_file(root, name)) for name in lists)
    want = (counts["train"] + counts["validation"], counts["test"])
    if (len(both), len(held_out)) != want:
        raise DataError(
            f"split {split}: {lists[0]} has {len(both):,} songs ({want[0]:,} expected), {lists[1]} "
            f"{len(held_out):,} ({want[1]:,} expected). Remove them and run again."
        )
    cut = counts["train"]
    parts = {"train": both[:cut], "validation": both[cut:], "test": held_out}
    songs = {*both, *held_out}
    labels = read_labels(root, songs)
    found = ((song, file, labels[song], float("nan")) for song, file in audio if song in songs)
    return add_split(make_index(found, root), split, parts)


def _tags(root: Path, songs: set[str]) -> dict[str, str]:
    """Read the tags of all songs of Choi's three parts, in the order of the vocabulary."""
    tags: dict[str, str] = {}
    for part in _PARTS:
        ids = read_lines(needed_file(root, f"{part}_x_msd_id.txt"))
        path = needed_file(root, f"{part}_y.npy")
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise DataError(f"{path} is no array of numbers ({error}).") from error
        if rows.shape != (len(ids), len(TAGS)):
            raise DataError(f"{path}: shape {rows.shape}, {(len(ids), len(TAGS))} is needed.")
        for song, row in zip(ids, np.asarray(rows, bool), strict=True):
            tags[song] = TAG_SEPARATOR.join(TAGS[n] for n in np.flatnonzero(row))
    if without := songs - tags.keys():
        raise DataError(f"{root}: {len(without):,} songs have no tags, {min(without)} for one.")
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
    seconds=30,
    licence="Lists: MIT (Lee) and as published (Choi); the audio is not part of the set.",
    archives=(
        published_list("filtered_list_train.cP", _LEE, _LEE_COPY, max_bytes=_LIMIT),
        published_list("filtered_list_test.cP", _LEE, _LEE_COPY, max_bytes=_LIMIT),
        *(published_list(f"{part}_x_msd_id.txt", _CHOI, max_bytes=_LIMIT) for part in _PARTS),
        *(published_list(f"{part}_y.npy", _CHOI, max_bytes=_LIMIT) for part in _PARTS),
    ),
    layout=LAYOUT,
    index=index,
    tags=TAGS,
    tracks=sum(SPLITS[SPLIT].values()),
    splits=SPLITS,
    own_audio=True,
)
