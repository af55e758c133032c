"""Native libraries talk straight to the process's standard error; people get what Python says.

MIRKERAS_VERBOSE=1 shows all.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Silence:
    """Where standard error really goes while somebody, in whatever thread, silences it."""

    lock = threading.Lock()
    holders = 0
    kept = -1


@contextmanager
def silenced() -> Iterator[None]:
    """Send what native code writes to standard error nowhere for a while, in all threads."""
    if os.environ.get("MIRKERAS_VERBOSE"):
        yield
        return
    with _Silence.lock:
        _Silence.holders += 1
        if _Silence.holders == 1:
            sys.stderr.flush()
            _Silence.kept = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
    try:
        yield
    finally:
        with _Silence.lock:
            _Silence.holders -= 1
            if not _Silence.holders:
                os.dup2(_Silence.kept, 2)
                os.close(_Silence.kept)


def speak_past_silence() -> None:
    """Give Python's own messages a way of their own, which `silenced` does not close."""
    try:
        direct = sys.stderr.fileno() == 2
    except (AttributeError, OSError):  # no standard error, or one that lies in memory
        return
    if direct:
        own = os.dup(2)
        options = {"buffering": 1, "encoding": "utf-8", "errors": "surrogateescape"}
        sys.stderr = open(own, "w", **options)  # noqa: SIM115 - until the process ends
