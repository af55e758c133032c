"""MIREX's train/test interface: the executables, called as MIREX calls them."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirkeras.system.machine import device
from reproductions.lidy_mirex2016 import mirex, mirex_features, mirex_lists, mirex_model
from reproductions.lidy_mirex2016.mirex_folds import BIN
from tests.reproductions.mirex_tones import make_tones

TRAINED, TESTED = range(4), range(4, 6)
EPOCHS = 3

# Stands where the executables expect Python: a first process kills itself, as `kill -9` would,
# right after the checkpoint that follows the first epoch, then a second one runs the same step.
# They are copies of one that has imported TensorFlow, which costs seconds, and not yet used it.
DYING_PYTHON = """\
#!{python}
import os, signal, sys
if "-m" not in sys.argv:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
from mirkeras.training import checkpoint
from reproductions.lidy_mirex2016 import mirex, mirex_training
words = sys.argv[sys.argv.index("-m") + 2:]
save = checkpoint.Checkpoint.save
def save_and_die(self):
    save(self)
    os.kill(os.getpid(), signal.SIGKILL)
dying = os.fork()
if not dying:
    checkpoint.Checkpoint.save, checkpoint.CHECKPOINT_SECONDS = save_and_die, -1.0
    os._exit(mirex.main(words))
if os.waitpid(dying, 0)[1] == signal.SIGKILL:
    sys.exit(mirex.main(words))
