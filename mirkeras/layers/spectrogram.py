"""Front-ends on spectrograms: minimal filters, one shape, many shapes.

Kernel shapes are (bands, frames) here; the papers of Pons, and the notes on them, write time ×
frequency: their 7×86 is (86, 7).

- Lee et al. 2009, "Unsupervised feature learning for audio classification using convolutional deep
  belief networks": vertical, `one_shape` of all bands.
- Schlüter & Böck 2014, "Improved musical onset detection with convolutional neural networks":
  horizontal, `one_shape` of few bands and more frames.
- Dieleman & Schrauwen 2014, "End-to-end learning for music audio": `one_shape` of all bands × 8
  frames, not padded.
- Choi et al. 2016, "Automatic tagging using deep convolutional neural networks": `vgg_stage`.
- Pons et al. 2016, "Experimenting with musically motivated convolutional neural networks", and all
  that followed from it: `many_shapes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers.style import Style


@dataclass(frozen=True)
class Shape:
    """Filters of one shape.

    Attributes
    ----------
    name : str
        Prefix of their layers: NAME_conv, NAME_bn, and NAME for the maximum over the bands.
    filters : int
        How many.
    kernel : (int, int)
        Bands, frames. Tall ones see timbre, wide ones rhythm.
    envelope : bool
        Whether they see the mean of all bands, a curve of energy, in place of the spectrogram;
        their kernel has one band then.
    """

    name: str
    filters: int
    kernel: tuple[int, int]
    envelope: bool = False


def one_shape(
    image: keras.KerasTensor, shape: Shape, style: Style, *, padded: bool = True
) -> keras.KerasTensor:
    """Convolve with filters of one shape and keep each frame's maximum over the bands.

    The kernel stays inside the spectrogram's bands, so that the maximum is over the positions that
    it fits: what it finds does not depend on pitch (Pons et al. 2017, EUSIPCO).

    Parameters
    ----------
    image : tensor
        (batch, frames, bands, 1).
    padded : bool
        Whether zeros before and after keep the number of frames; else there are as many fewer as
        the kernel is longer than one.

    Returns
    -------
    tensor
        (batch, frames, filters).
    """
    if shape.envelope:
        return _envelope(image, shape, style, "same" if padded else "valid")
    frames = shape.kernel[1]
    if padded and frames > 1:  # an odd number of zeros: one more at the end, as "same" has it
        pad = ((frames - 1) // 2, frames // 2), (0, 0)
        image = layers.ZeroPadding2D(pad, name=f"{shape.name}_pad")(image)
    x = style.convolve(image, shape.name, shape.filters, shape.kernel)
    x = layers.MaxPooling2D((1, x.shape[2]), name=f"{shape.name}_pool")(x)
    return layers.Reshape((-1, shape.filters), name=shape.name)(x)


def _envelope(
    image: keras.KerasTensor, shape: Shape, style: Style, padding: str
) -> keras.KerasTensor:
    """Convolve the mean of all bands over time: (batch, frames, filters)."""
    bands, frames = shape.kernel
    if bands != 1:
        raise ValueError(f"{shape.name}: a kernel on the envelope has 1 band, not {bands}")
    x = layers.AveragePooling2D((1, image.shape[2]), name=f"{shape.name}_mean")(image)
    x = layers.Reshape((-1, 1), name=f"{shape.name}_envelope")(x)
    return style.convolve(x, shape.name, shape.filters, frames, padding=padding)


def many_shapes(
    image: keras.KerasTensor, shapes: Sequence[Shape], style: Style, name: str
) -> keras.KerasTensor:
    """Convolve with filters of several shapes side by side.

    Parameters
    ----------
    image : tensor
        (batch, frames, bands, 1).
    shapes : sequence of Shape
        Two or more, all padded.
    name : str
        Name of the layer that puts them together.

    Returns
    -------
    tensor
        (batch, frames, filters of all shapes, in their order).
    """
    found = [one_shape(image, shape, style) for shape in shapes]
    return layers.Concatenate(name=name)(found)


def vgg_stage(
    x: keras.KerasTensor,
    number: int,
    filters: int,
    pool: tuple[int, int],
    style: Style,
    *,
    stride: tuple[int, int] | None = None,
) -> keras.KerasTensor:
    """Convolve 3×3 'same' and take maxima: layers cnnN_conv, cnnN_bn, poolN.

    Parameters
    ----------
    x : tensor
        (batch, frames, bands, channels).
    pool, stride : (int, int)
        Bands, frames. No stride: that of the pool. An incomplete edge is dropped.

    Returns
    -------
    tensor
        (batch, fewer frames, fewer bands, filters).
    """
    x = style.convolve(x, f"cnn{number}", filters, (3, 3), padding="same")
    steps = stride[::-1] if stride else None
    return layers.MaxPooling2D(pool[::-1], strides=steps, name=f"pool{number}")(x)
