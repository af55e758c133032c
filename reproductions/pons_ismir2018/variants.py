"""The other networks of the authors' training table (models.py of musicnn-training), `NETWORKS`.

They take what `musicnn` takes, 187 frames × 96 bands, and share its parts. The table's counts of
trainable parameters for 50 tags are cut, not rounded:

| id | parameters | table |
|---|---|---|
| dieleman | 66,784 | 66k |
| vgg-32 | 40,884 | 40k |
| vgg-128 | 605,748 | 605k |
| timbre | 185,856 | 185k |
| residual | 508,803 | 508k |
| dense (musicnn) | 787,159 | 787k |
| attention | 2,406,940 | 2.4M |
| autopool | 636,701 | 636k |
| rnn | 3,867,267 | 3.8M |
"""

from collections.abc import Callable
from functools import partial
from math import pi

from mirkeras.system.backend import keras

from keras import layers, ops

from mirkeras.layers.spectrogram import Shape, many_shapes, one_shape
from mirkeras.layers.style import Style
from reproductions.pons_ismir2018.musicnn import (
    BANDS,
    Pool,
    backend,
    extremes,
    frontend,
    midend,
    musicnn,
    open_network,
    vgg,
)

#: The only shape in front of attention and auto-pool, with more filters.
ALONE = Shape("f74", 576, (38, 7))
#: Bands and their filters, of 7, 5, 3 and 1 frames each: the network `timbre`.
TIMBRE = {76: (3, 3, 6, 10), 57: (5, 5, 10, 15), 19: (5, 5, 10, 15)}


def variant(
    outputs: int,
    activation: str = "sigmoid",
    *,
    name: str,
    pool: Pool,
    alone: bool = False,
    dense: bool = True,
    penalty: float = 0.0,
) -> keras.Model:
    """Build a relative of musicnn.

    Parameters
    ----------
    pool : callable
        `extremes` (musicnn's own), `attention`, `autopool` or `recurrent`.
    alone : bool
        Whether 576 filters of f74 are the whole front-end.
    dense : bool
        Whether the pool sees all layers, or the last of the mid-end ("residual").
    outputs, activation, penalty
        As for `musicnn`; so are the input, the output, and the names of layers.
    """
    style = Style(penalty=penalty)
    spectrogram, x = open_network()
    x = one_shape(x, ALONE, style) if alone else frontend(x, style)
    x = backend(midend(x, style, dense=dense), style, pool)
    return keras.Model(spectrogram, style.scores(x, outputs, activation), name=name)


def attention(x: keras.KerasTensor, style: Style) -> keras.KerasTensor:
    """Pool by weights over time, one set per channel, that a convolution of 3 frames finds.

    What it sees and what is pooled carry the frame's position (`with_positions`).
    """
    x = with_positions(x)
    options = {"padding": "same", "name": "attention_conv", **style.weights}
    found = layers.Conv1D(x.shape[-1], 3, **options)(x)
    return _weighted(x, found)


def with_positions(x: keras.KerasTensor) -> keras.KerasTensor:
    """Add sines and cosines of a frame's position t: channel i gets sin or cos of t / 10000^(2i/C).

    The exponent goes by the channel, up to 2, not by the pair of channels as in transformers: so it
    is in the authors' code. Even channels get the sine, odd ones the cosine, which is the sine a
    quarter turn ahead.
    """
    channels = x.shape[-1]
    rates = [10_000 ** (-2 * channel / channels) for channel in range(channels)]
    ahead = [pi / 2 * (channel % 2) for channel in range(channels)]
    position = ops.cumsum(ops.ones_like(x), axis=1) - 1
    turns = layers.Rescaling(rates, ahead, name="turns")(position)
    return layers.Add(name="with_positions")([x, ops.sin(turns)])


