"""What did the filters learn? ``python -m reproductions.pons_cbmi2016.filters --out runs/demo``.

The blog post asks whether temporal filters learn tempo and leaves it open. Here every Time filter
is asked for its dominant periodicity, in beats per minute, and the answers are held against the
tempi of the tracks it was trained on and against filters that learned nothing (Glorot-uniform, as
every filter starts).
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.signal import get_window

from data_prep.index import read_index
from mirkeras.cli.options import add_cache_option, command_parser
from mirkeras.evaluation.comparison import SETUP
from mirkeras.evaluation.evaluate import setup_name
from mirkeras.experiment.records import read_predictions
from mirkeras.experiment.runs import find_runs
from mirkeras.features import find_recipe
from mirkeras.report import figures
from mirkeras.system import device
from mirkeras.system.errors import UsageError, as_command
from mirkeras.transfer.networks import load_network
from reproductions.pons_cbmi2016.experiments import RECIPE

PAPER = "pons_cbmi2016"
TIME, FREQUENCY = "table1/time-1x60", "table1/frequency-32x1"
SLOWEST = 60.0  # BPM; below it the 1.39 s of a filter hold not even one and a half beats
FASTEST = 640.0  # BPM; four notes to the beat at the slowest tempo, three at the fastest
RANDOM_FILTERS = 10_000
LEVELS = (1, 2)  # drawn: the beat and its halves

Run = tuple[Path, dict, np.ndarray]  # directory, record, kernel (taps, filters)


@dataclass(frozen=True)
class Answer:
    """How the periodicities of learned filters relate to the tempi they were trained on.

    Attributes
    ----------
    learned, random : float (filters,)
        Dominant periodicity of each learned and each random filter, in BPM.
    tempi : float (tracks,)
        Tempi of the tracks, in BPM.
    inside : float (runs,)
        Share of the learned filters of each run that lie within the range of the tempi.
    inside_by_chance : float
        The same of random filters.
    """

    learned: np.ndarray
    random: np.ndarray
    tempi: np.ndarray
    inside: np.ndarray
    inside_by_chance: float


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
        a filter can tell a slow from a fast dance, not 120 from 126 BPM. A filter whose strongest
        component lies beyond an edge is found at that edge.
    """
    window = get_window("hann", len(filters))[:, None]
    size = 4096
    spectrum = np.abs(np.fft.rfft((filters - filters.mean(axis=0)) * window, size, axis=0))
    bpm = np.fft.rfftfreq(size, 1 / frame_rate) * 60
    audible = (bpm >= SLOWEST) & (bpm <= FASTEST)
    return bpm[audible][spectrum[audible].argmax(axis=0)]


def random_filters(frames: int, count: int) -> np.ndarray:
    """Draw filters that learned nothing: uniform, as they start; their scale changes no answer."""
    # of its own for each length, or filters of two lengths would share their beginnings
    return np.random.RandomState(frames).uniform(-1, 1, (frames, count))


def answer(kernels: list[list[np.ndarray]], tempi: np.ndarray, frame_rate: float) -> Answer:
    """Compare the learned filters of some runs with random ones: who has the period of a beat?

    Parameters
    ----------
    kernels : list of lists of float (frames, filters)
        Per run, those of each length. Folds share training tracks and filters of a run depend on
        each other, so the spread over runs is shown instead of a significance that would count
        filters as independent.
    """

    def of_all(lengths: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([dominant_bpm(kernel, frame_rate) for kernel in lengths])

    learned = [of_all(run) for run in kernels]
    count = RANDOM_FILTERS // len(kernels[0])
    random = of_all([random_filters(len(kernel), count) for kernel in kernels[0]])

    def inside(bpm: np.ndarray) -> float:
        return ((bpm >= tempi.min()) & (bpm <= tempi.max())).mean()

    shares = np.array([inside(bpm) for bpm in learned])
    return Answer(np.concatenate(learned), random, tempi, shares, inside(random))


def learned_filters(out: Path, row: str, layer: str) -> Iterator[Run]:
    """Go through the finished runs of a row: (directory, record, kernel (taps, filters))."""
    for directory, record in find_runs(out, PAPER):
        if record["row"] == row:
            model = load_network(directory / "model.keras")
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


def draw_answer(found: Answer, kind: str, title: str, path: Path) -> None:
    """Draw tempi and the periodicities of filters of some kind on one axis."""
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
        (found.learned, figures.MEASURED, f"{len(found.learned)} learned {kind} filters"),
    ):
        weights = np.full(len(values), 100 / len(values))
        below.hist(values, bins, weights=weights, histtype="step", lw=2, color=color, label=label)
    below.axvspan(found.tempi.min(), found.tempi.max(), color=figures.PUBLISHED, alpha=0.2)
    below.set(xscale="log", xlabel="beats per minute", ylabel="filters (%)")
    ticks = [60, 90, 120, 180, 240, 360, 480, 640]
    below.set_xticks(ticks, ticks)
    below.minorticks_off()
    below.set_ylim(top=1.35 * below.get_ylim()[1])
    below.legend(fontsize="small", loc="upper center", ncols=2)
    figures.save(figure, path)


