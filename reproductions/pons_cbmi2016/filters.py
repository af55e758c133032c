"""What did the filters learn? ``python -m reproductions.pons_cbmi2016.filters --out runs/demo``.

The blog post asks whether temporal filters learn tempo and leaves it open. Here every Time filter
is asked for its dominant periodicity, in beats per minute, and the answers are held against the
tempi of the tracks it was trained on and against filters that learned nothing (Glorot-uniform, as
every filter starts).
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.signal import get_window

from data_prep.index import read_index
from mirkeras.cli.options import add_cache_option, command_parser
from mirkeras.evaluation import drawing
from mirkeras.experiment import find_experiment
from mirkeras.experiment.records import read_predictions
from mirkeras.experiment.runs import Run, find_runs
from mirkeras.features import find_recipe
from mirkeras.report import figures
from mirkeras.system.errors import UsageError, as_command
from mirkeras.system.machine import device
from mirkeras.transfer.networks import load_network
from reproductions.pons_cbmi2016.experiments import RECIPE

PAPER = "pons_cbmi2016"
SLOWEST = 60.0  # BPM; below it the 1.39 s of a filter hold not even one and a half beats
FASTEST = 640.0  # BPM; four notes to the beat at the slowest tempo, three at the fastest
RANDOM_FILTERS = 10_000
LEVELS = (1, 2)  # drawn: the beat and its halves

PAIRS = 2  # filters and spectra of so many folds in a line of a figure

Learned = tuple[Path, dict, np.ndarray]  # directory, record, kernel (taps, filters)


@dataclass(frozen=True)
class Direction:
    """Along what the filters of a row run.

    Attributes
    ----------
    row, layer : str
    step : float
        From tap to tap, in the unit of `along`.
    along, periods : str
        What the axes of filters and of their spectra are, with their units.
    scale : float
        Units of `periods` in one period per unit of `along`.
    """

    row: str
    layer: str
    step: float
    along: str
    periods: str
    scale: float = 1.0


def directions() -> tuple[Direction, Direction]:
    """Return those of Time and Frequency."""
    recipe = find_recipe(RECIPE)
    hop = recipe.hop / recipe.sample_rate
    return (
        Direction("table1/time-1x60", "time", hop, "time (s)", "beats per minute", 60),
        Direction("table1/frequency-32x1", "frequency", 1, "mel band", "periods per mel band"),
    )


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
    periods, spectrum = spectra(filters, 1 / frame_rate, 4096)
    bpm = periods * 60
    audible = (bpm >= SLOWEST) & (bpm <= FASTEST)
    return bpm[audible][spectrum[audible].argmax(axis=0)]


def spectra(filters: np.ndarray, step: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute Hann-windowed magnitude spectra of filters (taps, filters) without their means.

    Returns
    -------
    float (bins,), float (bins, filters)
        Periods per unit of `step`, which is that from tap to tap; magnitudes.
    """
    window = get_window("hann", len(filters))[:, None]
    spectrum = np.abs(np.fft.rfft((filters - filters.mean(axis=0)) * window, size, axis=0))
    return np.fft.rfftfreq(size, step), spectrum


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


def learned_filters(out: Path, row: str, layer: str) -> Iterator[Learned]:
    """Go through the finished runs of a row: (directory, record, kernel (taps, filters))."""
    for directory, record in find_runs(out, PAPER):
        if record["row"] == row:
            model = load_network(directory / "model.keras")
            kernel = model.layers[-1].get_layer(layer).get_weights()[0]
            yield directory, record, kernel.reshape(-1, kernel.shape[-1])


