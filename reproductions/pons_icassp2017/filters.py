"""What did the P filters learn? ``python -m reproductions.pons_icassp2017.filters --out runs``.

The study of CBMI 2016's Time filters once more, on filters of 46 to 216 frames: 1.1 to 5 s, which
resolve tempi where 60 frames could not. Each filter is asked for its dominant periodicity, in beats
per minute; the answers are held against the tempi of the tracks it was trained on and against
filters of the same lengths that learned nothing.
"""

import sys
from pathlib import Path

import numpy as np

from mirkeras.experiment.runs import find_runs
from mirkeras.features import find_recipe
from mirkeras.report import figures
from mirkeras.transfer.networks import load_network
from reproductions.pons_cbmi2016 import filters as study
from reproductions.pons_icassp2017.experiments import RECIPE
from reproductions.pons_icassp2017.models import PATTERNS

PAPER = "pons_icassp2017"
#: The smallest and the largest network that has P filters.
ROWS = ("table/p", "table/8o+8p")
#: Frames: parts of the lengths that are answered for by themselves.
PARTS = (range(46, 102), range(106, 157), range(161, 217))

Kernels = list[np.ndarray]  # of one run, (frames, filters) per length


def frame_rate() -> float:
    """Frames per second."""
    recipe = find_recipe(RECIPE)
    return recipe.sample_rate / recipe.hop


def pattern_filters(directory: Path) -> Kernels:
    """Read the P filters of a finished run."""
    network = load_network(directory / "model.keras").layers[-1]
    kernels = [network.get_layer(f"conv_1x{n}").get_weights()[0] for n in PATTERNS]
    return [kernel.reshape(len(kernel), -1) for kernel in kernels]


def by_length(runs: list[Kernels], tempi: np.ndarray) -> str:
    """Say for short, middle and long filters how many have a period of the tempi."""
    said = []
    for lengths in PARTS:
        chosen = [[kernel for kernel in run if len(kernel) in lengths] for run in runs]
        found = study.answer(chosen, tempi, frame_rate())
        said.append(
            f"{lengths.start} to {lengths[-1]} frames {100 * found.inside.mean():.0f} % "
            f"(random {100 * found.inside_by_chance:.0f} %)"
        )
    return ", ".join(said)


def draw_patterns(runs: list[Kernels], tempi: np.ndarray, title: str, path: Path) -> None:
    """Draw the dominant periodicity of each filter over its length, tempi at the side."""
    figure = figures.canvas(9, 5.6)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    for kernel in (kernel for run in runs for kernel in run):
        found = study.dominant_bpm(kernel, frame_rate())
        seconds = np.full(len(found), len(kernel) / frame_rate())
        left.plot(seconds, found, ".", color=figures.MEASURED, alpha=0.4, label="a learned filter")
    left.axhspan(
        tempi.min(), tempi.max(), color=figures.PUBLISHED, alpha=0.2, label="tempi of the tracks"
    )
    left.set(
        xlabel="length of the filter (s)", ylabel="dominant periodicity (beats per minute)",
        yscale="log",
    )  # fmt: skip
    bins = np.geomspace(study.SLOWEST, study.FASTEST, 33)
    right.hist(tempi, bins, orientation="horizontal", color=figures.PUBLISHED, hatch="//")
    right.set(xlabel="tracks")
    right.set_title("tempi", fontsize="medium")
    marks = [60, 90, 120, 180, 240, 360, 480, 640]
    left.set_yticks(marks, marks)
    left.minorticks_off()
    figures.title(figure, title)
    figures.legend(figure, left)
    figures.save(figure, path)


def study_patterns(out: Path, cache_root: Path) -> str:
    """Draw the figures of every set-up below `out`; returns the answers as text."""
    found: dict[tuple[str, str], list[tuple[Path, dict]]] = {}
    names = study.setups(out, PAPER)
    for directory, record in find_runs(out, PAPER):
        if record["row"] in ROWS:
            found.setdefault((record["row"], names[directory]), []).append((directory, record))
    answers = []
    for (row, setup), members in sorted(found.items()):
        directories = [directory for directory, _ in members]
        tempi = study.training_tempi(cache_root, members[0][1]["dataset"], directories)
        if not len(tempi):
            answers.append(f"{row}, {setup}: its index knows no tempi, so no answer on tempo")
            continue
        runs = [pattern_filters(directory) for directory in directories]
        answer = study.answer(runs, tempi, frame_rate())
        name = f"{setup}-{row.replace('/', '-')}"
        whose = study.of_runs(PAPER, [record for _, record in members])
        title = f"Do P filters learn tempo?\n{whose}"
        study.draw_answer(answer, "P", title, out / PAPER / "figures" / f"{name}-tempo.png")
        draw_patterns(runs, tempi, whose, out / PAPER / "figures" / f"{name}-patterns.png")
        answers.append(f"{row}, {setup}: {study.in_words(answer, 'P')}; {by_length(runs, tempi)}")
    return "\n".join(answers) or f"no finished run of {' or '.join(ROWS)} below {out}"


def main(argv: list[str] | None = None) -> int:
    """Draw what the P filters of finished runs learned; returns the exit status."""
    return study.run_study(PAPER, __doc__.split("\n\n")[1], study_patterns, argv)


if __name__ == "__main__":
    sys.exit(main())
