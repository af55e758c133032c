"""Data sets: declared in one module each, fetched, checked and indexed by `data_prep.prepare`.

Nothing here imports TensorFlow, so that listing or downloading data starts at once.
"""

from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules

from data_prep import sets
from data_prep.declare import Archive, DataError, DataSet

__all__ = ["Archive", "DataError", "DataSet", "get", "names"]

#: Entry points by which installed packages add data sets: name → module:DATASET.
GROUP = "mirkeras.datasets"
#: Modules of `data_prep.sets` that declare no set of their own.
_OTHERS = ("folder", "listed", "loaders", "subsets")


def names() -> tuple[str, ...]:
    """Names of the declared data sets, in alphabetical order."""
    found = (module.name for module in iter_modules(sets.__path__))
    return tuple(sorted(name for name in found if name not in _OTHERS))


def get(name: str, layout: str | None = None) -> DataSet:
    """Declaration of a data set.

    Parameters
    ----------
    name : str
        One of `names()`, `NAME:CLASS,CLASS` for some of its classes, `folder:PATH` for a folder
        with one sub-folder per class, `csv:FILE` for a list, or `mirdata:NAME` for a loader of
        the library mirdata.
    layout : str or None
        What the sub-folders of `folder:PATH` are, see `data_prep.sets.folder.declare`.

    Raises
    ------
    DataError
        The name is not declared, the classes are not the set's, or the folder cannot serve as a
        data set.
    """
    if name.startswith("folder:"):
        return import_module("data_prep.sets.folder").declare(name, layout)
    if layout:
        raise DataError(f"--layout says what the folders of folder:PATH are; {name} has its own")
    if name.startswith("csv:"):
        return import_module("data_prep.sets.listed").declare(name)
    if name.startswith("mirdata:"):
        return import_module("data_prep.sets.loaders").declare(name)
    whole, colon, classes = name.partition(":")
    for point in entry_points(group=GROUP):
        if point.name == name:
            return point.load()
    if whole not in names():
        raise DataError(
            f"unknown data set {name!r}. Declared are: {', '.join(names())}; "
            "for audio of your own use folder:PATH (one sub-folder per class) or csv:FILE, "
            "for a loader of mirdata mirdata:NAME."
        )
    dataset = import_module(f"data_prep.sets.{whole}").DATASET
    return import_module("data_prep.sets.subsets").subset(dataset, classes) if colon else dataset
