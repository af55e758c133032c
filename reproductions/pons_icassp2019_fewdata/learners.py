"""How rows of this paper are learned: from so many clips of each class, drawn from the seed."""

from dataclasses import replace
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from mirkeras.cache import FeatureCache
from mirkeras.experiment import Experiment, Protocol, Row
from mirkeras.experiment.division import Parts
from mirkeras.experiment.records import read_arrays
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pipeline.labels import Labels, read_labels
from mirkeras.pipeline.segments import Consecutive, Segments, cut
from mirkeras.pipeline.splits import FOLDS_TO_SPARE, SEEDED
from mirkeras.pretrained.inference import Score
from mirkeras.system.errors import UsageError, say
from mirkeras.training.fit import predict, save_network, train
from mirkeras.training.learner import Learned, Network, Served, hop_of
from mirkeras.training.plan import divide_run, plan_run, run_seed
from mirkeras.training.transferred import OnTagger
from mirkeras.transfer.networks import load_network
from reproductions.pons_icassp2019_fewdata import prototypes

QUICK = 20  # clips per class
HOP = 42  # frames between the patches of prototypical networks


class FewData(OnTagger):
    """What all of them have in common: frames of a recipe or of a tagger, few clips."""

    def is_quick(self, row) -> bool:
        return row.frames == 1 or 0 < row.clips <= QUICK

    def fits(self, protocol) -> bool:
        return True

    def check(self, row, weights, mirror) -> None:
        if row.pretrained:
            super().check(row, weights, mirror)

    def check_index(self, row, protocol, prepared, split) -> None:
        counts = prepared.index.label.value_counts()
        if row.clips > counts.min():
            say(
                f"note: row {row.id}: {counts.idxmin()} has {counts.min()} clips in all; a class "
                f"with fewer than {row.clips} to train on gives what it has"
            )

    def recipes(self, experiment, row, extractors) -> set[str]:
        return super().recipes(experiment, row, extractors) if row.pretrained else {row.recipe}

    def check_caches(self, row, protocol, caches, extractors) -> None:
        if not row.pretrained:
            Network.check_caches(self, row, protocol, caches, extractors)

    def before(self, runs, row, setting) -> list:
        return super().before(runs, row, setting) if row.pretrained else []

    def digested(self, run, row, setting) -> dict:
        if row.pretrained:
            return super().digested(run, row, setting) | {"clips": row.clips}
        return Network.digested(self, run, row, setting) | {"clips": row.clips}

    def built(self, row, protocol, labels) -> list:
        return Network.built(self, row, protocol, labels)

    def inputs(self, run, row, protocol, setting) -> tuple[FeatureCache, dict]:
        if row.pretrained:
            return super().inputs(run, row, protocol, setting)
        return Network.inputs(self, run, row, protocol, setting)

    def decider(self, directory: Path) -> Score:
        """Make a function of what a finished run learned: (patches, frames, bands) → [scores]."""
        network = load_network(directory / "model.keras")
        return lambda patches: [network.predict(patches, verbose=0)]

    def serve(self, directory, record, row, protocol, *, weights=None, hidden=False) -> Served:
        decide = self.decider(directory)
        if row.pretrained:
            # an embedding is a patch of one frame
            return self.on_features(
                directory, record, row, weights, lambda values: decide(values[:, None])
            )
        return Served(find_recipe(row.recipe), row.frames, self.hop(row, protocol), decide)

    def hop(self, row: Row, protocol: Protocol) -> int:
        """Frames between patches that are scored."""
        return hop_of(protocol, row)


