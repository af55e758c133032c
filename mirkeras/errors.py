"""Errors a user can mend; commands show them as one message, without a traceback."""


class UsageError(ValueError):
    """The arguments of a command do not fit together, or name something unknown."""


def expected_errors() -> tuple[type[Exception], ...]:
    """List the errors whose message says all: what, where, and what to do."""
    from data_prep.declare import DataError
    from mirkeras.cache import CacheError
    from mirkeras.records import RunError
    from mirkeras.results import ResultsError
    from mirkeras.training import TrainingError

    return (UsageError, DataError, CacheError, RunError, ResultsError, TrainingError)
