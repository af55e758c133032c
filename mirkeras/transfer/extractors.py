"""Trained networks that rows take features from: where they are and what they take as input."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mirkeras.cache import FeatureCache
from mirkeras.experiment import Row
from mirkeras.experiment.records import finished_network, read_predictions, read_record
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Extractor
from mirkeras.features import find_recipe
from mirkeras.pretrained import weights as trained
from mirkeras.system import jobs
from mirkeras.system.errors import UsageError
from mirkeras.system.machine import device
from mirkeras.transfer.networks import feature_network
from mirkeras.transfer.segment_features import embedding_of


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
        record = read_record(path)
        if record is None:
            raise UsageError(f"{path} holds no run.json; give a run's directory or a .keras file")
        return of_record(finished_network(path, record["row"]), record)
    if not path.is_file():
        raise UsageError(f"{path}: neither a run's directory nor a .keras file")
    if not recipe:
        raise UsageError(f"{path}: what does it take? Give --extractor-recipe, e.g. waveform-22050")
    try:
        find_recipe(recipe)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Extractor(path.resolve(), recipe, "unknown data", path.name)


def of_record(path: Path, record: dict) -> Extractor:
    """Describe the network of a finished run.

    Raises
    ------
    UsageError
        It takes features of other networks, not of tracks.
    """
    run = Run.of(record)
    if "recipe" not in record["recipe"]:
        raise UsageError(f"{path.parent}: {run.row} is itself made on features of other networks")
    return Extractor(
        path=path.resolve(),
        recipe=record["recipe"]["recipe"]["name"],
        dataset=run.dataset,
        row=run.row,
        capped=record["capped"],
    )


def known_to(extractor: Extractor, tracks: set[str]) -> set[str]:
    """Return which tracks of its own data set a run's network has learned from, as far as known.

    Runs of older versions name only what they tested: all else may have been learned from.

    Raises
    ------
    RunError
        The predictions of its run are missing or damaged.
    """
    found = read_predictions(extractor.path.parent)
    if "learned_from" in found:
        return tracks & set(found["learned_from"].tolist())
    return tracks - set(found["tracks"].tolist())


def check_input(extractor: Extractor, cache: FeatureCache, layers: Sequence[int]) -> None:
    """Refuse a network that cannot make features of the segments of a cache.

    It is opened in a process of its own: the one that starts workers must not hold a GPU.

    Raises
    ------
    UsageError
        As of `feature_network`; or it takes other features or longer tracks.
    """
    frames = np.diff(cache.offsets)
    shortest = int(frames.argmin())
    track = cache.tracks[shortest], int(frames[shortest])
    jobs.apart(device.configure, check_shape, extractor, layers, cache.bands, track)


def check_shape(
    extractor: Extractor,
    layers: Sequence[int],
    bands: int,
    track: tuple[str, int],
    report: Callable[[dict], None],
) -> None:
    """Compare what a network takes with the shortest track of a cache: its name and frames."""
    shape = feature_network(extractor.path, layers).input_shape
    if len(shape) != 3 or shape[1] is None or shape[2] != bands:
        raise UsageError(
            f"{extractor.path} takes segments of shape {shape[1:]}, {extractor.recipe} gives "
            f"(frames, {bands})"
        )
    name, frames = track
    if frames < shape[1]:
        raise UsageError(
            f"{extractor.path} needs tracks of {shape[1]} frames of {extractor.recipe}, "
            f"{name} has {frames}"
        )


def check_tagger(row: Row, weights: Path | None, mirror: str | None) -> None:
    """Get and check the weights of the trained tagger that a row reads, in a process of its own.

    Raises
    ------
    UsageError
        It is unknown or lacks the row's feature, or its weights are missing or not the right ones.
    """
    jobs.apart(device.configure, _load, row, weights, mirror)


def _load(
    row: Row, weights: Path | None, mirror: str | None, report: Callable[[dict], None]
) -> None:
    trained.load(embedding_of(row, weights).card, weights, mirror=mirror)
