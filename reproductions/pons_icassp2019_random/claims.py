"""What the paper claims, as data; answered by ``mirkeras claims pons_icassp2019_random``.

An order of front-ends, asked of every size and classifier, and answered by the tracks tested: most
networks were drawn once.
"""

from mirkeras.evaluation.claims import Claim

SOUNDS, DANCES = ("esc50", "urbansound8k"), ("extended_ballroom", "mini_ballroom")
FORMS = tuple(
    {"size": size, "classifier": kind} for size in ("3500", "150") for kind in ("svm", "elm")
)
MFCC = ("figures/mfcc-{classifier}",)


def _rows(*front_ends: str) -> tuple[str, ...]:
    return tuple(f"figures/{name}-{{size}}-{{classifier}}" for name in front_ends)


VGG, TEMPORAL = _rows("vgg"), _rows("temporal")
OTHERS = _rows(
    *("7x96", "7x86", "timbral", "timbral-temporal"),
    *("sample-level", "frame-level", "frame-level-many"),
)


def _claim(
    name: str,
    text: str,
    place: str,
    *order: tuple[str, ...],
    on: tuple[str, ...] = ("",),
    take: str = "each",
) -> Claim:
    return Claim(name, text, place, order, forms=FORMS, on=on, take=take, unit="tracks")


SLIDES = "README; slides, summary of chapter IV"
CLAIMS = (
    _claim(
        "waveform-order",
        "sample-level > frame-level many > frame-level",
        SLIDES,
        *map(_rows, ("sample-level", "frame-level-many", "frame-level")),
    ),
    _claim("pitch-shifts", "7×86 > 7×96", SLIDES, _rows("7x86"), _rows("7x96")),
    # the paper has no Temporal on sounds
    _claim("vgg-on-sounds", "VGG is the best on sounds", SLIDES, VGG, OTHERS, on=SOUNDS),
    _claim(
        "temporal-on-music",
        "temporal filters help on music",
        SLIDES,
        _rows("timbral-temporal"),
        _rows("timbral"),
        on=(*DANCES, "gtzan"),
    ),
    _claim(
        "temporal-on-dances",
        "Temporal is the best on dances",
        "figure of Extended Ballroom; goes further than their words",
        TEMPORAL,
        (*VGG, *OTHERS),
        on=DANCES,
    ),
    _claim(
        "over-mfcc",
        "some random CNN outperforms MFCCs",
        "README",
        (*VGG, *TEMPORAL, *OTHERS),
        MFCC,
        take="best",
    ),
)
