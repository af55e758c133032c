"""What the pages of wrong tracks read: finished runs, their features, their tracks' audio."""

import argparse
import io
import shlex
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from data_prep.prepare import Prepared, prepare
from mirkeras import audio
from mirkeras.cache import FeatureCache, open_cache
from mirkeras.cache.file import first_difference
from mirkeras.experiment import Row, find_experiment
from mirkeras.experiment.records import RunError, read_predictions, read_record
from mirkeras.experiment.runs import Run
from mirkeras.features import Recipe, extraction, find_recipe
from mirkeras.features.waveform import Waveform
from mirkeras.pipeline.splits import FINAL
from mirkeras.pretrained.cards import find_card
from mirkeras.site.browser import disputes
from mirkeras.system.errors import ExpectedError, UsageError
from mirkeras.training.command.preflight import PARTIAL

WHOLE_RATE = 22_050  # Hz at which a track that is decided as a whole is heard
REMEDY = "put back the file that the features were made from, or train again"


@dataclass(frozen=True, eq=False)
class Finished:
    """A finished run of a classifier.

    Attributes
    ----------
    run, record, predictions
        See `mirkeras.experiment.runs.Run` and `mirkeras.experiment.records`.
    recipe : Recipe
        What its segments are cut from; of a track that is decided as a whole, its samples.
    frames : int
        Length of a segment; 0: the whole track.
    aggregate : "mean" or "product"
        How `max` decides.
    """

    run: Run
    record: dict
    predictions: dict[str, np.ndarray]
    recipe: Recipe
    frames: int
    aggregate: str

    @property
    def reads_recipe(self) -> bool:
        """Whether it learned from the recipe's frames, not from what other networks made of it."""
        return "recipe" in self.record["recipe"] and self.frames > 0


def read_run(directory: Path) -> Finished:
    """Read a finished run.

    Raises
    ------
    UsageError
        It is no run's directory, or a run without classes.
    RunError
        The run is not finished, damaged, or of another version.
    """
    record = read_record(directory)
    if record is None:
        raise UsageError(f"{directory} holds no run.json; give the directory of one run")
    if record["status"] != "finished":
        raise RunError(f"{directory}: the run is not finished; give its training command again")
    run = Run.of(record)
    if run.split == FINAL or "measurements" in record:
        raise UsageError(f"{directory}: {run.row} has no test tracks")
    predictions = read_predictions(directory)
    if predictions["labels"].ndim == 2:
        raise UsageError(f"{directory}: {run.row} gives tags; the page is for classes")
    if "segment_frame" not in predictions:
        raise RunError(
            f"{directory}: predictions.npz, of an older version, does not say where the segments "
            "lie; delete the folder and train again"
        )
    try:
        experiment = find_experiment(run.paper)
        recipe, frames = _seen(experiment.rows[run.row], record)
        aggregate = experiment.protocol_of(run.protocol, run.row).aggregate
    except (ImportError, KeyError, ValueError) as error:
        raise RunError(f"{directory}: a run of another version, {error}; train again") from error
    return Finished(run, record, predictions, recipe, frames, disputes.deciding(aggregate))


def _seen(row: Row, record: dict) -> tuple[Recipe, int]:
    """Say what the segments of a row are cut from, and how long they are."""
    if row.pretrained:
        card = find_card(row.pretrained)
        return find_recipe(card.recipe), card.frames
    if "recipe" in record["recipe"] and row.frames:
        return find_recipe(record["recipe"]["recipe"]["name"]), row.frames
    return Waveform(WHOLE_RATE), 0