def autopool(x: keras.KerasTensor, style: Style) -> keras.KerasTensor:
    """Pool between mean and maximum: weights over time are the softmax of α × value.

    One α for all channels, 0 (the mean) at first and without weight decay, as in the last training
    code, and as the count of 636k has it; the code before had one for each channel, 637k in all.
    """
    channels = x.shape[-1]
    scaled = layers.Reshape((-1, channels, 1), name="alpha_in")(x)
    options = {"use_bias": False, "kernel_initializer": "zeros", "name": "alpha"}
    scaled = layers.Dense(1, **options)(scaled)
    return _weighted(x, layers.Reshape((-1, channels), name="alpha_out")(scaled))


def _weighted(x: keras.KerasTensor, weights: keras.KerasTensor) -> keras.KerasTensor:
    """Sum over time by the softmax of weights: (batch, frames, channels) → (batch, channels)."""
    weights = layers.Softmax(axis=1, name="weights")(weights)
    return ops.sum(layers.Multiply(name="weighted")([x, weights]), axis=1)


def recurrent(x: keras.KerasTensor, style: Style) -> keras.KerasTensor:
    """Pool by two layers of 512 LSTM cells, the last step of the second.

    The authors' layers ran on cuDNN, which has a second bias of each gate, 4,096 more parameters in
    all; the two are only ever added.
    """
    options = {"kernel_regularizer": style.decay, "recurrent_regularizer": style.decay}
    x = layers.LSTM(512, return_sequences=True, name="lstm1", **options)(x)
    return layers.LSTM(512, name="lstm2", **options)(x)


def timbre(outputs: int, activation: str = "sigmoid", *, penalty: float = 0.0) -> keras.Model:
    """Build the timbre network: 92 vertical filters of twelve shapes.

    Parameters, input and output are those of `musicnn`.
    """
    style = Style(penalty=penalty)
    spectrogram, x = open_network()
    shapes = [
        Shape(f"f{bands}x{frames}", filters, (bands, frames))
        for bands, counts in TIMBRE.items()
        for frames, filters in zip((7, 5, 3, 1), counts, strict=True)
    ]
    x = many_shapes(x, shapes, style, "timbral")
    return _finish("timbre", spectrogram, x, outputs, activation, style)


def dieleman(outputs: int, activation: str = "sigmoid", *, penalty: float = 0.0) -> keras.Model:
    """Build the network of Dieleman & Schrauwen 2014, with the authors' normalisation of the input.

    Parameters, input and output are those of `musicnn`.
    """
    style = Style(batch_norm=False, penalty=penalty)
    spectrogram, x = open_network()
    x = one_shape(x, Shape("cnn1", 32, (BANDS, 8)), style, padded=False)
    x = layers.MaxPooling1D(4, name="cnn1_time_pool")(x)
    return _finish("dieleman", spectrogram, x, outputs, activation, style)


def _finish(
    name: str,
    spectrogram: keras.KerasTensor,
    x: keras.KerasTensor,
    outputs: int,
    activation: str,
    style: Style,
) -> keras.Model:
    """Finish as Dieleman & Schrauwen did: 32 filters of 8 frames, maxima of 4, 100 units."""
    plain = Style(batch_norm=False, penalty=style.penalty)
    x = layers.MaxPooling1D(4, name="cnn2_pool")(plain.convolve(x, "cnn2", 32, 8))
    x = plain.dense(layers.Flatten(name="flatten")(x), "penultimate", 100)
    return keras.Model(spectrogram, plain.scores(x, outputs, activation), name=name)


#: The authors' training table, in its order: id → (outputs, activation, *, penalty) → network.
NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "dieleman": dieleman,
    "vgg-32": partial(vgg, filters=32),
    "vgg-128": vgg,
    "timbre": timbre,
    "residual": partial(variant, name="residual", pool=extremes, dense=False),
    "dense": musicnn,
    "attention": partial(variant, name="attention", pool=attention, alone=True),
    "autopool": partial(variant, name="autopool", pool=autopool, alone=True),
    "rnn": partial(variant, name="rnn", pool=recurrent, dense=False),
}
