"""Protocols: what a paper's text says, what its code did, and the same without leakage, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from mirkeras.experiment.schedules import Rule
from mirkeras.pipeline.segments import CONSECUTIVE, Consecutive, Drawn, DrawnToTrain


@dataclass(frozen=True)
class Protocol:
    """How a network is trained and validated.

    Attributes
    ----------
    name : str
        ``paper``, ``code``, ``clean`` or a name of the paper's own.
    summary : str
        For people.
    normalise_on : "all tracks" or "training tracks"
        Whose frames give mean and standard deviation, see `z_score`.
    validate_by : "track", "segment" or "test"
        Whether segments of one track may lie in both the training and the validation part. "test":
        nothing is held out for validation, curves are watched on the test part, and `select_by`
        must be "last".
    keep_groups : bool
        Whether replicas always share a part.
    drop_incomplete : bool
        Whether the last, incomplete batch of an epoch is left out.
    rule : Rule or None
        Learning rate and stopping; None where no network is trained.
    max_epochs : int
        Cap on the epochs of a run; 1 where no network is trained.
    optimizer : callable or None
        () → a new optimiser, at the rate training starts with.
    select_by : "val_accuracy", "val_loss" or "last"
        What the best epoch is best at; or that the last epoch's weights are the run's.
    network : mapping
        Options of the row's `build` that this protocol fixes.
    classifier : str
        Learner of the rows whose own is "head": what classifies features of trained networks.
    overlapping : bool
        How tracks are cut for such features, see `mirkeras.transfer.song_features.song_features`.
    split : str
        The split it uses unless asked otherwise; empty: the data set's own, else drawn folds.
    folds : int
        Number of folds of a split from the seed, unless asked otherwise.
    cut : Consecutive, Drawn or DrawnToTrain
        How tracks are cut into segments.
    aggregate : "majority", "mean" or "product"
        How the scores of a track's segments become its own, see `mirkeras.evaluation.metrics`.
    z_score : "none", "scalar", "cell" or callable
        How rows that are standardised are: by one mean and deviation, or each cell of a segment
        (frame, band) by its own. Or the paper's way: (cache, first frames of the segments it is
        fitted on, frames of a segment) → mean and deviation, as `cell_statistics` gives them.
    held_out : float or None
        Share of what is not tested that validates, where that is drawn. None: as much as is tested.
    draw : callable or None
        The paper's way to draw the split ``drawn``, by track: (tracks as from `tracks_of`, folds,
        fold, seed) → places of the training, validation and test tracks; ValueError if it cannot.
        None: see `mirkeras.experiment.division`.
    loss : str
        Loss, as Keras names it. Empty: that of the labels.
    variants : mapping
        Name of a variant → fields that its rows replace.
    """

    name: str
    summary: str
    normalise_on: Literal["all tracks", "training tracks"]
    validate_by: Literal["track", "segment", "test"]
    keep_groups: bool
    drop_incomplete: bool
    rule: Rule | None = None
    max_epochs: int = 1
    optimizer: Callable | None = None
    select_by: Literal["val_accuracy", "val_loss", "last"] = "val_accuracy"
    network: Mapping[str, str | float] = field(default_factory=dict)
    classifier: str = "head"
    overlapping: bool = False
    split: str = ""
    folds: int = 10
    cut: Consecutive | Drawn | DrawnToTrain = CONSECUTIVE
    aggregate: Literal["majority", "mean", "product"] = "mean"
    z_score: Literal["none", "scalar", "cell"] | Callable = "scalar"
    held_out: float | None = None
    draw: Callable | None = None
    loss: str = ""
    variants: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.validate_by == "test") != (self.select_by == "last"):
            raise ValueError(f"protocol {self.name}: an epoch would be chosen on the test part")

    def chosen(self) -> dict[str, str]:
        """Spell out what decides numbers; callables are frozen data classes, or partial functions.

        Defaults are left out so that new fields keep old digests.
        """
        default = {known.name: known.default for known in fields(self)}
        default |= {"network": {}, "variants": {}, "summary": self.summary}
        return {name: repr(value) for name, value in vars(self).items() if value != default[name]}

    def of(self, variant: str, epochs: int | None) -> "Protocol":
        """Return the protocol of rows of a variant ("": none) that train so many epochs."""
        changed = dict(self.variants[variant]) if variant else {}
        changed |= {"max_epochs": epochs} if epochs else {}
        return replace(self, **changed, variants={})
