"""Fine-tuning: a trained tagger's network with a new head on one's own classes or tags. No paper's.

Row ``<card>``: only the head is trained, on the hidden feature that the card names first. Row
``<card>-all``: all of it, at a hundredth of that rate; batch norm keeps the averages it came with.
"""

from dataclasses import dataclass
from functools import partial

from mirkeras.system.backend import keras

from mirkeras.experiment import Constant, DrawnToTrain, Experiment, Protocol, Row
from mirkeras.pretrained.cards import Card, all_cards
from mirkeras.training.learners import LEARNERS
from reproductions.finetune.learner import FINETUNE, Finetune

LEARNERS[FINETUNE] = Finetune()
RATE, EPOCHS = 0.001, 50
ALL = "all layers"


@dataclass(frozen=True)
class TunedRow(Row):
    """A row that starts from a card.

    Attributes
    ----------
    card : str
        Its name.
    """

    card: str = ""


def network(card: Card, frozen: bool, outputs: int, activation: str) -> keras.Model:
    """Build a card's network up to its first hidden feature, and a new head on that."""
    base = card.build()
    feature = base.get_layer(card.embeddings[0]).output
    body = keras.Model(base.inputs, feature, name="body")
    body.trainable = not frozen
    frames = keras.Input((card.frames, *base.input_shape[2:]))
    x = body(frames, training=False)  # batch norm and dropout as when tagging
    if len(x.shape) > 2:
        x = keras.layers.Flatten()(x)
    return keras.Model(frames, keras.layers.Dense(outputs, activation, name="head")(x))


def _rows(card: Card) -> tuple[TunedRow, TunedRow]:
    kinds = {card.name: (True, "", "head"), f"{card.name}-all": (False, ALL, ALL)}
    return tuple(
        TunedRow(
            name,
            f"{card.name}, {what}",
            partial(network, card, frozen),
            card.frames,
            card.recipe,
            learner=FINETUNE,
            standardise=False,
            variant=variant,
            card=card.name,
        )
        for name, (frozen, variant, what) in kinds.items()
    )


CARDS = tuple(card for card in all_cards().values() if card.embeddings)
EXPERIMENT = Experiment(
    paper="finetune",
    rows={row.id: row for card in CARDS for row in _rows(card)},
    headline=("MTT_musicnn",),
    protocols={
        "clean": Protocol(
            name="clean",
            summary="a random segment per track and epoch, Adam at 0.001 (all layers: 0.00001), "
            "best validation loss, validation by track, groups together, mean over segments",
            normalise_on="training tracks",
            validate_by="track",
            keep_groups=True,
            drop_incomplete=False,
            rule=Constant(),
            max_epochs=EPOCHS,
            optimizer=partial(keras.optimizers.Adam, RATE),
            select_by="val_loss",
            folds=5,
            cut=DrawnToTrain(1),
            z_score="none",
            variants={ALL: {"optimizer": partial(keras.optimizers.Adam, RATE / 100)}},
        )
    },
    batch=32,
)
