"""musicnn and vgg, the networks of the released weights; `variants` has their relatives.

Both take segments of 187 frames × 96 bands of the recipe ``musicnn`` (3 s at 16 kHz) and normalise
them by a batch norm of one channel. Batch norm comes after the ReLU; kernels start He-normal, as in
the graphs that the authors' weights were trained in. Shapes below are (bands, frames); the authors
write time × frequency.

`musicnn` in three parts:

- front-end: timbral filters f74, f77 (38 and 67 bands × 7 frames, 204 each), temporal filters s1,
  s2, s3 (1 band × 128, 64, 32 frames, 51 each), each frame's maximum over the bands;
- mid-end: cnn1, cnn2, cnn3, 7 frames long, the last two added to what they get; the pool sees the
  front-end and all three ("dense", 561 + 3 × 64 = 753);
- back-end: maximum and mean over time, batch norm, 200 units, scores.

Differences between the authors' three versions, and what is done here:

- Maximum and mean of a channel lie side by side (max 1, mean 1, max 2 …) in the released weights;
  the last training code puts all maxima first. That permutes the inputs of `dense`, no more.
- The residual connections add the normalised convolution, as in the graphs of the released weights.
  The last training code adds it as it is before batch norm (whose parameters exist, unused).
- The last training code starts the front-end Glorot-uniform; the graphs of the released weights
  start all kernels He-normal.
"""

from collections.abc import Callable
from functools import partial

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import image
from mirkeras.layers.spectrogram import Shape, many_shapes, vgg_stage
from mirkeras.layers.style import Style, normalise

FRAMES, BANDS = 187, 96
DROPOUT = 0.5
CONTEXT = 7  # frames that a convolution of the mid-end sees

TIMBRAL = (Shape("f74", 204, (38, 7)), Shape("f77", 204, (67, 7)))
TEMPORAL = (Shape("s1", 51, (1, 128)), Shape("s2", 51, (1, 64)), Shape("s3", 51, (1, 32)))
#: Pools of vgg: (bands, frames), and a stride that is not the pool's.
POOLS = (((1, 4), (2, 2)), ((2, 2), None), ((2, 2), None), ((2, 2), None), ((4, 4), None))
#: Those that MSD_vgg was trained with: the graph in its checkpoint has other ones than the code.
MSD_POOLS = (((1, 4), None), ((4, 1), None), ((2, 2), None), ((2, 2), None), ((4, 4), None))

# A pool over time: (batch, frames, channels) → (batch, values).
Pool = Callable[[keras.KerasTensor, Style], keras.KerasTensor]


def musicnn(
    outputs: int,
    activation: str = "sigmoid",
    *,
    filters: int = 64,
    units: int = 200,
    frames: int | None = FRAMES,
    penalty: float = 0.0,
) -> keras.Model:
    """Build musicnn: 787,159 trainable parameters for 50 tags, 792,079 with statistics.

    Parameters
    ----------
    outputs : int
        Number of tags (50) or classes.
    activation : str
        ``sigmoid`` for tags, ``softmax`` for classes.
    filters, units : int
        Sizes of each mid-end convolution and of the last hidden layer; 512 and 500:
        MSD_musicnn_big.
    frames : int or None
        Length of a segment; None: any.
    penalty : float
        Weight decay, see `mirkeras.layers.style.Style`; 1e-5 in the authors' training.

    Returns
    -------
    keras.Model
        Takes (batch, frames, 96), gives (batch, outputs). Hidden features are the layers
        ``timbral`` (frames, 408), ``temporal`` (frames, 153), ``cnn1``, ``cnn2``, ``cnn3``
        (frames, filters), ``max_pool`` and ``mean_pool`` (561 + 3 × filters), ``penultimate``
        (units). Layers with weights are input_bn; NAME_conv and NAME_bn of f74, f77, s1, s2, s3,
        cnn1, cnn2, cnn3; pooled_bn, dense, dense_bn, scores.
    """
    style = Style(penalty=penalty)
    spectrogram, x = open_network(frames)
    x = midend(frontend(x, style), style, filters=filters)
    x = backend(x, style, extremes, units=units)
    return keras.Model(spectrogram, style.scores(x, outputs, activation), name="musicnn")


