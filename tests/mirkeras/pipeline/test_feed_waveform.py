"""The feed with waveforms: int16 until it reaches the graph, tags as labels, any size."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from mirkeras.cache import FeatureCache
from mirkeras.pipeline.feed import Feed, Gather, open_feed
from mirkeras.pipeline.segments import Segments, consecutive
from tests.benchmarks.synthetic import make_waveforms

LENGTH, TAGS = 729, 5


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory: pytest.TempPathFactory) -> FeatureCache:
    return make_waveforms(tmp_path_factory.mktemp("noise") / "noise", tracks=6, samples=3000)


def open_tags(waveforms: FeatureCache, budget: int) -> Feed:
    segments = consecutive(waveforms.offsets, LENGTH)
    tags = np.random.RandomState(0).randint(0, 2, (len(segments), TAGS)).astype(np.float32)
    return open_feed(waveforms, segments, tags, budget)


@pytest.fixture(params=[10**9, 0], ids=["resident", "streamed"])
def feed(waveforms: FeatureCache, request: pytest.FixtureRequest) -> Feed:
    return open_tags(waveforms, request.param)


def seen_by_a_network(feed: Feed, data: tf.data.Dataset) -> list[np.ndarray]:
    samples = keras.Input((feed.segments.length, 1))
    model = feed.attach(keras.Model(samples, keras.layers.Identity()(samples)))
    return [np.asarray(model(first)) for first, _ in data]


def test_the_network_sees_floats_and_tags(feed: Feed) -> None:
    chosen = np.array([3, 1, 20])
    data = feed.in_order(chosen, batch=2)
    segments = np.concatenate(seen_by_a_network(feed, data))
    assert segments.dtype == np.float32
    stored = [feed.cache.memmap()[f : f + LENGTH] for f in feed.segments.first[chosen]]
    np.testing.assert_array_equal(segments, np.array(stored) / 2**15)
    assert np.abs(segments).max() > 0.9
    tags = np.concatenate([batch.numpy() for _, batch in data])
    np.testing.assert_array_equal(tags, feed.labels[chosen])
    assert tags.dtype == np.float32


def test_a_resident_waveform_stays_int16_in_memory(waveforms: FeatureCache) -> None:
    gather = Gather(waveforms.memmap(), LENGTH, waveforms.scale)
    assert gather.frames.dtype == gather.frames.value.dtype.name == "int16"


def test_a_streamed_waveform_is_read_as_int16(waveforms: FeatureCache) -> None:
    feed = open_tags(waveforms, 0)
    assert feed._read_batch(np.array([0, 5])).dtype == np.int16


def test_the_budget_counts_bytes_as_stored(waveforms: FeatureCache) -> None:
    size = waveforms.memmap().nbytes
    assert size == 6 * 3000 * 2
    assert open_tags(waveforms, size).resident
    assert not open_tags(waveforms, size - 1).resident


def test_both_ways_train_alike(waveforms: FeatureCache) -> None:
    losses = []
    for budget in (10**9, 0):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((LENGTH, 1)), keras.layers.Conv1D(4, 9, 9, activation="relu")]
        layers += [keras.layers.Flatten(), keras.layers.Dense(TAGS, activation="sigmoid")]
        feed = open_tags(waveforms, budget)
        model = feed.attach(keras.Sequential(layers))
        model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
        data = feed.training(np.arange(24), batch=8, seed=1, drop_incomplete=True)
        options = {"steps_per_epoch": 3, "epochs": 2, "shuffle": False, "verbose": 0}
        losses.append(model.fit(data, **options).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert losses[0][0] != losses[0][1]


def test_samples_beyond_int32_are_found_on_disk(tmp_path: Path) -> None:
    """Four hours at 150 kHz, say: a sparse file of 4.3 GB, of which only the end is written."""
    samples = 2**31 + 1000
    with open(tmp_path / "sparse", "wb") as file:
        file.seek(2 * (samples - LENGTH))
        file.write(np.full(LENGTH, 2**14, np.int16).tobytes())
    cache = make_waveforms(tmp_path / "noise", tracks=1, samples=10)
    object.__setattr__(cache, "path", tmp_path / "sparse")
    object.__setattr__(cache, "offsets", np.array([0, samples]))
    segments = Segments(np.array([0, samples - LENGTH]), np.array([0, 0]), LENGTH)
    feed = open_feed(cache, segments, np.zeros(2, np.int32), memory_budget=2**60)
    assert not feed.resident
    (batch,) = [first.numpy() for first, _ in feed.in_order(np.array([1, 0]), batch=2)]
    assert (batch[0] == 0.5).all()
    assert not batch[1].any()


def test_large_tables_are_captured_not_copied_into_graphs(
    waveforms: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = Segments(np.zeros(50_000, np.int64), np.zeros(50_000, np.int64), LENGTH)
    feed = open_feed(waveforms, segments, np.zeros((50_000, 50), np.float32), 10**9)
    made = []
    flat_map = tf.data.Dataset.flat_map

    def watched(dataset, function, **options):
        made.append(function)
        return flat_map(dataset, function, **options)

    monkeypatch.setattr(tf.data.Dataset, "flat_map", watched)
    feed.training(np.arange(50_000), batch=23, seed=0, drop_incomplete=True)
    traced = tf.function(made[0]).get_concrete_function(tf.TensorSpec((), tf.int64))
    assert traced.graph.as_graph_def().ByteSize() < 100_000  # the labels are 10 MB
