"""A protocol that trains for one epoch, as tests of commands need it."""

from functools import partial

import keras

from mirkeras.experiment import Constant, Protocol

PROTOCOL = Protocol(
    name="paper",
    summary="",
    normalise_on="training tracks",
    validate_by="track",
    keep_groups=False,
    drop_incomplete=False,
    rule=Constant(),
    max_epochs=1,
    optimizer=partial(keras.optimizers.SGD, 0.1),
)
