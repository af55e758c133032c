"""The networks of MIREX 2016 and 2015 as rows, and the protocols under which they can be run.

MIREX itself divides in three folds, with no artist in both parts; its audio is not at hand. Here
folds are drawn from the seed (ten unless asked otherwise, groups kept together); MIREX's own
way, from lists and with three folds, is `job.py`.
"""

from dataclasses import replace
from functools import partial

from mirkeras.system.backend import keras

from mirkeras.experiment import Consecutive, Constant, Drawn, Experiment, Protocol, Row
from reproductions.lidy_mirex2016 import models

RECIPE = "lidy2016-22050"  # the rate of MIREX's audio
TALL_RECIPE = "lidy2016-22050-80"  # 80 bands
PRINTED = {"bands": 80, "frames": 82}  # what the shapes printed for model 2 imply

SEGMENTS = 30  # random ones per file, section 2.1
EPOCHS = 150  # section 2.4, as rate and batch
RATE = 0.02
BATCH = 40


def _row(id: str, model: str, build) -> Row:
    return Row(id, model, build, models.FRAMES, RECIPE)


ROWS = {
    row.id: row
    for row in (
        _row("mirex2016/model-1", "Model 1", models.model_1),
        _row("mirex2016/model-2", "Model 2 (40×80)", models.model_2),
        Row(
            "mirex2016/model-2-80x82",
            "Model 2 (80×82, as its printed shapes)",
            partial(models.model_2, **PRINTED),
            PRINTED["frames"],
            TALL_RECIPE,
        ),
        _row("mirex2016/model-3", "Model 3", models.model_3),
        _row("mirex2015/music-speech", "MIREX 2015 music/speech", models.music_speech),
    )
}

HEADLINE_ROWS = (
    "mirex2016/model-1",
    "mirex2016/model-2",
    "mirex2016/model-3",
    "mirex2015/music-speech",
)

PAPER = Protocol(
    name="paper",
    summary="the text: 30 random segments per file, drawn once; rate 0.02, 150 epochs, the last "
    "one counts",
    normalise_on="training tracks",
    validate_by="test",  # no validation part is mentioned; nothing is chosen by the test part
    keep_groups=True,  # as far as a data set names them
    drop_incomplete=False,
    rule=Constant(),
    max_epochs=EPOCHS,
    optimizer=partial(keras.optimizers.SGD, learning_rate=RATE, momentum=0.0),
    select_by="last",
    folds=10,
    cut=Drawn(SEGMENTS),
    aggregate="mean",
    z_score="none",
)
ANEW = replace(
    PAPER,
    name="anew",
    summary="as `paper`, but training segments are drawn anew every epoch",
    cut=Drawn(SEGMENTS, anew=True),
)
CONSECUTIVE = replace(
    PAPER,
    name="consecutive",
    summary="as `paper`, but consecutive segments (about 10 in 30 s), the paper's other option",
    cut=Consecutive(),
)
CODE = replace(
    PAPER,
    name="code",
    summary="as `paper`, with each bin × frame standardised on the training segments, as in the "
    "group's notebook",
    z_score="cell",
)
PROTOCOLS = {protocol.name: protocol for protocol in (PAPER, ANEW, CONSECUTIVE, CODE)}

EXPERIMENT = Experiment(
    paper="lidy_mirex2016",
    rows=ROWS,
    headline=HEADLINE_ROWS,
    protocols=PROTOCOLS,
    batch=BATCH,
)
