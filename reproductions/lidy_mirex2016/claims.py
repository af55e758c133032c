"""What the paper claims, as data; answered by ``mirkeras claims lidy_mirex2016``.

It prints no number of its networks.
"""

from mirkeras.evaluation.claims import Claim

CLAIMS = (
    Claim(
        "parallel",
        "A pipeline for time beside one for timbre (model 2) does better than one for timbre alone",
        "section 1, as promising",
        (("mirex2016/model-2",), ("mirex2016/model-1",)),
    ),
    Claim(
        "two-shapes",
        "Two shapes of frequency filters (model 3) do better than one (model 1)",
        "section 2.2.3, as an experiment",
        (("mirex2016/model-3",), ("mirex2016/model-1",)),
    ),
    Claim(
        "more-than-2015",
        "The new single pipeline (model 1) is no worse than that of 2015",
        "section 1: alterations of it",
        (("mirex2016/model-1",), ("mirex2015/music-speech",)),
        margin=-1,
        why="1 point: a track of 128 in music/speech is 0.8",
    ),
)
