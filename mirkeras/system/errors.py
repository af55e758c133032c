"""Errors whose message says all (what, where, what to do), and how commands end with them."""

import errno
import sys
from collections.abc import Callable
from functools import wraps


class ExpectedError(Exception):
    """An error a user can mend: commands show its message without a traceback."""


class UsageError(ExpectedError, ValueError):
    """The arguments of a command do not fit together, or name something unknown."""


class WeightsError(ExpectedError):
    """Trained weights cannot be used; the message names the file, what is wrong, and the remedy."""


#: What commands show as one message; `explained` puts it into words.
EXPECTED = (ExpectedError, OSError)

_FULL = "make room, then run the same command again"
_FORBIDDEN = "choose another folder or change its permissions"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "choose another folder",
    errno.ENOENT: "check the name, or choose another folder: nothing can be made there",
    errno.ENOTDIR: "choose another folder: a file lies where a folder is needed",
    errno.EEXIST: "choose another name: something else has this one",
    errno.EISDIR: "choose another name: a folder has this one",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def explained(error: Exception, kept: bool = True) -> str:
    """Put an expected error into words; a bare `OSError` gets its file and what to do.

    Parameters
    ----------
    error : Exception
        One of `EXPECTED`.
    kept : bool
        Whether the command keeps what it has finished.
    """
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    remedy = _REMEDIES.get(error.errno)
    if remedy is None:
        remedy = "finished work is kept, the same command goes on" if kept else "run it again"
    elif remedy == _FULL and kept:
        remedy += ": finished work is kept"
    return f"{error.filename or 'writing'}: {error.strerror}; {remedy}"


def say(message: str) -> None:
    """Tell people, on standard error, at once."""
    print(message, file=sys.stderr, flush=True)


def as_command(function: Callable[..., int]) -> Callable[..., int]:
    """Let a command end with one message and an exit status: 1 for an error, 130 for Ctrl-C."""

    @wraps(function)
    def command(*arguments, **options) -> int:
        try:
            return function(*arguments, **options)
        except EXPECTED as error:
            say(f"error: {explained(error)}")
            return 1
        except KeyboardInterrupt:
            say("\nstopped; finished work is kept, the same command goes on")
            return 130

    return command
