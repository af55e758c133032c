"""Errors whose message says all (what, where, what to do), and how commands end with them."""

import errno
import os
import re
import select
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path

from mirkeras.system import interrupts
from mirkeras.system.quiet import speak_past_silence

# Control characters, line ends, and marks that turn the direction of what follows.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def shown(name: object) -> str:
    """Show a name on one line, what cannot be seen of it as Python escapes it."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(name))


class ExpectedError(Exception):
    """An error a user can mend: commands show its message, one line, without a traceback.

    Attributes
    ----------
    has_lines : bool
        Whether its messages have lines of their own: a table, a list.
    """

    has_lines = False

    def __str__(self) -> str:
        message = super().__str__()
        return message if self.has_lines else shown(message)


class UsageError(ExpectedError, ValueError):
    """The arguments of a command do not fit together, or name something unknown."""


class WeightsError(ExpectedError):
    """Trained weights cannot be used; the message names the file, what is wrong, and the remedy."""

    has_lines = True


_USUAL_FORM = warnings.formatwarning


class Note(UserWarning):
    """Something a user should know of work that goes on; the message names the file."""


#: What commands show as one message; `explained` puts it into words.
EXPECTED = (ExpectedError, OSError, MemoryError)

_FULL = "make room, then run the same command again"
_FORBIDDEN = "choose another folder or change its permissions"
_FAILING = "the disk or the network fails: check it, then run the same command again"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EIO: _FAILING,
    errno.ESTALE: _FAILING,
    errno.ENXIO: _FAILING,
    errno.ENODEV: _FAILING,
    errno.ETIMEDOUT: _FAILING,
    errno.EAGAIN: "allow more processes (`ulimit -u`) or use fewer --jobs, then run it again",
    errno.EMFILE: "allow more (`ulimit -n 4096`), then run the same command again",
    errno.ENFILE: "close other programs, then run the same command again",
    errno.ENOMEM: "close other programs or use fewer --jobs, then run the same command again",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "choose another folder",
    errno.ENOENT: "check the name, or choose another folder: nothing can be made there",
    errno.ENOTDIR: "choose another folder: a file lies where a folder is needed",
    errno.EEXIST: "choose another name: something else has this one",
    errno.EISDIR: "choose another name: a folder has this one",
    errno.ENAMETOOLONG: "choose a shorter name",
}
#: What TensorFlow, CUDA's libraries and XLA say where the memory of a GPU is used up.
_CARD_IS_FULL = (
    "OOM when allocating",
    "failed to allocate memory",
    "Dst tensor is not initialized",  # of what was copied there
    "RESOURCE_EXHAUSTED",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
_HELD = (errno.EAGAIN, errno.EBUSY, errno.ETXTBSY)


def is_expected(error: BaseException) -> bool:
    """Whether commands show an error as one message."""
    return isinstance(error, EXPECTED) or _lacks_threads(error) or _lacks_memory(error)


def is_full(error: BaseException) -> bool:
    """Whether it is a full disk that an error tells of."""
    return isinstance(error, OSError) and _REMEDIES.get(error.errno) == _FULL


def _lacks_memory(error: BaseException) -> bool:
    # TensorFlow's is an error of its own
    named = type(error).__name__ == "ResourceExhaustedError"
    return isinstance(error, MemoryError) or named or _card_is_full(error)


def _card_is_full(error: BaseException) -> bool:
    """Whether it is the memory of a GPU that is used up, as a framework's error tells."""
    said = str(error)
    # XLA's errors, and those that Keras makes of TensorFlow's in a layer, are of RuntimeError
    of_framework = type(error).__module__.startswith("tensorflow") or isinstance(
        error, RuntimeError
    )
    on_card = "device:CPU" not in said and "allocator cpu" not in said
    return of_framework and on_card and any(words in said for words in _CARD_IS_FULL)


def _lacks_threads(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and "can't start new thread" in str(error)


def explained(error: Exception, kept: bool = True) -> str:
    """Put an expected error into words; a bare `OSError` gets its file and what to do.

    Parameters
    ----------
    error : Exception
        One of `EXPECTED`.
    kept : bool
        Whether the command keeps what it has finished.
    """
    if _card_is_full(error):
        return (
            "out of memory, on the GPU where there is one; use fewer --jobs or a smaller "
            "--memory-budget, or end what else is on it (`nvidia-smi` tells), then run the same "
            "command again" + ": finished work is kept" * kept
        )
    if _lacks_memory(error):
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), "memory")
    if _lacks_threads(error) or (isinstance(error, BlockingIOError) and not error.filename):
        error = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), "another process or thread")
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    if error.errno in _HELD and error.filename and os.path.exists(error.filename):
        return f"{error.filename}: in use by another process, {_holder(error.filename)}"
    remedy = _REMEDIES.get(error.errno)
    if remedy is None:
        remedy = "finished work is kept, the same command goes on" if kept else "run it again"
    elif remedy == _FULL and kept:
        remedy += ": finished work is kept"
    return f"{shown(error.filename or 'writing')}: {error.strerror}; {remedy}"


