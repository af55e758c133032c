"""An experiment: the rows of a paper and how they are trained, as data."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirkeras.experiment.protocols import Protocol
from mirkeras.experiment.published import ResultsError, module_of

if TYPE_CHECKING:
    from mirkeras.system.backend import keras


@dataclass(frozen=True)
class Row:
    """A network, or a classifier on features of one, of a published table.

    Attributes
    ----------
    id : str
        Stable name, without the paper's: ``table1/time-1x60``.
    model : str
        Its name in the paper.
    build : callable or None
        (number of classes or tags, activation of the output, **options) → network. Options are
        those of the protocol, and ``features`` for a network on features of other networks. None
        where nothing but a classifier is fitted.
    frames : int
        Length of a segment; 0 where the tagger says it.
    recipe : str
        Name of its feature recipe; empty for a network on features of other networks.
    learner : str
        How it is learned: a name in `mirkeras.training.learners.LEARNERS`.
    standardise : bool
        Whether a z-score of the input stands in front of the network, where the protocol has one.
    starts_from : tuple of str
        Rows of the same fold whose trained networks this one starts from.
    transfer : callable or None
        (network, *trained networks) → None: takes over what is taken over.
    features_from : tuple of str
        Rows of the same fold whose trained networks' hidden layers are the input of this one
        (``--extractor`` puts other networks in their place).
    layers : tuple of int
        Which hidden layers, counted from the back: -1 is the last.
    pretrained_on : str
        Data set the paper trained the feature networks on, if it is not the row's own.
    variant : str
        Which of the protocol's variants it is trained by; empty: the protocol as it stands.
    epochs : int or None
        Its number of epochs, if it is not the protocol's.
    pretrained : str
        Name of the trained tagger (`mirkeras.pretrained.cards`) whose features of each segment are
        classified; its card says recipe and length of a segment.
    feature : str
        Which of the card's `embeddings`.
    hop : int
        Frames from the start of one segment of such a row to that of the next.
    batch : int
        Segments per batch, if they are not the experiment's.
    """

    id: str
    model: str
    build: Callable[..., "keras.Model"] | None = None
    frames: int = 0
    recipe: str = ""
    learner: str = "network"
    standardise: bool = True
    starts_from: tuple[str, ...] = ()
    transfer: Callable[..., None] | None = None
    features_from: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    pretrained_on: str = ""
    variant: str = ""
    epochs: int | None = None
    pretrained: str = ""
    feature: str = ""
    hop: int = 0
    batch: int = 0

    def __post_init__(self) -> None:
        if self.pretrained and not (self.feature and self.hop > 0):
            raise ValueError(f"row {self.id}: which feature of {self.pretrained}, at which hop?")

    def options(self, protocol: Protocol, features: int) -> dict:
        """Options of `build`: the protocol's, or how many features a network on features reads."""
        return {"features": features} if self.features_from else dict(protocol.network)


@dataclass(frozen=True)
class Experiment:
    """Everything a paper fixes for its tables.

    Attributes
    ----------
    paper : str
        Name of the paper's folder.
    rows, protocols : dict
        By id and by name; the first of `headline` and `protocols` are the defaults.
    headline : tuple of str
        The rows the paper's abstract is about.
    batch : int
        Segments per batch; `batches` names the data sets that have another.
    metrics : tuple of str
        What is measured of a classifier, see `mirkeras.evaluation.metrics.accuracies`.
    score : callable or None
        The paper's own measures: (predictions of a run, its record) → name → value, in place of
        those; None for a run that the usual ones are for.
    detailed : bool
        Whether evaluation draws the rows, and shows every class of each; not where they are dozens.
    """

    paper: str
    rows: dict[str, Row]
    headline: tuple[str, ...]
    protocols: dict[str, Protocol]
    batch: int
    batches: Mapping[str, int] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("accuracy", "segment_accuracy")
    score: Callable[[Mapping, Mapping], dict[str, float] | None] | None = None
    detailed: bool = True

    def protocol_of(self, protocol: str, row: str) -> Protocol:
        """Return a protocol as it is for a row."""
        return self.protocols[protocol].of(self.rows[row].variant, self.rows[row].epochs)

    def learner_of(self, protocol: str, row: str) -> str:
        """Return the name of a row's learner under a protocol."""
        learner = self.rows[row].learner
        return self.protocols[protocol].classifier if learner == "head" else learner


def find_experiment(paper: str) -> Experiment:
    """Load the experiment of a paper by its name, see `published.module_of`.

    Raises
    ------
    ResultsError
        There is no such paper, or its module declares none.
    """
    name = module_of(paper)
    try:
        found = getattr(importlib.import_module(name), "EXPERIMENT", None)
    except ModuleNotFoundError as error:
        if not (error.name and f"{name}.".startswith(f"{error.name}.")):
            raise
        raise ResultsError(f"{paper}: there is no module {error.name}; is it installed?") from error
    if not isinstance(found, Experiment) or found.paper != paper:
        raise ResultsError(f"module {name} declares no EXPERIMENT of the paper {paper!r}")
    return found
