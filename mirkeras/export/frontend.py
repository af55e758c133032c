"""A recipe as layers, so that a network takes samples: a DFT is a product with a fixed basis.

Keras' own short-time transform does not survive the way to ONNX; a convolution with the cosines and
sines of every bin, window included, does.
"""

from collections.abc import Callable

from mirkeras.system.backend import keras

import numpy as np
from keras import ops

from mirkeras.features import Recipe, filterbanks
from mirkeras.features.logmel import WINDOWS, LogMel, essentia_arrays
from mirkeras.features.waveform import Waveform
from mirkeras.system.errors import UsageError

_LN10 = float(np.log(10))


def _log10(x: keras.KerasTensor, least: float) -> keras.KerasTensor:
    return ops.log(ops.maximum(x, least)) / _LN10


#: Compressions of `mirkeras.features.logmel` in Keras' operations; ONNX has no log1p.
COMPRESSIONS: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "log10(10000x+1)": lambda x: ops.log(10_000.0 * x + 1.0) / _LN10,
    "ln(10x+1)": lambda x: ops.log(10.0 * x + 1.0),
    "ln(100000x+1)": lambda x: ops.log(100_000.0 * x + 1.0),
    "ln(x+1e-6)": lambda x: ops.log(x + 1e-6),
    "10log10(x)": lambda x: 10.0 * _log10(x, 1e-10),
    "10log10(x^2)": lambda x: 10.0 * _log10(ops.square(x), 1e-10),
    "ln(x+0.001)": lambda x: ops.log(x + 0.001),
    "ln(x+0.01)": lambda x: ops.log(x + 0.01),
    "log10(x+2.2e-16)": lambda x: _log10(x + float(np.finfo(np.float64).eps), 1e-30),
    "x": lambda x: x,
}


def samples_of(recipe: Recipe, frames: int) -> int:
    """Samples that so many frames are made of."""
    if isinstance(recipe, Waveform):
        return frames
    return (frames - 1) * recipe.hop + recipe.n_fft


def lead_of(recipe: Recipe) -> int:
    """Samples before a track's first one that its first frame sees: zeros, or its mirror image."""
    if isinstance(recipe, Waveform) or recipe.centred is False or recipe.filterbank == "audioset":
        return 0
    essentia = recipe.filterbank == "essentia"
    return (recipe.window_length or recipe.n_fft if essentia else recipe.n_fft) // 2


def on_samples(network: keras.Model, recipe: Recipe, frames: int) -> keras.Model:
    """Put a recipe in front of a network.

    Parameters
    ----------
    network
        float32 (batch, frames, bands) → scores.

    Returns
    -------
    keras.Model
        float32 (batch, samples) in [-1, 1] → scores. The samples are those under the windows of the
        segment's frames (`samples_of`): frame i begins at sample i × hop. Where the recipe centres
        frames, a track begins earlier, see `lead_of`.

    Raises
    ------
    UsageError
        The recipe cannot be put into layers: constant-Q, or frames that depend on the whole track.
    """
    samples = keras.Input((samples_of(recipe, frames),), name="samples")
    if isinstance(recipe, Waveform):
        return keras.Model(samples, network(samples[:, :, None]), name="from_samples")
    kinds = isinstance(recipe, LogMel) and recipe.compression in COMPRESSIONS
    if not kinds or (recipe.depth, recipe.context, recipe.filled) != (None, None, None):
        raise UsageError(
            f"the recipe {recipe.name} cannot be put into a graph: its values depend on the whole "
            "track, or it is no mel spectrum. Export without --samples, and compute the frames by "
            f"`mirkeras.features(path, {recipe.name!r})`"
        )
    basis, bank, power = _arrays(recipe)
    transform = keras.layers.Conv1D(
        basis.shape[-1], basis.shape[0], strides=recipe.hop, use_bias=False, name="transform"
    )
    spectrum = transform(samples[:, :, None])
    transform.set_weights([basis])
    real, imaginary = ops.split(spectrum, 2, axis=-1)
    energies = ops.square(real) + ops.square(imaginary)
    if power == 1:
        energies = ops.sqrt(energies)
    bands = keras.layers.Dense(recipe.bands, use_bias=False, name="bands")
    x = bands(energies)
    bands.set_weights([bank])
    return keras.Model(samples, network(COMPRESSIONS[recipe.compression](x)), name="from_samples")


def _arrays(recipe: LogMel) -> tuple[np.ndarray, np.ndarray, float]:
    """Basis (n_fft, 1, 2 × bins) with the window in it, filterbank (bins, bands), and power."""
    length = recipe.window_length or recipe.n_fft
    power = 2.0 if recipe.power is None else recipe.power
    if recipe.filterbank == "essentia":
        window, bank = essentia_arrays(recipe)
        bank = bank.toarray()
    else:
        window = WINDOWS[recipe.window](length)
        if recipe.filterbank == "audioset":
            bank, power = (
                filterbanks.audioset_mel(recipe.sample_rate, recipe.n_fft, recipe.bands).T,
                1.0,
            )
        else:
            htk = recipe.filterbank == "torchaudio"
            mel = filterbanks.htk_mel if htk else filterbanks.slaney_mel
            bank = mel(recipe.sample_rate, recipe.n_fft, recipe.bands).T
    taps = np.zeros(recipe.n_fft)
    # librosa and torchaudio put a shorter window into the middle, the others before zeros
    middle = recipe.filterbank in ("librosa", "torchaudio")
    start = (recipe.n_fft - length) // 2 if middle else 0
    taps[start : start + length] = window
    bins = recipe.n_fft // 2 + 1
    angles = 2 * np.pi * np.outer(np.arange(recipe.n_fft), np.arange(bins)) / recipe.n_fft
    basis = np.concatenate([np.cos(angles), -np.sin(angles)], axis=1) * taps[:, None]
    return basis[:, None].astype(np.float32), np.asarray(bank, np.float32), power
