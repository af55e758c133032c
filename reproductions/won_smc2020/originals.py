"""The published networks of Won et al. (SMC 2020) in plain NumPy, for `parity`.

Written from the layers of minzwon/sota-music-tagging-models (`training/model.py`, `modules.py`) on
the arrays of the files alone: from samples, through the file's own window and mel filterbank, in
double precision. Nothing here is shared with `models.py`, which it proves. Arrays are in PyTorch's
order, (channel, band, frame).
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit

RATE, N_FFT, HOP = 16_000, 512, 256
#: Length of a segment in samples (`training/eval.py`).
LENGTHS = {"fcn": 29 * RATE, "crnn": 29 * RATE, "musicnn": 3 * RATE}
EPSILON = 1e-5  # of PyTorch's batch norm

Arrays = Mapping[str, np.ndarray]
#: (scores (tags,), what the last dense layer sees).
Outputs = tuple[np.ndarray, np.ndarray]


def decibels(arrays: Arrays, samples: np.ndarray) -> np.ndarray:
    """Compute torchaudio's MelSpectrogram and AmplitudeToDB: (96, frames).

    Parameters
    ----------
    samples
        A segment at 16 kHz; it is mirrored at both ends, frames are centred.
    """
    padded = np.pad(samples.astype(np.float64), N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    spectrum = np.fft.rfft(frames * arrays["spec.spectrogram.window"], axis=1)
    power = np.square(np.abs(spectrum)) @ arrays["spec.mel_scale.fb"]
    return 10 * np.log10(np.maximum(power, 1e-10)).T


def fcn(arrays: Arrays, spectrogram: np.ndarray) -> Outputs:
    """Run FCN on decibels (96, 1813)."""
    x = _opened(arrays, spectrogram)
    pools = ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4))
    for number, pool in enumerate(pools, start=1):
        x = _stage(arrays, f"layer{number}", x, pool)
    return _scored(arrays, "dense", x.ravel())


def crnn(arrays: Arrays, spectrogram: np.ndarray) -> Outputs:
    """Run CRNN on decibels (96, 1813)."""
    x = _opened(arrays, spectrogram)
    for number, side in enumerate((2, 3, 4, 4), start=1):
        x = _stage(arrays, f"layer{number}", x, (side, side))
    steps = x[:, 0].T
    for layer in (0, 1):
        steps = _gru(arrays, layer, steps)
    return _scored(arrays, "dense", steps[-1])


def musicnn(arrays: Arrays, spectrogram: np.ndarray) -> Outputs:
    """Run Musicnn on decibels (96, 188)."""
    x = _opened(arrays, spectrogram)
    mean = x.mean(axis=1, keepdims=True)
    found = [_rectified(arrays, f"layers.{n}", x, (0, 3)).max(axis=1) for n in (0, 1)]
    for number, frames in ((2, 129), (3, 65), (4, 33)):
        found.append(_rectified(arrays, f"layers.{number}", mean, (0, frames // 2))[:, 0])
    front = np.concatenate(found)
    features, below = [front], front
    for number in (1, 2, 3):
        y = _rectified(arrays, f"layer{number}", below[:, None], (0, 3))[:, 0]
        below = y if number == 1 else y + below
        features.append(below)
    x = np.concatenate(features)
    x = np.concatenate([x.max(axis=1), x.mean(axis=1)])
    x = arrays["dense1.weight"].astype(np.float64) @ x + arrays["dense1.bias"]
    return _scored(arrays, "dense2", np.maximum(_norm(arrays, "bn", x), 0))


#: Network → how it is run.
FORWARD: dict[str, Callable[[Arrays, np.ndarray], Outputs]] = {
    "fcn": fcn,
    "crnn": crnn,
    "musicnn": musicnn,
}


def _opened(arrays: Arrays, spectrogram: np.ndarray) -> np.ndarray:
    return _norm(arrays, "spec_bn", spectrogram[None].astype(np.float64))


def _stage(arrays: Arrays, name: str, x: np.ndarray, pool: tuple[int, int]) -> np.ndarray:
    """Conv_2d of modules.py; the pool drops an incomplete edge."""
    x = _rectified(arrays, name, x, (1, 1))
    bands, frames = x.shape[1] // pool[0], x.shape[2] // pool[1]
    x = x[:, : bands * pool[0], : frames * pool[1]]
    return x.reshape(len(x), bands, pool[0], frames, pool[1]).max(axis=(2, 4))


def _rectified(arrays: Arrays, name: str, x: np.ndarray, padding: tuple[int, int]) -> np.ndarray:
    """Convolve, normalise, rectify."""
    weight = arrays[f"{name}.conv.weight"].astype(np.float64)
    if weight.ndim == 3:  # one-dimensional: over one band
        weight = weight[:, :, None]
    x = _convolved(x, weight, padding) + arrays[f"{name}.conv.bias"][:, None, None]
    return np.maximum(_norm(arrays, f"{name}.bn", x), 0)


def _convolved(x: np.ndarray, weight: np.ndarray, padding: tuple[int, int]) -> np.ndarray:
    """Convolve (channels, bands, frames) with (filters, channels, bands, frames)."""
    x = np.pad(x, ((0, 0), *((zeros, zeros) for zeros in padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(1, 2))
    return np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))


def _norm(arrays: Arrays, name: str, x: np.ndarray) -> np.ndarray:
    """Batch norm of the first axis by the moving statistics."""
    gain = arrays[f"{name}.weight"] / np.sqrt(arrays[f"{name}.running_var"] + EPSILON)
    shape = (-1, *[1] * (x.ndim - 1))
    centred = x - arrays[f"{name}.running_mean"].reshape(shape)
    return centred * gain.reshape(shape) + arrays[f"{name}.bias"].reshape(shape)


def _gru(arrays: Arrays, layer: int, steps: np.ndarray) -> np.ndarray:
    """Run a layer of torch.nn.GRU over (steps, inputs): (steps, 32)."""
    weight = {
        side: arrays[f"layer5.weight_{side}_l{layer}"].astype(np.float64) for side in ("ih", "hh")
    }
    bias = {side: arrays[f"layer5.bias_{side}_l{layer}"] for side in ("ih", "hh")}
    state, states = np.zeros(weight["hh"].shape[1]), []
    for step in steps:
        seen = np.split(weight["ih"] @ step + bias["ih"], 3)
        kept = np.split(weight["hh"] @ state + bias["hh"], 3)
        reset, update = expit(seen[0] + kept[0]), expit(seen[1] + kept[1])
        new = np.tanh(seen[2] + reset * kept[2])
        state = (1 - update) * new + update * state
        states.append(state)
    return np.array(states)


def _scored(arrays: Arrays, name: str, x: np.ndarray) -> Outputs:
    weight = arrays[f"{name}.weight"].astype(np.float64)
    return expit(weight @ x + arrays[f"{name}.bias"]), x