def draw_clips(
    run: Run, row: Row, classes: np.ndarray, tracks: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """Draw a row's clips of each class from the training tracks, the same for all rows of that n.

    Parameters
    ----------
    classes : int (tracks of the cache,)
    tracks : int
        Numbers of the training tracks.

    Returns
    -------
    (drawn, facts)
        Sorted track numbers; facts for the run's record: how many, of how many classes, and how
        many classes had fewer than the row asks for.
    """
    random, drawn, fewer = np.random.default_rng([run.seed, run.fold, row.clips]), [], 0
    present = np.unique(classes[tracks])
    if len(present) < 2:
        raise UsageError(
            f"{run.name}: the training part has clips of one class only; add tracks, or use other "
            "--folds"
        )
    for number in present:
        own = tracks[classes[tracks] == number]
        fewer += len(own) < row.clips
        drawn.append(random.permutation(own)[: row.clips or None])
    drawn = np.sort(np.concatenate(drawn))
    facts = {"clips": len(drawn), "trained_classes": len(present), "classes_with_fewer": int(fewer)}
    return drawn, facts


def training_tracks(run: Run, protocol: Protocol, parts: Parts, segments: Segments) -> np.ndarray:
    """Return the tracks that clips are drawn from.

    Where the protocol holds the next official fold out, as the authors' code does without a use
    for it, that is not among them; of fewer folds, or of one division, nothing is held out.
    """
    tracks = np.unique(segments.track[parts.train])
    if protocol.validate_by != "test" and (run.split in SEEDED or run.folds < FOLDS_TO_SPARE):
        tracks = np.union1d(tracks, np.unique(segments.track[parts.validation]))
    return tracks


class FewNetwork(FewData):
    """A network, or a linear head on embeddings: a random patch of every clip and epoch."""

    def serve(self, directory, record, row, protocol, *, weights=None, hidden=False) -> Served:
        kind = FewData if row.pretrained else Network
        options = {"weights": weights, "hidden": hidden}
        return kind.serve(self, directory, record, row, protocol, **options)

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
        plan, parts, labels = plan_run(run, experiment, setting, cache, tracks)
        segments = plan.feed.segments
        known = training_tracks(run, protocol, parts, segments)
        drawn, facts = draw_clips(run, row, labels.values, known)
        few = segments.of_tracks(drawn, training=True)
        plan = replace(plan, train=few, validation=few[:0], select_by="last")
        progress = train(plan, run.directory(setting.out), report)
        facts |= {
            "parameters": count_trainable(plan.network),
            "epochs": progress.epochs,
            "best_epoch": progress.best_epoch,
            "training_seconds": round(progress.seconds, 1),
            "capped": progress.epochs < protocol.max_epochs,
        }
        parts = replace(parts, train=few, validation=few[:0])
        return Learned(predict(plan), segments, parts, labels, facts, used=("train", "test"))


def _patches(
    run: Run,
    experiment: Experiment,
    cache: FeatureCache,
    tracks: pd.DataFrame,
    setting: Setting,
    hop: int,
) -> tuple[Segments, Parts, Labels, dict[str, int]]:
    """Cut all patches at a hop; of the training part those of the clips drawn."""
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    labels = read_labels(tracks[tracks.heard], setting.tags)
    segments = cut(Consecutive(hop), cache.offsets, row.frames, run.seed)
    parts = divide_run(run, protocol, segments, tracks)
    known = training_tracks(run, protocol, parts, segments)
    drawn, facts = draw_clips(run, row, labels.values, known)
    few = segments.of_tracks(drawn)
    return segments, replace(parts, train=few, validation=few[:0]), labels, facts


class Prototypes(FewData):
    """A prototypical network, see `prototypes`."""

    def built(self, row, protocol, labels) -> list:
        return [row.build(**row.options(protocol, 0))]

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
        hop = self.hop(row, protocol)
        segments, parts, labels, facts = _patches(run, experiment, cache, tracks, setting, hop)
        track = segments.track[parts.train]
        drawn, clip = np.unique(track, return_inverse=True)
        # classes that no clip is of have no prototype
        present, label = np.unique(labels.values[drawn], return_inverse=True)
        patches = cache.segments(segments.first[parts.train], row.frames)
        keras.utils.set_random_seed(run_seed(run))
        embed = row.build(**row.options(protocol, 0))
        centres, epochs = prototypes.train(
            embed,
            prototypes.Clips(patches, clip, label),
            seed=run_seed(run),
            redraw=protocol.validate_by == "test",
            clip_norm=None if row.pretrained else prototypes.CLIP,
            max_epochs=run.max_epochs,
            report=report,
        )
        directory = run.directory(setting.out)
        save_network(embed, directory / "model.keras")
        fitted = {"centres": centres, "classes": present, "outputs": np.array(len(labels.names))}
        wanted = cache.segments(segments.first[parts.test], row.frames)
        scores = _by_prototypes(embed, fitted, wanted)
        facts |= {
            "parameters": count_trainable(embed),
            "epochs": epochs,
            "capped": epochs >= run.max_epochs < protocol.max_epochs,
        }
        used = ("train", "test")
        return Learned(scores, segments, parts, labels, facts, used=used, classifier=fitted)

    def decider(self, directory):
        embed = load_network(directory / "model.keras")
        fitted = read_arrays(directory, "classifier.npz")
        return lambda patches: [_by_prototypes(embed, fitted, patches)]

    def hop(self, row, protocol) -> int:
        return 1 if row.pretrained else HOP


def _by_prototypes(
    embed: keras.Model, fitted: dict[str, np.ndarray], patches: np.ndarray
) -> np.ndarray:
    """Score patches by prototypes; 0 for a class that has none."""
    scores = np.zeros((len(patches), int(fitted["outputs"])), np.float32)
    scores[:, fitted["classes"]] = prototypes.probabilities(embed, patches, fitted["centres"])
    return scores


class Nearest(FewData):
    """The class of the nearest training patch, by the cosine; a clip's is that of most patches."""

    def built(self, row, protocol, labels) -> list:
        return []

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        segments, parts, labels, facts = _patches(run, experiment, cache, tracks, setting, 1)
        known, wanted = (
            cache.segments(segments.first[part], 1) for part in (parts.train, parts.test)
        )
        fitted = {
            "known": _unit(known[:, 0]),
            "classes": labels.values[segments.track[parts.train]],
            "outputs": np.array(len(labels.names)),
        }
        facts |= {"parameters": None, "capped": False}
        scores, used = _by_nearest(fitted, wanted), ("train", "test")
        return Learned(scores, segments, parts, labels, facts, used=used, classifier=fitted)

    def decider(self, directory):
        fitted = read_arrays(directory, "classifier.npz")
        return lambda patches: [_by_nearest(fitted, patches)]


def _by_nearest(fitted: dict[str, np.ndarray], patches: np.ndarray) -> np.ndarray:
    """Give patches (patches, 1, values) the class of the nearest known one, as ones and zeros."""
    nearest = (_unit(patches[:, 0]) @ fitted["known"].T).argmax(axis=1)
    return np.eye(int(fitted["outputs"]), dtype=np.float32)[fitted["classes"][nearest]]


def _unit(values: np.ndarray) -> np.ndarray:
    """Divide rows by their lengths; a row of zeros stays."""
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1)
