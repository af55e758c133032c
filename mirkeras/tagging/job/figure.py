"""The figure of a taggram: how the tags of a track go over time."""

from pathlib import Path

import numpy as np

from mirkeras.report import figures
from mirkeras.tagging.tagger import Tagged

WIDTH = 9.0  # inches


def draw(tagged: Tagged, path: Path, top: int = 10) -> None:
    """Draw the `top` tags of a track over time as a PNG, the strongest on top.

    Every segment is a column from its start to the start of the next; the last one reaches to its
    own end. Colours go from 0 to the highest score shown.
    """
    best = np.argsort(-tagged.scores, kind="stable")[:top]
    figure = figures.canvas(WIDTH, 1.6 + 0.28 * len(best))
    axes = figure.subplots()
    image = axes.pcolormesh(
        edges(tagged), np.arange(len(best) + 1), tagged.taggram[:, best].T, cmap="magma", vmin=0
    )
    axes.invert_yaxis()
    axes.set_yticks(np.arange(len(best)) + 0.5, figures.ticks(tagged.tags[tag] for tag in best))
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="time (s)", ylabel="tag")
    figures.title(figure, f"{figures.label(tagged.path.name)} — {tagged.model}")
    figure.colorbar(image, ax=axes, label="score (0 to 1)", pad=0.01)
    figures.save(figure, path)


def edges(tagged: Tagged) -> np.ndarray:
    """Give where the columns of a taggram begin and end: float64 (segments + 1,), seconds."""
    end = tagged.starts[-1] + tagged.length
    return np.append(tagged.starts, tagged.seconds if tagged.repeated else end)
