"""MIREX's train/test interface: the executables, called as MIREX calls them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirkeras import device
from reproductions.lidy_mirex2016 import (
    mirex,
    mirex_features,
    mirex_lists,
    mirex_model,
    mirex_training,
)
from reproductions.lidy_mirex2016.experiments import EXPERIMENT
from tests.reproductions.mirex_tones import RATE, make_tones

BIN = Path(mirex.__file__).parent / "bin"
TRAINED, TESTED = range(4), range(4, 6)
EPOCHS = 3

# Stands where the executables expect Python: it runs the step and kills itself, as `kill -9` would,
# right after the first checkpoint, which follows the first epoch.
DYING_PYTHON = """\
#!{python}
import os, signal, sys
if "-m" not in sys.argv:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
from mirkeras import keeper
from reproductions.lidy_mirex2016 import mirex
save = keeper.Keeper.save
def save_and_die(self):
    save(self)
    os.kill(os.getpid(), signal.SIGKILL)
keeper.Keeper.save, keeper.CHECKPOINT_SECONDS = save_and_die, -1.0
if __name__ == "__main__":
    mirex.main(sys.argv[sys.argv.index("-m") + 2:])
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
    """The three calls, in MIREX's order and with its names."""
    scratch, output = home / "scratch", home / "output.txt"
    done = {
        "extract": call("extractFeatures.sh", "-numThreads", 2, scratch, lists["all"]),
        "train": call("Train.sh", scratch, lists["train"], "-numThreads", 2, "-epochs", EPOCHS),
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


def test_every_name_mirex_may_call_is_executable() -> None:
    for name in ("extractFeatures", "Train", "Classify"):
        assert os.access(BIN / name, os.X_OK)
        assert os.access(BIN / f"{name}.sh", os.X_OK)
    assert sum(not path.is_symlink() for path in BIN.iterdir()) == 1  # one text, no copies


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


def test_two_calls_killed_and_resumed_end_with_the_same_network(
    home: Path, lists, called, in_process, capsys
) -> None:
    scratch, words = home / "scratch2", ("-numThreads", 2, "-epochs", EPOCHS)
    dying = home / "dying-python"
    dying.write_text(DYING_PYTHON.format(python=sys.executable))
    dying.chmod(0o755)
    killed = call("Train", *words, scratch, lists["train"], python=dying)
    assert killed.returncode == -signal.SIGKILL
    assert step("Classify", scratch, lists["test"], home / "none.txt") == 1
    assert "was not finished: run the same Train again" in capsys.readouterr().err
    resumed = call("Train", *words, scratch, lists["train"])
    assert resumed.returncode == 0
    assert "going on after epoch 1\n" in resumed.stderr
    assert len(pd.read_csv(scratch / "model" / "log.csv")) == EPOCHS
    networks = [mirex_model.load(home / name)[0] for name in ("scratch", "scratch2")]
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(one, other)
    assert step("Classify", scratch, lists["test"], home / "output2.txt") == 0
    assert (home / "output2.txt").read_bytes() == (home / "output.txt").read_bytes()
    assert len(list((scratch / "features").glob("*.h5"))) == 2  # training files, test files


def test_the_same_train_again_has_nothing_to_do_another_one_replaces_it(
    home: Path, lists, called, in_process, tmp_path: Path, capsys
) -> None:
    scratch = Path(shutil.copytree(home / "scratch", tmp_path / "scratch"))
    network = (scratch / "model" / "model.keras").read_bytes()
    assert step("Train", "-epochs", EPOCHS, scratch, lists["train"]) == 0
    assert "nothing to do" in capsys.readouterr().err
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


def test_a_network_that_is_not_the_described_one_is_refused(home: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    place.mkdir()
    assert_refused(tmp_path, "holds no model: run Train")
    (place / "model.json").write_text("{")
    assert_refused(tmp_path, "holds no model: run Train")
    (place / "model.json").write_text(json.dumps({"status": "finished", "network": "1234"}))
    (place / "model.keras").write_bytes(b"another")
    assert_refused(tmp_path, "is not what Train left there")


def assert_refused(scratch: Path, message: str) -> None:
    with pytest.raises(mirex.UsageError, match=message):
        mirex_model.load(scratch)


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


@pytest.mark.parametrize(
    "words",
    [
        ["Train", "scratch"],
        ["Train", "-model", "4", "scratch", "list"],
        ["Classify", "-numThreads", "0", "scratch", "list", "output"],
        ["Classify", "-mod", "1", "scratch", "list", "output"],
        ["Retrain", "scratch", "list"],
    ],
)
def test_wrong_arguments_are_status_2(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        step(*words)


def test_options_are_the_experiments(capsys) -> None:
    assert tuple(mirex_training.ROWS) == mirex.MODELS
    assert tuple(EXPERIMENT.protocols) == mirex.PROTOCOLS
    assert set(mirex_training.ROWS.values()) <= set(EXPERIMENT.rows)
    with pytest.raises(SystemExit, match="0"):
        step("Train", "--help")
    assert "a path, a tab and a class per line" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rates", "recipe", "why"),
    [
        ([44_100, 44_100], "lidy2016-44100", "all files at 44100 Hz"),
        ([11_025], "lidy2016-11025", "all files at 11025 Hz"),
        ([48_000], "lidy2016-22050", "resampled: 1 at 48000 Hz"),
        ([44_100, 22_050, 22_050], "lidy2016-22050", "2 at 22050 Hz, 1 at 44100 Hz"),
    ],
)
def test_the_recipe_follows_the_files_rate(
    rates: list[int], recipe: str, why: str, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.wav" for number in range(len(rates))]
    for file, rate in zip(files, rates, strict=True):
        soundfile.write(file, np.zeros(10), rate)
    chosen, reason = mirex_features.choose_recipe(tmp_path, [*map(str, files), "/absent.wav"])
    assert chosen.name == recipe
    assert why in reason


def test_a_file_that_changed_since_its_extraction_is_refused_by_name(
    home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "one.wav"
    samples, _ = soundfile.read(home / "audio" / "low" / "0.wav")
    soundfile.write(file, samples, RATE)
    recipe, _ = mirex_features.choose_recipe(tmp_path, [str(file)])
    found = mirex_features.provide(tmp_path, [str(file)], recipe, 1)
    assert found.frames(str(file)).shape == (len(samples) // 768 - 1, 40)
    soundfile.write(file, samples[: 3 * RATE], RATE)
    with pytest.raises(mirex.CacheError, match=r"one.wav has changed .* delete .*h5"):
        mirex_features.provide(tmp_path, [str(file)], recipe, 1)
