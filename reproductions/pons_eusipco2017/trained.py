"""Card of the trained network that recognises instruments (IRMAS), Pons et al., EUSIPCO 2017.

The weights are under the AGPL-3: they are read from where the user has them, never redistributed.

They come from Keras 1.2 with channels first, and the file does not say from which backend. Theano's
convolution turns kernels by 180 degrees, TensorFlow's does not. Turned, the network hears speech as
voice and rock as voice and guitars; not turned, it hears an organ in rock (README.md). So they are
Theano's, and are turned here.
"""

import numpy as np

from data_prep.sets.irmas import DATASET
from mirkeras.pretrained.cards import Card, Source, Taken, network

MEAN = "singlelayer_mean"
DIGEST = "e5f3ce5368ad2e378e4fc87cd2822c8b4c3636c630db2e3332bcad24e3ba50e1"

ADVICE = (
    "Take weights/singlelayer/epoch.115-val_loss.0.902-fbeta.0.673.hdf5 and "
    "means/singlelayer_mean.npy of the repository Veleslavia/EUSIPCO2017 (AGPL-3)."
)

_NORM = {
    "gamma": "gamma",
    "beta": "beta",
    "moving_mean": "running_mean",
    "moving_variance": "running_std",  # in spite of its name Keras 1.2 keeps the variance there
}


def turned(kernel: np.ndarray) -> np.ndarray:
    """Turn a kernel (frames, bands, 1, filters) by 180 degrees."""
    return kernel[::-1, ::-1]


def _names() -> dict[str, Taken]:
    names = {
        "centred/mean": Taken(MEAN, axes=(1, 0)),
        "scores/kernel": Taken("model_weights/prediction/prediction_W"),
        "scores/bias": Taken("model_weights/prediction/prediction_b"),
    }
    for height in (5, 80):  # bands
        for width in (1, 3, 5):  # frames
            ours, theirs = f"f{height}x{width}", f"{width}_{height}"
            conv = f"model_weights/{theirs}_conv/{theirs}_conv"
            norm = f"model_weights/{theirs}_bn/{theirs}_bn"
            names[f"{ours}_conv/kernel"] = Taken(f"{conv}_W", (3, 2, 1, 0), turned)
            names[f"{ours}_conv/bias"] = Taken(f"{conv}_b")
            names |= {f"{ours}_bn/{us}": Taken(f"{norm}_{them}") for us, them in _NORM.items()}
    return names


CARDS = (
    Card(
        name="irmas_timbre",
        title="single-layer network of Pons et al. 2017, predominant instrument",
        build=network("reproductions.pons_eusipco2017.instruments:released"),
        recipe="pons2017-irmas",
        frames=128,
        tags=DATASET.tags,  # in the order of the authors' classes
        source=Source(
            filename="timbre_irmas/singlelayer_epoch115.hdf5",
            sha256=DIGEST,
            by_arrays=True,
            companions=(f"{MEAN}.npy",),
            advice=ADVICE,
        ),
        names=_names(),
        ignored=(r"optimizer_weights/.*",),
        embeddings=("penultimate",),
        hears="the instrument, or the voice, that leads; 2.7 s at a time",
        data="IRMAS, training part",
        split="6,705 clips, 85 % for training, 15 % for validation, drawn at random",
        licence="AGPL-3.0",
        origin="Veleslavia/EUSIPCO2017",
    ),
)