sys.exit("it did not die")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``audio/high/0.wav`` …, see `make_tones`."""
    folder = tmp_path_factory.mktemp("mirex")
    make_tones(folder / "audio")
    return folder


def tracks(home: Path, numbers) -> dict[str, str]:
    """File → class of the numbered tracks of both classes."""
    return {
        str(home / "audio" / label / f"{number}.wav"): label
        for label in ("low", "high")
        for number in numbers
    }


def call(executable: str, *words: object, python: Path | str = sys.executable):
    """Call an executable as MIREX would; returns what it wrote and its exit status."""
    command = [str(BIN / executable), *map(str, words)]
    environment = os.environ | {"MIRKERAS_PYTHON": str(python)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def lists(home: Path) -> dict[str, Path]:
    """The lists of a job, as an editor on Windows may leave them; the test list is out of order."""
    train = "".join(f"{file} \t{label}\r\n\r\n" for file, label in tracks(home, TRAINED).items())
    (home / "train.txt").write_bytes(f"\ufeff{train}".encode())
    tested = sorted(tracks(home, TESTED), reverse=True)
    absent = str(home / "audio" / "absent.wav")
    (home / "test.txt").write_bytes("\r\n".join([*tested, absent, tested[0]]).encode())
    mirex_lists.write_files(home / "all.txt", tracks(home, range(6)))
    return {name: home / f"{name}.txt" for name in ("train", "test", "all")}


@pytest.fixture(scope="module")
def called(home: Path, lists: dict[str, Path]) -> dict[str, subprocess.CompletedProcess]:
    """The three calls, in MIREX's order and with its names; Train is killed once and goes on."""
    scratch, output, dying = home / "scratch", home / "output.txt", home / "dying-python"
    dying.write_text(DYING_PYTHON.format(python=sys.executable))
    dying.chmod(0o755)
    training = ("Train.sh", scratch, lists["train"], "-numThreads", 2, "-epochs", EPOCHS)
    done = {
        "extract": call("extractFeatures.sh", "-numThreads", 1, scratch, lists["all"]),
        "train": call(*training, python=dying),
        "classify": call("Classify", "-numThreads", 2, scratch, lists["test"], output),
    }
    assert [one.returncode for one in done.values()] == [0, 0, 0], done
    return done


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process run steps: its threads cannot be set any more."""
    monkeypatch.setattr(device, "configure", lambda **options: None)


def step(*words: object) -> int:
    return mirex.main([str(word) for word in words])


def test_the_output_has_a_line_for_each_test_file_in_order(home: Path, lists, called) -> None:
    files, given = mirex_lists.read_files(lists["test"]), (home / "output.txt").read_text()
    lines = [line.split("\t") for line in given.splitlines()]
    assert [file for file, _ in lines] == files
    assert {label for _, label in lines} <= {"high", "low"}
    assert lines[0] == lines[5]  # the same file, twice in the list


def test_a_file_that_cannot_be_read_gets_the_most_frequent_class_and_is_named(
    home: Path, called
) -> None:
    absent = str(home / "audio" / "absent.wav")
    given = dict(mirex_lists.read_pairs(home / "output.txt"))
    assert given[absent] == "high"  # of two equally frequent ones the first by name
    message = called["classify"].stderr
    assert f"cannot be read: {absent}: missing" in message
    assert "1 file(s) cannot be read: written as 'high'" in message
    assert called["classify"].stdout == ""


def test_the_model_says_what_it_was_trained_on(home: Path, called) -> None:
    described = json.loads((home / "scratch" / "model" / "model.json").read_text())
    assert described["row"] == "mirex2016/model-1"
    assert described["classes"] == ["high", "low"]
    assert described["files"] == {"high": 4, "low": 4}
    assert described["recipe"]["recipe"]["name"] == "lidy2016-22050"
    assert (described["protocol"], described["epochs"], described["seed"]) == ("paper", EPOCHS, 0)
    assert described["segments"] == 30 * 8
    assert described["status"] == "finished"
    assert len(pd.read_csv(home / "scratch" / "model" / "log.csv")) == EPOCHS


def test_features_are_extracted_once_and_the_scratch_holds_nothing_else(home: Path, called) -> None:
    scratch = home / "scratch"
    assert len(list((scratch / "features").glob("*.h5"))) == 1
    assert {path.name for path in (scratch / "model").iterdir()} == {
        *("model.keras", "model.json", "log.csv", ".lock"),
    }
    assert {path.name for path in scratch.iterdir()} == {"features", "model"}


def test_a_killed_train_goes_on_and_ends_as_one_that_was_not(
    home: Path, lists, called, in_process, tmp_path: Path
) -> None:
    assert "going on after epoch 1\n" in called["train"].stderr
    shutil.copytree(home / "scratch" / "features", tmp_path / "features")
    assert step("Train", "-epochs", EPOCHS, tmp_path, lists["train"]) == 0
    whole, resumed = (mirex_model.load(place)[0] for place in (tmp_path, home / "scratch"))
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        # the executable has two threads: sums in another order
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert step("Classify", tmp_path, lists["test"], tmp_path / "output.txt") == 0
    assert (tmp_path / "output.txt").read_bytes() == (home / "output.txt").read_bytes()


def test_the_same_train_again_has_nothing_to_do_another_one_replaces_it(
    home: Path, lists, called, in_process, tmp_path: Path, capsys
) -> None:
    scratch = Path(shutil.copytree(home / "scratch", tmp_path / "scratch"))
    rests = [scratch / "model" / name for name in ("checkpoint.npz", "features.raw")]
    for rest in rests:  # a kill between the last description and their end leaves them
        rest.touch()
    network = (scratch / "model" / "model.keras").read_bytes()
    assert step("Train", "-epochs", EPOCHS, scratch, lists["train"]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert not any(rest.exists() for rest in rests)
    assert (scratch / "model" / "model.keras").read_bytes() == network
    other = tmp_path / "other.txt"
    renamed = {file: label.upper() for file, label in tracks(home, (0, 1, 5)).items()}
    mirex_lists.write_pairs(other, list(renamed), renamed)
    options = ("-model", "2015", "-protocol", "anew", "-epochs", 1, "-seed", 7)
    assert step("Train", scratch, other, *options) == 0
    assert "going on" not in capsys.readouterr().err
    replaced, described = mirex_model.load(scratch)
    assert described["classes"] == ["HIGH", "LOW"]
    assert (described["row"], described["seed"]) == ("mirex2015/music-speech", 7)
    assert replaced.name == "music_speech"
    assert len(pd.read_csv(scratch / "model" / "log.csv")) == 1


def test_a_full_disk_is_an_error_like_others(
    home: Path, lists, called, in_process, tmp_path: Path, monkeypatch, capsys
) -> None:
    shutil.copytree(home / "scratch" / "features", tmp_path / "features")
    read, frames = [], mirex_features.Features.frames
    monkeypatch.setattr(
        mirex_features.Features,
        "frames",
        lambda self, file: read.append(file) or frames(self, file),
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))  # three and a half files
    try:
        assert step("Train", "-epochs", 1, tmp_path, lists["train"]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "features.raw: File too large; make room, then run" in capsys.readouterr().err
    assert len(read) == 4  # what does not fit is found out by writing, not by reserving room
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.json", ".lock"}


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (["Train"], "/a.wav\tjazz\n/b.wav\tjazz\n", "all files are of class 'jazz'"),
        (["Train"], "/a.wav\n", "line 1: '/a.wav' has no tab"),
        (["Train"], "", "is empty"),
        (["Train"], "/absent.wav\tjazz\n/b.wav\trock\n", "2 of 2 training files cannot be read"),
        (["Train"], "{high}\tjazz\n/b.wav\trock\n", "no training file of rock can be read"),
        (["Classify"], "a.wav\n", "line 1: 'a.wav' is not an absolute path"),
        (["Classify"], "/a.wav\n", "holds no model: run Train"),
        (["extractFeatures"], "/a.wav\tjazz\n", "there is a tab"),
        (["extractFeatures"], "/a.wav\n/b.wav\n", "none of the files of"),
    ],
)
def test_mistakes_are_one_clear_message_and_status_1(
    words: list[str], text: str, message: str, home: Path, called, in_process, tmp_path, capsys
) -> None:
    list_ = tmp_path / "list.txt"
    list_.write_text(text.format(high=home / "audio" / "high" / "0.wav"))
    scratch = home / "scratch" if words == ["Train"] else tmp_path / "scratch"
    more = [tmp_path / "output.txt"] if words == ["Classify"] else []
    assert step(*words, scratch, list_, *more) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "output.txt").exists()


def test_a_file_that_changed_since_its_extraction_is_extracted_anew(
    home: Path, called, in_process, tmp_path
) -> None:
    file, scratch = str(home / "audio" / "low" / "0.wav"), tmp_path / "scratch"
    shutil.copytree(home / "scratch", scratch)
    recipe, why = mirex_features.choose_recipe(scratch, [file])
    assert (recipe.name, why) == ("lidy2016-22050", "as extracted before")
    before = mirex_features.provide(scratch, [file], recipe, 1).frames(file)
    assert before.shape == (113, 40)  # 4 s
    audio = Path(file).read_bytes()
    try:
        Path(file).write_bytes(audio[:44] + bytes(4000) + audio[4044:])
        changed = mirex_features.provide(scratch, [file], recipe, 1).frames(file)
    finally:
        Path(file).write_bytes(audio)
    assert (before[0] != changed[0]).any()
    np.testing.assert_array_equal(before[20:], changed[20:])
    again = mirex_features.provide(scratch, [file], recipe, 1)
    np.testing.assert_array_equal(again.frames(file), before)
