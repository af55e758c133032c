"""GTZAN music/speech: 128 excerpts of 30 s, half music and half speech.

Collected by George Tzanetakis for music/speech discrimination: 64 excerpts of music of many styles
and 64 of speech by different people in different rooms and languages, 22,050 Hz, mono, 16 bit. An
excerpt's class is the folder it lies in. Lidy's music/speech network of MIREX 2015, from which the
Black-box network of Pons, Lidy and Serra (CBMI 2016) descends, was made for this task.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import Archive, DataSet
from data_prep.index import from_class_folders
from mirkeras.audio.formats import audio_extensions


def index(root: Path) -> pd.DataFrame:
    """List the excerpts under `root`: ids `music/<stem>` and `speech/<stem>`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        Two files stand for one excerpt (the same name in two formats).
    """
    folders = {"music_wav": "music", "speech_wav": "speech"}
    return from_class_folders(root, folders, audio_extensions())


DATASET = DataSet(
    name="music_speech",
    description="GTZAN music/speech collection: 64 excerpts of music and 64 of speech, 30 s each, "
    "22,050 Hz mono.",
    citation="""\
@misc{tzanetakis1999musicspeech,
  author = {Tzanetakis, George},
  title = {{GTZAN} Music/Speech Collection},
  year = {1999},
  url = {http://marsyas.info/downloads/datasets.html}
}""",
    seconds=30,
    licence="No licence is published with it; it is distributed for research.",
    archives=(
        Archive(
            filename="music_speech.tar.gz",
            urls=("http://opihi.cs.uvic.ca/sound/music_speech.tar.gz",),
            # As TensorFlow Datasets records them for gtzan_music_speech.
            checksum="sha256:8753bc4129fc0a916d6efcf25dbcaf30e06b41acb44ad7c3d0b5c9d9c90ff546",
            size=297_055_930,
            max_unpacked=2 * 2**30,
        ),
    ),
    layout="""\
music_speech/
    music_wav/   64 files (.wav as published; any format libsndfile reads will do)
    speech_wav/  64 files""",
    counts={"music": 64, "speech": 64},
    index=index,
)
