"""Commands in the READMEs run: page by page, in their order, in a folder made for the page.

What a command names is made small (a folder of three classes, a list with tags, a miniature of
MagnaTagATune, IRMAS or jingju), what takes long is cut (the first row, an epoch, two folds),
trained taggers have random weights. Runs and extractions happen in this process.
"""

import re
import runpy
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from mirkeras.system.backend import keras

import pytest
import soundfile

from data_prep.sets import irmas, jingju_phonemes
from mirkeras.cli import train
from mirkeras.pretrained import weights
from mirkeras.system.machine import device
from mirkeras.training import plan
from mirkeras.training.command.preflight import plan_rows
from reproductions.lidy_mirex2016 import mirex, mirex_folds, tasks
from reproductions.pons_eusipco2017 import instruments
from tests.conftest import RATE, make_classes, pulses
from tests.data_prep.jingju import record
from tests.data_prep.miniature import make_mirror
from tests.reproductions import test_sung as sung
from tests.reproductions.test_pons_eusipco2017_instruments import make_irmas

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "mirkeras" / "README.md"),
    *sorted(ROOT.glob("reproductions/*/README.md")),
]
QUICK = ("audioset", "won_smc2020")  # the others are long
TRACKS, SECONDS = 8, 4.0  # of each class
LONGER = {"pons_eusipco2017": 12.0, "pons_icassp2017": 24.0}  # a batch validates

STEPS = ("extractFeatures", "Train", "Classify")
PROGRAMS = ("mirkeras", "python", "make", "pip", *STEPS)
PYTHON = "import mirkeras as mk"  # begins a block of Python
#: How blocks begin that are no commands: diagrams, and what a command prints.
OTHER_BLOCKS = ("audio ─▶", "table1/time-1x60: accuracy", "plan: ")
NOT_RUN = {
    "make test": "runs this",
    "pip install .": "installs",
    "make parity": "needs the authors' weights, which are not at hand",
}

#: Pattern → what it stands for here; `;` separates commands.
STAND_INS = {
    # forms
    r"mirkeras train PAPER …": "mirkeras train pons_cbmi2016 --dataset folder:PATH",
    r"mirkeras (evaluate) PAPER …": r"mirkeras \1 pons_cbmi2016",
    r"mirkeras compare PAPER": "mirkeras compare pons_cbmi2016",
    r"mirkeras list \[PAPER\] \[--csv\]": "mirkeras list pons_cbmi2016 --csv; mirkeras list --runs",
    r"mirkeras data get\|check\|list D": (
        "mirkeras data get folder:PATH; mirkeras data check folder:PATH; mirkeras data list"
    ),
    r"mirkeras features D RECIPE.*": "mirkeras features folder:PATH cbmi2016,musicnn",
    r"mirkeras export MODEL_OR_RUN …": (
        "mirkeras export MTT_musicnn --format keras --out whole.keras"
    ),
    r"FILE…": "song.mp3",
    # data; another division of the same tracks is kept elsewhere
    r"--dataset D --task": "--dataset folder:PATH --out tasks --task",
    r"pons_cbmi2016\.demo": "pons_cbmi2016.demo --dataset folder:PATH",
    r"lee_samplecnn\.demo": "lee_samplecnn.demo --dataset csv:tags.csv --marks odd,even",
    r"pons_eusipco2017\.reproduce(?!.*--dataset)": "pons_eusipco2017.reproduce --mirror mirror",
    r"(?<=--dataset )(gtzan\S*|mini_ballroom|ballroom|urbansound8k|esc50|music_speech|D)(?= |$)": (
        "folder:PATH"
    ),
    r"(?<=--dataset )mini_tags": "csv:tags.csv",
    r"(?<=--dataset )magnatagatune": "magnatagatune --mirror mirror",
    r"folder:(PATH|music)": "folder:music",
    r"--dataset folder:music --marks piano,techno": "--dataset folder:music --marks slow,fast",
    r"--marks piano,techno": "--marks guitar,slow",
    # of a table what the page goes on with
    r"(?<=--rows )table6(?= )": "table6/last-3",
    r"(?<=--rows )report(?= )": "report/cqt-exp-deep-100",
    # what is measured, on noise, has a test of its own
    r" --timing": "",
    r"SCRATCH": "scratch",
    r"(feature\w*|train|test|output)List\b": r"\1List.txt",
}
#: What a page's commands need that none of them makes.
MADE_BEFORE = {
    "mirkeras": ("mirkeras train lee_samplecnn --dataset folder:PATH --rows table5/2000",),
}


# Pages


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT)).removeprefix("reproductions/").removesuffix("/README.md")


