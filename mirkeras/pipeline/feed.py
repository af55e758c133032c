"""Cache + segments → `tf.data`, without Python per element.

A `Feed` chooses between two ways, by a memory budget:

- *resident*: all frames of the cache live in one tensor beside the network (on the GPU when there
  is one). The data set yields only (first frame, label); the gather happens inside the training
  graph, as the first operation of the model that `Feed.attach` returns.
- *streamed*: frames stay on disk; every batch is read as a whole, a few batches ahead. Nothing but
  the batches in flight is held.

Frames are held and read as they are stored; int16 becomes float32 in [-1, 1] in the graph, so that
memory and disk see half the bytes.

Either way the order of segments is a function of (seed, epoch) alone: it does not depend on
threads, and an interrupted run can start again at any epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mirkeras.system.backend import keras

import numpy as np
import tensorflow as tf

from mirkeras.cache import FeatureCache
from mirkeras.pipeline.segments import Segments

READ_AHEAD = 4  # batches
_DRAWING = 0x5EED


class Gather(keras.layers.Layer):
    """(batch,) first frames → float32 (batch, length, bands): cuts segments out of held frames.

    Parameters
    ----------
    frames : float32 or int16 (total frames, bands)
    length : int
        Frames per segment.
    scale : float
        What a 1 in `frames` stands for.
    """

    def __init__(self, frames: np.ndarray, length: int, scale: float = 1.0):
        super().__init__(name="gather", dtype="float32", trainable=False)
        self.length, self.scale = length, scale
        self.frames = self.add_weight(
            shape=frames.shape,
            dtype=frames.dtype.name,
            trainable=False,
            initializer=lambda shape, dtype: keras.ops.convert_to_tensor(frames, dtype),
        )

    def call(self, first: keras.KerasTensor) -> keras.KerasTensor:
        window = keras.ops.arange(self.length, dtype=first.dtype)
        stored = _rows(self.frames, first[:, None] + window[None, :])
        segments = keras.ops.cast(stored, "float32")
        return segments if self.scale == 1 else segments * self.scale

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (shape[0], self.length, self.frames.shape[1])


def _rows(frames: keras.Variable, numbers: keras.KerasTensor) -> keras.KerasTensor:
    if keras.backend.backend() == "tensorflow":
        # `keras.ops.take` reads the whole variable first, and TensorFlow can cut int16 on a GPU
        # only out of variables: outside XLA it would copy all frames to the processor every step.
        return tf.gather(frames.value, numbers)
    return keras.ops.take(frames, numbers, axis=0)


@dataclass(frozen=True)
class Feed:
    """The segments of one cache with their labels, ready for Keras.

    Attributes
    ----------
    cache : FeatureCache
    segments : Segments
    labels : int32 (segments,), or float32 (segments, tags)
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
            # a model of its own, too: compiling it leaves the network, which is saved, as it is
            segments = keras.Input(network.input_shape[1:], name="segment")
            return keras.Model(segments, network(segments), name=f"streamed_{network.name}")
        first = keras.Input((), dtype="int32", name="first_frame")
        segments = Gather(self.cache.memmap(), self.segments.length, self.cache.scale)(first)
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
        table, positions = self._table(), _on_host(chosen)
        redraw = self._redraw(seed)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.random.experimental.stateless_shuffle(positions, seed=[seed, epoch])
            first, labels = table
            epoch_table = (redraw(epoch) if redraw else first, labels)
            return _batches(epoch_table, order, len(chosen), batch, drop_incomplete)

        epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int32).max)
        return self._load(epochs.flat_map(one_epoch))

    def in_order(self, chosen: np.ndarray, *, batch: int) -> tf.data.Dataset:
        """Batches of the chosen segments, once and in order (validation, prediction)."""
        batches = _batches(self._table(), _on_host(chosen), len(chosen), batch, False)
        return self._load(batches)

    @staticmethod
    def steps(segments: int, batch: int, drop_incomplete: bool) -> int:
        """Batches per epoch."""
        return segments // batch if drop_incomplete else -(-segments // batch)

    def _table(self) -> tuple[tf.Tensor, tf.Tensor]:
        """First frames and labels of all segments.

        Made outside the functions that tf.data traces: they capture tensors, but would copy arrays
        into their graphs as constants.
        """
        # A GPU gathers by int32; on disk there may be more samples than int32 can count.
        first = self.segments.first.astype(np.int32 if self.resident else np.int64)
        return _on_host(first), _on_host(self.labels)

    def _redraw(self, seed: int) -> Callable[[tf.Tensor], tf.Tensor] | None:
        """Return epoch → first frames of all segments, where every epoch draws them anew."""
        if self.segments.redrawn is None:
            return None
        starts, places = (_on_host(column) for column in self.segments.redrawn)
        kind = tf.int32 if self.resident else tf.int64

        def redraw(epoch: tf.Tensor) -> tf.Tensor:
            # another stream than the one that shuffles
            share = tf.random.stateless_uniform(
                tf.shape(places), seed=[seed ^ _DRAWING, epoch], dtype=tf.float64
            )
            moved = tf.cast(tf.floor(share * tf.cast(places, tf.float64)), tf.int64)
            return tf.cast(starts + moved, kind)

        return redraw

    def _load(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        if not self.resident:
            batches = batches.map(self._read, num_parallel_calls=2, deterministic=True)
        return batches.prefetch(READ_AHEAD)

    def _read(self, first: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        dtype = tf.as_dtype(self.cache.dtype)
        stored = tf.numpy_function(self._read_batch, [first], dtype, stateful=False)
        stored.set_shape((None, self.segments.length, self.cache.bands))
        segments = tf.cast(stored, tf.float32)
        return segments if self.cache.scale == 1 else segments * self.cache.scale, label

    def _read_batch(self, first: np.ndarray) -> np.ndarray:
        return self.cache.raw_segments(first, self.segments.length)


def _on_host(values: np.ndarray) -> tf.Tensor:
    with tf.device("CPU"):  # tf.data works there, also where there is a GPU
        return tf.constant(values)


def _batches(
    table: tuple[tf.Tensor, tf.Tensor],
    order: tf.Tensor,
    count: int,
    batch: int,
    drop_incomplete: bool,
) -> tf.data.Dataset:
    """Cut an order into batches of (first frames, labels) by whole-array operations.

    An epoch is gathered and reshaped at once, so that tf.data hands out rows of a matrix; to
    batch single elements takes it longer, and small networks notice.
    """
    columns = [tf.gather(column, order) for column in table]
    whole = count // batch * batch
    rows = [
        tf.reshape(column[:whole], (whole // batch, batch, *column.shape[1:])) for column in columns
    ]
    batches = tf.data.Dataset.from_tensor_slices(tuple(rows))
    if whole < count and not drop_incomplete:
        rest = tf.data.Dataset.from_tensors(tuple(column[whole:] for column in columns))
        batches = batches.concatenate(rest)
    return batches


def open_feed(
    cache: FeatureCache, segments: Segments, labels: np.ndarray, memory_budget: int
) -> Feed:
    """Make a feed; frames are resident if they take at most `memory_budget` bytes as stored.

    Frames that int32 cannot count are streamed in any case.
    """
    frames = int(cache.offsets[-1])
    size = frames * cache.bands * np.dtype(cache.dtype).itemsize
    resident = size <= memory_budget and frames <= np.iinfo(np.int32).max
    return Feed(cache, segments, labels, resident)


def prediction_batch(values: int) -> int:
    """Choose how many segments of so many values are scored at once, 16 to 100.

    A network's activations are many times its input: 100 segments of 59,049 samples need several
    gigabytes in the first layers of SampleCNN, 100 spectrograms next to nothing.
    """
    return min(100, max(16, 2**20 // values))
