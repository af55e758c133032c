"""The thesis' conclusions on few data; answered by ``mirkeras claims pons_icassp2019_fewdata``.

They compare kinds of methods: the best of one with the best of the other, at every number of clips.
"""

from mirkeras.evaluation.claims import Claim

FORMS = tuple({"n": clips} for clips in (1, 2, 5, 10, 20, 50, 100, "all"))


def _rows(*methods: str) -> tuple[str, ...]:
    return tuple(f"curve/{method}-n{{n}}" for method in methods)


STANDARD = _rows("sb-cnn", "sb-cnn-bn", "vgg", "vgg-128", "timbre")
PROTOTYPES, NEAREST = _rows("prototypical"), _rows("mfcc")
TRANSFER = _rows("vggish-softmax", "vggish-prototypes", "yamnet-softmax", "yamnet-prototypes")


def _conclusion(
    name: str,
    text: str,
    better: tuple[str, ...],
    worse: tuple[str, ...],
    margin: float = 0.0,
    why: str = "",
) -> Claim:
    place = "slides, summary of chapter VI"
    order = (better, worse)
    return Claim(
        name, text, place, order, margin=margin, why=why, forms=FORMS, take="best", unit="draws"
    )


CLAIMS = (
    _conclusion(
        "limits-of-the-pipeline",
        "The standard pipeline does no better than MFCCs and nearest neighbour",
        NEAREST,
        STANDARD,
        margin=-2,
        why="2 points: what another draw of clips does to the nearest neighbour from five clips on",
    ),
    _conclusion(
        "prototypes",
        "Prototypical networks help where there are no other data",
        PROTOTYPES,
        STANDARD,
    ),
    _conclusion(
        "transfer",
        "Transfer is best where there are",
        TRANSFER,
        (*STANDARD, *PROTOTYPES),
    ),
)
