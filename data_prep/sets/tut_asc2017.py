"""TUT Acoustic Scenes 2017: 6,300 binaural recordings of 10 s in 15 scenes, 44,100 Hz stereo.

Recorded by Tampere University of Technology for the DCASE challenge of 2017. The split `official`
has the parts `train` (4,680 clips, the development set) and `test` (1,620, the evaluation set),
as Pons, Serrà and Serra (ICASSP 2019) use it.

A clip's *group* is the recording of 3 to 5 minutes that it was cut from, as the development set's
table names it; the evaluation set's names none, so each of its clips is a group of its own.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch.lists import add_split, read_lines
from data_prep.index import make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import files_below

CLASSES = (
    "beach", "bus", "cafe/restaurant", "car", "city_center", "forest_path", "grocery_store",
    "home", "library", "metro_station", "office", "park", "residential_area", "train", "tram",
)  # fmt: skip

SPLIT = "official"
#: Part of the split: half of the set, its number on Zenodo, clips per class, tables of its clips.
_HALVES = {
    "train": ("development", 400515, 312, ("meta.txt",)),
    "test": ("evaluation", 1040168, 108, ("meta.txt", "evaluation_setup/evaluate.txt")),
}
_PREFIX = "TUT-acoustic-scenes-2017-"

#: Lengths and sums as dcase_util records them.
_PUBLISHED = {
    "development.meta.zip": (104_321, "9007fd4772d816590c5db5f5e9568f5d"),
    "development.audio.1.zip": (1_071_445_248, "251325a9afaaad0326ad1c57f57d514a"),
    "development.audio.2.zip": (1_073_453_613, "c26861e05147dc319b4250eb103d9d99"),
    "development.audio.3.zip": (1_073_077_819, "a4815775f8a5e629179726ee4cd4f55a"),
    "development.audio.4.zip": (1_072_822_038, "1732b03afe8c53ef8bba80ba14766e57"),
    "development.audio.5.zip": (1_072_644_652, "611be754a0c951185c6ae4b7643c19a0"),
    "development.audio.6.zip": (1_072_667_888, "165a201db800d3ea76fce5a9c2bd97d7"),
    "development.audio.7.zip": (1_073_417_661, "c7d79db84264401c0f8680dcc36013ad"),
    "development.audio.8.zip": (1_072_381_222, "35043f25123439392338c790494c7a19"),
    "development.audio.9.zip": (1_072_087_738, "0805dcf5d8e6871dc9610182b2efb93a"),
    "development.audio.10.zip": (1_046_262_120, "5df83a191295a04e290b125c634e13e7"),
    "evaluation.meta.zip": (4_473, "e006cfec14a49dd79a6ab8f8d5b1c5e6"),
    "evaluation.audio.1.zip": (1_071_856_687, "5d97dea8461baec8027ae4a0c2b18d4b"),
    "evaluation.audio.2.zip": (1_073_362_972, "4085ef5fa286f2169074993a4e405953"),
    "evaluation.audio.3.zip": (1_071_521_152, "cac432579e7cf2dff0aec7aaed248956"),
    "evaluation.audio.4.zip": (382_756_463, "664bf09c3d24bd26c6b587f1d709de36"),
}


def _archive(name: str) -> Archive:
    half = name.split(".")[0]
    number = next(number for known, number, *_ in _HALVES.values() if known == half)
    size, md5 = _PUBLISHED[name]
    return Archive(
        filename=f"{_PREFIX}{name}",
        urls=(f"https://zenodo.org/record/{number}/files/{_PREFIX}{name}",),
        checksum=f"md5:{md5}",
        size=size,
        max_unpacked=4 * 2**30,
    )


def index(root: Path) -> pd.DataFrame:
    """List the clips of both halves whose audio is there: ids `<half>/<stem>`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        A table is missing or names no or another scene, or two files stand for one clip.
    """
    tracks, parts, recordings = [], {}, {}
    for part, (half, _, _, tables) in _HALVES.items():
        place = root / f"{_PREFIX}{half}"
        files = [*files_below(place / "audio")] if (place / "audio").is_dir() else []
        clips = _clips(place, tables) if files else {}
        for file in files:
            if file.stem not in clips or file.suffix.lower() not in audio_extensions():
                continue
            scene, recording = clips[file.stem]
            track = f"{half}/{file.stem}"
            tracks.append((track, file, scene, float("nan")))
            parts.setdefault(part, []).append(track)
            recordings[track] = recording or track
    found = make_index(tracks, root)
    if found.empty:
        return found
    return add_split(found.assign(group=found["track"].map(recordings)), SPLIT, parts)


def _clips(place: Path, tables: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Read lines `audio/<stem>.wav`, scene and perhaps recording: stem → scene, recording or ""."""
    path = next((place / table for table in tables if (place / table).is_file()), None)
    if path is None:
        raise DataError(f"{place} has audio but no {' or '.join(tables)}; put it there.")
    clips = {}
    for number, line in enumerate(read_lines(path), start=1):
        name, _, rest = line.partition("\t")
        scene, _, recording = rest.partition("\t")
        if scene not in CLASSES:
            raise DataError(f"{path}, line {number}: {scene!r} is none of the 15 scenes.")
        clips[Path(name).stem] = scene, recording.strip()
    return clips


DATASET = DataSet(
    name="tut_asc2017",
    description="6,300 binaural recordings of 10 s in 15 acoustic scenes, 44,100 Hz stereo.",
    citation="""\
@inproceedings{mesaros2017dcase,
  author = {Mesaros, Annamaria and Heittola, Toni and Diment, Aleksandr and Elizalde, Benjamin and
    Shah, Ankit and Vincent, Emmanuel and Raj, Bhiksha and Virtanen, Tuomas},
  title = {{DCASE} 2017 Challenge Setup: Tasks, Datasets and Baseline System},
  booktitle = {Workshop on Detection and Classification of Acoustic Scenes and Events},
  pages = {85--92},
  year = {2017}
}""",
    seconds=10,
    licence="Free for non-commercial scientific use, with attribution.",
    archives=tuple(_archive(name) for name in _PUBLISHED),
    layout="""\
tut_asc2017/
    TUT-acoustic-scenes-2017-development/
        meta.txt    lines audio/<clip>.wav, scene, recording, between tabs
        audio/      4,680 files, in any format libsndfile reads
    TUT-acoustic-scenes-2017-evaluation/
        meta.txt    (or evaluation_setup/evaluate.txt) lines audio/<clip>.wav, scene
        audio/      1,620 files""",
    counts=dict.fromkeys(CLASSES, sum(count for _, _, count, _ in _HALVES.values())),
    index=index,
    splits={SPLIT: {part: 15 * count for part, (_, _, count, _) in _HALVES.items()}},
    class_splits={
        SPLIT: {part: dict.fromkeys(CLASSES, count) for part, (_, _, count, _) in _HALVES.items()}
    },
    repeats="Clips of one recording follow each other; random folds part them.",
)
