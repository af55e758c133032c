"""The `mirkeras` command, as a user calls it."""

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mirkeras.cli import options
from mirkeras.cli.app import main
from mirkeras.system.machine import device
from mirkeras.system.machine.cards import Card


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (options.positive, "0", "0 is not a whole number above 0"),
        (options.positive, "two", "two is not a whole number above 0"),
        (options.count, "-1", "-1 is not a whole number from 0 on"),
        (options.numbers, "1,3-1", "3-1 is not a whole number above 0"),
        (options.numbers, ",", "an empty list"),
        (options.seeds, "0,x", "x is not a seed, a whole number from 0 to 4294967295"),
        (options.seeds, "-1", "-1 is not a seed, a whole number from 0 to 4294967295"),
        (options.portion, "5%", "5% is not a share from 0 to 1"),
        (options.gibibytes, "nan", "nan is not a size in GiB"),
    ],
)
def test_what_is_no_number_is_refused_in_words(read, text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{said}$"):
        read(text)


def test_features_of_a_folder(audio_folder: Path, tmp_path: Path, capsys) -> None:
    command = ["features", f"folder:{audio_folder}", "cbmi2016", "--cache-root", str(tmp_path)]
    assert main(command) == 0
    assert "18 tracks, 3132 frames of 40 bands; 0 track(s) set aside" in capsys.readouterr().out


def test_data_check_and_list(audio_folder: Path, tmp_path: Path, capsys) -> None:
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("ballroom", "mini_ballroom", "music_speech"))
    roots = ["--data-root", str(tmp_path / "data"), "--cache-root", str(tmp_path)]
    assert main(["data", "check", f"folder:{audio_folder}", *roots]) == 0
    (index,) = tmp_path.rglob("index.csv")
    assert len(pd.read_csv(index)) == 18
    capsys.readouterr()
    assert main(["data", "check", "ballroom", *roots]) == 1
    message = capsys.readouterr().err
    assert "data1.tar.gz" in message
    assert str(tmp_path / "data") in message
    assert "make demo" in message


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ([], 0, "18 track(s) set aside (18 × empty file), named in "),
        (["--allow-bad", "0.4"], 1, "18 of 36 tracks are unusable, at most 14 of 36 (40%) may be"),
        (["--strict"], 1, "at most 0 of 36 (0%) may be"),
        (["--layout", "split"], 1, "--layout split needs one folder train, one test"),
    ],
)
def test_bad_files_of_ones_own_are_set_aside_up_to_half(
    audio_folder: Path, tmp_path: Path, capsys, options, status, said
) -> None:
    for label in ("slow", "fast"):
        (tmp_path / "own" / label).mkdir(parents=True)
        for number in range(9):
            path = audio_folder / label / f"{number % 6:02d}.wav"
            (tmp_path / "own" / label / f"{number}.wav").symlink_to(path)
            (tmp_path / "own" / label / f"bad{number}.wav").touch()
    words = ["--cache-root", str(tmp_path), "--jobs", "1", *options]
    assert main(["features", f"folder:{tmp_path / 'own'}", "cbmi2016", *words]) == status
    assert said in "".join(capsys.readouterr())
    if "layout" not in said:
        (report,) = tmp_path.rglob("cbmi2016.rejected.csv")
        assert len(pd.read_csv(report)) == 18


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", "half", "inf"])
def test_a_share_lies_between_0_and_1(text, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["features", "folder:x", "cbmi2016", f"--allow-bad={text}"])
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["features", "nothing", "cbmi2016"], "unknown data set 'nothing'"),
        (["features", "mini_ballroom", "mfcc"], "unknown recipe 'mfcc'; known: cbmi2016"),
        (["data", "get"], "which data set?"),
        (["list", "nobody"], "unknown paper 'nobody'; known: lee_samplecnn, "),
        (["compare", "pons_cbmi2016", "--out", "/nowhere"], "no finished run"),
    ],
)
def test_mistakes_are_one_message(command: list[str], message: str, capsys) -> None:
    assert main(command) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "list", "data", "features", "compare", "doctor"])
def test_help_is_there(command: str, capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    assert len(capsys.readouterr().out.splitlines()) >= 5


def test_doctor_says_what_was_found_and_chosen(capsys) -> None:
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    for word in ("keras", "usable cores", "GPU", "GiB are held", "determinism", "XLA"):
        assert word in report


def test_budget_goes_by_the_gpu_where_there_is_one() -> None:
    without = device.Device(2, free_memory=8 * device.GIB)
    assert without.memory_budget == 2 * device.GIB
    gpus = [Card("0", "a card", 40 * device.GIB), Card("1", "a small one", device.GIB)]
    card = device.Device(2, 8 * device.GIB, gpus)
    assert card.memory_budget == 10 * device.GIB


# `mirkeras tag` with a network of no weights in the place of the published one.
TAG = """
import sys
sys.orig_argv[1:] = ["-m", "mirkeras", "tag"]
from mirkeras.cli.app import main
from mirkeras.tagging import models
def load(*words, **options):
    from mirkeras.system.backend import keras
    frames = keras.Input((187, 96))
    pooled = keras.layers.GlobalMaxPooling1D()(frames)
    return keras.Model(frames, keras.layers.Dense(50, "sigmoid")(pooled))
models.trained.load = load
assert main(["tag", *sys.argv[1:]]) == 0
print(*sys.modules)
"""
ALONE = "import sys; from mirkeras.cli.app import main; main(sys.argv[1:]); print(*sys.modules)"


def test_tagging_imports_what_it_needs_only(audio_folder: Path) -> None:
    loaded, _ = imported(TAG, str(audio_folder / "slow" / "00.wav"))
    assert {"keras", "tensorflow", "soxr"} <= loaded
    assert not {"sklearn", "pandas", "matplotlib", "librosa", "numba", "scipy.signal"} & loaded
    assert not {"IPython", "PIL"} & loaded  # Keras would load them


def imported(program: str, *words: str) -> tuple[set[str], str]:
    """Run a program; return the modules it says it has imported, and all else that it said."""
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *said, modules = done.stdout.splitlines()
    return set(modules.split()), "\n".join([*said, done.stderr])


@pytest.mark.parametrize("words", [["--list"], ["--card", "MSD_vgg"], ["--card", "yamnet"]])
def test_cards_are_read_without_tensorflow(words: list[str]) -> None:
    loaded, said = imported(ALONE, "tag", *words)
    assert words[-1] in said or "MTT_musicnn" in said
    assert not {"tensorflow", "keras", "h5py", "pandas"} & loaded


def test_a_complete_job_needs_no_tensorflow(audio_folder: Path, tmp_path: Path) -> None:
    words = [str(audio_folder / "slow"), "--out", str(tmp_path / "tags.csv")]
    assert "tensorflow" in imported(TAG, *words)[0]
    loaded, said = imported(ALONE, "tag", *words)
    assert "complete, nothing to write" in said
    assert not {"tensorflow", "keras", "pandas", "requests"} & loaded


def test_a_program_of_ones_own_gets_all_of_keras() -> None:
    program = "import sys, mirkeras.system.backend; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert {"sklearn", "pandas"} <= set(loaded.stdout.split())


def test_help_starts_at_once_and_names_the_papers(capsys) -> None:
    program = "import sys; from mirkeras.cli.app import _parser; _parser(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not {"pandas", "numpy", "keras"} & set(loaded.stdout.split())
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "papers: lee_samplecnn" in capsys.readouterr().out
