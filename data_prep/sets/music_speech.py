"""GTZAN music/speech: 128 excerpts of 30 s, half music and half speech.

Collected by George Tzanetakis for music/speech discrimination: 64 excerpts of music of many styles
and 64 of speech by different people in different rooms and languages, 22,050 Hz, mono, 16 bit. An
excerpt's class is the folder it lies in. Lidy's music/speech network of MIREX 2015, from which the
Black-box network of Pons, Lidy and Serra (CBMI 2016) descends, was made for this task.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataSet
from data_prep.index import find_layout, make_index
from mirkeras.audio.formats import audio_extensions
from mirkeras.system.files import files_below

DESCRIPTION = (
    "GTZAN music/speech collection: 64 excerpts of music and 64 of speech, 30 s each, 22,050 Hz "
    "mono."
)

CITATION = """\
@misc{tzanetakis1999musicspeech,
  author = {Tzanetakis, George},
  title = {{GTZAN} Music/Speech Collection},
  year = {1999},
  url = {http://marsyas.info/downloads/datasets.html}
}"""

LICENCE = "No licence is published with it; it is distributed for research."

ARCHIVES = (
    Archive(
        filename="music_speech.tar.gz",
        urls=("http://opihi.cs.uvic.ca/sound/music_speech.tar.gz",),
        # As TensorFlow Datasets records them for gtzan_music_speech.
        checksum="sha256:8753bc4129fc0a916d6efcf25dbcaf30e06b41acb44ad7c3d0b5c9d9c90ff546",
        size=297_055_930,
        max_unpacked=2 * 2**30,
    ),
)

LAYOUT = """\
music_speech/
    music_wav/   64 files (.wav as published; any format libsndfile reads will do)
    speech_wav/  64 files"""

COUNTS = {"music": 64, "speech": 64}
KNOWN_BAD: tuple[str, ...] = ()
REPLICAS: tuple[tuple[str, ...], ...] = ()

_FOLDERS = {"music_wav": "music", "speech_wav": "speech"}


def index(root: Path) -> pd.DataFrame:
    """List the excerpts under `root`: ids `music/<stem>` and `speech/<stem>`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        Two files stand for one excerpt (the same name in two formats).
    """
    place = find_layout(root, _FOLDERS)
    if place is None:
        return make_index((), root)
    endings = audio_extensions()
    return make_index(
        (
            (f"{label}/{file.stem}", file, label, float("nan"))
            for folder, label in _FOLDERS.items()
            if (place / folder).is_dir()
            for file in files_below(place / folder)
            if file.suffix.lower() in endings
        ),
        root,
    )


DATASET = DataSet(
    name="music_speech",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    archives=ARCHIVES,
    layout=LAYOUT,
    counts=COUNTS,
    known_bad=KNOWN_BAD,
    replicas=REPLICAS,
    index=index,
)
