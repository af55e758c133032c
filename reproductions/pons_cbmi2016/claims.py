"""What the paper claims, as data; answered by ``mirkeras claims pons_cbmi2016``."""

from mirkeras.evaluation.claims import PARAMETERS, Claim

#: The paper's data set and its stand-in: what is said of tempo is said of dances.
DANCES = ("ballroom", "mini_ballroom")
BLACK_BOX, BOTH = ("table1/black-box-12x8",), ("table1/time-frequency",)
TIME, FREQUENCY = ("table1/time-1x60",), ("table1/frequency-32x1",)
LEVEL = "3 points: what another test fold does to either network (3.39 and 4.29, Table I)"

CLAIMS = (
    Claim(
        "motivated-as-good",
        "Time-Frequency is at least as accurate as Black-box",
        'blog, section 3, as "equivalent"; Table I',
        (BOTH, BLACK_BOX),
        margin=-3,
        why=LEVEL,
    ),
    Claim(
        "sixteenth-of-parameters",
        "… with a sixteenth of its parameters",
        "blog, section 3",
        (BLACK_BOX, BOTH),
        kind="times",
        margin=16,
        why="the number that is printed",
        metrics=(PARAMETERS,),
    ),
    Claim(
        "both-over-each",
        "Time and frequency filters learn what complements each other: both are better than one",
        "blog, section 1; Table I",
        (BOTH, (*TIME, *FREQUENCY)),
    ),
    Claim(
        "time-over-frequency",
        "On dances Time does better than Frequency, which cannot encode tempo",
        "blog, section 2",
        (TIME, FREQUENCY),
        on=DANCES,
    ),
    Claim(
        "longer-is-no-better",
        "Time filters of 200 frames are not better than those of 60",
        "Table I",
        (TIME, ("table1/time-1x200",)),
        margin=-3,
        why=LEVEL,
        on=DANCES,
    ),
    Claim(
        "shift-in-frequency",
        "Frequency filters that can be shifted (32 of 40 bands) are better than those that cannot",
        "blog, section 3; Table I",
        (FREQUENCY, ("table1/frequency-40x1",)),
    ),
    Claim(
        "start-helps",
        "Time-Frequency gains from starting at the trained Time and Frequency",
        "Table I",
        (("table1/time-frequency-init",), BOTH),
    ),
)
