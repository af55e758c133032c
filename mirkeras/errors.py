"""Errors a user can mend; commands show them as one message, without a traceback."""

from errno import EACCES, EDQUOT, ENOSPC, ENOTDIR, EROFS


class UsageError(ValueError):
    """The arguments of a command do not fit together, or name something unknown."""


def expected_errors() -> tuple[type[Exception], ...]:
    """List the errors whose message says all: what, where, and what to do."""
    from data_prep.declare import DataError
    from mirkeras.cache import CacheError
    from mirkeras.records import RunError
    from mirkeras.results import ResultsError
    from mirkeras.training import TrainingError
    from mirkeras.weightfiles import WeightsError

    named = (UsageError, DataError, CacheError, RunError, ResultsError, TrainingError, WeightsError)
    return (*named, OSError)


def explained(error: Exception) -> str:
    """Put an expected error into words; a bare `OSError` gets its file and what to do."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    remedy = {
        ENOSPC: "make room, then run the same command again: finished work is kept",
        EDQUOT: "make room, then run the same command again: finished work is kept",
        EACCES: "choose another folder or change its permissions",
        EROFS: "choose another folder",
        ENOTDIR: "choose another folder: a file lies where a folder is needed",
    }.get(error.errno, "finished work is kept, the same command goes on")
    return f"{error.filename or 'writing'}: {error.strerror}; {remedy}"
