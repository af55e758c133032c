"""Tagging of Pons et al. (EUSIPCO 2017): networks, rows and the fields of their protocols.

Fact by fact from the authors' code (jordipons/EUSIPCO2017: `build_architecture.py`, `patches.py`,
`train.py` and `test.py` in `src`). Kernel and pool shapes are frequency × time; the code writes
time × frequency. Lasagne's HeUniform has a gain of 1: its ±√(3 / inputs) is Keras'
``lecun_uniform``. Units are exponential-linear, biases start at 0, and 1e-5 Σ w² of every kernel
is added to the loss; of batch norm's scales too, which Lasagne counts among what it regularises.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from mirkeras.system.backend import keras

import numpy as np
from keras import layers
from sklearn.preprocessing import StandardScaler

from mirkeras.cache import FeatureCache
from mirkeras.evaluation import metrics
from mirkeras.experiment import HalveOnRecovery, Protocol, Row
from mirkeras.layers import image, max_pool
from mirkeras.layers.spectrogram import Shape, many_shapes
from mirkeras.layers.style import Style

RECIPE = "pons2017-mtt"
FRAMES, BANDS = 187, 128  # 3 s
#: Of the first layer: bands → frames → filters, 92 in all.
FILTERS = {
    100: {1: 10, 3: 6, 5: 3, 7: 3},
    75: {1: 15, 3: 10, 5: 5, 7: 5},
    25: {1: 15, 3: 10, 5: 5, 7: 5},
}
#: Which axis the second convolution of `proposed` runs over.
SECOND = ("time", "channels")
#: Of small-squared: filters and pool of each 3×3 convolution.
SQUARES = ((32, (1, 4)), (32, (4, 1)), (64, (2, 2)), (32, (2, 2)), (16, None))

# `Style` adds penalty × Σ w² / 2
STYLE = Style(activation="elu", batch_norm=False, initialiser="lecun_uniform", penalty=2 * 1e-5)
OUTPUT = replace(STYLE, initialiser="glorot_uniform")


def proposed(
    outputs: int, activation: str = "sigmoid", *, times: int = 1, second: str = "time"
) -> keras.Model:
    """Build the proposed network: 74,526 parameters (`times` 1), 191,006 (2), 565,278 (4), 50 tags.

    Takes (batch, 187, 128), gives (batch, outputs).

    Parameters
    ----------
    times : int
        The paper's multiplier of filters.
    second : "time" or "channels"
        The second convolution runs over time and sees all maps; or, as in the code, which reshapes
        (maps, 46 steps) to (46, maps) without transposing, over groups of 2 × `times` maps, and
        sees all their steps.

    Raises
    ------
    ValueError
        There is no such second convolution.
    """
    if second not in SECOND:
        raise ValueError(f"the second convolution runs over {' or '.join(SECOND)}, not {second!r}")
    spectrogram, x = image(FRAMES, BANDS)
    shapes = [
        Shape(f"f{bands}x{frames}", times * filters, (bands, frames))
        for bands, widths in FILTERS.items()
        for frames, filters in widths.items()
    ]
    x = many_shapes(x, shapes, STYLE, "maps")
    x = layers.MaxPooling1D(4, name="maps_pool")(x)  # (46, maps)
    steps, maps = x.shape[1:]
    x = _ordered(x, second, "maps_turned")
    x = layers.Reshape((steps, maps, 1), name="maps_image")(x)
    x = STYLE.convolve(x, "second", 32 * times, (maps, 8))
    x = max_pool((1, 4), name="second_pool")(x)
    x = layers.Reshape((x.shape[1], x.shape[3]), name="second_maps")(x)  # (9, filters)
    x = layers.Flatten(name="second_features")(_ordered(x, second, "second_turned"))
    x = layers.Dropout(0.5, name="dropout1")(x)
    x = layers.Dense(100, activation="elu", name="dense", **STYLE.weights)(x)
    x = layers.Dropout(0.5, name="dropout2")(x)
    return keras.Model(spectrogram, OUTPUT.scores(x, outputs, activation), name="proposed")


def _ordered(x: keras.KerasTensor, second: str, name: str) -> keras.KerasTensor:
    """Give (channel, time), of which the code reshapes, if the axes are to be scrambled."""
    return layers.Permute((2, 1), name=name)(x) if second == "channels" else x


def small_squared(
    outputs: int, activation: str = "sigmoid", *, normalised: bool = True, second: str = "time"
) -> keras.Model:
    """Build the small network of 3×3 filters: 73,778 parameters for 50 tags.

    Takes (batch, 187, 128), gives (batch, outputs). `second` is of `proposed`; nothing here
    depends on it.

    Parameters
    ----------
    normalised : bool
        Batch norm in place of the biases, before the unit, as Lasagne's `batch_norm` has it. False:
        73,602 parameters.
    """
    spectrogram, x = image(FRAMES, BANDS)
    for number, (filters, pool) in enumerate(SQUARES, start=1):
        x = layers.Dropout(0.25, name=f"dropout{number}")(x)
        x = _square(x, f"cnn{number}", filters, normalised)
        x = max_pool(pool, name=f"pool{number}")(x) if pool else x
    x = layers.Dropout(0.5, name="dropout")(layers.Flatten(name="features")(x))
    return keras.Model(spectrogram, OUTPUT.scores(x, outputs, activation), name="small_squared")


def _square(x: keras.KerasTensor, name: str, filters: int, normalised: bool) -> keras.KerasTensor:
    """Convolve 3×3, normalise or add a bias, ELU."""
    if not normalised:
        return STYLE.convolve(x, name, filters, (3, 3))
    x = layers.Conv2D(filters, 3, use_bias=False, name=f"{name}_conv", **STYLE.weights)(x)
    x = layers.BatchNormalization(
        momentum=0.9,  # Lasagne gives the last batch a weight of 0.1
        epsilon=1e-4,
        gamma_regularizer=STYLE.decay,
        name=f"{name}_bn",
    )(x)
    return layers.ELU(name=f"{name}_elu")(x)


@dataclass(frozen=True)
class PerBand:
    """A z-score of each band, fitted on all frames of segments (`patches.py`, `get_scaler_memory`).

    Attributes
    ----------
    first : int or None
        How many segments, from the first; None: all.
    """

    first: int | None = None

    def __call__(
        self, cache: FeatureCache, starts: np.ndarray, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give mean and deviation, float32 (length, bands); 1 of a band that never varies."""
        scaler, chosen = StandardScaler(), starts[: self.first]
        for some in np.array_split(chosen, max(1, len(chosen) // 256)):
            frames = cache.segments(some, length).reshape(-1, cache.bands)
            scaler.partial_fit(frames.astype(np.float64))
        shape = (length, cache.bands)
        fitted = (scaler.mean_, scaler.scale_)
        return tuple(np.broadcast_to(of, shape).astype(np.float32) for of in fitted)


def score(predictions: Mapping, record: Mapping) -> dict | None:
    """Measure tags as `test.py` does under protocol `code`: the last is left out of the mean.

    None for what the usual measures are for: other protocols, classes.
    """
    if record["protocol"] != "code" or predictions["labels"].ndim == 1:
        return None
    return metrics.tagging({**predictions, "classes": predictions["classes"][:-1]})


def _row(id: str, model: str, build: partial) -> Row:
    return Row(f"tagging/{id}", model, build, FRAMES, RECIPE)


ROWS = (
    _row("proposed-1", "proposed", partial(proposed, times=1)),
    _row("proposed-2", "proposed × 2", partial(proposed, times=2)),
    _row("proposed-4", "proposed × 4", partial(proposed, times=4)),
    _row("small-squared", "small squared", partial(small_squared)),
    _row("small-squared-plain", "small squared, no norm", partial(small_squared, normalised=False)),
)

PAPER = Protocol(
    name="paper",
    summary="a second convolution over time, each band normalised on the whole training part, all "
    "tags averaged; schedule of the code: halved on recovery, best validation loss",
    normalise_on="training tracks",
    validate_by="track",
    keep_groups=False,
    drop_incomplete=False,
    rule=HalveOnRecovery(patience=3, limit=10),
    max_epochs=200,
    optimizer=partial(keras.optimizers.SGD, learning_rate=0.1),
    select_by="val_loss",
    network={"second": "time"},
    z_score=PerBand(),
)
CODE = replace(
    PAPER,
    name="code",
    summary="the authors' code: axes scrambled before the second convolution, bands normalised on "
    "the first 2000 segments, incomplete batches dropped, the last tag not averaged",
    drop_incomplete=True,
    network={"second": "channels"},
    z_score=PerBand(first=2000),
)
CLASSES = replace(
    PAPER,
    name="classes",
    summary="ours, for tracks with one class: as clean at a rate of 0.002, what 0.1 is to each "
    "output in the mean over fifty tags; at 0.1 a softmax may diverge",
    keep_groups=True,
    optimizer=partial(keras.optimizers.SGD, learning_rate=0.1 / 50),
)
CLEAN = replace(
    PAPER,
    name="clean",
    summary="as paper; where folds are drawn, groups (a recording) stay in one part",
    keep_groups=True,
)
