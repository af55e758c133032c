"""What did the filters learn? ``python -m reproductions.pons_cbmi2016.filters --out runs/demo``.

The blog post asks whether temporal filters learn tempo and leaves it open. Here every Time filter
is asked for its dominant periodicity, in beats per minute, and the answers are held against the
tempi of the tracks it was trained on and against filters that learned nothing (Glorot-uniform, as
every filter starts).
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.signal import get_window
from scipy.stats import binomtest

from mirkeras import figures
from mirkeras.errors import UsageError, expected_errors
from mirkeras.experiment import find_experiment
from mirkeras.features import RECIPES
from mirkeras.options import add_data_options
from mirkeras.records import read_predictions
from mirkeras.runs import find_runs

PAPER = "pons_cbmi2016"
TIME, FREQUENCY = "table1/time-1x60", "table1/frequency-32x1"
SLOWEST = 60.0  # BPM; below it the 1.39 s of a filter hold not even one and a half beats
FASTEST = 640.0  # BPM; four notes to the beat at the slowest tempo, three at the fastest
RANDOM_FILTERS = 10_000
LEVELS = (1, 2)  # drawn: the beat and its halves


@dataclass(frozen=True)
class Answer:
    """How the periodicities of learned filters relate to the tempi they were trained on.

    Attributes
    ----------
    learned, random : float (filters,)
        Dominant periodicity of each learned and each random filter, in BPM.
    tempi : float (tracks,)
        Tempi of the tracks, in BPM.
    inside, inside_by_chance : float
        Share of the learned and of the random filters within the range of the tempi.
    p : float
        Probability of at least that many learned filters inside, were they random (binomial).
    """

    learned: np.ndarray
    random: np.ndarray
    tempi: np.ndarray
    inside: float
    inside_by_chance: float
    p: float


def dominant_bpm(filters: np.ndarray, frame_rate: float) -> np.ndarray:
    """Find the strongest periodicity of temporal filters.

    Parameters
    ----------
    filters : float (frames, filters)
    frame_rate : float
        Frames per second.

    Returns
    -------
    float (filters,)
        Frequency, in beats per minute, of the largest value of the Hann-windowed magnitude
        spectrum between `SLOWEST` and `FASTEST`. With 60 frames its resolution is about 60 BPM:
        a filter can tell a slow from a fast dance, not 120 from 126 BPM.
    """
    window = get_window("hann", len(filters))[:, None]
    size = 4096
    spectrum = np.abs(np.fft.rfft((filters - filters.mean(axis=0)) * window, size, axis=0))
    bpm = np.fft.rfftfreq(size, 1 / frame_rate) * 60
    audible = (bpm >= SLOWEST) & (bpm <= FASTEST)
    return bpm[audible][spectrum[audible].argmax(axis=0)]


def random_filters(frames: int, filters: int = 32) -> np.ndarray:
    """Draw filters that learned nothing: Glorot-uniform, as a Time layer starts."""
    limit = np.sqrt(6 / (frames + frames * filters))
    return np.random.RandomState(0).uniform(-limit, limit, (frames, RANDOM_FILTERS))


def answer(learned: np.ndarray, tempi: np.ndarray, frame_rate: float) -> Answer:
    """Compare learned filters (frames, filters) with random ones: who has the period of a beat?"""
    ours = dominant_bpm(learned, frame_rate)
    random = dominant_bpm(random_filters(len(learned)), frame_rate)
    inside, chance = ((bpm >= tempi.min()) & (bpm <= tempi.max()) for bpm in (ours, random))
    test = binomtest(int(inside.sum()), len(ours), chance.mean(), alternative="greater")
    return Answer(ours, random, tempi, inside.mean(), chance.mean(), test.pvalue)


def learned_filters(out: Path, row: str, layer: str) -> Iterator[tuple[Path, dict, np.ndarray]]:
    """Go through the finished runs of a row: (directory, record, kernel (taps, filters))."""
    import keras

    for directory, record in find_runs(out, PAPER):
        if record["row"] == row:
            model = keras.saving.load_model(directory / "model.keras", compile=False)
            kernel = model.layers[-1].get_layer(layer).get_weights()[0]
            yield directory, record, kernel.reshape(-1, kernel.shape[-1])


def draw_filters(kernel: np.ndarray, unit: str, title: str, path: Path) -> None:
    """Draw each filter (taps, filters) as a line in a grid."""
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    axes = figure.subplots(4, kernel.shape[1] // 4, sharex=True, sharey=True)
    for number, place in enumerate(axes.flat):
        place.plot(kernel[:, number], color=figures.MEASURED, lw=1)
        place.axhline(0, color=figures.PUBLISHED, lw=0.5)
        place.set_title(f"{number + 1}", fontsize="x-small", pad=1)
        place.tick_params(labelsize="x-small")
    figure.supxlabel(unit)
    figure.suptitle(title)
    figures.save(figure, path)


def draw_answer(found: Answer, title: str, path: Path) -> None:
    """Draw tempi and filter periodicities on one axis."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    bins = np.geomspace(SLOWEST, FASTEST, 33)
    above.hist(
        [found.tempi * level for level in LEVELS], bins, stacked=True,
        label=[f"tempo × {level}" for level in LEVELS],
        color=["#12455a", "#6fa8b8"],
    )  # fmt: skip
    above.set(ylabel="tracks", title=title)
    above.legend(fontsize="small")
    for values, color, label in (
        (found.random, figures.PUBLISHED, "random filters"),
        (found.learned, figures.MEASURED, f"{len(found.learned)} learned Time filters"),
    ):
        weights = np.full(len(values), 100 / len(values))
        below.hist(values, bins, weights=weights, histtype="step", lw=2, color=color, label=label)
    below.axvspan(found.tempi.min(), found.tempi.max(), color=figures.PUBLISHED, alpha=0.2)
    below.set(xscale="log", xlabel="beats per minute", ylabel="filters (%)")
    ticks = [60, 90, 120, 180, 240, 360, 480, 640]
    below.set_xticks(ticks, ticks)
    below.minorticks_off()
    below.legend(fontsize="small")
    figures.save(figure, path)


