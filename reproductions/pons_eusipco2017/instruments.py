"""Instrument recognition on IRMAS: the two networks of Pons et al. (EUSIPCO 2017), their rows.

Fact by fact from Veleslavia/EUSIPCO2017 (`experiments/models/singlelayer.py` and `multilayer.py`,
`training.py`, `experiments/settings.py`), and for what was released from the network's own
description inside the file (`weights/singlelayer`): its filters are 5 and 80 bands high, where the
code says 50 and 70. Kernel and pool shapes are frequency × time. Every network takes a segment of
(128, 96) values of the recipe ``pons2017-irmas``, 2.73 s, and gives a softmax over instruments.

What is measured of them, and how thresholds are chosen, is said in `thresholds.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mirkeras.system.backend import keras

import numpy as np
from keras import layers

from mirkeras.experiment import Row
from mirkeras.experiment.schedules import Verdict
from mirkeras.layers import image, max_pool

if TYPE_CHECKING:
    from mirkeras.cache import FeatureCache

#: Begins its rows' names, and names their variant of a protocol and their learner.
TASK = "instruments"
RECIPE = "pons2017-irmas"
FRAMES, BANDS = 128, 96
INSTRUMENTS = 11
HEIGHTS = (5, 80)  # bands: of the released network, and of the multi-layer code
CODE_HEIGHTS = (50, 70)  # of the single-layer code
#: Frames → filters.
WIDTHS = {1: 128, 3: 64, 5: 32}
QUARTERS = 4  # of a segment, in time (and, in the multi-layer network, in frequency)
BATCH = 16
PENALTY = 1e-5  # on the sum of squared weights, biases left out


@keras.saving.register_keras_serializable("mirkeras")
class Centred(layers.Layer):
    """Subtract the mean spectrogram of the training data, a variable that is not trained."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the variable: (frames, bands)."""
        self.mean = self.add_weight(
            shape=shape[1:], initializer="zeros", trainable=False, name="mean"
        )

    def call(self, segments: keras.KerasTensor) -> keras.KerasTensor:
        """Subtract the mean from each segment."""
        return segments - self.mean


def released() -> keras.Model:
    """Build the single-layer network as released, which holds its mean spectrogram.

    61,867 trainable parameters. The layer ``penultimate`` (1792) holds the maxima of the quarters
    filter by filter, as the authors' channels-first layers did.
    """
    spectrogram = keras.Input((FRAMES, BANDS), name="spectrogram")
    x = layers.Reshape((FRAMES, BANDS, 1), name="channel")(Centred(name="centred")(spectrogram))
    return keras.Model(spectrogram, _single_layer(x, HEIGHTS, INSTRUMENTS), name="single_layer")


def single_layer(
    instruments: int = INSTRUMENTS, activation: str = "", *, heights: tuple[int, int] = HEIGHTS
) -> keras.Model:
    """Single-layer: 61,867 parameters for heights of 5 and 80 bands, 78,667 for 50 and 70.

    Parameters
    ----------
    activation : str
        What the labels ask for; the outputs are a softmax whatever that is.
    """
    spectrogram, x = image(FRAMES, BANDS)
    return keras.Model(spectrogram, _single_layer(x, heights, instruments), name="single_layer")


