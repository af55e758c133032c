"""How rows of this paper are learned: features of random networks, then the best of a grid."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.cache import FeatureCache, open_cache
from mirkeras.experiment.division import Parts
from mirkeras.experiment.records import read_arrays
from mirkeras.experiment.runs import Run
from mirkeras.features import find_recipe
from mirkeras.pipeline.labels import read_labels
from mirkeras.pipeline.segments import consecutive, repeated
from mirkeras.pipeline.splits import SEEDED
from mirkeras.storage.arrays import write_archive
from mirkeras.storage.files import locked
from mirkeras.system.errors import UsageError
from mirkeras.system.jobs import Job
from mirkeras.training.learner import Learned, Learner, Served
from mirkeras.training.plan import divide_run
from reproductions.pons_icassp2019_random import classifiers, features
from reproductions.pons_icassp2019_random.classifiers import Grid


class OnRandomFeatures(Learner):
    """A classifier on features of a network with random weights, chosen from a grid.

    Under a protocol that holds nothing out for validation, the point of the grid is the best in the
    mean over the *test* folds, as in the authors' code; else the best on the validation part, and
    what was held out of the folds joins the training part again. Where a split has a validation
    part of its own (GTZAN's), both choose by it and neither trains on it.

    Parameters
    ----------
    grid : callable
        See `classifiers`.
    points : list of str
        Names of its points.
    fit, scores : callable
        Fit one point, as arrays; score tracks by these. See `classifiers`.
    """

    def __init__(self, grid: Grid, points: list[str], fit: Callable, scores: Callable) -> None:
        self.grid, self.points, self.fit, self.scores = grid, points, fit, scores

    def is_quick(self, row) -> bool:
        return True

    def fits(self, protocol) -> bool:
        return protocol.rule is None

    def takes_tags(self, protocol) -> bool:
        return False

    def recipes(self, experiment, row, extractors) -> set[str]:
        return {row.recipe}

    def check_caches(self, row, protocol, caches, extractors) -> None:
        if row.front_end:
            features.segment_length(row, caches[row.recipe])

    def before(self, runs, row, setting) -> list[Job]:
        if not row.front_end:
            return []
        found = []
        for seed in sorted({run.seed for run in runs}):
            place = features.place_of(row, seed, setting)
            if not place.exists():
                arguments = runs[0].paper, row.id, seed, setting
                found.append(Job(place.name.rpartition("-")[0], 1, features.compute, arguments))
        return found

    def digested(self, run, row, setting) -> dict:
        network = [f"{row.front_end.title} {row.filters}"] if row.front_end else []
        known = [features.IMPLEMENTATION, classifiers.IMPLEMENTATION, *network]
        return super().digested(run, row, setting) | {"embedding": known}

    def inputs(self, run, row, protocol, setting) -> tuple[FeatureCache, dict]:
        if row.front_end:
            cache = features.open_features(row, run.seed, setting)
        else:
            cache = open_cache(setting.caches[row.recipe], find_recipe(row.recipe))
        return cache, {"recipe": cache.identity}

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
        segments = consecutive(cache.offsets, 1)
        labels = read_labels(tracks[tracks.heard], setting.tags)
        values = np.array(cache.memmap())
        if protocol.network and row.front_end and row.front_end.front:
            values = on_the_wrong_axis(values, row.front_end.front * row.filters)
        parts = [
            divide_run(replace(run, fold=fold), protocol, segments, tracks)
            for fold in range(run.folds)
        ]
        own = run.split not in SEEDED and "validation" in set(tracks[run.split])
        part = parts[run.fold]
        if protocol.validate_by == "test" and not own:
            whole = part.train
            name = self._name(run, row, protocol, cache, tracks, setting)
            place = setting.index.parent / "grids" / name
            best, decided, facts = self._by_test_folds(run, values, labels.values, parts, place)
        else:
            whole = part.train if own else np.union1d(part.train, part.validation)
            best, decided, facts = self._by_validation(run, values, labels.values, part, whole)
        facts |= {
            "parameters": None,
            "values": values.shape[1],
            "constant_values": int((np.ptp(values[part.train], axis=0) == 0).sum()),
            "chosen": self.points[best],
            "capped": False,
        }
        classes, outputs = labels.values[whole], len(labels.names)
        fitted = self.fit(best, values[whole], classes, outputs, run.seed)
        scores = np.eye(outputs, dtype=np.float32)[decided]
        used = ("train", "validation", "test")
        used = used if own or protocol.validate_by != "test" else ("train", "test")
        return Learned(scores, segments, part, labels, facts, used=used, classifier=fitted)

    def serve(self, directory, record, row, protocol, *, weights=None, hidden=False) -> Served:
        if record["mixed_precision"] and row.front_end:
            raise UsageError(
                f"{directory}: its features were computed in half precision, those of new tracks "
                "are not; train it without --mixed-precision"
            )
        fitted, recipe = read_arrays(directory, "classifier.npz"), find_recipe(row.recipe)
        if not row.front_end:
            return Served(recipe, 0, 0, lambda tracks: [self.scores(fitted, tracks[0])])
        length = record["recipe"]["segment"]
        network = features.network_of(row, length, record["seed"])

        def score(tracks: np.ndarray) -> list[np.ndarray]:
            segments = np.stack([repeated(track, length) for track in tracks])
            values = keras.ops.convert_to_numpy(network.predict_on_batch(segments))
            if protocol.network and row.front_end.front:
                values = on_the_wrong_axis(values, row.front_end.front * row.filters)
            return [self.scores(fitted, values)]

        return Served(recipe, 0, 0, score)

    def _decide(
        self, run: Run, values: np.ndarray, classes: np.ndarray, train: np.ndarray, test: np.ndarray
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Fit every point of the grid on some tracks, decide about others."""
        if len(np.unique(classes[train])) < 2:
            raise UsageError(
                f"{run.name}: the training part has tracks of one class only; add tracks, or use "
                "other --folds"
            )
        return self.grid(values[train], classes[train], values[test], run.seed)

    def _by_validation(
        self, run: Run, values: np.ndarray, classes: np.ndarray, part: Parts, whole: np.ndarray
    ) -> tuple[int, np.ndarray, dict]:
        """Choose by the validation part, then fit on `whole`: point, decisions, facts."""
        held, _ = self._decide(run, values, classes, part.train, part.validation)
        best = int((held == classes[part.validation]).mean(axis=1).argmax())
        decided, facts = self._decide(run, values, classes, whole, part.test)
        return best, decided[best], facts

    def _by_test_folds(
        self, run: Run, values: np.ndarray, classes: np.ndarray, parts: list[Parts], place: Path
    ) -> tuple[int, np.ndarray, dict]:
        """Choose what is best in the mean over the test folds, each of which is decided once."""
        means, mine = [], None
        for fold, part in enumerate(parts):
            kept = place.with_name(f"{place.name}-{fold}.npz")
            with locked(kept.with_name(f".{kept.name}.lock")):
                if not kept.exists():
                    decided, facts = self._decide(run, values, classes, part.train, part.test)
                    write_archive(kept, decided=decided, **facts)
            with np.load(kept, allow_pickle=False) as arrays:
                found = dict(arrays)
            means.append((found["decided"] == classes[part.test]).mean(axis=1))
            mine = found if fold == run.fold else mine
        best = int(np.mean(means, axis=0).argmax())
        decided = mine.pop("decided")
        return best, decided[best], {name: int(value) for name, value in mine.items()}

    def _name(self, run, row, protocol, cache, tracks, setting) -> str:
        """Name what is known of the folds of a run: all that decides it is in the name."""
        known = [features.IMPLEMENTATION, classifiers.IMPLEMENTATION, setting.mixed_precision]
        known += [row.id, run.split, run.folds, run.seed, cache.identity]
        known += [cache.fingerprint, protocol.chosen(), tracks.reset_index().to_csv(), self.points]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def on_the_wrong_axis(values: np.ndarray, front: int) -> np.ndarray:
    """Put the features of a frame-level network as the authors' code does.

    Its back-end gives its layers transposed, so that each has one map: the mean over all of them
    is written at the place of the first, and zeros at the others.

    Parameters
    ----------
    values : float32 (tracks, front + 3 × maps)
    front : int
        How many features come before those of the three layers; these stay.
    """
    changed = values.copy()
    for layer in np.split(changed[:, front:], 3, axis=1):
        layer[:, 0] = layer.mean(axis=1)
        layer[:, 1:] = 0
    return changed
