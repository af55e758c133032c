"""What the paper claims, as data; answered by ``mirkeras claims pons_icassp2017``.

Its text could not be read: the claims are those of the slides of the thesis, and what the poster's
table compares.
"""

from mirkeras.evaluation.claims import PARAMETERS, Claim

CLAIMS = (
    Claim(
        "better-than-2016",
        "Many lengths of temporal filters do better than the networks of 2016",
        "slides, chapter III",
        (("slides/after",), ("slides/before",)),
    ),
    Claim(
        "extra-order-of-magnitude",
        "… with one more order of magnitude fewer parameters than Time-Frequency",
        "slides, chapter III",
        (("pons_cbmi2016/table1/time-frequency",), ("table/o+p", "table/2p", "table/2o+2p")),
        kind="times",
        margin=3.16,
        why="an order of magnitude is what is nearer to 10 than to 1 (their geometric mean); which "
        "network reached 92 % is not known, so all of the poster from O+P on",
        metrics=(PARAMETERS,),
    ),
    Claim(
        "both-kinds",
        "Onset and pattern filters together do better than twice as many of one kind",
        'poster, rows of its "Fair comparison" (asked there; its answer could not be read)',
        (("table/o+p",), ("table/2o", "table/2p")),
    ),
    Claim(
        "more-filters",
        "More filters of both kinds do better",
        "poster, order of its table (asked there; its answer could not be read)",
        (("table/2o+2p",), ("table/o+p",)),
    ),
)
