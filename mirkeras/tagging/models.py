"""What tags: a published network by the name of its card, or one's own finished runs by their path.

Runs are in `mirkeras.tagging.runs`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirkeras.features import Recipe, find_recipe
from mirkeras.pretrained import cards
from mirkeras.pretrained import weights as trained
from mirkeras.pretrained.cards import Card
from mirkeras.system.errors import UsageError

if TYPE_CHECKING:
    from mirkeras.system.backend import keras

    from mirkeras.pretrained.inference import Score

#: Seconds that a card's track must last; less is not repeated until it fills a segment.
SHORTEST = 1.0


@dataclass(frozen=True, eq=False)
class Model:
    """What tags tracks.

    Attributes
    ----------
    name, data : str
        What users call it, and what it learned from.
    tags : tuple of str
        Its outputs, in order: tags, or classes.
    aggregate : str
        How the segments of a track decide for a class, see `mirkeras.evaluation.metrics`; empty
        where it tags.
    runs : tuple of str
        The runs that are averaged; empty for a card.
    recipe, frames, hop, drop_last
        See `mirkeras.training.learner.Served`.
    shortest : float
        Seconds; a shorter track is refused.
    weights : str
        Digest of the weights.
    features : tuple of str
        Hidden features, the default first.
    open : callable
        Hidden feature, or None → function of segments (k, frames, bands): scores (k, runs, tags),
        of a card (k, tags), then that feature (k, dims).
    licence : str
        Of the weights.
    network : callable or None
        () → the network itself, segments → scores; of several runs their mean. None where there is
        more than a network.
    """

    name: str
    data: str
    tags: tuple[str, ...]
    aggregate: str
    runs: tuple[str, ...]
    recipe: Recipe
    frames: int
    hop: int
    drop_last: bool
    shortest: float
    weights: str
    features: tuple[str, ...]
    open: "Callable[[str | None], Score]"
    licence: str = ""
    network: "Callable[[], keras.Model] | None" = None

    def check_feature(self, name: str) -> None:
        """Refuse what is none of the `features`; `UsageError` names those."""
        if name not in self.features:
            known = ", ".join(self.features) or "none (several runs, or no network)"
            raise UsageError(f"{self.name} has no feature {name!r}; there are: {known}")


def find_model(
    name: str, weights: Path | None = None, *, mirror: str | None = None, offline: bool = False
) -> Model:
    """Find what tags by the name of a card, or by a path.

    Parameters
    ----------
    weights, mirror, offline
        Where the weights of a card come from, see `mirkeras.pretrained.weights.load`.

    Raises
    ------
    UsageError
        Neither a card nor a path, a card without tags, runs that do not belong together or do not
        score whole tracks.
    RunError
        A run is unfinished, damaged or of another version.
    """
    known = cards.all_cards()
    if name in known or not Path(name).exists():
        if name not in known:
            raise UsageError(
                f"no trained tagger {name!r}, and no such file or folder; there are: "
                f"{', '.join(known)}, or give the directory of a finished run (mirkeras list "
                "--runs)"
            )
        card = cards.find_card(name)
        card.check_tags()
        return of_card(card, weights, mirror=mirror, offline=offline)
    from mirkeras.tagging.runs import of_runs  # with all that trains, scikit-learn and pandas

    return of_runs(Path(name), weights)


def of_card(
    card: Card, weights: Path | None = None, *, mirror: str | None = None, offline: bool = False
) -> Model:
    """Describe a published network; its weights are looked for when it is opened."""
    recipe = find_recipe(card.recipe)

    def opened(feature: str | None) -> "Score":
        from mirkeras.pretrained.inference import scorer  # with Keras

        network = trained.load(card, weights, mirror=mirror, offline=offline)
        if feature is not None:
            network = trained.feature_model(network, feature)
        return scorer(network, card.frames, recipe.bands)

    return Model(
        name=card.name,
        data=card.data,
        tags=card.tags,
        aggregate="",
        runs=(),
        recipe=recipe,
        frames=card.frames,
        hop=card.frames,
        drop_last=False,
        shortest=SHORTEST,
        weights=card.source.sha256,
        features=card.embeddings,
        open=opened,
        licence=card.licence,
        network=lambda: trained.load(card, weights, mirror=mirror, offline=offline),
    )
