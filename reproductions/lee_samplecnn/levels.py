"""Figure 5: ``python -m reproductions.lee_samplecnn.levels RUN_OR_FILE --dataset D --marks A,B``.

Do tags of different kinds live in different layers? Song-level features of a hidden layer are
embedded in the plane by t-SNE, and the tracks of the chosen tags or classes are marked. Lee et al.
(section 7.2) find Techno tighter in the last hidden layer and Piano in the third from last; how
tight a mark is, is printed as a number too, because the eye finds clusters in any t-SNE.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_samples
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from data_prep.index import TAG_SEPARATOR
from data_prep.prepare import Prepared
from mirkeras import cache
from mirkeras.cli import options
from mirkeras.cli.options import DATA_SETS, add_data_options, command_parser, words
from mirkeras.features import find_recipe
from mirkeras.report import figures
from mirkeras.system.errors import UsageError, as_command, shown
from mirkeras.system.machine import device
from mirkeras.transfer.extractors import find_extractor
from mirkeras.transfer.networks import LAST
from mirkeras.transfer.song_features import cached_features, song_features

LAYERS = (-3, -1)  # Fig. 5 a and b
PERPLEXITY = 30.0  # the paper names none: scikit-learn's own
FEWEST = 5  # tracks of a mark; fewer say nothing


def choose(labels: Sequence[str], marks: Sequence[str]) -> np.ndarray:
    """Mark the tracks that have one of some tags (or classes) and no other of them.

    Parameters
    ----------
    labels : sequence of str
        A class each, or tags joined by `|`.

    Returns
    -------
    str (tracks,)
        The mark, or empty.

    Raises
    ------
    UsageError
        A mark that no track has alone.
    """
    found = [[mark for mark in marks if mark in label.split(TAG_SEPARATOR)] for label in labels]
    chosen = np.array([had[0] if len(had) == 1 else "" for had in found])
    if lacking := [mark for mark in marks if mark not in chosen]:
        raise UsageError(f"no track has the mark {lacking[0]!r} and none of the others")
    return chosen


def embed(features: np.ndarray, perplexity: float = PERPLEXITY, seed: int = 0) -> np.ndarray:
    """Embed tracks in the plane by t-SNE, from a start by principal components.

    Parameters
    ----------
    features : float (tracks, dims)
        Standardised here, so that no channel rules by its scale.
    perplexity : float
        Brought down to a third of the tracks where they are few.

    Returns
    -------
    float (tracks, 2)
    """
    perplexity = min(perplexity, (len(features) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    with threadpool_limits(1):  # more threads add in another order, and the picture changes
        return model.fit_transform(StandardScaler().fit_transform(features))


def tightness(features: np.ndarray, marks: np.ndarray) -> dict[str, float]:
    """Measure how much nearer the tracks of a mark are to each other than to those of others.

    Returns
    -------
    dict
        Mark → mean silhouette (-1 to 1) over its tracks, in the standardised features (not in the
        plane); features as for `embed`.
    """
    values = silhouette_samples(StandardScaler().fit_transform(features), marks)
    return {str(mark): float(values[marks == mark].mean()) for mark in np.unique(marks)}


def figure(
    features: Mapping[object, np.ndarray],
    marks: np.ndarray,
    path: Path,
    *,
    perplexity: float = PERPLEXITY,
    seed: int = 0,
) -> None:
    """Draw Fig. 5: a panel per layer, a colour per mark.

    Parameters
    ----------
    features : mapping
        Name of a layer → float (tracks, dims).
    marks : str (tracks,)
    """
    drawing = figures.canvas(0.5 + 4.5 * len(features), 5.4)
    axes = drawing.subplots(1, len(features), squeeze=False)[0]
    for place, (layer, values) in zip(axes, features.items(), strict=True):
        points, tight = embed(values, perplexity, seed), tightness(values, marks)
        for number, (mark, value) in enumerate(tight.items()):
            where = points[marks == mark].T
            name = figures.label(mark, figures.LONGEST_TICK)
            place.scatter(
                *where, s=18, alpha=0.8, color=figures.COLOURS[number % len(figures.COLOURS)],
                marker=figures.MARKERS[number % len(figures.MARKERS)],
                label=f"{name} ({value:+.2f})",
            )  # fmt: skip
        place.set(xticks=[], yticks=[], title=f"layer {layer}")
        place.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.02))
    used = min(perplexity, (len(marks) - 1) / 3)
    drawing.supxlabel(
        f"t-SNE of {len(marks)} tracks (axes without unit), perplexity {used:g}, seed {seed}\n"
        "in brackets: mean silhouette in the layer, -1 to 1",
        fontsize="small",
    )
    figures.save(drawing, path)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw where the tracks of some tags lie in a network's layers; returns the exit status."""
    arguments = _parser().parse_args(argv)
    device.configure()
    print(study(arguments))
    return 0