@cache
def find_data(dataset: str, command: str, data_root: Path, cache_root: Path) -> Prepared:
    """Find the data set of a run where it was trained: as its command named it, or by its name.

    Parameters
    ----------
    dataset, command : str
        Of the run's record; the command is only read.

    Raises
    ------
    UsageError
        It is not there (any more).
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--dataset", default="")
    parser.add_argument("--layout")
    try:
        given = parser.parse_known_args(shlex.split(command))[0]
    except (ValueError, argparse.ArgumentError):  # no command of ours
        given = parser.parse_args([])
    home = dataset.removesuffix(PARTIAL)
    reasons = []
    for name, layout in dict.fromkeys([(given.dataset, given.layout), (home, None)]):
        try:
            with redirect_stdout(io.StringIO()):
                found = prepare(
                    name, data_root=data_root, cache_root=cache_root, offline=True, layout=layout
                )
        except ExpectedError as error:
            reasons.append(str(error).partition("\n")[0])
        else:
            if found.home.name == home:
                return found
            reasons.append(f"{name} is {found.home.name} here")
    raise UsageError(f"the audio of {dataset} is not at hand ({reasons[0]})")


@dataclass(frozen=True, eq=False)
class Tracks:
    """What a run's tracks look and sound like.

    Attributes
    ----------
    finished, prepared
        The run and its data set.
    cache : FeatureCache or None
        The features it was trained on, or that another network read for it; None where a track is
        decided as a whole.
    """

    finished: Finished
    prepared: Prepared
    cache: FeatureCache | None

    def inputs(self, track: str, frames: np.ndarray) -> np.ndarray:
        """Read segments as the cache holds them: (segments, time, band).

        Parameters
        ----------
        frames : int64 (segments,)
            First frame of each within the track.
        """
        first, end = self.cache.offsets[self._numbers[track] :][:2]
        if end - first < self.finished.frames:  # other networks hear a short track repeated
            whole = np.resize(self.cache.track(track), (self.finished.frames, self.cache.bands))
            return np.repeat(whole[None], len(frames), axis=0)
        return self.cache.segments(first + frames, self.finished.frames)

    def samples(self, track: str) -> np.ndarray:
        """Decode a track: float32 (samples,) at the recipe's rate.

        Raises
        ------
        UsageError
            Its file is missing, has changed since the features were made, or cannot be decoded.
        """
        path = self._paths.get(track)
        if path is None:
            raise UsageError(f"{self.prepared.root}: no audio of track {track}; {REMEDY}")
        changed = self.cache is not None and (
            extraction.digest_of(path) != self.cache.digests[self._numbers[track]]
        )
        if changed or not path.exists():
            what = "not as it was" if path.exists() else "missing"
            raise UsageError(f"{path} is {what}; {REMEDY}")
        try:
            return audio.load(path, sample_rate=self.finished.recipe.sample_rate)
        except audio.AudioError as error:
            raise UsageError(f"{error}; {REMEDY}") from error

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {track: number for number, track in enumerate(self.cache.tracks)}

    @cached_property
    def _paths(self) -> dict[str, Path]:
        index = self.prepared.index
        return {
            track: self.prepared.root / path
            for track, path in zip(index["track"], index["path"], strict=True)
        }


def open_tracks(finished: Finished, prepared: Prepared) -> Tracks:
    """Open the features that a run was trained on.

    Raises
    ------
    UsageError
        The run is on another data set.
    CacheError, RunError
        There are no features, or not those of the run.
    """
    run, record = finished.run, finished.record
    if run.dataset.removesuffix(PARTIAL) != prepared.home.name:
        raise UsageError(f"the run is on {run.dataset}, --dataset says {prepared.home.name}")
    if not finished.frames:
        return Tracks(finished, prepared, None)
    path = prepared.home / f"{finished.recipe.name}.h5"
    features = open_cache(path, finished.recipe)
    if not finished.reads_recipe:
        return Tracks(finished, prepared, features)
    difference = first_difference(features.identity, record["recipe"])
    if features.fingerprint != record["features"]:
        difference = difference or "other audio"
    if difference:
        raise RunError(f"{path} is not what the run was trained on ({difference}); train again")
    return Tracks(finished, prepared, features)
