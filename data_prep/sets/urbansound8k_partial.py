"""Folds 1 and 2 of UrbanSound8K as somebody re-encoded them: not the published audio.

22,050 Hz mono, Ogg Vorbis; every clip is exactly 4.00 s, shorter ones are looped. What is measured
on them says nothing of the published set; it is at hand where that is not.
"""

from data_prep.declare import DataSet
from data_prep.sets.urbansound8k import CITATION, LICENCE, counts_of, index

DATASET = DataSet(
    name="urbansound8k_partial",
    description="Folds 1 and 2 of UrbanSound8K, re-encoded: 1,761 clips looped or cut to 4.00 s.",
    citation=CITATION,
    licence=LICENCE,
    layout="""\
us8k/                 (you have it, or not: nothing publishes it)
    audio/fold1/      873 files 101415-3-0-2.ogg …, in any format libsndfile reads
    audio/fold2/      888 files""",
    index=index,
    folder="us8k",
    own_audio=True,
    repeats="The audio is not the published one: re-encoded, every clip looped or cut to 4.00 s.",
    **counts_of(("1", "2")),
)
