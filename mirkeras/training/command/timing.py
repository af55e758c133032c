"""A few steps of a row, timed: on its features, or on made-up segments before there are any."""

import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from data_prep.prepare import Prepared
from mirkeras.cache import FeatureCache
from mirkeras.experiment import Experiment, find_experiment
from mirkeras.experiment.division import Parts, tracks_of
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.pipeline.labels import Labels
from mirkeras.pipeline.segments import Segments, cut
from mirkeras.training.fit import time_steps
from mirkeras.training.learners import LEARNERS
from mirkeras.training.plan import Plan, batch_of, divide_run, make_plan, plan_run, run_seed

#: How long steps of a row are timed, where two take no longer.
SECONDS = 2.0


@dataclass(frozen=True)
class MadeUp:
    """The tracks a command would have, where there are no features yet.

    Attributes
    ----------
    tracks : DataFrame
        As of `mirkeras.experiment.division.tracks_of`.
    frames : dict
        Recipe → frames of a usual track.
    names : tuple of str
        Classes or tags.
    """

    tracks: pd.DataFrame
    frames: Mapping[str, int]
    names: tuple[str, ...]

    @classmethod
    def of(cls, prepared: Prepared, frames: Mapping[str, int]) -> "MadeUp":
        """Put tracks of a usual length in the place of a data set's."""
        tracks = prepared.index.set_index("track").sort_index()
        stratum = "" if prepared.dataset.tags else tracks.label
        return cls(tracks.assign(heard=True, stratum=stratum), frames, prepared.classes)


def time_runs(
    runs: list[Run], setting: Setting, made_up: MadeUp | None, report: Callable[[dict], None]
) -> None:
    """Time a few steps of each run, as a job (see `mirkeras.system.jobs.Job`).

    What it reports has no ``epoch``: none of a run's has ended.
    """
    setting = setting.here()
    for number, run in enumerate(runs, 1):
        began = time.monotonic()
        try:
            found = _time_run(run, setting, made_up)
        except ValueError as error:  # a usual track does not suit it
            found = {"unfit": f"it would be refused: {error}"}
        keras.backend.clear_session()
        took = time.monotonic() - began
        report({"part": number / len(runs), "row": run.row, "took": took, **found})


def _time_run(run: Run, setting: Setting, made_up: MadeUp | None) -> dict:
    began, experiment = time.monotonic(), find_experiment(run.paper)
    # what it starts from may not be trained yet, and takes no time
    row = replace(experiment.rows[run.row], starts_from=(), transfer=None)
    experiment = replace(experiment, rows=experiment.rows | {run.row: row})
    if made_up is None:
        protocol = experiment.protocol_of(run.protocol, run.row)
        learner = LEARNERS[experiment.learner_of(run.protocol, run.row)]
        cache, _ = learner.inputs(run, row, protocol, setting)
        tracks = tracks_of(cache, setting.index, setting.tags)
        plan, _, _ = plan_run(run, experiment, setting, cache, tracks)
        sizes = [len(part) for part in (plan.train, plan.validation, plan.test)]
        held = int(cache.offsets[-1]) * cache.bands * np.dtype(cache.dtype).itemsize
    else:
        plan, sizes, held = _plan_made_up(run, experiment, setting, made_up)
    steps = plan.feed.steps(sizes[0], plan.batch, plan.drop_incomplete)
    timed = time_steps(plan, steps, SECONDS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    held *= plan.feed.resident
    return {
        "per_epoch": steps * timed.step + sizes[1] * timed.scored,
        "before": time.monotonic() - began - timed.seconds,
        "after": sizes[2] * timed.scored,
        "steps": timed.steps,
        "weights": plan.network.count_params(),
        "memory": peak + held * (made_up is not None),
        "resident": held,
    }


class _Noise(FeatureCache):
    """A cache of frames that were never extracted."""

    @cached_property
    def _frames(self) -> np.ndarray:
        shape = (int(self.offsets[-1]), self.bands)
        values = np.random.default_rng(0).random(shape, np.float32) - np.float32(0.5)
        return (values / self.scale).astype(self.dtype)

    def memmap(self) -> np.ndarray:
        return self._frames

    def raw_segments(self, first: np.ndarray, length: int) -> np.ndarray:
        return self._frames[first[:, None] + np.arange(length)]


def _plan_made_up(
    run: Run, experiment: Experiment, setting: Setting, made_up: MadeUp
) -> tuple[Plan, list[int], int]:
    """Plan a run on two batches of noise; also how many segments its parts would have, and bytes.

    Raises
    ------
    ValueError
        A usual track is too short for the row.
    """
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    recipe, each = find_recipe(row.recipe), made_up.frames[row.recipe]
    if each - recipe.deformed < row.frames:
        raise ValueError(f"a usual track has {each} frames, it needs {row.frames}")
    offsets = np.arange(len(made_up.tracks) + 1) * each
    segments = cut(protocol.cut, offsets, row.frames, run.seed, recipe.deformed)
    parts = divide_run(run, protocol, segments, made_up.tracks)
    sizes = [len(part) for part in (parts.train, parts.validation, parts.test)]
    held = int(offsets[-1]) * recipe.bands * np.dtype(recipe.dtype).itemsize

    batch = batch_of(run, experiment)
    many = 2 * batch
    first = np.arange(many) * row.frames
    noise = _Noise(
        path=setting.index, tracks=(), offsets=np.append(first, many * row.frames),
        bands=recipe.bands, dtype=recipe.dtype, identity={}, fingerprint="",
        rejected=pd.DataFrame(),
    )  # fmt: skip
    shape = (many, len(made_up.names)) if setting.tags else many
    labels = Labels(made_up.names, np.zeros(shape, np.float32 if setting.tags else np.int32))
    every = np.arange(many)
    validating = every if sizes[1] else every[:0]
    plan = make_plan(
        replace(row, standardise=False),
        protocol,
        noise,
        Segments(first, every, row.frames),
        Parts(every, validating, every, every),
        labels,
        batch=batch,
        max_epochs=run.max_epochs,
        seed=run_seed(run),
        memory_budget=sys.maxsize if held <= setting.memory_budget else 0,
    )
    return plan, sizes, held
