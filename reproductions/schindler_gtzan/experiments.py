"""The rows of Table 2 and of the reproduction's report, and the protocols they can be run under."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from mirkeras.system.backend import keras

from mirkeras.experiment import Constant, Drawn, Experiment, Protocol, Row
from mirkeras.experiment.schedules import Verdict
from mirkeras.pipeline.splits import STRATIFIED
from reproductions.schindler_gtzan import models

MEL, MEL_AUGMENTED = "schindler2016-mel", "schindler2016-mel-augmented"
CQT, CQT_84 = "schindler2016-cqt-80", "schindler2016-cqt-84"

# The paper's rate; the report's with constant-Q input.
RATE, CQT_RATE = 5e-5, 3e-5
MOMENTS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
# The report's EXP: times 0.9 every 3000 epochs in its text, every 3000 batches in its code.
FACTOR, SPAN = 0.9, 3000

NETWORKS = {"shallow": models.shallow, "deep": models.deep}


class DecayingAdam(keras.optimizers.Adam):
    """Adam whose rate falls with every batch t: rate · factor^(t / span).

    The logged rate is the one before the decay. (Keras' own `ExponentialDecay` takes the rate out
    of a rule's hands.)
    """

    def __init__(self, factor: float, span: int, **options) -> None:
        super().__init__(**options)
        self.factor, self.span = factor, span

    def update_step(self, gradient, variable, learning_rate) -> None:
        passed = keras.ops.cast(self.iterations, learning_rate.dtype) / self.span
        super().update_step(gradient, variable, learning_rate * self.factor**passed)


@dataclass(frozen=True)
class DecayPerEpoch:
    """The rate after epoch e is rate · factor^(e / span); the number of epochs ends the run."""

    factor: float = FACTOR
    span: int = SPAN

    def start(self) -> dict:
        return {}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        return Verdict(factor=self.factor ** (1 / self.span))


def _adam(rate: float) -> partial:
    return partial(keras.optimizers.Adam, learning_rate=rate, **MOMENTS)


def _decaying_adam(rate: float) -> partial:
    return partial(DecayingAdam, FACTOR, SPAN, learning_rate=rate, **MOMENTS)


def _row(
    id: str, network: str, words: str = "", recipe: str = MEL, variant: str = "", **options
) -> Row:
    """Make the row of a network; its id ends in the number of epochs."""
    epochs = int(id.rsplit("-", 1)[1])
    build = partial(NETWORKS[network], **options) if options else NETWORKS[network]
    model = ", ".join(word for word in (network, words, f"{epochs} epochs") if word)
    return Row(id, model, build, models.FRAMES, recipe, variant=variant, epochs=epochs)


# The report's two tables: in row ids, in words, recipe.
VARIANTS = (
    ("base", "base", MEL),
    ("cqt", "CQT", CQT),
    ("exp", "EXP", MEL),
    ("cqt-exp", "CQT & EXP", CQT),
)
TABLE_2 = (
    *(_row(f"table2/{name}-{epochs}", name) for epochs in (100, 200) for name in NETWORKS),
    *(_row(f"table2/{name}-augmented-100", name, "augmented", MEL_AUGMENTED) for name in NETWORKS),
)
REPORT = tuple(
    _row(f"report/{kind}-{name}-{epochs}", name, words, recipe, "" if kind == "base" else kind)
    for kind, words, recipe in VARIANTS
    for epochs in (100, 200)
    for name in NETWORKS
)
# Proposed at the end of the report: whole octaves.
PROPOSED = tuple(
    _row(f"report/cqt84-{name}-100", name, "CQT of 84 bins", CQT_84, "cqt", bands=84)
    for name in NETWORKS
)
# The two other readings of the deep network's first temporal kernel.
READINGS = tuple(
    _row(f"kernel/deep-{kernel}-100", "deep", f"first temporal kernel {kernel}", kernel_b1=kernel)
    for kernel in ("21x20", "10x23")
)
ROWS = {row.id: row for row in (*TABLE_2, *REPORT, *PROPOSED, *READINGS)}

PAPER = Protocol(
    name="paper",
    summary="the text: stratified 4-fold, LeakyReLU, constant rate 5e-5, summed probabilities; "
    "rows of the report with CQT at 3e-5, with EXP decaying per batch",
    normalise_on="training tracks",
    validate_by="test",
    keep_groups=False,
    drop_incomplete=False,
    rule=Constant(),
    max_epochs=100,  # every row has its own number
    optimizer=_adam(RATE),
    select_by="last",
    network={"author": "paper", "penalty": models.PENALTY},
    split=STRATIFIED,
    folds=4,
    cut=Drawn(15),
    aggregate="mean",
    z_score="none",
    variants={
        "cqt": {"optimizer": _adam(CQT_RATE)},
        "exp": {"optimizer": _decaying_adam(RATE)},
        "cqt-exp": {"optimizer": _decaying_adam(CQT_RATE)},
    },
)
STUDENT = replace(
    PAPER,
    name="student",
    summary="the reproduction's code: one stratified division (75 % train), ReLU, no convolution "
    "bias, shallow units without activation, dropout before them, summed logits, EXP per batch",
    network={"author": "student", "penalty": models.PENALTY},
    folds=1,
    aggregate="product",
)
STUDENT_TEXT = replace(
    STUDENT,
    name="student-text",
    summary="as student, but EXP per epoch, as the reproduction's text says",
    variants={
        "cqt": {"optimizer": _adam(CQT_RATE)},
        "exp": {"rule": DecayPerEpoch()},
        "cqt-exp": {"rule": DecayPerEpoch(), "optimizer": _adam(CQT_RATE)},
    },
)
PROTOCOLS = {protocol.name: protocol for protocol in (PAPER, STUDENT, STUDENT_TEXT)}

EXPERIMENT = Experiment(
    paper="schindler_gtzan",
    rows=ROWS,
    headline=("table2/shallow-100", "table2/deep-100"),
    protocols=PROTOCOLS,
    batch=15,  # of the reproduction: the paper names none
    metrics=("raw", "max", "maj"),
)
