"""Expected errors in words: commands show them as one message, without a traceback."""

import errno

from mirkeras.errors import UsageError, WeightsError


def expected_errors() -> tuple[type[Exception], ...]:
    """List the errors whose message says all: what, where, and what to do."""
    from data_prep.declare import DataError
    from mirkeras.cache import CacheError
    from mirkeras.records import RunError
    from mirkeras.results import ResultsError
    from mirkeras.training import TrainingError

    named = (UsageError, DataError, CacheError, RunError, ResultsError, TrainingError, WeightsError)
    return (*named, OSError)


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
        One of `expected_errors`.
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
