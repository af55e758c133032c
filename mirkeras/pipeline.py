"""Cache + segments → `tf.data`, without Python per element.

A `Feed` chooses between two ways, by a memory budget:

- *resident*: all frames of the cache live in one tensor beside the network (on the GPU when there
  is one). The data set yields only (first frame, label); the gather happens inside the training
  graph, as the first operation of the model that `Feed.attach` returns.
- *streamed*: frames stay on disk; every batch is read as a whole, a few batches ahead. Nothing but
  the batches in flight is held.

Either way the order of segments is a function of (seed, epoch) alone: it does not depend on
threads, and an interrupted run can start again at any epoch.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from mirkeras.cache import FeatureCache
from mirkeras.segments import Segments

READ_AHEAD = 4  # batches


class Gather(keras.layers.Layer):
    """(batch,) first frames → (batch, length, bands): cuts segments out of frames held in memory.

    Parameters
    ----------
    frames : float32 (total frames, bands)
    length : int
        Frames per segment.
    """

    def __init__(self, frames: np.ndarray, length: int):
        super().__init__(name="gather", dtype="float32", trainable=False)
        self.length = length
        self.frames = self.add_weight(
            shape=frames.shape,
            trainable=False,
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor(frames, dtype),
        )

    def call(self, first: keras.KerasTensor) -> keras.KerasTensor:
        window = keras.ops.arange(self.length, dtype=first.dtype)
        return keras.ops.take(self.frames, first[:, None] + window[None, :], axis=0)

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (shape[0], self.length, self.frames.shape[1])


@dataclass(frozen=True)
class Feed:
    """The segments of one cache with their labels, ready for Keras.

    Attributes
    ----------
    cache : FeatureCache
    segments : Segments
    labels : (segments,) int, or (segments, tags) float32
    resident : bool
        Whether the frames are held in memory; see `open_feed`.
    """

    cache: FeatureCache
    segments: Segments
    labels: np.ndarray
    resident: bool

    def attach(self, network: keras.Model) -> keras.Model:
        """Return the model to fit and predict with this feed; it shares the network's weights.

        Call it once: a resident feed copies the frames into the model.
        """
        if not self.resident:
            return network
        first = keras.Input((), dtype="int32", name="first_frame")
        segments = Gather(self.cache.memmap(), self.segments.length)(first)
        return keras.Model(first, network(segments), name=f"resident_{network.name}")

    def training(
        self,
        chosen: np.ndarray,
        *,
        batch: int,
        seed: int,
        first_epoch: int = 0,
        drop_incomplete: bool,
    ) -> tf.data.Dataset:
        """Endless batches of the chosen segments, newly shuffled every epoch.

        Parameters
        ----------
        chosen : int64 (n,)
            Positions in `segments`.
        first_epoch : int
            Start with the order of this epoch (resuming).
        drop_incomplete : bool
            Leave out the last, smaller batch of each epoch.

        Returns
        -------
        tf.data.Dataset
            Use it with ``steps_per_epoch=self.steps(len(chosen), batch, drop_incomplete)``.
        """
        positions = tf.constant(chosen, tf.int64)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.random.experimental.stateless_shuffle(positions, seed=[seed, epoch])
            return self._batches(order, len(chosen), batch, drop_incomplete)

        epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int32).max)
        return self._load(epochs.flat_map(one_epoch))

    def in_order(self, chosen: np.ndarray, *, batch: int) -> tf.data.Dataset:
        """Batches of the chosen segments, once and in order (validation, prediction)."""
        order = tf.constant(chosen, tf.int64)
        return self._load(self._batches(order, len(chosen), batch, drop_incomplete=False))

    @staticmethod
    def steps(segments: int, batch: int, drop_incomplete: bool) -> int:
        """Batches per epoch."""
        return segments // batch if drop_incomplete else -(-segments // batch)

    def _batches(
        self, order: tf.Tensor, count: int, batch: int, drop_incomplete: bool
    ) -> tf.data.Dataset:
        """Cut an order into batches of (first frames, labels) by whole-array operations.

        An epoch is gathered and reshaped at once, so that tf.data hands out rows of a matrix; to
        batch single elements takes it longer, and small networks notice.
        """
        first = tf.gather(tf.constant(self.segments.first.astype(np.int32)), order)
        labels = tf.gather(tf.constant(self.labels), order)
        whole = count // batch * batch
        rows = [
            tf.reshape(values[:whole], (whole // batch, batch, *values.shape[1:]))
            for values in (first, labels)
        ]
        batches = tf.data.Dataset.from_tensor_slices(tuple(rows))
        if whole < count and not drop_incomplete:
            rest = tf.data.Dataset.from_tensors((first[whole:], labels[whole:]))
            batches = batches.concatenate(rest)
        return batches

    def _load(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        if not self.resident:
            batches = batches.map(self._read, num_parallel_calls=2, deterministic=True)
        return batches.prefetch(READ_AHEAD)

    def _read(self, first: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        segments = tf.numpy_function(self._read_batch, [first], tf.float32, stateful=False)
        segments.set_shape((None, self.segments.length, self.cache.bands))
        return segments, label

    def _read_batch(self, first: np.ndarray) -> np.ndarray:
        return self.cache.segments(first, self.segments.length)


def open_feed(
    cache: FeatureCache, segments: Segments, labels: np.ndarray, memory_budget: int
) -> Feed:
    """Make a feed; frames are resident if they take at most `memory_budget` bytes."""
    size = int(cache.offsets[-1]) * cache.bands * np.dtype(np.float32).itemsize
    return Feed(cache, segments, labels, resident=size <= memory_budget)
