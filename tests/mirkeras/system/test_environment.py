"""What surrounds a command decides neither its numbers nor its manners."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirkeras.system import errors
from mirkeras.system.errors import ExpectedError, as_command

FOREIGN = '{"floatx": "float8", "epsilon": 1, "backend": "theano", "image_data_format": "th"}'
SETTINGS = """
from mirkeras.system.backend import keras
c = keras.config
print(c.backend(), c.image_data_format(), c.floatx(), c.epsilon(), c.max_epochs())
"""


def python(code: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment | variables, capture_output=True, text=True, check=False
    )


def test_a_users_own_settings_of_keras_are_not_read(tmp_path: Path) -> None:
    settings = tmp_path / ".keras" / "keras.json"
    settings.parent.mkdir()
    settings.write_text(FOREIGN)
    done = python(SETTINGS, HOME=str(tmp_path), KERAS_MAX_EPOCHS="1", KERAS_BACKEND="")
    assert done.stdout.split() == ["tensorflow", "channels_last", "float32", "1e-07", "None"]
    assert done.stderr == ""
    assert settings.read_text() == FOREIGN


@pytest.mark.parametrize("name", ["theano", "cntk", "Tensorflow", "tensorflow ", "numpy"])
def test_an_unknown_backend_is_one_line(name: str) -> None:
    done = python("import mirkeras.system.backend", KERAS_BACKEND=name)
    known = "known are tensorflow, jax, torch"
    assert done.stderr == f"error: KERAS_BACKEND is {name!r}, {known}; correct or unset it\n"
    assert done.returncode == 1


def test_a_backend_that_is_not_installed_is_one_line(monkeypatch, capsys) -> None:
    from mirkeras.system import backend

    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="KERAS_BACKEND is jax, which is not installed"):
        backend._check_backend("jax")


@pytest.mark.parametrize("name", ["nonsense", "tkaag"])
def test_a_misspelt_backend_of_figures_is_one_line(name: str) -> None:
    done = python("import mirkeras.report", MPLBACKEND=name)
    assert done.stderr.startswith("error: MPLBACKEND: ")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1


PRINTING = """
import sys
from mirkeras.system.errors import as_command
{body}
sys.exit(command())
"""
BODIES = {
    "much": "@as_command\ndef command():\n    print('x' * 10**6)\n    return 0",
    "little": "@as_command\ndef command():\n    print('x')\n    return 0",
    "help": "@as_command\ndef command():\n    print('x' * 10**6)\n    raise SystemExit(0)",
    "error": "@as_command\ndef command():\n    print('x' * 10**6)\n    raise OSError(5, 'oh')",
}


@pytest.mark.parametrize("body", BODIES)
def test_a_reader_that_goes_away_ends_a_command_quietly(body: str) -> None:
    command = [sys.executable, "-c", PRINTING.format(body=BODIES[body])]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_worker_that_died_is_no_reader(capsys) -> None:
    @as_command
    def command() -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    assert command() == 1
    assert "Broken pipe" in capsys.readouterr().err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device_is_said_once(unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PRINTING.format(body=BODIES["little"])],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr.startswith("error: writing: No space left on device")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}])
def test_names_are_written_as_they_are_in_any_locale(variables: dict) -> None:
    body = (
        "@as_command\ndef command():\n    print('é …', b'\\xff'.decode(errors='surrogateescape'))"
    )
    command = [sys.executable, "-c", PRINTING.format(body=body)]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, check=False)
    assert done.stdout == "é … ".encode() + b"\xff\n"


def test_file_names_that_cannot_be_read_as_they_are_end_it(monkeypatch) -> None:
    monkeypatch.setattr(errors.sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(SystemExit, match="set PYTHONUTF8=1"):
        as_command(lambda: 0)()


def test_an_expected_error_is_one_line(capsys) -> None:
    def fail() -> int:
        raise ExpectedError("a.wav: empty; remove it")

    assert as_command(fail)() == 1
    assert capsys.readouterr().err == "error: a.wav: empty; remove it\n"