def training_tempi(cache_root: Path, dataset: str, runs: list[Path]) -> np.ndarray:
    """Look up the known tempi, in BPM, of the tracks that at least one of the runs did not test."""
    path = cache_root / dataset / "index.csv"
    if not path.exists():
        raise UsageError(f"{path} with the tempi is missing; give the --cache-root of the training")
    index = read_index(path).set_index("track")
    tested = set.intersection(*(set(read_predictions(run)["tracks"]) for run in runs))
    return index.tempo[~index.index.isin(tested)].dropna().to_numpy()


def study(out: Path, cache_root: Path) -> str:
    """Draw the figures of every set-up below `out`; returns the answers as text."""
    answers = []
    for row, layer, unit in ((TIME, "time", "frame (23 ms)"), (FREQUENCY, "frequency", "mel band")):
        found = list(learned_filters(out, row, f"{layer}_conv"))
        for name in sorted({setup_of(record) for _, record, _ in found}):
            runs = [run for run in found if setup_of(run[1]) == name]
            title = f"{row} filters, {figures.label(name)}, fold {runs[0][1]['fold'] + 1}"
            path = out / PAPER / "figures" / f"{name}-{layer}-filters.png"
            draw_filters(runs[0][2], unit, title, path)
            if layer == "time":
                answers.append(_answer_for(name, runs, out, cache_root))
    return "\n".join(answers) or f"no finished run of {TIME} below {out}"


def setup_of(record: dict) -> str:
    """Name the set-up of a run as the evaluation names its figures."""
    return setup_name(pd.DataFrame([{name: record[name] for name in SETUP}]))


def _answer_for(name: str, runs: list[Run], out: Path, cache_root: Path) -> str:
    """Answer the question for the runs of one set-up, draw it, and put it in a sentence."""
    directories, records, kernels = zip(*runs, strict=True)
    tempi = training_tempi(cache_root, records[0]["dataset"], list(directories))
    if not len(tempi):
        return f"{name}: filters drawn; its index knows no tempi, so no answer on tempo"
    recipe = find_recipe(RECIPE)
    found = answer([[kernel] for kernel in kernels], tempi, recipe.sample_rate / recipe.hop)
    title = f"Do Time filters learn tempo? {figures.label(name)}"
    draw_answer(found, "Time", title, out / PAPER / "figures" / f"{name}-tempo.png")
    return f"{name}: {in_words(found, 'Time')}"


def in_words(found: Answer, kind: str) -> str:
    """Say an answer about filters of some kind in a sentence."""
    low, high = 100 * found.inside.min(), 100 * found.inside.max()
    return (
        f"{100 * found.inside.mean():.0f} % of {len(found.learned)} {kind} filters (run by "
        f"run {low:.0f} to {high:.0f} %) have their dominant periodicity within the tempi "
        f"({found.tempi.min():.0f} to {found.tempi.max():.0f} BPM); of random filters "
        f"{100 * found.inside_by_chance:.0f} % have"
    )


@as_command
def run_study(
    paper: str, description: str, study: Callable[[Path, Path], str], argv: list[str] | None
) -> int:
    """Run a study of filters as a command: (folder of runs, of caches) → its answers as text."""
    parser = command_parser(f"reproductions.{paper}.filters", description)
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    add_cache_option(parser)
    arguments = parser.parse_args(argv)
    device.configure()
    print(study(arguments.out, arguments.cache_root))
    return 0


def main(argv: list[str] | None = None) -> int:
    """Draw what the filters of finished runs learned; returns the exit status."""
    return run_study(PAPER, __doc__.split("\n\n")[1], study, argv)


if __name__ == "__main__":
    sys.exit(main())
