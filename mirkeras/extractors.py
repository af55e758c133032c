"""Trained networks given on the command line: where they are and what they take as input."""

from pathlib import Path

from mirkeras.errors import UsageError
from mirkeras.experiment import Extractor
from mirkeras.features import find_recipe
from mirkeras.records import finished_network, read_record
from mirkeras.runs import Run


def find_extractor(path: Path, recipe: str | None) -> Extractor:
    """Find a trained network.

    Parameters
    ----------
    path : Path
        A run's directory, or a ``.keras`` file.
    recipe : str or None
        Name of the recipe a bare file takes; a run's record says its own.

    Raises
    ------
    UsageError
        Neither is there, or a bare file comes without its recipe.
    """
    if path.is_dir():
        return _of_run(path)
    if not path.is_file():
        raise UsageError(f"{path}: neither a run's directory nor a .keras file")
    if not recipe:
        raise UsageError(f"{path}: what does it take? Give --extractor-recipe, e.g. waveform-22050")
    try:
        find_recipe(recipe)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Extractor(path.resolve(), recipe, "unknown data", path.name)


def _of_run(directory: Path) -> Extractor:
    record = read_record(directory)
    if record is None:
        raise UsageError(f"{directory} holds no run.json; give a run's directory or a .keras file")
    run = Run.of(record)
    path = finished_network(directory, run.row)
    return Extractor(path.resolve(), record["recipe"]["recipe"]["name"], run.dataset, run.row)
