"""Every figure function of the suite: nothing clipped, nothing wider than a page."""

import ast
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from mirkeras.report import bars, curves, matrices
from mirkeras.report.figures import label
from mirkeras.tagging.job import figure as taggram
from mirkeras.tagging.tagger import Tagged
from reproductions.lee_samplecnn import filters as samplecnn
from reproductions.lee_samplecnn import levels
from reproductions.pons_cbmi2016 import filters as directions
from reproductions.pons_icassp2017 import filters as patterns
from reproductions.pons_icassp2017 import parameters
from reproductions.pons_icassp2019_fewdata import curve
from reproductions.pons_icassp2019_random import front_ends as random_front_ends
from reproductions.pons_ismir2018 import genres
from reproductions.schindler_gtzan import confusion

ROOT = Path(__file__).parents[1]
WIDEST = 1400  # pixels
MAKERS = ("Figure", "canvas")  # what begins a figure
LONG = "a name of a class that somebody made very long indeed, with commas"
UNICODE = "Čarolija 日本の音楽 ñandú موسيقى 🎵 $x^2$ _under"
TITLE = f"{label(LONG)}, split {label(UNICODE)}, 10 folds, training cut at 10 of 2,000 epochs"
NAMES = ("short", LONG, UNICODE, "W" * 300, "a\nb")


def names(count: int) -> list[str]:
    return [f"{NAMES[number % len(NAMES)]} {number}" for number in range(count)]


def random() -> np.random.RandomState:
    return np.random.RandomState(0)


def compared(rows: int, metric: str, elsewhere: tuple[str, ...]) -> pd.DataFrame:
    top = 100 if bars.top_of(metric) == 100 else 1
    values = top * np.linspace(0.2, 1, rows)
    return pd.DataFrame(
        {
            **{"model": names(rows), "metric": metric, "measured": values, "n": 10},
            **{"measured_std": 0.2 * top, "published": values[::-1], "published_std": 0.1 * top},
            "elsewhere": [elsewhere[number % len(elsewhere)] for number in range(rows)],
        }
    )


def comparison(rows: int, metric: str, *elsewhere: str) -> Callable[[Path], None]:
    chance = bars.Chance(12.5 if bars.top_of(metric) == 100 else 0.5, "the commonest class")
    return lambda path: bars.comparison(
        compared(rows, metric, elsewhere), path, title=TITLE, chance=chance,
        repeats="mean ± std of 3 to 5 of 10 folds",
    )  # fmt: skip


def tags(count: int, networks: int) -> Callable[[Path], None]:
    table = pd.DataFrame(random().uniform(0.1, 1, (count, networks)), columns=names(networks))
    table.insert(0, "positives", 12)
    table.insert(0, "tag", names(count))
    return lambda path: bars.tags(table, path, title=TITLE)


def learned(networks: int, runs: int, *quantities: str) -> Callable[[Path], None]:
    def log(scale: float) -> pd.DataFrame:
        table = pd.DataFrame({"epoch": np.arange(1, 41)})
        for name in quantities:
            table[name] = scale * random().uniform(0, 1, 40)
        return table

    logs = {name: [log(1 + run) for run in range(runs)] for name in names(networks)}
    return lambda path: curves.training_curves(logs, path, title=TITLE)


