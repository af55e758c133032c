"""What trained taggers say of classes: ``python -m reproductions.pons_ismir2018.genres``.

Every track of a data set is tagged (taggram without overlap, mean over the track) and the scores
are averaged by class. Written are, per data set, tagger and class: the tags with the largest mean;
how often a tag named after the class is among a track's first; how well the tag with just that name
tells the class from the others; and the same of three simple statistics of the scores. A heat map
per data set shows the tags whose means differ most between classes.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

import data_prep
from data_prep.prepare import Prepared
from mirkeras import cache
from mirkeras.cli import options
from mirkeras.cli.options import DATA_SETS, add_data_options, command_parser, words
from mirkeras.evaluation.metrics import mean_scores
from mirkeras.experiment import records
from mirkeras.features import find_recipe
from mirkeras.pretrained import weights
from mirkeras.pretrained.cards import Card, find_card
from mirkeras.report import figures
from mirkeras.storage.tables import write_csv
from mirkeras.system.errors import UsageError, as_command
from mirkeras.system.machine import device
from mirkeras.transfer import segment_features

FIRST = 5  # tags named per class
TELLING = 14  # tags in a heat map
TOLD = ("dataset", "model", "class", "tracks", "top_tags", "own_in_top1", "own_in_top3", "own_auc")
#: A tag that has one of these words, and does not begin with "no", is of a voice.
VOICES = {
    *("man", "woman", "male", "female", "voice", "vocal", "vocals", "vocalist", "vocalists"),
    *("singing", "choir", "choral", "opera"),
}


@dataclass(frozen=True, eq=False)
class TaggedSet:
    """All tracks of a data set as a tagger hears them.

    Attributes
    ----------
    dataset, model : str
    tags : tuple of str
    scores : float64 (tracks, tags)
        Mean over the segments of each track, 0 to 1.
    labels : str (tracks,)
        Class of each track.
    origin : dict
        For the record: weights, features, segments.
    """

    dataset: str
    model: str
    tags: tuple[str, ...]
    scores: np.ndarray
    labels: np.ndarray
    origin: dict[str, str | int]

    def means(self) -> pd.DataFrame:
        """Average by class: a line per class in alphabetical order, a column per tag."""
        return pd.DataFrame(self.scores, columns=self.tags).groupby(self.labels).mean()


def tag_all(card: Card, prepared: Prepared, given: Path | None) -> TaggedSet:
    """Tag every track of a data set; what was done before is not done again.

    Parameters
    ----------
    given : Path or None
        Where weights lie, see `mirkeras.pretrained.weights.load`.
    """
    path = prepared.home / f"{card.recipe}.h5"
    features = cache.build_cache(
        prepared.index,
        prepared.root,
        find_recipe(card.recipe),
        path,
        max_rejected=prepared.dataset.max_bad,
        members=prepared.members,
    )
    embedding = segment_features.Embedding(card, segment_features.TAGGRAM, card.frames)
    folder = prepared.home / "embeddings"
    with tqdm(total=100, desc=f"{prepared.home.name} by {card.name}", unit="%") as bar:
        taggrams = segment_features.cached_features(
            embedding, features, folder, given, lambda part: bar.update(int(100 * part) - bar.n)
        )
        bar.update(100 - bar.n)
    counts = np.diff(taggrams.offsets)
    track = np.repeat(np.arange(len(counts)), counts)
    labels = prepared.index.set_index("track").label.loc[list(taggrams.tracks)]
    return TaggedSet(
        dataset=prepared.home.name,
        model=card.name,
        tags=card.tags,
        scores=mean_scores(taggrams.memmap(), track, len(counts)),
        labels=labels.to_numpy(str),
        origin={
            "weights": card.source.sha256,
            "recipe": card.recipe,
            "features": taggrams.fingerprint,
            "segments": int(counts.sum()),
            "rejected_tracks": len(taggrams.rejected),
        },
    )


def named_after(tags: tuple[str, ...], name: str) -> np.ndarray:
    """Find the tags that a class's name is part of, as a word: bool (tags,).

    Capitals, hyphens and spaces make no difference: ``hiphop`` is part of ``Hip-Hop``.
    """
    parts = ({_plain(tag), *map(_plain, _bare(tag).split())} for tag in tags)
    return np.array([_plain(name) in part for part in parts])


def _plain(tag: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _bare(tag).lower())


def _bare(tag: str) -> str:
    return tag.rpartition("---")[2]  # MTG-Jamendo's tags begin with their kind: genre---rock


def statistics(tagged: TaggedSet) -> dict[str, np.ndarray]:
    """Sum up the scores of every track: name → float64 (tracks,).

    ``largest``: the largest score; ``total``: the sum of all; ``voice``: the largest of the tags
    of voices (`VOICES`).
    """
    found = {"largest": tagged.scores.max(axis=1), "total": tagged.scores.sum(axis=1)}
    split = [set(re.findall("[a-z]+", tag.lower())) for tag in tagged.tags]
    voices = np.array([bool(each & VOICES) and "no" not in each for each in split])
    return found | ({"voice": tagged.scores[:, voices].max(axis=1)} if voices.any() else {})


def describe(tagged: TaggedSet) -> list[dict]:
    """Describe every class: a line each for the table.

    Areas (AUC) are of the class's tracks against all others: 0.5 says nothing, 1 that all of them
    score above every other track, 0 below. What a tagger has no tag for is nan.
    """
    return [_describe(tagged, name) for name in np.unique(tagged.labels)]


def _describe(tagged: TaggedSet, name: str) -> dict:
    mine, own = tagged.labels == name, named_after(tagged.tags, name)
    exact = np.array([_plain(tag) == _plain(name) for tag in tagged.tags])
    ranked = np.argsort(-tagged.scores[mine], axis=1, kind="stable")
    mean = tagged.scores[mine].mean(axis=0)
    first = [f"{tagged.tags[tag]} {mean[tag]:.2f}" for tag in np.argsort(-mean)[:FIRST]]
    line = {"dataset": tagged.dataset, "model": tagged.model, "class": name}
    line |= {"tracks": int(mine.sum()), "top_tags": ", ".join(first)}
    for most in (1, 3):
        hit = own[ranked[:, :most]].any(axis=1).mean() if own.any() else np.nan
        line[f"own_in_top{most}"] = hit
    line["own_auc"] = _area(mine, tagged.scores[:, exact][:, 0]) if exact.any() else np.nan
    for statistic, values in statistics(tagged).items():
        line |= {statistic: values[mine].mean(), f"{statistic}_auc": _area(mine, values)}
    return line


def _area(mine: np.ndarray, values: np.ndarray) -> float:
    return np.nan if mine.all() else float(roc_auc_score(mine, values))


def telling(means: pd.DataFrame, count: int = TELLING) -> pd.DataFrame:
    """Keep the tags whose means differ most between classes, those strongest in a class together.

    Parameters
    ----------
    means : DataFrame
        As from `TaggedSet.means`.
    """
    spread = means.max() - means.min()
    chosen = means[spread.nlargest(min(count, means.shape[1])).index]
    order = np.lexsort([-chosen.max().to_numpy(), chosen.to_numpy().argmax(axis=0)])
    return chosen.iloc[:, order]


def draw(tables: dict[str, pd.DataFrame], title: str, path: Path) -> None:
    """Draw mean scores, classes × tags, a panel per tagger.

    Parameters
    ----------
    tables : dict
        Tagger → as from `telling`.
    """
    widest = max(table.shape[1] for table in tables.values())
    tallest = max(len(table) for table in tables.values())
    size = (max(7, 2.5 + 0.6 * widest), (1.9 + 0.42 * tallest) * len(tables) + 0.4)
    figure = figures.canvas(*size)
    panels = figure.subplots(len(tables), squeeze=False)[:, 0]
    for axes, (model, table) in zip(panels, tables.items(), strict=True):
        image = axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (line, column), value in np.ndenumerate(table.to_numpy()):
            colour = "w" if value > 0.5 else "k"
            axes.text(column, line, f"{value:.2f}", ha="center", va="center", color=colour,
                      fontsize="x-small")  # fmt: skip
        axes.set_xticks(
            range(table.shape[1]), figures.ticks(table.columns), rotation=45, ha="right",
            rotation_mode="anchor", fontsize="small",
        )  # fmt: skip
        axes.set_yticks(range(len(table)), figures.ticks(table.index))
        axes.set(xlabel="tag", ylabel="class")
        axes.set_title(figures.label(model), fontsize="medium")
    figure.colorbar(image, ax=list(panels), label="mean score (0 to 1)", pad=0.01, aspect=40)
    figures.title(figure, title)
    figures.save(figure, path)


def study(arguments: argparse.Namespace) -> pd.DataFrame:
    """Tag data sets by taggers as asked for; write ``genres.csv`` and a figure per data set.

    Returns
    -------
    DataFrame
        A line per data set, tagger and class, with its record.
    """
    for name in arguments.dataset:
        if data_prep.get(name, arguments.layout).tags:
            raise UsageError(f"{name} has tags, not classes: there is nothing to average by")
    cards = [find_card(name) for name in arguments.models]
    for card in cards:  # before hours go into features
        weights.load(card, arguments.weights, mirror=arguments.mirror)
    lines = []
    for name in arguments.dataset:
        prepared = options.prepared(arguments, dataset=name)
        lines += _study_one(prepared, cards, arguments.weights, arguments.out)
    table = pd.DataFrame(lines)
    write_csv(table, arguments.out / "genres.csv")
    return table


def _study_one(prepared: Prepared, cards: list[Card], given: Path | None, out: Path) -> list[dict]:
    lines, tables = [], {}
    for card in cards:
        started = records.now()
        tagged = tag_all(card, prepared, given)
        record = tagged.origin | _record() | {"started": started, "finished": records.now()}
        lines += [line | record for line in describe(tagged)]
        tables[card.name] = telling(tagged.means())
    name = prepared.home.name
    draw(tables, f"{figures.label(name)}: mean tag scores by class", out / f"genres-{name}.png")
    return lines


def _record() -> dict:
    found = records.environment() | {"hardware": device.find().hardware_class}
    versions = found["versions"].items()
    return found | {"versions": " ".join(f"{name} {text}" for name, text in versions)}


@as_command
def main(argv: list[str] | None = None) -> int:
    """Tag data sets and say what the taggers make of their classes; returns the exit status."""
    arguments = _parser().parse_args(argv)
    device.configure()
    table = study(arguments)
    print(table[list(TOLD)].to_string(index=False, float_format="{:.2f}".format))
    print(f"table and figures: {arguments.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "reproductions.pons_ismir2018.genres", __doc__.split("\n\n", 1)[1], DATA_SETS
    )
    add = parser.add_argument
    add("--dataset", action="append", required=True, metavar="D",
        help="data set, see below; may be given several times")  # fmt: skip
    add("--models", type=words, default=["MTT_musicnn", "MSD_musicnn"], metavar="A[,B…]",
        help="trained taggers (default: MTT_musicnn,MSD_musicnn)")  # fmt: skip
    add("--weights", type=Path, metavar="PATH",
        help="their weights: a file, or the folder that holds it (default: fetched)")  # fmt: skip
    add("--out", type=Path, default=Path("runs/genres"), metavar="DIR", help="default: %(default)s")
    add_data_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
