"""What the paper and its students' report claim; answered by ``mirkeras claims schindler_gtzan``.

The paper's sentences are as the report words them: its own text was not at hand.
"""

from mirkeras.evaluation.claims import Claim

EACH = ("raw", "max", "maj")
LENGTHS = ({"epochs": 100}, {"epochs": 200})
NETWORKS = tuple({"network": name} for name in ("shallow", "deep"))
LEVEL = "2 points, 5 tracks of GTZAN's 250 in a fold: about the deviation over folds in Table 2"
REPORT = tuple(
    f"report/{kind}-{name}-{epochs}"
    for kind in ("base", "cqt", "exp", "cqt-exp")
    for name in ("shallow", "deep")
    for epochs in (100, 200)
)
BEST = "report/cqt-exp-deep-100"

CLAIMS = (
    Claim(
        "shallow-is-enough",
        "On a small set a shallow network is no worse than a deep one",
        "report, section IV, of the paper",
        (("table2/shallow-{epochs}",), ("table2/deep-{epochs}",)),
        margin=-2,
        why=LEVEL,
        metrics=EACH,
        forms=LENGTHS,
    ),
    Claim(
        "augmentation-helps-deep",
        "Augmentation makes the deep network better",
        "report, section IV, of the paper",
        (("table2/deep-augmented-100",), ("table2/deep-100",)),
        metrics=EACH,
    ),
    Claim(
        "augmentation-hurts-shallow",
        "… and the shallow one worse",
        "report, section IV, of the paper",
        (("table2/shallow-100",), ("table2/shallow-augmented-100",)),
        metrics=EACH,
    ),
    Claim(
        "augmented-or-longer",
        "For the deep network augmentation is worth as much as twice the epochs",
        "report, section IV, of the paper",
        (("table2/deep-augmented-100",), ("table2/deep-200",)),
        kind="level",
        margin=2,
        why=LEVEL,
        metrics=EACH,
    ),
    Claim(
        "reproduced",
        "The report's networks are within 5 % of the paper's",
        "report, section XII",
        (("report/base-{network}-100",), ("table2/{network}-100",)),
        kind="level",
        margin=5,
        why="the number that is printed",
        metrics=EACH,
        forms=NETWORKS,
    ),
    *(
        Claim(
            f"{kind}-raises-shallow",
            f"{words} raises the majority score of the shallow network",
            "report, section X.C",
            ((f"report/{kind}-shallow-{{epochs}}",), ("report/base-shallow-{epochs}",)),
            metrics=("maj",),
            forms=LENGTHS,
        )
        for kind, words in (("cqt", "CQT"), ("exp", "EXP"), ("cqt-exp", "CQT with EXP"))
    ),
    Claim(
        "cqt-no-help-to-deep",
        "CQT alone does not make the deep network better",
        "report, section X.C",
        (("report/base-deep-{epochs}",), ("report/cqt-deep-{epochs}",)),
        margin=-2,
        why=LEVEL,
        metrics=EACH,
        forms=LENGTHS,
    ),
    Claim(
        "best-version",
        "Deep with CQT and EXP after 100 epochs is the best of all versions",
        "report, section X.C",
        ((BEST,), tuple(row for row in REPORT if row != BEST)),
        metrics=EACH,
    ),
    Claim(
        "hundred-epochs-are-enough",
        "With either extension 200 epochs are no better than 100",
        "report, section X.C",
        (("report/{kind}-{network}-100",), ("report/{kind}-{network}-200",)),
        margin=-2,
        why=LEVEL,
        metrics=EACH,
        forms=tuple({"kind": kind, **network} for kind in ("cqt", "exp") for network in NETWORKS),
    ),
)