def confused(classes: int, digits: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return random().randint(0, 10**digits, (classes, classes)), np.array(names(classes))


def matrix(classes: int) -> Callable[[Path], None]:
    return lambda path: matrices.confusion(
        *confused(classes), path, title=f"{label(LONG)}\n{TITLE}"
    )


def beside(*classes: int) -> Callable[[Path], None]:
    title = f"measured: {label(LONG)}\n{TITLE}\n271 of 299 tracks right (90.6 %)"
    panels = [(*confused(count), title) for count in classes]
    return lambda path: confusion.beside(panels, path)


def tagged(count: int) -> Callable[[Path], None]:
    found = Tagged(
        path=Path(f"{UNICODE}{LONG}.ogg"), tags=tuple(names(count)), model="MSD_musicnn",
        taggram=random().uniform(0, 1, (30, count)), starts=np.arange(30.0), length=3.0,
        seconds=33.0, repeated=False,
    )  # fmt: skip
    return lambda path: taggram.draw(found, path)


def network(layers: int) -> samplecnn.Network:
    made = [
        [samplecnn.Layer(1 + number, 22_050, random().randn(32, 729)) for number in range(layers)]
        for _ in range(2)
    ]
    return samplecnn.Network(
        "name", f"{label(LONG)}, 22,050 Hz, trained on {label(UNICODE)}", *made
    )


def answered() -> directions.Answer:
    bpm = random().uniform(70, 600, 160)
    return directions.Answer(bpm, bpm, np.linspace(80, 210, 100), np.array([0.4]), 0.3)


def kernels(folds: int) -> dict[str, np.ndarray]:
    return {f"fold {fold + 1}, seed 0": random().randn(60, 32) for fold in range(folds)}


def runs(paper: str, rows: list[str]) -> pd.DataFrame:
    """Measured runs of rows on ten folds."""
    one = {"paper": paper, "dataset": "mini_ballroom", "split": "drawn", "protocol": "clean"}
    one |= {"folds": 10, "max_epochs": 5, "seed": 0, "capped": True, "features": "f"}
    lines = [
        one | {"row": row, "fold": fold, "accuracy": 90.0 + fold, "parameters": 4000 * (place + 1)}
        for place, row in enumerate(rows)
        for fold in range(10)
    ]
    return pd.DataFrame(lines)


def over_parameters(path: Path) -> None:
    later = runs("pons_icassp2017", ["table/o", "table/p", "table/8o+8p"])
    parameters.draw(later, runs("pons_cbmi2016", ["table1/time-1x60"]), path)


def front_ends(path: Path) -> None:
    lines = [
        {"dataset": f"folder-{LONG}", "split": "official", "folds": 5, "protocol": protocol,
         "size": "3500", "classifier": kind, "front_end": name, "accuracy": 100.0, "seeds": 5}
        for protocol in ("clean", "code")
        for kind in ("svm", "elm")
        for name in (*random_front_ends.FRONT_ENDS, random_front_ends.MFCC)
    ]  # fmt: skip
    random_front_ends.draw(pd.DataFrame(lines), path)


def over_clips(path: Path) -> None:
    lines = [
        {"dataset": UNICODE, "protocol": "clean", "folds": 2, "method": method, "clips": clips,
         "accuracy": 99.0, "std": 5.0, "draws": 5, "chance": 10.0}
        for method in curve.METHODS
        for clips in (1, 2, 5, 10, 20, 50, 100, 0)
    ]  # fmt: skip
    curve.draw(pd.DataFrame(lines), path)


def by_class(classes: int, count: int) -> Callable[[Path], None]:
    table = pd.DataFrame(random().uniform(0, 1, (classes, count)), names(classes), names(count))
    return lambda path: genres.draw({"MTT_musicnn": table, LONG: table}, TITLE, path)


def marked(path: Path) -> None:
    marks = np.array(names(3) * 20)
    features = {layer: random().randn(60, 8) for layer in (-3, -2, -1)}
    levels.figure(features, marks, path)


TIME, FREQUENCY = directions.directions()
#: Function → what it is asked to draw.
CASES: dict[Callable, dict[str, Callable[[Path], None]]] = {
    bars.comparison: {
        "like data": comparison(4, "accuracy", ""),
        "unlike data": comparison(5, "accuracy", "ballroom: different data"),
        "one row": comparison(1, "roc_auc", f"{UNICODE}: different data"),
        "both, many rows": comparison(40, "max", "", f"{LONG}: different data", "gtzan: other"),
        "a time": comparison(7, "time_ratio", "timing: different hardware"),
    },
    bars.tags: {"few": tags(3, 2), "many": tags(50, 12), "one": tags(1, 1)},
    curves.training_curves: {
        "classes": learned(9, 10, "loss", "val_loss", "accuracy", "val_accuracy"),
        "tags": learned(3, 1, "loss", "val_loss"),
        "one": learned(1, 1, "loss", "accuracy"),
    },
    matrices.confusion: {str(count): matrix(count) for count in (2, 3, 10, 50)},
    confusion.beside: {"three": beside(10, 3), "ten": beside(10, 10), "fifty": beside(10, 50)},
    taggram.draw: {"two": tagged(2), "fifty": tagged(50)},
    samplecnn.draw_examples: {"six layers": lambda path: samplecnn.draw_examples(network(6), path)},
    samplecnn.draw_spectra: {
        str(count): lambda path, count=count: samplecnn.draw_spectra(network(count), path)
        for count in (1, 6)
    },
    samplecnn.draw_comparison: {
        str(count): lambda path, count=count: samplecnn.draw_comparison([network(4)] * count, path)
        for count in (1, 3)
    },
    levels.figure: {"three layers": marked},
    directions.draw_filters: {
        "time": lambda path: directions.draw_filters(kernels(10), TIME, TITLE, path),
        "frequency": lambda path: directions.draw_filters(kernels(1), FREQUENCY, TITLE, path),
    },
    directions.draw_answer: {
        "tempo": lambda path: directions.draw_answer(answered(), "Time", TITLE, path)
    },
    patterns.draw_patterns: {
        "two runs": lambda path: patterns.draw_patterns(
            [[random().randn(size, 8) for size in (46, 216)]] * 2, answered().tempi, TITLE, path
        )
    },
    parameters.draw: {"two papers": over_parameters},
    random_front_ends.draw: {"all": front_ends},
    curve.draw: {"all": over_clips},
    genres.draw: {"three": by_class(3, 14), "ten": by_class(10, 14), "two": by_class(2, 3)},
}


def figure_functions() -> set[str]:
    """Find what begins a figure: dotted names of functions."""
    found = set()
    for tree in ("mirkeras", "reproductions", "data_prep"):
        for file in sorted((ROOT / tree).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and any(map(_begins, ast.walk(node))):
                    found.add(f"{module}.{node.name}")
    return found - {"mirkeras.report.figures.canvas"}


def _begins(node: ast.AST) -> bool:
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", getattr(function, "id", None)) in MAKERS


def test_every_figure_function_has_cases() -> None:
    assert figure_functions() == {f"{made.__module__}.{made.__qualname__}" for made in CASES}


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, tuple[str, Bbox, Bbox]]]:
    """What is written when figures are drawn: the text, where it is, and the canvas, in pixels."""
    written = {}
    draw = Text.draw

    def draw_and_note(self: Text, renderer: object) -> None:
        draw(self, renderer)
        if self.get_visible() and self.get_text().strip():
            place = self.get_window_extent(renderer)
            written[id(self)] = (self.get_text(), place, self.get_figure(root=True).bbox.frozen())

    monkeypatch.setattr(Text, "draw", draw_and_note)
    return written


EVERY = [(made, name) for made, cases in CASES.items() for name in cases]


@pytest.mark.parametrize(
    ("made", "name"),
    EVERY,
    ids=[f"{m.__module__.split('.')[-1]}.{m.__name__}-{n}" for m, n in EVERY],
)
def test_nothing_is_clipped(made: Callable, name: str, texts: dict, tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of Matplotlib: formulas, no room
        CASES[made][name](path)
    assert matplotlib.image.imread(path).shape[1] <= WIDEST
    assert texts
    for text, place, canvas in texts.values():
        inside = place.x0 >= -1 and place.y0 >= -1
        inside = inside and place.x1 <= canvas.x1 + 1 and place.y1 <= canvas.y1 + 1
        assert inside, f"{text!r} at {place} leaves {canvas}"
