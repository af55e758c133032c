"""Errors a user can mend and that several rooms raise; `mirkeras.explain` puts them into words."""


class UsageError(ValueError):
    """The arguments of a command do not fit together, or name something unknown."""


class WeightsError(RuntimeError):
    """Trained weights cannot be used; the message names the file, what is wrong, and the remedy."""
