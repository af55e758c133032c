"""Extended Ballroom: 4,180 excerpts of 30 s of dance music in 13 classes, very unequal ones.

Collected by Ugo Marchand from the shop that Ballroom came from, in the class of the dance. No
archive of the audio is published; a script of the authors fetches it from the shop.
"""

from pathlib import Path

import pandas as pd

from data_prep.declare import DataSet
from data_prep.index import from_class_folders
from mirkeras.audio.formats import audio_extensions

COUNTS = {
    "Chacha": 455,
    "Foxtrot": 507,
    "Jive": 350,
    "Pasodoble": 53,
    "Quickstep": 497,
    "Rumba": 470,
    "Salsa": 47,
    "Samba": 468,
    "Slowwaltz": 65,
    "Tango": 464,
    "Viennesewaltz": 252,
    "Waltz": 529,
    "Wcswing": 23,
}


def index(root: Path) -> pd.DataFrame:
    """List the excerpts: ids `<dance>/<stem>`, tempi unknown.

    Raises
    ------
    data_prep.DataError
        Two files stand for one excerpt.
    """
    return from_class_folders(root, {dance: dance for dance in COUNTS}, audio_extensions())


DATASET = DataSet(
    name="extended_ballroom",
    description="4,180 excerpts of 30 s of dance music in 13 classes.",
    citation="""\
@inproceedings{marchand2016extended,
  author = {Marchand, Ugo and Peeters, Geoffroy},
  title = {The Extended Ballroom Dataset},
  booktitle = {Late-Breaking Session of the 17th {ISMIR} Conference},
  year = {2016}
}""",
    licence="The audio is the shop's.",
    layout="""\
extended_ballroom/
    Chacha/ Foxtrot/ Jive/ Pasodoble/ Quickstep/ Rumba/ Salsa/ Samba/ Slowwaltz/ Tango/
    Viennesewaltz/ Waltz/ Wcswing/   in any format libsndfile reads""",
    counts=COUNTS,
    index=index,
    own_audio=True,
    repeats="Excerpts of one recording, and the same at another tempo, come more than once; folds "
    "drawn at random put them into both training and test.",
)