def blocks(page: Path) -> list[list[str]]:
    """The indented blocks of a page, continued lines joined, without their indent."""
    text = re.sub(r" *\\\n *", " ", page.read_text(encoding="utf-8"))
    found = re.findall(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+", text)
    return [[line[4:] for line in block.splitlines() if line] for block in found]


def commands(page: Path) -> list[str]:
    """The commands of a page in order, without comments; a block of Python is one."""
    found = []
    for lines in blocks(page):
        if lines[0] == PYTHON:
            found.append("\n".join(lines))
        elif not lines[0].startswith(OTHER_BLOCKS):
            plain = (re.split(r" {3,}| {2,}#|(?:^| )# ", line)[0].strip() for line in lines)
            found += [line for line in plain if line]
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_is_indented_is_known(page: Path) -> None:
    for command in commands(page):
        assert command.startswith((*PROGRAMS, PYTHON)), f"neither run nor listed: {command}"


def test_what_is_not_run_stands_in_a_page() -> None:
    known = [command for page in PAGES for command in commands(page)]
    for listed in NOT_RUN:
        assert any(not_run(command) == listed for command in known)


def not_run(command: str) -> str | None:
    """The entry of `NOT_RUN` that a command is, if it is one."""
    words = " ".join(shlex.split(command))
    return next((name for name in NOT_RUN if words == name or words.startswith(f"{name} ")), None)


# A sandbox


@pytest.fixture
def sandbox(page: Path, tmp_path: Path, in_process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a folder with all that commands name; nothing else of the machine is used."""
    for name in ("DATA", "CACHE", "WEIGHTS"):
        monkeypatch.setenv(f"MIRKERAS_{name}", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    make_classes(tmp_path / "music", TRACKS, LONGER.get(name_of(page), SECONDS))
    for name in ("song.mp3", "dog.wav"):
        soundfile.write(tmp_path / name, pulses(120, SECONDS, seed=9), RATE)
    make_lists(tmp_path)
    told = " ".join(commands(page))
    if re.search("magnatagatune|reproduce-mtat", told):
        make_mirror(tmp_path / "mirror", seconds=9.1)
    if "jingju" in told:
        make_data(tmp_path / "data", monkeypatch)
    genres = {"files": 3 * TRACKS, "labels": 3, "per_class": TRACKS}
    small = replace(tasks.TASKS["genre"], classes=("fast", "medium", "slow"), **genres)
    monkeypatch.setitem(tasks.TASKS, "genre", small)
    monkeypatch.setattr(weights, "load", random_tagger)
    monkeypatch.setattr(weights, "identified", lambda card, *_: card)
    monkeypatch.setattr(train, "plan_rows", first_row)
    # tracks are few, and some protocols drop incomplete batches
    batch_of = plan.batch_of
    monkeypatch.setattr(plan, "batch_of", lambda *run: min(4, batch_of(*run)))
    monkeypatch.setattr(mirex_folds.subprocess, "run", with_steps_here(subprocess.run))
    # threads cannot be set any more once TensorFlow has been used
    monkeypatch.setattr(device, "configure", lambda **options: None)


def make_lists(place: Path) -> None:
    """Write a data set with two tags a track, artists, and the lists of MIREX."""
    songs = sorted((place / "music").rglob("*.wav"))
    tags = [f"{song.parent.name}|{'odd' if number % 2 else 'even'}"
            for number, song in enumerate(songs)]  # fmt: skip
    rows = {
        "tags.csv": [
            "path,label",
            *(f"{song},{tag}" for song, tag in zip(songs, tags, strict=True)),
        ],
        "artists.txt": [
            f"{song.relative_to(place / 'music')}\t{song.parent.name} {number % 4}"
            for number, song in enumerate(songs)
        ],
        "featureExtractionList.txt": songs,
        "trainList.txt": [f"{song}\t{song.parent.name}" for song in songs[::2]],
        "testList.txt": songs[1::2],
    }
    for name, lines in rows.items():
        (place / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def make_data(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make miniatures of IRMAS and jingju, and let their declarations be as small."""
    monkeypatch.setattr(irmas, "DATASET", make_irmas(place / "irmas", clips=10))
    monkeypatch.setattr(instruments, "WIDTHS", {1: 2, 3: 1})  # filters
    names = [*sung.TRAINED, sung.NOT_IN_CODE, sung.LEAK, sung.TESTED]
    for seed, name in enumerate(names):
        record(place / "jingju_phonemes", name, sung.PHONEMES, seed)
    small = replace(jingju_phonemes.DATASET, tracks=len(names), splits=sung.SPLITS)
    monkeypatch.setattr(jingju_phonemes, "DATASET", small)


def random_tagger(card, *_, **__) -> keras.Model:
    """Build a card's network, with the same random weights each time."""
    keras.utils.set_random_seed(5)
    return card.build()


def first_row(experiment, wanted: list[str], extractors: tuple) -> list[str]:
    """Plan the first of the rows that are named, after all are checked."""
    whole = plan_rows(experiment, wanted, extractors)
    if wanted == [*experiment.headline]:
        return whole
    if wanted[0] in experiment.rows:
        return plan_rows(experiment, wanted[:1], extractors)
    first = plan_rows(experiment, wanted[:1], extractors)[0]  # of a table
    return plan_rows(experiment, [first], extractors)


def with_steps_here(run: Callable) -> Callable:
    """Let MIREX's executables run in this process, all else as `run` does."""

    def chosen(command: list, *arguments, **options):
        name = Path(command[0]).name
        if name not in STEPS:
            return run(command, *arguments, **options)
        return subprocess.CompletedProcess(command, mirex.main([name, *command[1:]]))

    return chosen


# Running


def stood_in(command: str) -> list[str]:
    """Say what a command of a page is in the sandbox."""
    for pattern, stand_in in STAND_INS.items():
        command = re.sub(pattern, stand_in, command)
    command = re.sub(r"(?<= )RUN(_DIRECTORY\w*)?(?= |$)", lambda _: newest_run(command), command)
    command = re.sub(r"\S+/…/\S+", lambda path: expanded(path[0]), command)
    return command.split("; ")


def newest_run(command: str) -> str:
    """Find the run that the command's paper finished last, of those whose network hears tracks."""
    paper = re.search(r"(?:train |reproductions\.)(\w+)", command)[1]
    found = [path for path in Path("runs", paper).rglob("model.keras") if "table6" not in str(path)]
    return str(max(found, key=lambda path: path.stat().st_mtime).parent)


def expanded(path: str) -> str:
    """Find the first place that a path with … in it may mean, of two folds."""
    pattern = re.sub(r"of\d\d$", "of02", path.replace("…", "**"))
    return str(min(Path().glob(pattern)))


def of_target(words: list[str]) -> list[str]:
    """What a target of the Makefile runs, without the setting up of its environment."""
    said = subprocess.run(
        ["make", "-n", "-C", str(ROOT), "JOBS=1", *words],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    own = r"^\S*/python (-m (?:reproductions|mirkeras)\S* .*)$"
    return [f"python {line}" for line in re.findall(own, said, re.MULTILINE)]


def cut(words: list[str]) -> list[str]:
    """What makes a command that trains a short one."""
    line = " ".join(words)
    if words[0] in ("Train", "reproductions.lidy_mirex2016.job"):
        return ["-epochs" if words[0] == "Train" else "--epochs", "1"]
    if not re.match(r"mirkeras train|reproductions\.\w+\.(train|reproduce|demo)", line):
        return []
    drawn = re.search(r"--dataset (folder|csv):", line)  # others come with a split
    return ["--epochs", "1", "--seeds", "0", *(["--folds", "2"] if drawn else [])]


def run(shown: str) -> None:
    """Run a command of a page in this process; what it writes must be there."""
    lines = of_target(shlex.split(shown)[1:]) if shown.startswith("make ") else [shown]
    assert lines, f"{shown} runs nothing"
    for command in (command for line in lines for command in stood_in(line)):
        program, *words = shlex.split(command)
        words = words[1:] if program == "python" else [program, *words]
        words += cut(words)
        print("running", *words)
        assert status_of(words) == 0, f"{command}: failed"
        for option, path in pairwise(words):
            if option in ("--out", "--plot", "--embed"):
                assert Path(path).exists(), f"{command}: no {path}"


def status_of(words: list[str]) -> int:
    if words[0] in STEPS:
        return mirex.main(words)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it was imported before
        patch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            runpy.run_module(words[0], run_name="__main__")
    return end.value.code or 0


def run_python(shown: str) -> None:
    """Run a block of Python, from a file as a user would."""
    text = re.sub(r'"([^"\n]*…[^"\n]*)"', lambda path: f'"{expanded(path[1])}"', shown)
    Path("page.py").write_text(text, encoding="utf-8")
    runpy.run_path("page.py")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=() if name_of(page) in QUICK else pytest.mark.long)
        for page in PAGES
    ],
    ids=name_of,
)
def test_every_command_of_a_page_runs(page: Path, sandbox: None, capfd) -> None:
    for command in (*MADE_BEFORE.get(name_of(page), ()), *commands(page)):
        if command.startswith(PYTHON):
            run_python(command)
        elif not not_run(command):
            run(command)
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said
    for path in re.findall(r"[Ww]ritten(?: to|:) (\S+?)[:,;]?\s", said):
        assert Path(path).exists(), f"{path} was not written"
