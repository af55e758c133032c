"""Ctrl-C: a command of this suite ends within seconds and in one line, whatever it is at.

It answers for itself from its first import on. Where nothing is under way it ends at once. Else
KeyboardInterrupt is raised, so that what is half done is put away; but native code may not return
in time, and libraries swallow exceptions, so a thread ends the process after `GRACE` seconds. A
second Ctrl-C changes nothing. Programs that only import the suite are left alone.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

GRACE = 2.0  # seconds
STATUS = 130
STOPPED = "stopped; finished work is kept, the same command goes on"

_ours = _came = False
_stderr = 2
_depth = 0  # of commands that call commands
_ending = threading.Lock()


def take_over() -> None:
    """Answer Ctrl-C from now on; called at the first import of a command."""
    global _ours, _stderr
    # a shell lets commands in the background ignore it
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    _ours = True
    signal.signal(signal.SIGINT, _answer)
    with suppress(OSError, RuntimeError):  # no more files or threads is said elsewhere
        _stderr = os.dup(2)  # that of the process is sent nowhere while libraries chatter
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def is_command() -> bool:
    """Whether Python was asked for `mirkeras`, or for a module of this suite by ``-m``."""
    words = sys.orig_argv
    if "mirkeras" in map(os.path.basename, words[1:3]):
        return True
    module = words[words.index("-m") + 1] if "-m" in words else ""
    return module.partition(".")[0] in ("mirkeras", "reproductions")


def _answer(*_) -> NoReturn:
    """Stop what the main thread is at, as soon as it is in Python."""
    global _came
    _came = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # an exception in the middle of anything leaves others behind
    sys.unraisablehook = threading.excepthook = lambda _: None
    if not _depth:
        _end(STOPPED)
    raise KeyboardInterrupt


def _watch(reader: int) -> None:
    """End the process some time after Ctrl-C, in a thread: wherever the main thread may be."""
    while os.read(reader, 1) != bytes([signal.SIGINT]):
        pass
    if _depth:
        time.sleep(GRACE)
    _end(STOPPED)


@contextmanager
def under_way() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt while the block, a command, lasts."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def came(error: BaseException) -> bool:
    """Whether it was Ctrl-C that ended something: half-done imports turn it into other errors."""
    return _came or isinstance(error, KeyboardInterrupt)


def stop(line: str = "") -> int:
    """Say that a command was stopped, and end its process; in other programs return its status."""
    if _ours:
        _end(line or STOPPED)
    print(line or STOPPED, file=sys.stderr, flush=True)
    return STATUS


def _end(line: str) -> NoReturn:
    """End the process and those that it started, once."""
    if not _ending.acquire(blocking=False):
        time.sleep(60)  # another thread is at it
    if multiprocessing := sys.modules.get("multiprocessing"):
        for process in multiprocessing.active_children():
            process.kill()
    begin = "\n" if os.isatty(_stderr) else ""  # behind ^C, or behind a bar
    # Python's own stream may be locked, by the very line that was interrupted
    with suppress(OSError):
        os.write(_stderr, f"{begin}{line}\n".encode())
    os._exit(STATUS)


@contextmanager
def held() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block; processes started in it never get one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