def tempi_of(cache_root: Path, dataset: str, tracks: np.ndarray) -> np.ndarray:
    """Look up the known tempi, in BPM, of some tracks."""
    path = cache_root / dataset / "index.csv"
    if not path.exists():
        raise UsageError(f"{path} with the tempi is missing; give the --cache-root of the training")
    index = pd.read_csv(path).set_index("track")
    return index.tempo.reindex(tracks).dropna().to_numpy()


def study(out: Path, cache_root: Path) -> str:
    """Draw the figures of every data set and protocol below `out`; returns the answers as text."""
    for row, layer, unit in (
        (TIME, "time_conv", "frame (23 ms)"),
        (FREQUENCY, "frequency_conv", "mel band"),
    ):
        for _, record, kernel in learned_filters(out, row, layer):
            if record["fold"] == 0 and record["seed"] == 0:
                name = f"{record['dataset']}-{record['protocol']}"
                path = out / "figures" / f"{name}-{layer.replace('_conv', '')}-filters.png"
                draw_filters(kernel, unit, f"{row} filters, {name}, fold 1", path)
    temporal = list(learned_filters(out, TIME, "time_conv"))
    names = sorted({(record["dataset"], record["protocol"]) for _, record, _ in temporal})
    lines = []
    for dataset, protocol in names:
        chosen = [
            (directory, kernel)
            for directory, record, kernel in temporal
            if (record["dataset"], record["protocol"]) == (dataset, protocol)
        ]
        lines.append(_answer_for(dataset, protocol, chosen, out, cache_root))
    return "\n".join(lines) or f"no finished run of {TIME} below {out}"


def _answer_for(
    dataset: str, protocol: str, runs: list[tuple[Path, np.ndarray]], out: Path, cache_root: Path
) -> str:
    """Answer the question for one data set and protocol, draw it, and put it in a sentence."""
    tracks = np.unique(np.concatenate([read_predictions(run)["tracks"] for run, _ in runs]))
    tempi = tempi_of(cache_root, dataset, tracks)
    name = f"{dataset}-{protocol}"
    if not len(tempi):
        return f"{name}: filters drawn; its index knows no tempi, so no answer on tempo"
    recipe = RECIPES[find_experiment(PAPER).recipe]
    kernels = np.concatenate([kernel for _, kernel in runs], axis=1)
    found = answer(kernels, tempi, recipe.sample_rate / recipe.hop)
    title = f"Do Time filters learn tempo? {name}, {len(runs)} folds"
    draw_answer(found, title, out / "figures" / f"{name}-tempo.png")
    return (
        f"{name}: {100 * found.inside:.0f} % of {len(found.learned)} Time filters have their "
        f"dominant periodicity within the tempi ({tempi.min():.0f} to {tempi.max():.0f} BPM), "
        f"{100 * found.inside_by_chance:.0f} % of random ones do (p = {found.p:.2g})"
    )


def main(argv: list[str] | None = None) -> int:
    """Draw what the filters of finished runs learned; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=f"python -m reproductions.{PAPER}.filters", description=__doc__.split("\n\n")[1]
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    add_data_options(parser)
    arguments = parser.parse_args(argv)
    try:
        print(study(arguments.out, arguments.cache_root))
    except expected_errors() as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
