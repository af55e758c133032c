"""How rows of fine-tuning are learned: as any network, from a card's weights on."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from mirkeras.system.backend import keras

from mirkeras.pretrained import weights as trained
from mirkeras.pretrained.cards import find_card
from mirkeras.system import jobs
from mirkeras.system.machine import device
from mirkeras.training.learner import Network

FINETUNE = "finetune"


class Finetune(Network):
    """A network whose body begins with the weights of a card."""

    takes: ClassVar[tuple[str, ...]] = ("weights",)

    def check(self, row, weights, mirror) -> None:
        jobs.apart(device.configure, load, row.card, weights, mirror)

    def digested(self, run, row, setting) -> dict:
        card = trained.identified(find_card(row.card), setting.weights)
        return super().digested(run, row, setting) | {"weights": card.source.sha256}

    def inputs(self, run, row, protocol, setting) -> tuple:
        cache, described = super().inputs(run, row, protocol, setting)
        card = trained.identified(find_card(row.card), setting.weights)
        return cache, described | {"tagger": card.name, "weights": card.source.sha256}

    def begin(self, network, row, setting) -> None:
        """Take a card's weights over."""
        card = find_card(row.card)
        given = trained.load(card, setting.weights)
        feature = given.get_layer(card.embeddings[0]).output
        network.get_layer("body").set_weights(keras.Model(given.inputs, feature).get_weights())


def load(
    card: str, weights: Path | None, mirror: str | None, report: Callable[[dict], None]
) -> None:
    """Get and check a card's weights, as a job (see `mirkeras.system.jobs.Job`)."""
    trained.load(find_card(card), weights, mirror=mirror)
