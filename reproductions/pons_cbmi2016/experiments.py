"""The twelve rows of Table I and the three protocols under which they can be run."""

from functools import partial

from mirkeras.system.backend import keras

from mirkeras.experiment import Experiment, HalveOnPlateau, HalveOnRecovery, Protocol, Row
from reproductions.pons_cbmi2016 import models

SHORT, LONG = 80, 250  # frames per segment: 1.86 s and 5.8 s
RECIPE = "cbmi2016"
# Section "Experiments": initial rate 0.01, plain gradient descent.
OPTIMIZER = partial(keras.optimizers.SGD, learning_rate=0.01)


def _frequency(m: int) -> Row:
    build = partial(models.frequency, kernel=(m, 1))
    return Row(f"table1/frequency-{m}x1", f"Frequency {m}×1", build, SHORT, RECIPE)


ROWS = {
    row.id: row
    for row in (
        Row("table1/black-box-12x8", "Black-box 12×8", models.black_box, SHORT, RECIPE),
        Row(
            "table1/black-box-12x200",
            "Black-box 12×200",
            partial(models.black_box, frames=LONG, kernel=(12, 200)),
            LONG,
            RECIPE,
        ),
        Row("table1/time-1x60", "Time 1×60", models.time, SHORT, RECIPE),
        Row(
            "table1/time-1x200",
            "Time 1×200",
            partial(models.time, frames=LONG, kernel=(1, 200)),
            LONG,
            RECIPE,
        ),
        *(_frequency(m) for m in (30, 32, 34, 36, 38, 40)),
        Row("table1/time-frequency", "Time-Frequency", models.time_frequency, SHORT, RECIPE),
        Row(
            "table1/time-frequency-init",
            "Time-FrequencyInit",
            models.time_frequency,
            SHORT,
            RECIPE,
            starts_from=("table1/time-1x60", "table1/frequency-32x1"),
            transfer=models.start_from,
        ),
    )
}

HEADLINE_ROWS = (
    "table1/black-box-12x8",
    "table1/time-frequency",
    "table1/time-1x60",
    "table1/frequency-32x1",
)

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="paper",
            summary="the text: rate halved on a plateau of 40 epochs, 80-10-10 by track",
            normalise_on="all tracks",
            validate_by="track",
            keep_groups=False,
            drop_incomplete=False,
            rule=HalveOnPlateau(patience=40),
            max_epochs=2000,
            optimizer=OPTIMIZER,
            aggregate="majority",
        ),
        Protocol(
            name="code",
            summary="the authors' code: halved on recovery, validation by segment, "
            "incomplete batches dropped",
            normalise_on="all tracks",
            validate_by="segment",
            keep_groups=False,
            drop_incomplete=True,
            rule=HalveOnRecovery(patience=20, limit=40),
            max_epochs=2000,
            optimizer=OPTIMIZER,
            aggregate="majority",
        ),
        Protocol(
            name="clean",
            summary="the code's schedule without leakage: normalised on training tracks, "
            "validation by track, replicas together",
            normalise_on="training tracks",
            validate_by="track",
            keep_groups=True,
            drop_incomplete=False,
            rule=HalveOnRecovery(patience=20, limit=40),
            max_epochs=2000,
            optimizer=OPTIMIZER,
            aggregate="majority",
        ),
    )
}

EXPERIMENT = Experiment(
    paper="pons_cbmi2016",
    rows=ROWS,
    headline=HEADLINE_ROWS,
    protocols=PROTOCOLS,
    batch=10,  # Section "Experiments"
)
