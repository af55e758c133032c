"""Ctrl-C: one line within seconds, wherever a command is; no process outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
STOPPED = "stopped; finished work is kept, the same command goes on\n"
PROGRAM = """
import sys
sys.orig_argv[1:] = ["-m", "mirkeras"]
import mirkeras
import hashlib, os, signal, time
from mirkeras.system import interrupts
from mirkeras.system.errors import as_command

interrupts.GRACE = 0.2
press = lambda: os.kill(os.getpid(), signal.SIGINT)

class Thing:
    def __del__(self):
        press()

{before}

@as_command
def command():
    {body}
    return 0

sys.exit(command())
"""
PLACES = {
    "imports": ("press(); time.sleep(9)", "pass"),
    "silent imports": (
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 2); press(); time.sleep(9)",
        "pass",
    ),
    "waiting": ("", "press(); time.sleep(9)"),
    "half an import": ("", "exec('try: press()\\nexcept BaseException: import nothing')"),
    "swallowed": ("", "exec('try: press()\\nexcept BaseException: time.sleep(9)')"),
    "in a destructor": ("", "Thing(); time.sleep(9)"),
    "native code": (
        "import threading; threading.Timer(0.1, press).start()",
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**8)",
    ),
    "workers": (
        "from pathlib import Path\n"
        "from mirkeras.system.workers import work\n"
        "from tests.mirkeras.system.test_workers import begin_a_file\n"
        "import threading; threading.Timer(1, press).start()",
        "list(work(begin_a_file, [Path('a'), Path('b')], 2))",
    ),
    "twice": ("", "exec('try: press()\\nfinally: press(); time.sleep(9)')"),
    "output left": ("", "print('x', end=''); press(); time.sleep(9)"),
}


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_is_one_line_and_130(place: str, tmp_path: Path) -> None:
    before, body = PLACES[place]
    program = PROGRAM.format(before=before, body=body)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == (STOPPED, 130)
    assert time.monotonic() - began < 5
    assert not list(tmp_path.iterdir())


def test_programs_that_only_import_the_suite_keep_their_ctrl_c() -> None:
    program = "import mirkeras, os, signal; os.kill(os.getpid(), signal.SIGINT)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGINT
    assert b"KeyboardInterrupt" in done.stderr


def test_commands_in_the_background_go_on() -> None:
    program = PROGRAM.format(before="", body="press()")
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.long
@pytest.mark.parametrize(
    ("signals", "status"),
    [([signal.SIGINT], 130), ([signal.SIGINT] * 3, 130), ([signal.SIGKILL], -signal.SIGKILL)],
)
def test_workers_end_with_their_command(signals: list, status: int, tmp_path: Path) -> None:
    words = ["data", "get", "mini_ballroom", "--data-root", tmp_path, "--cache-root", tmp_path]
    command = subprocess.Popen(
        [sys.executable, "-m", "mirkeras", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(lambda: any(tmp_path.rglob("*.flac")))
    for number in signals:
        os.killpg(command.pid, number) if number == signal.SIGINT else command.kill()
    assert command.wait(3) == status
    lines = command.stderr.read().decode()
    wait_for(lambda: not alive(command.pid))
    if status == 130:
        assert lines.endswith(STOPPED)
        assert "Traceback" not in lines
        assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]


def alive(group: int) -> list[str]:
    """List the processes of a group that have not ended."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True).stdout
    found = [line.split() for line in listed.splitlines()]
    return [stat for number, stat in found if number == str(group) and not stat.startswith("Z")]


def wait_for(condition) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never happened")
