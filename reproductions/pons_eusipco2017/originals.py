"""The published network of Pons et al. (EUSIPCO 2017) in NumPy and SciPy, for `parity`.

Written from Veleslavia/EUSIPCO2017 (`singlelayer.py`) and the description of the network inside the
released file, on its arrays alone, from samples, in double precision; nothing is shared with
`instruments.py`. SciPy's convolution turns the kernel by 180 degrees, as Theano's did.
"""

from collections.abc import Mapping

import librosa
import numpy as np
from scipy.signal import fftconvolve
from scipy.special import softmax

RATE, FRAMES, BANDS = 12_000, 128, 96
EPSILON = 1e-3  # of Keras' batch norm


def decibels(samples: np.ndarray) -> np.ndarray:
    """Compute the features as `compute_spectrograms` did: (96, frames).

    Parameters
    ----------
    samples
        A whole track at 12 kHz; the floor is relative to its loudest value.
    """
    energies = librosa.feature.melspectrogram(
        y=samples.astype(np.float64),
        sr=RATE,
        n_fft=512,
        hop_length=256,
        n_mels=BANDS,
        pad_mode="reflect",  # librosa's default then
    )
    return librosa.power_to_db(energies**2, ref=1.0, top_db=80.0)


def single_layer(
    arrays: Mapping[str, np.ndarray], spectrogram: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Run the network on decibels (96, 128): scores (11,) and what the dense layer sees (1792,)."""
    centred = spectrogram - arrays["singlelayer_mean"]
    found = [_filtered(arrays, f"{n}_{m}", centred) for m in (5, 80) for n in (1, 3, 5)]
    hidden = np.concatenate(found)
    dense = "model_weights/prediction/prediction"
    return softmax(hidden @ arrays[f"{dense}_W"] + arrays[f"{dense}_b"]), hidden


def _filtered(arrays: Mapping[str, np.ndarray], name: str, image: np.ndarray) -> np.ndarray:
    """Convolve, normalise, ELU, maxima of the four quarters, filter by filter."""
    conv, norm = (f"model_weights/{name}_{kind}/{name}_{kind}_" for kind in ("conv", "bn"))
    values = []
    for number, kernel in enumerate(arrays[f"{conv}W"][:, 0].astype(np.float64)):
        x = _same(image, kernel) + arrays[f"{conv}b"][number]
        gain = arrays[f"{norm}gamma"][number]
        gain = gain / np.sqrt(arrays[f"{norm}running_std"][number] + EPSILON)
        x = (x - arrays[f"{norm}running_mean"][number]) * gain + arrays[f"{norm}beta"][number]
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        values.append(x.reshape(BANDS, 4, FRAMES // 4).max(axis=(0, 2)))
    return np.concatenate(values)


def _same(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Cut the full convolution as Theano's 'half' did, the extra row of even kernels dropped."""
    rows, columns = ((size - 1) - size // 2 for size in kernel.shape)
    full = fftconvolve(image, kernel)
    return full[rows : rows + BANDS, columns : columns + FRAMES]
