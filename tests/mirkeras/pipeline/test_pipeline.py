from dataclasses import replace
from itertools import chain
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from mirkeras.cache import open_cache
from mirkeras.pipeline.feed import Feed, open_feed
from mirkeras.pipeline.segments import Drawn, consecutive, cut
from reproductions.pons_cbmi2016 import models


@pytest.fixture(params=["resident", "streamed"])
def feed(cached: Path, request: pytest.FixtureRequest) -> Feed:
    (path,) = cached.rglob("cbmi2016.h5")
    features = open_cache(path)
    segments = consecutive(features.offsets, 80)
    budget = 10**9 if request.param == "resident" else 0
    feed = open_feed(features, segments, segments.track.astype("int32"), budget)
    assert feed.resident == (request.param == "resident")
    return feed


def seen(feed: Feed, dataset, batches: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Features and labels of some batches, as the network gets them."""
    bands = keras.Input((80, feed.cache.bands))
    model = feed.attach(keras.Model(bands, keras.layers.Identity()(bands)))
    return [(np.asarray(model(first)), label.numpy()) for first, label in dataset.take(batches)]


def test_in_order_gives_the_segments_of_the_cache(feed: Feed) -> None:
    chosen = np.array([3, 1, 30])
    (features, labels), (rest, _) = seen(feed, feed.in_order(chosen, batch=2), 5)
    frames = feed.cache.memmap()
    for position, segment in zip(chosen, [*features, *rest], strict=True):
        start = feed.segments.first[position]
        np.testing.assert_array_equal(segment, frames[start : start + 80])
    assert labels.tolist() == feed.segments.track[chosen[:2]].tolist()


def epoch_labels(feed: Feed, seed: int, first_epoch: int, epochs: int, **options) -> list[list]:
    options = {"batch": 10, "drop_incomplete": False} | options
    chosen = np.arange(len(feed.segments))
    steps = feed.steps(len(chosen), options["batch"], options["drop_incomplete"])
    data = feed.training(chosen, seed=seed, first_epoch=first_epoch, **options)
    batches = [label.numpy().tolist() for _, label in data.take(steps * epochs)]
    return [list(chain(*batches[n * steps : (n + 1) * steps])) for n in range(epochs)]


def test_every_epoch_has_every_segment_once_in_a_new_order(feed: Feed) -> None:
    first, second = epoch_labels(feed, seed=1, first_epoch=0, epochs=2)
    assert sorted(first) == sorted(second) == feed.segments.track.tolist()
    assert first != second


def test_order_depends_on_seed_and_epoch_alone(feed: Feed) -> None:
    epochs = epoch_labels(feed, seed=1, first_epoch=0, epochs=3)
    assert epoch_labels(feed, seed=1, first_epoch=2, epochs=1) == epochs[2:]
    assert epoch_labels(feed, seed=2, first_epoch=0, epochs=1) != epochs[:1]


def test_incomplete_batches_are_dropped_when_asked(feed: Feed) -> None:
    assert len(feed.segments) == 36
    (labels,) = epoch_labels(feed, seed=1, first_epoch=0, epochs=1, drop_incomplete=True)
    assert len(labels) == 30
    assert feed.steps(36, 10, True) == 3
    assert feed.steps(36, 10, False) == 4


def test_resident_and_streamed_give_the_same(cached: Path) -> None:
    (path,) = cached.rglob("cbmi2016.h5")
    features = open_cache(path)
    segments = consecutive(features.offsets, 80)
    network = models.time(3)
    scores = []
    for budget in (10**9, 0):
        feed = open_feed(features, segments, segments.track.astype("int32"), budget)
        data = feed.in_order(np.arange(len(segments)), batch=7)
        scores.append(feed.attach(network).predict(data, verbose=0))
    np.testing.assert_allclose(*scores, atol=1e-6)


def places(feed: Feed, chosen: np.ndarray, first_epoch: int, epochs: int) -> list[list]:
    """Per epoch, the first frame of each segment, by its label: its number."""
    numbered = replace(feed, labels=np.arange(len(feed.segments), dtype="int32"))
    data = numbered.training(
        chosen, batch=10, seed=5, first_epoch=first_epoch, drop_incomplete=False
    )
    if not feed.resident:  # the frames themselves: told apart by their content
        data = data.map(lambda frames, label: (tf.reduce_sum(frames, axis=(1, 2)), label))
    steps = feed.steps(len(chosen), 10, False)
    found = list(data.take(steps * epochs).as_numpy_iterator())
    out = []
    for epoch in range(epochs):
        rows = found[epoch * steps : (epoch + 1) * steps]
        pairs = [pair for first, label in rows for pair in zip(label, first, strict=True)]
        out.append([float(first) for _, first in sorted(pairs)])
    return out


def test_segments_drawn_anew_move_every_epoch_and_come_back_on_resuming(feed: Feed) -> None:
    segments = cut(Drawn(4, anew=True), feed.cache.offsets, 80, seed=0)
    moving = replace(feed, segments=segments)
    chosen = segments.of_tracks(np.array([1, 2]))
    epochs = places(moving, chosen, 0, 3)
    assert all(len(set(column)) > 1 for column in zip(*epochs, strict=True))
    assert places(moving, chosen, 2, 1) == epochs[2:]
    if feed.resident:
        starts, count = (column[chosen] for column in segments.redrawn)
        assert all(((epoch >= starts) & (epoch < starts + count)).all() for epoch in epochs)
