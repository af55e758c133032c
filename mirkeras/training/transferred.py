"""Learners on features of trained networks: a small network, or a support vector machine."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from mirkeras.cache import FeatureCache
from mirkeras.experiment import Row, records
from mirkeras.features import find_recipe
from mirkeras.pipeline.labels import read_labels
from mirkeras.pipeline.segments import consecutive
from mirkeras.pretrained.cards import find_card
from mirkeras.pretrained.inference import Score
from mirkeras.system.errors import UsageError
from mirkeras.system.jobs import Job
from mirkeras.training.learner import Learned, Learner, Network, Served
from mirkeras.training.plan import divide_run, run_seed
from mirkeras.transfer import classifiers, segment_features, song_features
from mirkeras.transfer.extractors import check_input, check_tagger
from mirkeras.transfer.networks import load_network


class Head(Network):
    """A network on song-level features of other networks, see `mirkeras.transfer.song_features`."""

    takes: ClassVar[tuple[str, ...]] = ("extractor",)
    learns_all = False

    def needs(self, row, extractors) -> tuple[str, ...]:
        return row.starts_from + (() if extractors else row.features_from)

    def recipes(self, experiment, row, extractors) -> set[str]:
        if extractors:
            return {extractor.recipe for extractor in extractors}
        return {experiment.rows[source].recipe for source in row.features_from}

    def check_caches(self, row, protocol, caches, extractors) -> None:
        for extractor in extractors:
            check_input(extractor, caches[extractor.recipe], row.layers)

    def networks(self, run, row, setting) -> list:
        given = [extractor.path for extractor in setting.extractors]
        return given or super().networks(run, row, setting)

    def digested(self, run, row, setting) -> dict:
        return super().digested(run, row, setting) | {"embedding": song_features.IMPLEMENTATION}

    def inputs(self, run, row, protocol, setting) -> tuple[FeatureCache, dict]:
        return song_features.song_cache(run, row, protocol, setting)

    def decide(self, directory: Path, features: np.ndarray) -> list[np.ndarray]:
        """Score tracks by their features, (tracks, dimensions), as the run of a directory does."""
        network = load_network(directory / "model.keras")
        return [network.predict(features[:, None], verbose=0)]

    def serve(self, directory, record, row, protocol, *, weights=None, hidden=False) -> Served:
        used = song_features.networks_of(directory, record, row, weights)
        recipe = find_recipe(used[0].recipe)
        make = song_features.of_track([one.path for one in used], row.layers, protocol.overlapping)
        # a whole track is one segment: its features are means over all that it holds
        return Served(recipe, 0, 0, lambda tracks: self.decide(directory, make(tracks[0])[None]))


class LinearSVM(Head):
    """A linear support vector machine on such features, see `classifiers.scores`."""

    def is_quick(self, row) -> bool:
        return True

    def built(self, row, protocol, labels) -> list:
        return []

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        protocol = experiment.protocol_of(run.protocol, run.row)
        segments = consecutive(cache.offsets, 1)
        labels = read_labels(tracks[tracks.heard], setting.tags)
        parts = divide_run(run, protocol, segments, tracks)
        features, outputs = np.array(cache.memmap()), len(labels.names)
        scores, penalty, fitted = classifiers.scores(
            features, labels.values, parts, outputs=outputs, seed=run_seed(run)
        )
        planes = outputs if labels.are_tags or outputs > 2 else 1  # two classes share one
        facts = {
            "parameters": (features.shape[1] + 1) * planes,
            "penalty": penalty,
            "capped": False,
        }
        return Learned(scores, segments, parts, labels, facts, classifier=fitted)

    def decide(self, directory, features) -> list[np.ndarray]:
        planes = records.read_arrays(directory, "classifier.npz")
        return [classifiers.plane_scores(planes, features)]


class OnTagger(Learner):
    """What is learned on the features of a trained tagger, see `segment_features`."""

    takes: ClassVar[tuple[str, ...]] = ("weights",)

    def is_quick(self, row) -> bool:
        return True

    def takes_tags(self, protocol) -> bool:
        return False

    def check(self, row, weights, mirror) -> None:
        check_tagger(row, weights, mirror)

    def recipes(self, experiment, row, extractors) -> set[str]:
        return {find_card(row.pretrained).recipe}

    def before(self, runs, row, setting) -> list[Job]:
        if segment_features.is_kept(row, setting):
            return []
        arguments = runs[0].paper, row.id, setting
        return [Job(f"features of {row.id}", 1, segment_features.compute_row, arguments)]

    def digested(self, run, row, setting) -> dict:
        embedding = segment_features.embedding_of(row, setting.weights)
        known = [embedding.recorded, segment_features.IMPLEMENTATION]
        return super().digested(run, row, setting) | {"embedding": known}

    def inputs(self, run, row, protocol, setting) -> tuple[FeatureCache, dict]:
        cache = segment_features.row_features(row, setting)
        embedding = segment_features.embedding_of(row, setting.weights)
        return cache, {"recipe": cache.identity} | embedding.recorded

    def on_features(
        self, directory: Path, record: dict, row: Row, weights: Path | None, decide: Score
    ) -> Served:
        """Put what a run learned behind the tagger that it learned from.

        Parameters
        ----------
        decide : callable
            (segments, values) → outputs.
        """
        embedding = segment_features.embedding_of(row, weights)
        if embedding.recorded["weights"] != record["weights"]:
            raise UsageError(
                f"{directory} learned from other weights of {row.pretrained} than are at hand: "
                "give those with --weights"
            )
        card, features = embedding.card, embedding.score(weights)
        return Served(
            find_recipe(card.recipe), card.frames, row.hop, lambda s: decide(features(s)[0])
        )


class PcaSVM(OnTagger):
    """Principal components and a machine on a tagger's features, see `classifiers.vote_shares`."""

    def fits(self, protocol) -> bool:
        return protocol.rule is None

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        protocol = experiment.protocol_of(run.protocol, run.row)
        segments = consecutive(cache.offsets, 1)
        labels = read_labels(tracks[tracks.heard], setting.tags)
        parts = divide_run(run, protocol, segments, tracks)
        classes = labels.values[segments.track]
        scores, found, fitted = classifiers.vote_shares(
            cache.memmap(), classes, parts, outputs=len(labels.names), seed=run_seed(run)
        )
        # support vectors are no trained numbers, and nothing is chosen by a validation part
        facts = {"parameters": None, **found, "capped": False}
        used = ("train", "test")
        return Learned(scores, segments, parts, labels, facts, used=used, classifier=fitted)

    def serve(self, directory, record, row, protocol, *, weights=None, hidden=False) -> Served:
        fitted = records.read_arrays(directory, "classifier.npz")

        def decide(values: np.ndarray) -> list[np.ndarray]:
            return [classifiers.votes(fitted, classifiers.rotated(fitted, values))]

        return self.on_features(directory, record, row, weights, decide)
