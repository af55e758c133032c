"""The networks of Tables 2, 4, 5 and 6 as rows, and the protocols under which they can be run."""

from dataclasses import replace
from functools import partial

from mirkeras.system.backend import keras

from mirkeras.experiment import Experiment, Protocol, Row, Staged
from reproductions.lee_samplecnn.models import NETWORKS, head

# Section 5.2; five stages from here, divided by 5 each.
RATE, MOMENTUM = 0.01, 0.9
# No published run is known to need more; with patience 3 five stages end well before.
MAX_EPOCHS = 200

LAST = (-3, -2, -1)
SAMPLE = "table5/22050"  # 3^9, the network the paper is named after
MULTI_SCALE = {
    "table4/3-9": (SAMPLE,),
    "table4/3-8+3-9": ("mn/3-8", SAMPLE),
    "table4/2-13+2-14+3-8+3-9": ("mn/2-13", "mn/2-14", "mn/3-8", SAMPLE),
    "table4/all-eight": (
        *("mn/2-13", "mn/2-14", "mn/3-8", SAMPLE),
        *("mn/4-6", "mn/4-7", "mn/5-5", "mn/5-6"),
    ),
}
TRANSFER = {
    "table6/layer-3": (-3,),
    "table6/layer-2": (-2,),
    "table6/layer-1": (-1,),
    "table6/last-3": LAST,
}


class DecayingSGD(keras.optimizers.SGD):
    """SGD whose rate also falls with every step, as Keras 1's ``decay``: rate / (1 + decay · t).

    Keras 3 takes ``decay=`` and ignores it.
    """

    def __init__(self, decay: float, **options) -> None:
        super().__init__(**options)
        self.decay = decay

    def update_step(self, gradient, variable, learning_rate) -> None:
        steps = keras.ops.cast(self.iterations, learning_rate.dtype)
        super().update_step(gradient, variable, learning_rate / (1 + self.decay * steps))


def _head(outputs: int, activation: str = "sigmoid", *, features: int) -> keras.Model:
    return head(outputs, activation, features)


def _features(id: str, model: str, **from_where) -> Row:
    # The paper does not say whether features are standardised. They are all positive, and at the
    # published rate classifiers of them diverge; a scalar z-score, as for mel input, mends that.
    return Row(id, model, _head, frames=1, learner="head", **from_where)


ROWS = {
    network.id: Row(
        network.id,
        network.title,
        network.build,
        network.length,
        network.recipe,
        standardise=network.standardised,
    )
    for network in NETWORKS.values()
}
ROWS |= {
    id: _features(id, f"Last three layers of {len(sources)}", features_from=sources, layers=LAST)
    for id, sources in MULTI_SCALE.items()
}
ROWS |= {
    id: _features(
        id,
        f"Layers {', '.join(map(str, layers))}",
        features_from=(SAMPLE,),
        layers=layers,
        pretrained_on="msd",
    )
    for id, layers in TRANSFER.items()
}

PAPER = Protocol(
    name="paper",
    summary="the text: two modules of 512 filters, rate divided by 5 when the validation loss "
    "stands still for more than 3 epochs, five stages",
    normalise_on="all tracks",
    validate_by="track",
    keep_groups=False,
    drop_incomplete=False,
    rule=Staged(),
    max_epochs=MAX_EPOCHS,
    optimizer=partial(keras.optimizers.SGD, RATE, momentum=MOMENTUM, nesterov=True),
    select_by="val_loss",
)
CODE = replace(
    PAPER,
    name="code",
    summary="the authors' code: one module of 512 filters, every stage a training of its own from "
    "the best weights of the last, decay 1e-6 per step; transfer by overlapping segments and a "
    "support vector machine",
    rule=Staged(separate_stages=True),
    optimizer=partial(DecayingSGD, 1e-6, learning_rate=RATE, momentum=MOMENTUM, nesterov=True),
    network={"widths": "code"},
    classifier="svm",
    overlapping=True,
)
CLEAN = replace(
    PAPER,
    name="clean",
    summary="the text without leakage: standardised on training tracks; where folds are drawn, "
    "groups (an artist, a recording) stay together",
    normalise_on="training tracks",
    keep_groups=True,
)
PROTOCOLS = {protocol.name: protocol for protocol in (PAPER, CODE, CLEAN)}

EXPERIMENT = Experiment(
    paper="lee_samplecnn",
    rows=ROWS,
    headline=(SAMPLE,),
    protocols=PROTOCOLS,
    batch=23,  # section 5.2, MagnaTagATune; our choice for TAGTRAUM and GTZAN
    batches={"msd": 50},  # section 5.2
)
