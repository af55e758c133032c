"""Prototypical networks: a class is the mean of its embedded examples (Snell et al. 2017).

As in jordipons/neural-classifiers-with-few-audio (`src/proto.py`): a patch belongs to a class with
the softmax of minus its distance to the class's prototype, the *mean* of the squared differences
(the function there is called Euclidean distance; over ten values it is a tenth of its square).
"""

from collections.abc import Callable
from dataclasses import dataclass

from mirkeras.system.backend import keras

import numpy as np
from keras import layers, ops

PER_CLASS = 5  # patches: of the support at most, and of the queries
RATE, CLIP = 0.1, 5.0
PATIENCE = 200  # epochs without a new best on the training clips, counted in all
BATCH = 64  # patches embedded at once


def prototypes(support: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """Average the embedded support (classes × shots, values) of each class: (classes, values)."""
    return ops.mean(ops.reshape(support, (classes, -1, support.shape[-1])), axis=1)


def minus_distances(queries: keras.KerasTensor, centres: keras.KerasTensor) -> keras.KerasTensor:
    """Mean squared differences, negative: (queries, classes)."""
    apart = ops.expand_dims(queries, 1) - ops.expand_dims(centres, 0)
    return -ops.mean(ops.square(apart), axis=-1)


def episode(embed: keras.Model, classes: int, shots: int) -> keras.Model:
    """Build the network that an update trains, on one episode at a time.

    Returns
    -------
    keras.Model
        (1, classes × (shots + 5), frames, bands), the support first, → the probabilities of the
        queries, (1, classes × 5, classes). Batch norm sees support and queries apart.
    """
    known, shape = classes * shots, embed.input_shape[1:]
    patches = keras.Input((known + classes * PER_CLASS, *shape), name="episode")
    # one episode: the axis of the batch goes, that of the patches takes its place
    support, queries = embed(patches[0, :known]), embed(patches[0, known:])
    near = minus_distances(queries, prototypes(support, classes))
    scores = layers.Activation("softmax", dtype="float32", name="scores")(near)
    return keras.Model(patches, ops.expand_dims(scores, 0), name="episode")


@dataclass(frozen=True)
class Clips:
    """Patches of some clips.

    Attributes
    ----------
    patches : float32 (patches, frames, bands)
        All there are at a hop, clip by clip.
    clip : int (patches,)
        The number of each one's clip.
    label : int (clips,)
        Class of each clip, from 0 to classes - 1.
    """

    patches: np.ndarray
    clip: np.ndarray
    label: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Class of each patch."""
        return self.label[self.clip]


def draw_support(clips: Clips, classes: int, shots: int, random: np.random.Generator) -> np.ndarray:
    """Draw a patch of each of up to `shots` clips of every class; fewer clips come more than once.

    Returns
    -------
    int (classes × shots,)
        Numbers of patches, class by class.
    """
    drawn = []
    for number in range(classes):
        own = random.permutation(np.flatnonzero(clips.label == number))
        for clip in np.resize(own, shots):
            drawn.append(random.choice(np.flatnonzero(clips.clip == clip)))
    return np.array(drawn)


def draw_queries(labels: np.ndarray, classes: int, random: np.random.Generator) -> np.ndarray:
    """Draw five patches of every class, with replacement where it has fewer; class by class."""
    drawn = []
    for number in range(classes):
        own = np.flatnonzero(labels == number)
        drawn.append(random.choice(own, PER_CLASS, replace=len(own) < PER_CLASS))
    return np.concatenate(drawn)


def embedded(embed: keras.Model, patches: np.ndarray) -> np.ndarray:
    """Embed patches, as for scoring: float32 (patches, values)."""
    lacking = -len(patches) % min(BATCH, len(patches))
    filled = np.concatenate([patches, np.repeat(patches[:1], lacking, axis=0)])
    return embed.predict(filled, batch_size=min(BATCH, len(patches)), verbose=0)[: len(patches)]


def probabilities(embed: keras.Model, patches: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Classify patches by their nearest prototypes: float32 (patches, classes)."""
    near = minus_distances(embedded(embed, patches), ops.convert_to_tensor(centres))
    return ops.convert_to_numpy(ops.softmax(near, axis=-1))


def train(
    embed: keras.Model,
    clips: Clips,
    *,
    seed: int,
    redraw: bool,
    clip_norm: float | None,
    max_epochs: int,
    report: Callable[[dict], None],
) -> tuple[np.ndarray, int]:
    """Train an embedding until its training clips have long been classified no better.

    Parameters
    ----------
    redraw : bool
        Whether every update has a support of its own, and all patches make the prototypes that
        score; else one support, drawn once, does both, as in the code.
    max_epochs : int
        Cap on the epochs.

    Returns
    -------
    (prototypes, epochs)
        float32 (classes, values).
    """
    random, classes = np.random.default_rng(seed), int(clips.label.max()) + 1
    shots = min(PER_CLASS, int(np.bincount(clips.label).max()))
    network = episode(embed, classes, shots)
    network.compile(
        keras.optimizers.SGD(RATE, global_clipnorm=clip_norm), "sparse_categorical_crossentropy"
    )
    support = draw_support(clips, classes, shots, random)
    truth = np.repeat(np.arange(classes), PER_CLASS)[None]
    updates = max(1, len(clips.patches) // (classes * PER_CLASS))
    best, bad, epoch = -1.0, 0, 0
    while bad <= PATIENCE and epoch < max_epochs:
        for _ in range(updates):
            if redraw:
                support = draw_support(clips, classes, shots, random)
            chosen = np.concatenate([support, draw_queries(clips.labels, classes, random)])
            loss = network.train_on_batch(clips.patches[chosen][None], truth)
        known = np.arange(len(clips.patches)) if redraw else support
        centres = means(embedded(embed, clips.patches[known]), clips.labels[known])
        right = _right(probabilities(embed, clips.patches, centres), clips)
        best, bad = (right, bad) if right > best else (best, bad + 1)
        epoch += 1
        report({"epoch": epoch, "loss": float(np.mean(loss))})
    return centres, epoch


def means(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average the values of each class: (values, dimensions), (values,) → (classes, dimensions)."""
    return np.stack([values[labels == number].mean(axis=0) for number in np.unique(labels)])


def _right(scores: np.ndarray, clips: Clips) -> float:
    """Share of clips that are classified right, by the mean of their patches' log-probabilities."""
    summed = np.zeros((len(clips.label), scores.shape[1]))
    np.add.at(summed, clips.clip, np.log(np.maximum(scores, 1e-30)))
    return float((summed.argmax(axis=1) == clips.label).mean())