def draw_filters(
    kernels: dict[str, np.ndarray], direction: Direction, title: str, path: Path
) -> None:
    """Draw the filters of every fold beside their spectra, lowest peak at the bottom.

    Parameters
    ----------
    kernels : dict
        Title of a panel → float (taps, filters). Each filter is drawn relative to its largest
        value, its spectrum too.
    """
    lines = -(-len(kernels) // PAIRS)
    figure = figures.canvas(figures.WIDEST, 1 + 2.2 * lines)
    panels = figure.subplots(lines, 2 * PAIRS, squeeze=False, sharex="none")
    for axes in panels.flat[2 * len(kernels) :]:
        axes.remove()
    for number, (name, kernel) in enumerate(kernels.items()):
        line, pair = divmod(number, PAIRS)
        left, right = panels[line, 2 * pair : 2 * pair + 2]
        _draw_pair(left, right, kernel, direction)
        left.set_title(figures.label(name), fontsize="small")
        right.set_title("spectra", fontsize="small")
    figures.title(figure, title)
    figures.save(figure, path)


def _draw_pair(left: Axes, right: Axes, kernel: np.ndarray, direction: Direction) -> None:
    periods, spectrum = spectra(kernel, direction.step, 512)
    order = np.argsort(spectrum.argmax(axis=0), kind="stable")
    taps, filters = kernel.shape
    left.imshow(
        (kernel / np.abs(kernel).max(axis=0))[:, order].T, cmap="RdBu_r", vmin=-1, vmax=1,
        origin="lower", aspect="auto", extent=(0, taps * direction.step, 0.5, filters + 0.5),
    )  # fmt: skip
    right.imshow(
        (spectrum / spectrum.max(axis=0))[:, order].T, cmap="viridis", vmin=0, vmax=1,
        origin="lower", aspect="auto",
        extent=(0, periods[-1] * direction.scale, 0.5, filters + 0.5),
    )  # fmt: skip
    left.set_xlabel(direction.along, fontsize="x-small")
    left.set_ylabel("filter, by peak", fontsize="x-small")
    right.set_xlabel(direction.periods, fontsize="x-small")
    for axes in (left, right):
        axes.tick_params(labelsize="x-small")


def draw_answer(found: Answer, kind: str, title: str, path: Path) -> None:
    """Draw tempi and the periodicities of filters of some kind on one axis."""
    figure = figures.canvas(9, 5.4)
    above, below = figure.subplots(2, sharex=True)
    bins = np.geomspace(SLOWEST, FASTEST, 33)
    above.hist(
        [found.tempi * level for level in LEVELS], bins, stacked=True,
        label=[f"tempo × {level}" for level in LEVELS],
        color=["#12455a", "#6fa8b8"], hatch=["", "//"], edgecolor="white",
    )  # fmt: skip
    above.set(ylabel="tracks")
    above.legend(fontsize="small")
    for values, color, style, label in (
        (found.random, figures.PUBLISHED, "--", "untrained: random filters"),
        (found.learned, figures.MEASURED, "-", f"{len(found.learned)} learned {kind} filters"),
    ):
        weights = np.full(len(values), 100 / len(values))
        below.hist(values, bins, weights=weights, histtype="step", lw=2, color=color, ls=style,
                   label=label)  # fmt: skip
    below.axvspan(
        found.tempi.min(), found.tempi.max(), color=figures.PUBLISHED, alpha=0.2, label="tempi"
    )
    below.set(xscale="log", xlabel="dominant periodicity (beats per minute)", ylabel="filters (%)")
    ticks = [60, 90, 120, 180, 240, 360, 480, 640]
    below.set_xticks(ticks, ticks)
    below.minorticks_off()
    below.set_ylim(top=1.35 * below.get_ylim()[1])
    below.legend(fontsize="small", loc="upper center", ncols=3)
    figures.title(figure, title)
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
    answers, names = [], setups(out, PAPER)
    for direction in directions():
        found: dict[str, list[Learned]] = {}
        for run in learned_filters(out, direction.row, f"{direction.layer}_conv"):
            found.setdefault(names[run[0]], []).append(run)
        for name, runs in sorted(found.items()):
            kernels = {
                f"fold {record['fold'] + 1}, seed {record['seed']}": kernel
                for _, record, kernel in runs
            }
            kernels["untrained: random filters"] = random_filters(*runs[0][2].shape)
            path = out / PAPER / "figures" / f"{name}-{direction.layer}-filters.png"
            draw_filters(kernels, direction, of_runs(PAPER, [run[1] for run in runs]), path)
            if direction.layer == "time":
                answers.append(_answer_for(name, runs, out, cache_root))
    return "\n".join(answers) or f"no finished run of {directions()[0].row} below {out}"


def setups(out: Path, paper: str) -> dict[Path, str]:
    """Name the set-up of every finished run's directory as the evaluation names its figures."""
    found = dict(find_runs(out, paper))
    runs = pd.DataFrame([asdict(Run.of(record)) for record in found.values()])
    return dict(zip(found, drawing.short_names(runs), strict=True)) if found else {}


def of_runs(paper: str, records: list[dict]) -> str:
    """Say whose filters a figure shows: the row and set-up of runs."""
    experiment = find_experiment(paper)
    runs = pd.DataFrame([asdict(Run.of(one)) | {"capped": one.get("capped")} for one in records])
    model = experiment.rows[records[0]["row"]].model
    return f"{model}: filters learned on {drawing.in_words(experiment, runs)}"


def _answer_for(name: str, runs: list[Learned], out: Path, cache_root: Path) -> str:
    """Answer the question for the runs of one set-up, draw it, and put it in a sentence."""
    directories, records, kernels = zip(*runs, strict=True)
    tempi = training_tempi(cache_root, records[0]["dataset"], list(directories))
    if not len(tempi):
        return f"{name}: filters drawn; its index knows no tempi, so no answer on tempo"
    recipe = find_recipe(RECIPE)
    found = answer([[kernel] for kernel in kernels], tempi, recipe.sample_rate / recipe.hop)
    title = f"Do Time filters learn tempo?\n{of_runs(PAPER, list(records))}"
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