def study(arguments: argparse.Namespace) -> str:
    """Compute features, draw the figure, and put the tightness of each mark into words."""
    extractor = find_extractor(arguments.network, arguments.extractor_recipe)
    prepared = options.prepared(arguments)
    marks = _marks(prepared, arguments.marks, arguments.part)
    path = prepared.home / f"{extractor.recipe}.h5"
    built = cache.build_cache(
        prepared.index,
        prepared.root,
        find_recipe(extractor.recipe),
        path,
        max_rejected=prepared.dataset.max_bad,
        members=prepared.members,
    )
    marks = marks.reindex(built.tracks).to_numpy(str)
    features = _features(extractor.path, built, arguments.layers, prepared.home)
    chosen = {layer: values[marks != ""] for layer, values in features.items()}
    marks = marks[marks != ""]
    called = re.sub(r"[^\w.,&+-]", "_", "-".join(arguments.marks))[:60]
    path = arguments.out / f"fig5-{called}.png"
    figure(chosen, marks, path, perplexity=arguments.perplexity, seed=arguments.seed)
    lines = [f"{len(marks)} tracks of {prepared.home.name}: {path}"]
    lines.append(f"network: {extractor.row}, trained on {extractor.dataset}")
    for layer, values in chosen.items():
        tight = [f"{shown(mark)} {value:+.3f}" for mark, value in tightness(values, marks).items()]
        lines.append(f"layer {layer}, silhouette: {', '.join(tight)}")
    return "\n".join(lines)


def _features(
    network: Path, built: cache.FeatureCache, layers: Sequence[int], home: Path
) -> dict[int, np.ndarray]:
    """Compute song-level features, or take those that an earlier call kept."""
    if set(layers) <= set(LAST):
        return cached_features(network, built, home / "embeddings", layers)
    return song_features(network, built, layers)


def _marks(prepared: Prepared, wanted: Sequence[str], part: str | None) -> pd.Series:
    """Mark the tracks of the data set, or of a part of its own split: track → mark or empty."""
    tracks = prepared.index.set_index("track")
    if part:
        split = next((name for name in prepared.dataset.splits if name in tracks), None)
        if split is None:
            raise UsageError(f"{prepared.dataset.name} comes without a split: leave --part out")
        tracks = tracks[tracks[split] == part]
    marks = choose(tracks["label"], wanted)
    if few := [mark for mark in wanted if np.sum(marks == mark) < FEWEST]:
        raise UsageError(f"fewer than {FEWEST} tracks have {few[0]!r} alone: choose another mark")
    return pd.Series(marks, tracks.index).reindex(prepared.index["track"], fill_value="")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "reproductions.lee_samplecnn.levels", __doc__.split("\n\n")[1], DATA_SETS
    )
    add = parser.add_argument
    add("network", type=Path, metavar="RUN_OR_FILE", help="a run's directory or a .keras file")
    add("--dataset", required=True, metavar="D", help="whose tracks to embed, see below")
    add("--marks", type=words, required=True, metavar="A,B[,…]", help="tags or classes to mark")
    add("--layers", type=_layers, default=LAYERS, metavar="N[,N…]",
        help="hidden layers, counted from the back (default: --layers=-3,-1)")  # fmt: skip
    add("--part", choices=("train", "validation", "test"),
        help="only the tracks of a part of the data set's own split (default: all)")  # fmt: skip
    add("--out", type=Path, required=True, metavar="DIR", help="where the figure goes")
    add("--perplexity", type=float, default=PERPLEXITY, metavar="P", help="default: %(default)s")
    add("--seed", type=int, default=0, metavar="S", help="of the embedding (default: 0)")
    add("--extractor-recipe", metavar="RECIPE",
        help="what a bare .keras file takes as input, e.g. waveform-22050")  # fmt: skip
    add_data_options(parser)
    return parser


def _layers(text: str) -> list[int]:
    """Read hidden layers, counted from the back."""
    found = [int(word) for word in words(text)]
    if any(layer >= 0 for layer in found):
        raise argparse.ArgumentTypeError("hidden layers are counted from the back: -1, -2 …")
    return found


if __name__ == "__main__":
    sys.exit(main())
