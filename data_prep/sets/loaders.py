"""The data sets of the library mirdata: `mirdata:NAME`, or `mirdata:NAME:VERSION`.

mirdata says where a set's audio lies and what is annotated; what is a class or a tag of it stands
in `LABELS`. It downloads by itself, into `~/mir_datasets/NAME`. Tracks without audio or label are
counted and left out, official splits and tempi are not taken over. The set is called
`mirdata-NAME[-VERSION]`.
"""

from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.index import TAG_SEPARATOR, WHOLE, make_index
from data_prep.sets.folder import MAX_BAD
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.files import copies
from mirkeras.system.errors import say, shown

PREFIX = "mirdata:"
ADVICE = "pip install 'mirkeras[mirdata]'"

#: Loader → what of a track is its label, and what is never divided between training and test (""
#: where a track stands for itself).
LABELS = {
    "ballroom": ("genre", ""),
    "beatport_key": ("genres", ""),
    "compmusic_carnatic_rhythm": ("taala", "artist"),
    "compmusic_carnatic_varnam": ("raaga", "artist"),
    "compmusic_hindustani_rhythm": ("taala", "artist"),
    "compmusic_raga": ("raga", "artist"),
    "egfxset": ("effect", ""),
    "freesound_one_shot_percussive_sounds": ("tags", ""),
    "giantsteps_key": ("genres", ""),
    "giantsteps_tempo": ("genre", ""),
    "good_sounds": ("instrument", ""),
    "groove_midi": ("style", ""),
    "gtzan_genre": ("genre", ""),
    "idmt_smt_audio_effects": ("instrument", ""),
    "irmas": ("instrument", ""),
    "medley_solos_db": ("instrument", "song_id"),
    "medleydb_melody": ("genre", "artist"),
    "medleydb_pitch": ("instrument", "artist"),
    "mridangam_stroke": ("stroke_name", ""),
    "mtg_jamendo_autotagging_moodtheme": ("tags", "artist_id"),
    "salami": ("broad_genre", "artist"),
    "tinysol": ("instrument_full", ""),
    "tonas": ("style", "singer"),
}


class _Track(NamedTuple):
    name: str
    path: Path
    labels: tuple[str, ...]
    group: str


class _Found(NamedTuple):
    tracks: tuple[_Track, ...]
    silent: int  # tracks without audio at hand
    unlabelled: int


def declare(name: str) -> DataSet:
    """Declaration for `mirdata:NAME`; classes or tags are what its tracks have.

    Raises
    ------
    DataError
        mirdata is not installed, has no such loader or none with labels, or there is no audio; the
        message has the command that downloads it.
    """
    root = root_of(name)
    loader, _, version = name.removeprefix(PREFIX).partition(":")
    found = _tracks(loader, version, root)
    tags = tuple(sorted({label for track in found.tracks for label in track.labels}))
    if len(tags) < 2:
        raise DataError(f"{name} has only the label {', '.join(tags)!r}; at least two are needed")
    several = any(len(track.labels) != 1 for track in found.tracks)
    if several and (odd := [tag for tag in tags if TAG_SEPARATOR in tag]):
        raise DataError(f"{name}: the tag {odd[0]!r} holds {TAG_SEPARATOR}, which divides tags")
    return DataSet(
        name="-".join(filter(None, ("mirdata", loader, version))),
        description=f"{loader}, read by mirdata {import_module('mirdata').__version__}.",
        licence=f"see mirdata.initialize({loader!r}).license()",
        layout=f"as mirdata's loader {loader} has it below {root}",
        tags=tags if several else (),
        tracks=len(found.tracks) if several else None,
        index=partial(index, name, found),
        max_bad=MAX_BAD,
    )


def root_of(name: str) -> Path:
    """The folder in which mirdata keeps the set.

    Raises
    ------
    DataError
        mirdata is not installed, or has no such loader, version, or labels in it.
    """
    mirdata = _library(name)
    loader, _, version = name.removeprefix(PREFIX).partition(":")
    if loader not in mirdata.list_datasets():
        raise DataError(f"{name}: mirdata has no {loader!r}; with labels: {', '.join(LABELS)}")
    if loader not in LABELS:
        raise DataError(
            f"{name}: tracks of {loader} have no class and no tags; with labels: "
            f"{', '.join(LABELS)}"
        )
    known = [v for v in import_module(f"mirdata.datasets.{loader}").INDEXES if v != "default"]
    if version and version not in known:
        raise DataError(
            f"{name}: no version {version!r} of {loader}; there are: {', '.join(known)}"
        )
    return Path(mirdata.initialize(loader, version=version or "default").data_home).absolute()


def index(name: str, found: _Found, root: Path) -> pd.DataFrame:
    """List the tracks that have audio and a label; say how many have not.

    Returns
    -------
    pandas.DataFrame
        See `data_prep.index.make_index`: ids are mirdata's. With a column `WHOLE` where the set
        names artists or songs, else byte-identical copies share a group.
    """
    for count, lack in ((found.silent, "no audio at hand"), (found.unlabelled, "no label")):
        if count:
            say(f"{name}: {count} tracks left out, {lack}")
    track_of = {track.path: track.name for track in found.tracks}
    grouped = any(track.group for track in found.tracks)
    same = () if grouped else tuple(tuple(track_of[p] for p in c) for c in copies(track_of))
    rows = ((t.name, t.path, TAG_SEPARATOR.join(t.labels), float("nan")) for t in found.tracks)
    table = make_index(rows, root, same)
    if grouped:
        group_of = {track.name: track.group or track.name for track in found.tracks}
        table = table.assign(group=table["track"].map(group_of), **{WHOLE: "yes"})
    return table


def _library(name: str) -> ModuleType:
    if find_spec("mirdata") is None:
        raise DataError(f"{name} is read by the library mirdata, which is not here: {ADVICE}")
    return import_module("mirdata")


def _tracks(loader: str, version: str, home: Path) -> _Found:
    """List the tracks of a loader."""
    dataset = import_module("mirdata").initialize(loader, str(home), version or "default")
    chosen = f", version={version!r}" if version else ""
    command = f'python -c "import mirdata; mirdata.initialize({loader!r}{chosen}).download()"'
    attribute, together = LABELS[loader]
    tracks, silent, unlabelled = [], 0, 0
    try:
        for track_id in dataset.track_ids:
            track = dataset.track(track_id)
            if not track.audio_path or not Path(track.audio_path).is_file():
                silent += 1
            elif labels := _labels(getattr(track, attribute)):
                group = getattr(track, together) if together else None
                group = "" if group is None else str(group)
                tracks.append(_Track(track_id, _audio(track.audio_path), labels, group))
            else:
                unlabelled += 1
    except FileNotFoundError as error:  # the index, or a table of labels
        raise DataError(f"{PREFIX}{loader}: {shown(error)} It is had by: {command}") from error
    if not tracks:
        why = "no track has a label" if unlabelled else f"no audio in {home}"
        raise DataError(f"{PREFIX}{loader}: {why}. mirdata downloads it: {command}")
    return _Found(tuple(tracks), silent, unlabelled)


def _audio(path: str) -> Path:
    if Path(path).suffix.lower() not in audio_extensions():
        raise DataError(f"{path} is no audio that can be decoded")
    return Path(path).absolute()


def _labels(value: object) -> tuple[str, ...]:
    """Bring what a loader gives (text, a list, genres with sub-genres) into one form."""
    if isinstance(value, dict):
        value = value["genres"]
    if value is None or isinstance(value, str):
        value = [value]
    found = (str(each).strip() for each in value if each is not None)
    return tuple(dict.fromkeys(label for label in found if label))
