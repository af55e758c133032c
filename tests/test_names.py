"""Names of classes, files, folders and tags are data: what they hold comes out as it went in."""

import contextlib
import csv
import io
import json
import os
import re
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib import cbook

from data_prep.index import read_index
from data_prep.prepare import Prepared, prepare
from mirkeras import cache
from mirkeras.evaluation import comparison, evaluate, results
from mirkeras.evaluation.drawing import short_names
from mirkeras.experiment import Experiment, Row
from mirkeras.experiment.records import read_predictions, write_predictions
from mirkeras.features import find_recipe
from mirkeras.report import figures, tables
from mirkeras.storage.files import is_leftover
from mirkeras.storage.tables import read_csv, write_checked_csv
from mirkeras.system.errors import shown
from mirkeras.tagging.job import output
from tests.mirkeras.tagging.fake_tagger import MODEL, guess
from tests.one_epoch import PROTOCOL

# Characters that some format, shell, terminal or page takes for its own.
ODD = "\r\n\t\v\x1b\x85\u2028\u2029\u202e\"'`$|<>&\\*_[]()#~^%{}=-+@,;:!? .aé音\U0001f600"

PAPER = Experiment("a_paper", {"a/1": Row("a/1", "A")}, ("a/1",), {"code": PROTOCOL}, batch=1)
NAMES = (
    st.text(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"]), min_size=1)
    .filter(lambda name: not {"/", "\0"} & {*name} and name.strip("."))
    .filter(lambda name: len(os.fsencode(name)) <= 250 and not is_leftover(name))
)


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(classes=st.lists(NAMES, min_size=2, max_size=4, unique=True), file=NAMES, folder=NAMES)
@example(classes=["rock\r\n", "=1+1"], file="-\u2028<i>|$x$", folder="_a_\r" + "y" * 240)
@example(classes=["$x^2$ & \\", "nan"], file="007", folder="<b>`c`*|&amp;")
def test_names_come_back_from_everything(classes: list[str], file: str, folder: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = recorded(Path(place, folder), {label: file for label in classes})
        prepared = indexed(root, Path(place))
        assert prepared.classes == tuple(sorted(classes))
        evaluated(prepared, Path(place, "out"))
        tagged([root / path for path in prepared.index.path], Path(place, "tags"))


def recorded(root: Path, names: dict[str, str]) -> Path:
    """Write a file of noise, the given one, into every class's folder."""
    for number, (label, file) in enumerate(names.items()):
        (root / label).mkdir(parents=True)
        samples = np.random.RandomState(number).uniform(-0.5, 0.5, 4000)
        with open(root / label / f"{file[:200]}.wav", "wb") as written:
            soundfile.write(written, samples, 8000, format="WAV")
    return root


def indexed(root: Path, place: Path) -> Prepared:
    """index.csv, read back by us and by Python's own reader; what is said is two lines."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        prepared = prepare(f"folder:{root}", data_root=place, cache_root=place / "cache")
    assert said.getvalue().count("\n") == len(said.getvalue().splitlines()) == 2
    assert shown(root) in said.getvalue()
    written = prepared.home / "index.csv"
    pd.testing.assert_frame_equal(read_index(written), prepared.index, check_dtype=False)
    with open(written, newline="", encoding="utf-8") as lines:
        assert [line["label"] for line in csv.DictReader(lines)] == prepared.index.label.tolist()
    return prepared


def test_names_come_back_from_the_cache(tmp_path: Path) -> None:
    """And from its table of what was set aside: here, one that is no audio."""
    names = [
        "rock\r",
        "\r\n",
        "a\tb",
        "\u2028",
        "é",
        "e\u0301",
        "=1",
        "-x",
        '"q"',
        "a,b",
        "007",
        "NA",
    ]
    files = {name: "file" + name for name in [*names, "x" * 250]}
    prepared = indexed(recorded(tmp_path / "=ro\not", files), tmp_path)
    recipe, path = find_recipe("cbmi2016"), prepared.home / "features.h5"
    *_, name = prepared.index.track
    (prepared.root / prepared.index.path.iloc[-1]).write_bytes(b"RIFF")
    built = cache.build_cache(
        prepared.index, prepared.root, recipe, path, jobs=1, max_rejected=0.5, min_frames=1
    )
    assert [*built.tracks, *built.rejected.track] == prepared.index.track.tolist()
    assert cache.open_cache(path).tracks == built.tracks
    report = read_csv(path.with_suffix(".rejected.csv"), ["track", "path"], "…")
    assert report.track.tolist() == [name]
    assert len(shown(built.set_aside).splitlines()) == 1


def evaluated(prepared: Prepared, out: Path) -> None:
    """Predictions, the measured table, the page, and the figure of confusions."""
    classes, name = np.array(prepared.classes), prepared.home.name
    each = np.arange(len(classes))
    found = {"scores": np.eye(len(each), dtype=np.float32), "segment_track": each}
    found |= {"labels": each, "tracks": prepared.index.track.to_numpy(str)}
    write_predictions(out, **found, classes=classes)
    kept = read_predictions(out)
    assert kept["classes"].tolist() == [*prepared.classes]
    assert kept["tracks"].tolist() == prepared.index.track.tolist()
    runs = pd.DataFrame({"row": "a/1", "dataset": name, "split": "drawn", "protocol": "code",
                         "seed": 0, "fold": 0, "folds": [2], "max_epochs": 1,
                         "segment_accuracy": 100.0})  # fmt: skip
    write_checked_csv(runs, out / "measured.csv")
    pd.testing.assert_frame_equal(
        results.read_measured(out / "measured.csv", "…"), runs, check_dtype=False
    )
    setup = evaluate.setup_name(runs)
    (short,) = short_names(runs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of Matplotlib: formulas, fonts, no room
        page = evaluate._classes(runs, {"a/1": [kept]}, out / "figures" / short, PAPER)
    heading, _, head, rule, *rows = page.splitlines()
    assert unescaped(heading) == f"## {shown(setup)}: segments and classes (per cent)"
    recalls = [f"recall {shown(label)}" for label in prepared.classes]
    assert cells(head) == ["row", "segment accuracy", *recalls]
    assert rule == "|---|--:|" + "--:|" * len(each)
    assert [len(cells(row)) for row in rows] == [2 + len(each)]
    assert len([*(out / "figures").iterdir()]) == 1
    assert set(comparison.SETUP) < set(runs)


def cells(line: str) -> list[str]:
    """Take a line of a Markdown table apart as its readers do."""
    return [unescaped(cell).strip() for cell in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]


def unescaped(text: str) -> str:
    return re.sub(r"\\([!-/:-@[-`{-~])", r"\1", text)


def tagged(files: list[Path], out: Path) -> None:
    """CSV, JSON, JAMS, text and HDF5 of tags."""
    tracks = [guess(path, "penultimate") for path in files]
    out.mkdir()
    written = {name: "".join(form(tracks, MODEL, 2)) for name, form in output.DOCUMENTS.items()}
    names = [str(path) for path in files]
    lines = csv.DictReader(io.StringIO(written["csv"], newline=""), strict=True)
    assert [line["path"] for line in lines] == names
    assert [track["path"] for track in json.loads(written["json"])] == names
    assert len(written["json"].splitlines()) == len(names) + 2
    assert json.loads(output.jams(tracks[0], MODEL, 2))["sandbox"]["path"] == names[0]
    assert len(written["text"].splitlines()) == 3 * len(names)
    output.write_embeddings(out / "e.h5", tracks, MODEL, "penultimate")
    with h5py.File(out / "e.h5") as file:
        assert [os.fsdecode(path) for path in file["paths"][()]] == names


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(NAMES)
@example("a$b$c")
@example("\\$a\\\\$b$")
@example("_" * 300)
def test_labels_of_figures_are_no_formulas_and_of_one_line(name: str) -> None:
    label = figures.label(name)
    assert not cbook.is_math_text(label)
    assert not label.startswith("_")
    assert len(label.splitlines()) == 1
    drawn = label.replace(r"\$", "$")
    assert len(drawn) <= figures.LONGEST + 1
    if len(shown(name)) <= figures.LONGEST:
        assert drawn.removeprefix(" " if name[0] == "_" else "") == shown(name)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a|b", r"a\|b"),
        ("<b>", r"\<b>"),
        ("R&B &amp; &#60;", r"R&B \&amp; \&#60;"),
        ("snake_case_x", "snake_case_x"),
        ("_x_ __y__", r"\_x\_ \_\_y\_\_"),
        ("*x* `y` ~z~ $1$ \\", r"\*x\* \`y\` \~z\~ \$1\$ \\"),
        ("[a](b) [1, 2]", r"[a\](b) [1, 2]"),
        ("a\r\nb\u2028", r"a\\r\\nb\\u2028"),
        (os.fsdecode(b"\xff"), "\\udcff"),
    ],
)
def test_markdown_shows_names_as_they_are(name: str, written: str) -> None:
    assert tables.escaped(name) == written
    assert tables.table(["x"], "l", [[name]]) == f"| x |\n|---|\n| {written} |"


def test_bytes_that_are_no_text_go_through_tags_and_figures(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\xff\xfe\r.wav")
    tagged([tmp_path / name], tmp_path / "tags")
    assert figures.label(name) == r"a\udcff\udcfe\r.wav"
    track = replace(guess(tmp_path / name), tags=("$x$", "_y", "a\nb", "|"))
    output.DOCUMENTS["text"]([track], MODEL, 4)
