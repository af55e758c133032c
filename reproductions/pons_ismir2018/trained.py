"""Cards of the four released taggers: MTT_musicnn, MTT_vgg, MSD_musicnn, MSD_vgg.

The weights are TensorFlow 1 checkpoints in the wheel of the package musicnn 0.1.0 (jordipons/
musicnn, ISC licence); data, scores and tags are those of the files beside them there
(`config.json`, `experiment.result`, `configuration.py`).

MSD_vgg is built as it was trained. The graph in its checkpoint pools 4 frames, then 4 bands, before
the pools of 2 × 2; the package's own code runs its weights with the pools of MTT_vgg, which the
shapes of the weights permit. What that does to the tags is measured by
`reproductions.pons_ismir2018.parity`.
"""

from collections.abc import Callable

import numpy as np

from data_prep.sets.magnatagatune import TAGS_OF_TAGGERS
from data_prep.sets.msd import TAGS as MSD_TAGS
from mirkeras.pretrained.cards import Card, Source, Taken, network

TAGS = {"MTT": TAGS_OF_TAGGERS, "MSD": MSD_TAGS}
HEARS = {
    "MTT": "instruments, voices, genres and tempo, from classical to techno; 3 s at a time",
    "MSD": "genres, decades and moods, as listeners of Last.fm call them; 3 s at a time",
}
DATA = {"MTT": "MagnaTagATune", "MSD": "Million Song Dataset, tags of Last.fm"}
SPLITS = {
    "MTT": "mtat-pons: 18,706 / 1,825 / 5,329 clips",
    "MSD": "msd-lee: 201,680 / 11,774 / 28,435 songs",
}
#: ROC-AUC and PR-AUC on the test part, from the authors' `experiment.result`.
SCORES = {
    "MTT_musicnn": (0.9066769123674747, 0.38310571748763617),
    "MTT_vgg": (0.9030268990308291, 0.382267685217377),
    "MSD_musicnn": (0.8801927178090048, 0.28906431196994925),
    "MSD_vgg": (0.8767615259520635, 0.28192480359001065),
}
NETWORKS = "reproductions.pons_ismir2018.musicnn"
BUILT = {"MSD_vgg": "msd_vgg"}  # the others are built by functions of their own name
WHEEL = "musicnn-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"

#: Adam's state, in TensorFlow's names.
IGNORED = (r".*/Adam(_1)?", r"beta[12]_power")

_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_MIDEND = ("cnn1", "cnn2", "cnn3")


def _numbered(kind: str, number: int) -> str:
    """Write the name that TensorFlow 1 gives to the n-th layer of a kind."""
    return f"{kind}_{number}" if number else kind


def _norms(ours: tuple[str, ...]) -> dict[str, Taken]:
    return {
        f"{name}_bn/{variable}": Taken(f"{_numbered('batch_normalization', number)}/{variable}")
        for number, name in enumerate(ours)
        for variable in _NORM
    }


def _weighted(ours: str, theirs: str, rearrange: Callable | None = None) -> dict[str, Taken]:
    return {
        f"{ours}/kernel": Taken(f"{theirs}/kernel", rearrange=rearrange),
        f"{ours}/bias": Taken(f"{theirs}/bias"),
    }


def _along_time(kernel: np.ndarray) -> np.ndarray:
    """Turn (frames, channels, 1, filters), a kernel over all channels, into a 1-D kernel."""
    return kernel[:, :, 0]


def _musicnn_names() -> dict[str, Taken]:
    """Map musicnn's variables to the checkpoint's: layers in the order of `models.py`."""
    convolved = ("f74", "f77", "s1", "s2", "s3", *_MIDEND)
    names = _norms(("input", *convolved, "pooled", "dense"))
    for number, name in enumerate(convolved):
        form = _along_time if name in _MIDEND else None
        names |= _weighted(f"{name}_conv", _numbered("conv2d", number), form)
    return names | _weighted("dense", "dense") | _weighted("scores", "dense_1")


def _vgg_names() -> dict[str, Taken]:
    names = _norms(("input", *(f"cnn{number}" for number in range(1, 6))))
    for number in range(1, 6):
        names |= _weighted(f"cnn{number}_conv", f"{number}CNN")
    return names | _weighted("scores", "dense")


def _card(name: str, names: dict[str, Taken], embeddings: tuple[str, ...]) -> Card:
    data, kind = name.split("_")
    roc_auc, pr_auc = SCORES[name]
    return Card(
        name=name,
        title=f"{kind} (Pons & Serra 2019), trained on {DATA[data]}",
        build=network(f"{NETWORKS}:{BUILT.get(name, kind)}", len(TAGS[data])),
        recipe="musicnn",
        frames=187,
        tags=TAGS[data],
        source=Source(WHEEL, WHEEL_SHA256, package="musicnn==0.1.0", member=f"musicnn/{name}"),
        names=names,
        ignored=IGNORED,
        embeddings=embeddings,
        hears=HEARS[data],
        data=DATA[data],
        split=SPLITS[data],
        licence="ISC",
        origin="jordipons/musicnn",
        scores={"roc_auc": roc_auc, "pr_auc": pr_auc},
    )


_HIDDEN = {
    "musicnn": ("penultimate", "max_pool", "mean_pool", *_MIDEND, "timbral", "temporal"),
    "vgg": ("pool5", "pool4", "pool3"),  # those before have 140,000 values and more
}

CARDS = (
    _card("MTT_musicnn", _musicnn_names(), _HIDDEN["musicnn"]),
    _card("MTT_vgg", _vgg_names(), _HIDDEN["vgg"]),
    _card("MSD_musicnn", _musicnn_names(), _HIDDEN["musicnn"]),
    _card("MSD_vgg", _vgg_names(), _HIDDEN["vgg"]),
)
