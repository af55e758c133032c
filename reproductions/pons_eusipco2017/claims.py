"""What the paper claims, as data; answered by ``mirkeras claims pons_eusipco2017``.

Its text could not be read: Table III is known from notes on the paper, the rest from the slides.
"""

from mirkeras.evaluation.claims import PARAMETERS, Claim

LEVEL = "0.005: a fifth of what separates the first and the last network of Table III (0.029)"
ONE, TWO, CHOI = ("tagging/proposed-1",), ("tagging/proposed-2",), ("tagging/choi-fcn4",)

CLAIMS = (
    Claim(
        "best-of-its-size",
        "At 75k parameters the vertical filters beat small rectangular ones and Dieleman's network",
        "Table III",
        (ONE, ("tagging/small-rectangular", "tagging/dieleman")),
        metrics=("roc_auc",),
    ),
    Claim(
        "as-good-as-choi",
        "With twice the filters they are no worse than the network of Choi et al.",
        "Table III; slides, chapter III",
        (TWO, CHOI),
        margin=-0.005,
        why=LEVEL,
        metrics=("roc_auc",),
    ),
    Claim(
        "tenth-of-parameters",
        "… with an order of magnitude fewer parameters",
        "slides, chapter III",
        (CHOI, TWO),
        kind="times",
        margin=10,
        why="an order of magnitude; of the 22M that are printed, a footnote of the paper says that "
        "some 750k do as well: 3.9 ×",
        metrics=(PARAMETERS,),
    ),
    Claim(
        "more-filters",
        "Twice the filters do better",
        "Table III",
        (TWO, ONE),
        metrics=("roc_auc",),
    ),
    Claim(
        "no-worse-than-squares",
        "At the same size they are no worse at tagging than filters of 3×3",
        "slides, chapter VII, of musically motivated networks",
        (ONE, ("tagging/small-squared",)),
        margin=-0.005,
        why=LEVEL,
        metrics=("roc_auc",),
    ),
    Claim(
        "no-worse-at-phonemes",
        "Nor are they at phonemes than Choi's network or an MLP of twice the parameters",
        "slides, chapter III",
        (("phonemes/proposed-4",), ("phonemes/choi", "phonemes/maas-511")),
        margin=-1,
        why="1 point of frames; the paper's numbers could not be read",
        metrics=("segment_accuracy",),
    ),
)