def unusable(path: Path, error: Exception, remedy: str) -> str:
    """Say why a file cannot be used.

    Only what the content of a file proves is damage. What the system refuses (a lock, permissions,
    memory, a full or failing disk) is said to be just that, without `remedy`: the file may be fine.

    Parameters
    ----------
    error : Exception
        What reading the file raised.
    remedy : str
        What to do with a damaged file.
    """
    if _card_is_full(error):
        return f"{path}: {explained(error)}"
    if isinstance(error, MemoryError):
        error = OSError(errno.ENOMEM, "")
    # HDF5 finds places that no file can have in damaged files: EINVAL
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        # libraries put words of their own into their errors; the number is the system's
        name = error.filename or str(path)
        return explained(OSError(error.errno, os.strerror(error.errno), name))
    return f"{path} is damaged ({error}); {remedy}"


def _holder(path: str) -> str:
    """Say which process of this machine holds a lock on a file, and what to do."""
    with suppress(OSError, ValueError):
        inode = str(os.stat(path).st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            number, place = line.replace("->", "").split()[4:6]
            if place.split(":")[-1] == inode:
                name = Path("/proc", number, "comm").read_text().strip()
                return (
                    f"{name} (process {number}): close it or wait, then run the same command again"
                )
    return (
        "perhaps of another machine: close it or wait, then run the same command again; where a "
        "network drive wrongly says so, set HDF5_USE_FILE_LOCKING=FALSE"
    )


def say(message: str) -> None:
    """Tell people, on standard error, at once."""
    print("\n".join(map(shown, message.split("\n"))), file=sys.stderr, flush=True)


def as_command(function: Callable[..., int]) -> Callable[..., int]:
    """Let a command end with one message and an exit status.

    1 for an error, 130 for Ctrl-C, 141 without a word when nobody reads its output any more
    (``| head``).
    """

    @wraps(function)
    def command(*arguments, **options) -> int:
        _speak_utf8()
        speak_past_silence()
        notes_in_a_line()
        with interrupts.under_way():
            try:
                try:
                    return function(*arguments, **options)
                finally:  # what is still to be written may fail, too
                    if sys.stdout:
                        sys.stdout.flush()
            except BaseException as error:
                return _status(error)

    return command


def notes_in_a_line() -> None:
    """Show a `Note` as one line; other warnings are for programmers and stay as they are."""

    def form(message: Warning, category: type, *place: object, **line: str | None) -> str:
        if issubclass(category, Note):
            return f"note: {shown(message)}\n"
        return _USUAL_FORM(message, category, *place, **line)

    warnings.formatwarning = form


def _status(error: BaseException) -> int:
    """Say why a command ends, in one line; returns its exit status."""
    if interrupts.came(error):
        return interrupts.stop(str(error) if isinstance(error, KeyboardInterrupt) else "")
    if isinstance(error, OSError) and _nobody_reads():
        return 141
    if not is_expected(error):
        raise error
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        _give_up([1])
    say(f"error: {explained(error)}")
    return 1


def _speak_utf8() -> None:
    """Names of files are bytes: they come out as they went in, whatever the locale."""
    if sys.getfilesystemencoding() != "utf-8":
        raise SystemExit(
            f"error: file names are read as {sys.getfilesystemencoding()} here; set PYTHONUTF8=1"
        )
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def _nobody_reads() -> bool:
    """Whether the other end of standard output or error is closed; if so, nothing more is written.

    A pipe to a worker that died raises the same error and is no reason to end in silence.
    """
    poll = select.poll()
    for stream in (1, 2):
        poll.register(stream, 0)
    closed = [stream for stream, event in poll.poll(0) if event & select.POLLERR]
    _give_up(closed)
    return bool(closed)


def _give_up(streams: list[int]) -> None:
    """Write no more to streams: when Python ends it tries what is left of its buffers once more."""
    for stream in streams:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream)
        os.close(nowhere)
