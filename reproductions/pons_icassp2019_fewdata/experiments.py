"""The rows of the paper's figure, a method and a number of clips each, and the protocols."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from mirkeras.system.backend import keras

from mirkeras.experiment import Constant, Experiment, Protocol, Row
from mirkeras.pipeline.segments import DrawnToTrainHopped
from mirkeras.training.learners import LEARNERS
from reproductions.pons_icassp2019_fewdata import models
from reproductions.pons_icassp2019_fewdata.learners import FewNetwork, Nearest, Prototypes

RECIPE, LINEAR, MFCC = "pons2019-few", "pons2019-few-linear", "pons2019-mfcc"
#: Clips per class; 0: all.
CLIPS = (1, 2, 5, 10, 20, 50, 100, 0)
NETWORK, PROTOTYPES, NEAREST = "few-network", "few-prototypes", "few-nearest"
LEARNERS |= {NETWORK: FewNetwork(), PROTOTYPES: Prototypes(), NEAREST: Nearest()}
#: Variants of a protocol.
OF_PROTOTYPES, OF_EMBEDDINGS, OF_BOTH = "prototypes", "embeddings", "embedded prototypes"
#: Values of an embedding, and frames from one to the next: they do not overlap.
WIDTHS, HOP = {"vggish": 128, "yamnet": 1024}, 96
BATCH, HEAD_BATCH, EPOCHS, RATE = 256, 128, 199, 0.1


@dataclass(frozen=True)
class FewRow(Row):
    """A row that learns from few clips.

    Attributes
    ----------
    clips : int
        Of each class; 0: all there are.
    width : int
        Values of the embedding that it reads; 0: none.
    """

    clips: int = 0
    width: int = 0

    def options(self, protocol: Protocol, features: int) -> dict:
        """Options of `build`: how many values an embedding has, else the protocol's."""
        return {"features": self.width} if self.width else dict(protocol.network)


@dataclass(frozen=True)
class Method:
    """What the rows of a method share; see `Row`."""

    title: str
    learner: str
    build: Callable[..., keras.Model] | None = None
    recipe: str = RECIPE
    pretrained: str = ""
    variant: str = ""

    def row(self, name: str, clips: int) -> FewRow:
        """Make the row of so many clips per class."""
        own = {"pretrained": self.pretrained, "feature": "embedding", "hop": HOP}
        return FewRow(
            f"curve/{name}-n{clips or 'all'}",
            f"{self.title}, n = {clips or 'all'}",
            self.build,
            1 if self.pretrained or self.recipe == MFCC else models.FRAMES,
            "" if self.pretrained else self.recipe,
            learner=self.learner,
            standardise=False,
            variant=self.variant,
            batch=HEAD_BATCH if self.pretrained else 0,
            clips=clips,
            width=WIDTHS.get(self.pretrained, 0),
            **(own if self.pretrained else {}),
        )


def _of_embeddings(card: str, title: str) -> dict[str, Method]:
    def method(what: str, learner: str, build: Callable | None, variant: str) -> Method:
        return Method(f"{title}{what}", learner, build, "", card, variant)

    return {
        f"{card}-softmax": method(" + softmax", NETWORK, models.head, OF_EMBEDDINGS),
        f"{card}-prototypes": method(" + prototypes", PROTOTYPES, models.linear_embedding, OF_BOTH),
        f"{card}-nearest": method(", nearest neighbour", NEAREST, None, OF_EMBEDDINGS),
    }


METHODS = {
    "sb-cnn": Method("SB-CNN, input as it is", NETWORK, partial(models.sb_cnn, norm=False)),
    "sb-cnn-bn": Method("SB-CNN", NETWORK, models.sb_cnn),
    "sb-cnn-log": Method(
        "SB-CNN, learned logarithm", NETWORK, partial(models.sb_cnn, log=True), LINEAR
    ),
    "vgg": Method("VGG", NETWORK, models.vgg),
    "vgg-log": Method("VGG, learned logarithm", NETWORK, partial(models.vgg, log=True), LINEAR),
    "vgg-128": Method("VGG, 128 filters", NETWORK, partial(models.vgg, filters=128)),
    "timbre": Method("TIMBRE", NETWORK, models.timbre),
    "timbre-log": Method(
        "TIMBRE, learned logarithm", NETWORK, partial(models.timbre, log=True), LINEAR
    ),
    "prototypical": Method(
        "prototypical network", PROTOTYPES, models.prototypical, variant=OF_PROTOTYPES
    ),
    "prototypical-log": Method(
        "prototypical network, learned logarithm",
        PROTOTYPES,
        partial(models.prototypical, log=True),
        LINEAR,
        variant=OF_PROTOTYPES,
    ),
    "mfcc": Method("MFCC, nearest neighbour", NEAREST, recipe=MFCC, variant=OF_EMBEDDINGS),
    **_of_embeddings("vggish", "VGGish"),
    **_of_embeddings("yamnet", "YAMNet"),
}
ROWS = {
    row.id: row
    for row in (method.row(name, clips) for name, method in METHODS.items() for clips in CLIPS)
}

CLEAN = Protocol(
    name="clean",
    summary="batch norm that follows, all folds but one to train on, a support for every update, "
    "means of probabilities",
    normalise_on="training tracks",
    validate_by="test",  # nothing is chosen, so nothing is held out
    keep_groups=True,
    drop_incomplete=False,
    rule=Constant(),
    max_epochs=EPOCHS,
    optimizer=partial(keras.optimizers.SGD, RATE, global_clipnorm=5.0),
    select_by="last",
    network={"momentum": models.PROMPT},
    cut=DrawnToTrainHopped(1, hop=42),
    z_score="none",
    variants={
        OF_PROTOTYPES: {"max_epochs": 100_000},
        OF_EMBEDDINGS: {
            "optimizer": partial(keras.optimizers.SGD, RATE),
            "cut": DrawnToTrainHopped(1, hop=1),
            "network": {},
        },
        OF_BOTH: {"max_epochs": 100_000, "network": {}},
    },
)
CODE = replace(
    CLEAN,
    name="code",
    summary="the authors' code: batch norm that lags, the next official fold without a use, one "
    "support for all updates, means of log-probabilities, a patch to score at every frame",
    validate_by="track",
    keep_groups=False,
    select_by="val_accuracy",
    network={"momentum": models.LAGGING},
    cut=DrawnToTrainHopped(1, hop=1),
    variants={
        OF_PROTOTYPES: {**CLEAN.variants[OF_PROTOTYPES], "aggregate": "product"},
        OF_EMBEDDINGS: CLEAN.variants[OF_EMBEDDINGS],
        OF_BOTH: {**CLEAN.variants[OF_BOTH], "aggregate": "product"},
    },
)

EXPERIMENT = Experiment(
    paper="pons_icassp2019_fewdata",
    rows=ROWS,
    headline=tuple(f"curve/{name}-n10" for name in ("sb-cnn-bn", "vgg", "timbre", "mfcc")),
    protocols={protocol.name: protocol for protocol in (CLEAN, CODE)},
    batch=BATCH,
    detailed=False,
)