def multi_layer(instruments: int = INSTRUMENTS, activation: str = "") -> keras.Model:
    """Multi-layer: 742,315 parameters (743k published); `activation` as for `single_layer`."""
    spectrogram, x = image(FRAMES, BANDS)
    pool = (BANDS // QUARTERS, FRAMES // QUARTERS)
    found = [
        max_pool(pool, f"{name}_pool")(filtered) for name, _, filtered in _filtered(x, HEIGHTS)
    ]
    x = layers.Concatenate(name="filters")(found)  # (batch, 4, 4, 448)
    for name in ("conv2", "conv3"):
        x = layers.Dropout(0.25)(x)
        x = _activated(_conv(128, (3, 3), name, padding="same")(x), name)
        x = max_pool((2, 2), f"{name}_pool")(x)
    x = layers.Dropout(0.5)(layers.Flatten(name="flatten")(x))  # 128: 1 × 1 is left of 4 × 4
    x = layers.ELU(name="penultimate")(_dense(256, "dense")(x))
    x = layers.Dropout(0.5)(x)
    scores = _dense(instruments, "scores", activation="softmax", dtype="float32")(x)
    return keras.Model(spectrogram, scores, name="multi_layer")


def _single_layer(
    x: keras.KerasTensor, heights: tuple[int, int], instruments: int
) -> keras.KerasTensor:
    """Keep of every filter the maximum over all bands of each quarter: (batch, instruments)."""
    found = []
    for name, filters, filtered in _filtered(x, heights):
        pooled = max_pool((BANDS, FRAMES // QUARTERS), f"{name}_pool")(filtered)
        quarters = layers.Reshape((QUARTERS, filters), name=f"{name}_quarters")(pooled)
        turned = layers.Permute((2, 1), name=f"{name}_turned")(quarters)
        found.append(layers.Flatten(name=name)(turned))
    x = layers.Concatenate(name="penultimate")(found)
    x = layers.Dropout(0.5, name="dropout")(x)
    return _dense(instruments, "scores", activation="softmax", dtype="float32")(x)


def _filtered(
    x: keras.KerasTensor, heights: tuple[int, int]
) -> Iterator[tuple[str, int, keras.KerasTensor]]:
    """Convolve with each of the six shapes: name, filters, (batch, frames, bands, filters)."""
    for height in heights:
        for width, filters in WIDTHS.items():
            name = f"f{height}x{width}"
            # Theano's "same": of an even number of zeros fewer one, the larger half in front
            padding = ((width // 2, width // 2), (height // 2, (height - 1) // 2))
            padded = layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
            convolved = _conv(filters, (height, width), f"{name}_conv")(padded)
            yield name, filters, _activated(convolved, name)


def _activated(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Batch norm, with what were Keras 1's defaults, stands before the ELU."""
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ELU(name=f"{name}_elu")(x)


def _conv(filters: int, kernel: tuple[int, int], name: str, padding: str = "valid") -> layers.Layer:
    """Make a convolution, `kernel` in (bands, frames)."""
    return layers.Conv2D(filters, kernel[::-1], padding=padding, name=name, **_start())


def _dense(units: int, name: str, **options: str) -> layers.Layer:
    return layers.Dense(units, name=name, **options, **_start())


def _start() -> dict:
    """Say how weights start, and the penalty on them."""
    # Keras 1's he_normal: not truncated, as today's is
    normal = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
    return {"kernel_initializer": normal, "kernel_regularizer": keras.regularizers.L2(PENALTY)}


@dataclass(frozen=True)
class MeanSpectrogram:
    """The z-score of this task: the mean of each cell is subtracted, nothing is divided."""

    def __call__(
        self, cache: "FeatureCache", first: np.ndarray, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        # with scikit-learn and pandas, which the trained network of this file needs not
        from mirkeras.cache.statistics import cell_statistics

        mean, _ = cell_statistics(cache, first, length)
        return mean, np.ones_like(mean)


@dataclass(frozen=True)
class HalveAndStop:
    """Halve every so many epochs; stop when validation has not improved for more than `patience`.

    As Keras 1.2 did it, whose EarlyStopping looked at its count before it raised it: the run ends
    with the first epoch after `patience` bad ones that is bad, too. A loss that is equal is bad.
    """

    every: int = 5
    patience: int = 20

    def start(self) -> dict:
        return {"epochs": 0, "best": float("inf"), "bad": 0}

    def step(self, memory: dict, logs: Mapping[str, float]) -> Verdict:
        memory["epochs"] += 1
        factor = 1.0 if memory["epochs"] % self.every else 0.5
        if logs["val_loss"] < memory["best"]:
            memory.update(best=logs["val_loss"], bad=0)
            return Verdict(factor)
        memory["bad"] += 1
        return Verdict(factor, stop=memory["bad"] > self.patience)


def _row(id: str, model: str, build: Callable[..., keras.Model]) -> Row:
    return Row(
        f"{TASK}/{id}", model, build, FRAMES, RECIPE, learner=TASK, variant=TASK, batch=BATCH
    )


_HIGHER = partial(single_layer, heights=CODE_HEIGHTS)
ROWS = (
    _row("single-layer", "single-layer", single_layer),
    _row("single-layer-code", "single-layer, 50 and 70 bands", _HIGHER),
    _row("multi-layer", "multi-layer", multi_layer),
)

_CODE = {
    "normalise_on": "training tracks",
    "validate_by": "track",
    "keep_groups": False,
    "drop_incomplete": True,
    "rule": HalveAndStop(),
    "max_epochs": 400,
    "optimizer": partial(keras.optimizers.SGD, 0.001, momentum=0.9, nesterov=True),
    "select_by": "val_loss",
    "network": {},
    "z_score": MeanSpectrogram(),
    "held_out": 0.15,
    "loss": "categorical_crossentropy",
}
#: What a protocol's rows of this task have in place of its own fields. The text was not at hand:
#: `paper` is the code, but that no batch is left out.
VARIANTS = {
    "paper": _CODE | {"drop_incomplete": False},
    "code": _CODE,
    "clean": _CODE | {"drop_incomplete": False, "keep_groups": True},
}
