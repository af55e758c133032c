"""What the system allows too little of is said in one line, before native code ends the process."""

import errno
import os
import resource
import subprocess
import sys
import threading
from functools import partial

import pytest

from mirkeras.system.errors import as_command
from mirkeras.system.machine import limits


def limited(command: list[str], limit: int, value: int) -> subprocess.CompletedProcess:
    restrict = partial(resource.setrlimit, limit, (value, value))
    return subprocess.run(command, preexec_fn=restrict, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["mirkeras", "reproductions.pons_cbmi2016.train"])
@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        (resource.RLIMIT_AS, 150 * limits.MIB, "150 MiB of address space (`ulimit -v`)"),
        (resource.RLIMIT_NOFILE, 10, "may open 10 files (`ulimit -n`)"),
    ],
)
def test_a_command_that_may_use_too_little_ends_in_one_line(module, limit, value, message) -> None:
    done = limited([sys.executable, "-m", module, "--help"], limit, value)
    assert done.stderr.startswith("error: this process may ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1


def test_tensorflow_needs_more() -> None:
    command = [sys.executable, "-c", "import mirkeras.system.backend"]
    done = limited(command, resource.RLIMIT_AS, 2000 * limits.MIB)
    assert "2000 MiB of address space" in done.stderr
    assert done.stderr.count("\n") == 1


def test_programs_that_only_import_the_suite_are_not_looked_at() -> None:
    done = limited([sys.executable, "-c", "import mirkeras"], resource.RLIMIT_AS, 150 * limits.MIB)
    assert (done.returncode, done.stderr) == (0, "")


def test_too_few_threads_end_in_one_line(monkeypatch) -> None:
    limits.require_threads()
    start, started = threading.Thread.start, []

    def refuse(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(SystemExit, match="only 3 threads can be started"):
        limits.require_threads()
    assert not any(thread.is_alive() for thread in started)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "memory: Cannot allocate memory; close other programs"),
        (OSError(errno.ENOMEM, "Cannot allocate memory", "a.wav"), "a.wav: Cannot allocate"),
        (RuntimeError("can't start new thread"), "another process or thread: Resource temporar"),
        (BlockingIOError(errno.EAGAIN, "?"), "another process or thread: Resource temporar"),
        (OSError(errno.EMFILE, "Too many open files"), "writing: Too many open files; allow more"),
    ],
)
def test_what_is_lacking_later_is_one_line(error: Exception, line: str, capsys) -> None:
    def fail() -> int:
        raise error

    assert as_command(fail)() == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {line}")
    assert said.count("\n") == 1


def test_other_errors_of_the_run_are_not_hidden() -> None:
    def fail() -> int:
        raise RuntimeError(os.strerror(errno.EAGAIN))

    with pytest.raises(RuntimeError):
        as_command(fail)()
