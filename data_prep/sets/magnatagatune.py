"""MagnaTagATune: 25,863 clips of 29 s of Magnatune's music, tagged by players of a game.

16 kHz mono MP3 in sixteen folders 0 … f; the clips of a piece always share a folder (5,405 pieces).
Of the 188 tags, the field uses the 50 most frequent. Two published splits share the folders (0 to b
for training, c for validation, d to f for testing) but not the clips, so that scores on one are
never compared with scores on the other:

- `mtat-lee`, 21,105 clips: those longer than 29.1 s with at least one of the 50 tags (Lee, Park,
  Kim and Nam 2018, section 5.1; lists in github.com/jongpillee/music_dataset_split);
- `mtat-pons`, all clips: 18,706 / 1,825 / 5,329 (Pons et al., ISMIR 2018; lists in
  github.com/jordipons/musicnn-training). Only validation and test are published as lists; the
  training part follows from the authors' `aux/mtt/partition_gt.py`: all other clips but the three
  that cannot be read. No published list of it could be checked.

The two sources order the 50 tags alike but for two: Lee's files have `female voice` at place 47
(from 0) and `metal` at 48, Pons' the other way round. `TAGS` has Lee's order and the names of
`annotations_final.csv`, from which all labels are read by name. For every clip that the test and
validation files of both list (4,332 and 1,529), the labels agree in all 50 tags when compared by
name.

A clip's *group* is its piece, as the file name tells: artist, album, number and title without the
seconds. Both splits keep pieces whole; 56 of 230 artists are in more than one part.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.lists import add_splits, needed_file, published_list, read_lines
from data_prep.fetch.pickled import read_strings
from data_prep.index import TAG_SEPARATOR, find_layout, make_index

if TYPE_CHECKING:
    import pandas as pd

_HOST = "mirg.city.ac.uk/datasets/magnatagatune"
_LEE = (
    "https://raw.githubusercontent.com/jongpillee/music_dataset_split/"
    "07e855758f180ac8bdc0e3abebbde19277094681/MTAT_split"
)
_PONS = (
    "https://raw.githubusercontent.com/jordipons/musicnn-training/"
    "c7aa67bd1641592fcf43467c37db01b553dd4e5c/data/index/mtt"
)
_TABLE = "annotations_final.csv"
_ALL = 8 * 2**30  # bytes of the clips


def _published(filename: str, size: int | None, md5: str, **other: object) -> Archive:
    """The host states neither sums nor lengths.

    The MD5 sums are those that an early loader compares with (github.com/keunwoochoi/kapre,
    `kapre/datasets.py`), the lengths those that a public download script checks the parts against.
    """
    return Archive(
        filename=filename,
        urls=(
            f"https://{_HOST}/{filename}",
            f"http://mi.soi.city.ac.uk/datasets/magnatagatune/{filename}",
        ),
        checksum=None,
        size=size,
        max_unpacked=other.pop("max_unpacked", 64 * 2**20),
        reported=f"md5:{md5}",
        **other,
    )


#: Split lists, each at a fixed commit of its authors' repository: (folder, split), name, SHA-256.
_LISTS = {
    (_LEE, "mtat-lee"): {
        "train_list_pub.cP": "76c9eec0fdd3d7533adda0cb4be4844996ed7469586b337bfc97f863fd3ec09a",
        "valid_list_pub.cP": "b3528613a6832ce49f11628fd21103dbf266e43086b465798221519ae64c2917",
        "test_list_pub.cP": "43edc3b8951f7c9e613f618ab828ab80036b2e2e604bb20a93e623b186b63b30",
    },
    (_PONS, "mtat-pons"): {
        "index_mtt.tsv": "e4bb40f3bcb7efec044aeae2a5cf1a94cadab143b71e5d23f6a4398673af5e9d",
        "val_gt_mtt.tsv": "257716aa50b6c3c287f26b442e5d1469ec2e7186113219510dacb681e0438ec1",
        "test_gt_mtt.tsv": "b5dc5dd44ebfadae0781aac8d3cc9c83187456fa6e1f8d50cc3a59628d58570c",
    },
}

ARCHIVES = (
    _published("mp3.zip.001", 1_100_000_000, "179c91c8c2a6e9b3da3d4e69d306fd3b", max_unpacked=_ALL),
    _published("mp3.zip.002", 1_100_000_000, "acf8265ff2e35c6ff22210e46457a824", max_unpacked=_ALL),
    _published("mp3.zip.003", 772_769_864, "582dc649cabb8cd991f09e14b99349a5", max_unpacked=_ALL),
    _published(_TABLE, None, "f04fa01752a8cc64f6e1ca142a0fef1d", keep=True),
    # Titles, artists and places of the clips, for people: nothing here needs them.
    _published(
        "clip_info_final.csv",
        None,
        "03ef3cb8ddcfe53fdcdb8e0cda005be2",
        keep=True,
        optional=True,
    ),
    *(
        published_list(name, folder, max_bytes=16 * 2**20, sha256=sha256, split=split)
        for (folder, split), lists in _LISTS.items()
        for name, sha256 in lists.items()
    ),
)

TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "female voice", "metal", "choral",
)  # fmt: skip

#: The same in the order of the outputs of musicnn's and Won's networks: one pair is exchanged.
TAGS_OF_TAGGERS = (*TAGS[:-3], "metal", "female voice", "choral")

# As `partition_gt.py` of musicnn-training names them; their files are empty.
KNOWN_BAD = (
    "6/norine_braun-now_and_zen-08-gently-117-146",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_"
    "couperin-88-117",
)

_FOLDERS = tuple("0123456789abcdef")


def index(root: Path) -> "pd.DataFrame":
    """List the clips of `annotations_final.csv` whose audio is there.

    Ids are the paths without suffix, `<folder>/<artist>-<album>-<number>-<title>-<from>-<to>`
    (seconds). Columns `mtat-lee` and `mtat-pons` are there if their lists are.

    Raises
    ------
    data_prep.DataError
        A table or list is missing, or is not what it should be.
    """
    place = find_layout(root, _FOLDERS)
    if place is None:
        return make_index((), root)
    labels = _labels(needed_file(root, _TABLE))
    tracks = (
        (path.removesuffix(".mp3"), place / path, label, float("nan"))
        for path, label in labels.items()
        if (place / path).is_file()
    )
    table = make_index(tracks, root)
    table = table.assign(group=[piece(track) for track in table["track"]])
    return add_splits(table, root, DATASET, {"mtat-lee": _lee, "mtat-pons": _pons})


def piece(track: str) -> str:
    """The piece a clip is cut from: its id without folder and seconds."""
    return track.partition("/")[2].rsplit("-", 2)[0]


def _labels(path: Path) -> dict[str, str]:
    """Path of each clip to its tags, of the vocabulary and in its order."""
    import pandas as pd  # as in `data_prep.index`

    try:
        table = pd.read_csv(path, sep="\t", usecols=["mp3_path", *TAGS], dtype={"mp3_path": str})
        values = table[list(TAGS)].to_numpy(dtype=int)
    except ValueError as error:  # a column is missing, or its content is no number
        raise DataError(f"{path} is not the published table of tags ({error}).") from error
    return {
        clip: TAG_SEPARATOR.join(tag for tag, has in zip(TAGS, row, strict=True) if has)
        for clip, row in zip(table["mp3_path"], values, strict=True)
    }


def _lee(lists: Mapping[str, Path]) -> dict[str, list[str]]:
    return {
        # the authors' lists name the arrays they made of the clips
        part: [name.removesuffix(".npy") for name in read_strings(lists[f"{name}_list_pub.cP"])]
        for part, name in (("train", "train"), ("validation", "valid"), ("test", "test"))
    }


def _pons(lists: Mapping[str, Path]) -> dict[str, list[str]]:
    rows = [line.partition("\t") for line in read_lines(lists["index_mtt.tsv"])]
    track_of = {clip: path.removesuffix(".mp3") for clip, _, path in rows}
    parts: dict[str, list[str]] = {}
    for part, name in (("validation", "val_gt_mtt.tsv"), ("test", "test_gt_mtt.tsv")):
        clips = [line.partition("\t")[0] for line in read_lines(lists[name])]
        if unknown := [clip for clip in clips if clip not in track_of]:
            raise DataError(f"{lists[name]}: clip {unknown[0]!r} is not in index_mtt.tsv.")
        parts[part] = [track_of[clip] for clip in clips]
    held_out = {*parts["validation"], *parts["test"], *KNOWN_BAD}
    parts["train"] = [track for track in track_of.values() if track not in held_out]
    return parts


DATASET = DataSet(
    name="magnatagatune",
    description="25,863 clips of 29 s of music in many styles, 16 kHz mono MP3, with the 50 most "
    "frequent tags of the game TagATune.",
    citation="""\
@inproceedings{law2009evaluation,
  author = {Law, Edith and West, Kris and Mandel, Michael and Bay, Mert and Downie, J. Stephen},
  title = {Evaluation of Algorithms Using Games: The Case of Music Tagging},
  booktitle = {10th International Society for Music Information Retrieval Conference},
  pages = {387--392},
  year = {2009}
}""",
    seconds=29.1,
    licence="Creative Commons Attribution-Noncommercial-Share Alike 3.0 (tagatune.org).",
    archives=ARCHIVES,
    layout=f"""\
magnatagatune/
    0/ 1/ ... 9/ a/ ... f/   the .mp3 files (or one folder deeper, as in magnatagatune/mp3/0)
    {_TABLE}    tags of the clips (or in archives/magnatagatune, as are the split lists)""",
    known_bad=KNOWN_BAD,
    index=index,
    tags=TAGS,
    tracks=25_863,
    splits={
        "mtat-lee": {"train": 15_244, "validation": 1_529, "test": 4_332},
        "mtat-pons": {"train": 18_706, "validation": 1_825, "test": 5_329},
    },
)