def open_network(frames: int | None = FRAMES) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Open a network: its input, and the same normalised, (batch, frames, 96, 1)."""
    spectrogram, x = image(frames, BANDS)
    return spectrogram, normalise(x, "input_bn")


def frontend(x: keras.KerasTensor, style: Style) -> keras.KerasTensor:
    """Look for timbre and for rhythm: (batch, frames, 96, 1) → (batch, frames, 561)."""
    timbral = many_shapes(x, TIMBRAL, style, "timbral")
    temporal = many_shapes(x, TEMPORAL, style, "temporal")
    return layers.Concatenate(name="frontend")([timbral, temporal])


def midend(
    x: keras.KerasTensor, style: Style, *, filters: int = 64, dense: bool = True
) -> keras.KerasTensor:
    """Convolve three times over time, all channels at once.

    Parameters
    ----------
    x : tensor
        (batch, frames, channels).
    dense : bool
        Whether all layers come out, (batch, frames, channels + 3 × filters), or the last alone.
    """
    y = style.convolve(x, "cnn1", filters, CONTEXT, padding="same")
    features = [x, layers.Identity(name="cnn1")(y)]
    for number in (2, 3):
        y = style.convolve(features[-1], f"cnn{number}", filters, CONTEXT, padding="same")
        features.append(layers.Add(name=f"cnn{number}")([y, features[-1]]))
    return layers.Concatenate(name="midend")(features) if dense else features[-1]


def backend(
    x: keras.KerasTensor, style: Style, pool: Pool, *, units: int = 200
) -> keras.KerasTensor:
    """Pool over time, normalise, and see it with hidden units: (batch, units)."""
    return hidden(normalise(pool(x, style), "pooled_bn"), style, units)


def hidden(x: keras.KerasTensor, style: Style, units: int) -> keras.KerasTensor:
    """See pooled values with rectified units: layer ``penultimate``, a dropout before and after."""
    x = layers.Dropout(DROPOUT, name="pooled_dropout")(x)
    x = normalise(style.dense(x, "dense", units), "dense_bn")
    x = layers.Identity(name="penultimate")(x)
    return layers.Dropout(DROPOUT, name="dropout")(x)


def extremes(x: keras.KerasTensor, style: Style) -> keras.KerasTensor:
    """Pool by maximum and mean, side by side for each channel: (batch, 2 × channels)."""
    highest = layers.GlobalMaxPooling1D(name="max_pool")(x)
    mean = layers.GlobalAveragePooling1D(name="mean_pool")(x)
    highest = layers.Reshape((-1, 1), name="max_column")(highest)
    mean = layers.Reshape((-1, 1), name="mean_column")(mean)
    both = layers.Concatenate(name="side_by_side")([highest, mean])
    return layers.Flatten(name="pooled")(both)


def vgg(
    outputs: int,
    activation: str = "sigmoid",
    *,
    filters: int = 128,
    pools: tuple = POOLS,
    penalty: float = 0.0,
) -> keras.Model:
    """Build vgg: 605,748 trainable parameters for 50 tags, 607,030 with statistics.

    Parameters
    ----------
    filters : int
        Filters of each of the five convolutions: 128 (MTT_vgg, MSD_vgg) or 32.
    pools : tuple
        `POOLS` or `MSD_POOLS`.
    outputs, activation, penalty
        As for `musicnn`.

    Returns
    -------
    keras.Model
        Takes (batch, 187, 96), no other length; gives (batch, outputs). Hidden features are the
        layers ``pool1`` … ``pool5`` (frames, bands, filters): 92 × 48, 46 × 24, 23 × 12, 11 × 6 and
        2 × 1 (`MSD_POOLS`: 46 × 96, 46 × 24, then the same), and ``flatten`` of the last. Layers
        with weights are input_bn; cnnN_conv and cnnN_bn
        of 1 to 5; scores.
    """
    style = Style(penalty=penalty)
    spectrogram, x = open_network()
    for number, (pool, stride) in enumerate(pools, start=1):
        x = vgg_stage(x, number, filters, pool, style, stride=stride)
        if number < len(pools):
            x = layers.Dropout(0.25, name=f"dropout{number}")(x)
    x = layers.Dropout(DROPOUT, name="dropout")(layers.Flatten(name="flatten")(x))
    return keras.Model(spectrogram, style.scores(x, outputs, activation), name="vgg")


#: vgg with the pools that MSD_vgg was trained with.
msd_vgg = partial(vgg, pools=MSD_POOLS)
