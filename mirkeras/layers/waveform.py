"""Front-ends on waveforms: minimal filters, one shape, many shapes.

- Lee et al. 2017, "Sample-level deep convolutional neural networks for music auto-tagging using raw
  waveforms": `sample_level`.
- Dieleman & Schrauwen 2014, "End-to-end learning for music audio": `frame_level`; the kernel is as
  long as the window of a short-time Fourier transform, the stride as its hop.
- Zhu et al. 2016, "Learning multiscale features directly from waveforms": `many_frame_levels`.

A waveform is (batch, samples, 1), within [-1, 1].
"""

from collections.abc import Sequence

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers.style import Style

SMALLEST = 3  # samples: kernel, stride and pool of every level


def sample_level(
    waveform: keras.KerasTensor, filters: Sequence[int], style: Style, *, padding: str = "valid"
) -> keras.KerasTensor:
    """Convolve by threes, again and again: → (batch, steps, filters of the last level).

    The first level has a stride of 3, all others a max-pool of 3 after the convolution. Layers are
    wave0_conv, wave0_bn, wave1_conv, wave1_bn, wave1_pool, wave2_conv …

    Parameters
    ----------
    filters : sequence of int
        Filters of each level.
    padding : str
        Padding of the levels after the first, which is never padded: ``valid``, as in Pons' code,
        or ``same``, as in Lee's.
    """
    x = style.convolve(waveform, "wave0", filters[0], SMALLEST, stride=SMALLEST)
    for level, count in enumerate(filters[1:], start=1):
        x = style.convolve(x, f"wave{level}", count, SMALLEST, padding=padding)
        x = layers.MaxPooling1D(SMALLEST, name=f"wave{level}_pool")(x)
    return x


def steps_left(samples: int, levels: int) -> int:
    """Count the steps that `sample_level` without padding makes of a waveform; 0: too short."""
    steps = samples // SMALLEST
    for _ in range(levels - 1):
        steps = max(steps - SMALLEST + 1, 0) // SMALLEST
    return steps


def frame_level(
    waveform: keras.KerasTensor,
    name: str,
    filters: int,
    kernel: int,
    stride: int,
    style: Style,
    *,
    padding: str = "valid",
) -> keras.KerasTensor:
    """Convolve with one length of filter, `kernel` and `stride` in samples.

    Returns
    -------
    tensor
        (batch, frames, filters), layers NAME_conv and NAME_bn.
    """
    return style.convolve(waveform, name, filters, kernel, stride=stride, padding=padding)


def many_frame_levels(
    waveform: keras.KerasTensor,
    filters: int,
    kernels: Sequence[int],
    stride: int,
    style: Style,
    name: str,
) -> keras.KerasTensor:
    """Convolve with filters of several lengths side by side, all with one stride, 'same'.

    Parameters
    ----------
    filters : int
        Filters of each length.
    kernels : sequence of int
        Lengths in samples, two or more.
    name : str
        Name of the layer that puts them together; the layers of a length are NAME_LENGTH_conv …

    Returns
    -------
    tensor
        (batch, ⌈samples / stride⌉, filters × lengths), in the order of the lengths.
    """
    found = [
        frame_level(waveform, f"{name}_{kernel}", filters, kernel, stride, style, padding="same")
        for kernel in kernels
    ]
    return layers.Concatenate(name=name)(found)
