"""Cached frames become batches: segments, splits, labels and `tf.data`."""
