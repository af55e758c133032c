"""Cards of VGGish and YAMNet, trained on AudioSet by their authors."""

from mirkeras.pretrained.cards import Card, Source, Taken
from reproductions.audioset import models
from reproductions.audioset.classes import CLASSES

#: Of the arrays of the folded YAMNet.
DIGEST = "34db2669742fa10bb4e8d4b41c062392b076a27d2e6971c767e5614b10f58ead"

YAMNET_ADVICE = (
    "It is an npz with the arrays layer1/conv/kernel, layer1/conv/bias, layer2/depthwise/kernel … "
    "dense/bias of tensorflow/models, research/audioset/yamnet (Apache-2.0), batch norm folded "
    "into its kernels and biases."
)
VGGISH_ADVICE = (
    "Take vggish_model.ckpt, whose address is in the README of research/audioset/vggish of "
    "tensorflow/models (Apache-2.0), or an h5 or npz with its arrays (vggish/conv1/weights …)."
)


def _both(ours: str, theirs: str, kernel: str = "kernel", bias: str = "bias") -> dict[str, Taken]:
    return {
        f"{ours}/kernel": Taken(f"{theirs}/{kernel}"),
        f"{ours}/bias": Taken(f"{theirs}/{bias}"),
    }


def _yamnet_names() -> dict[str, Taken]:
    names = _both("layer1_conv", "layer1/conv") | _both("scores", "dense")
    for number in range(2, len(models.SEPARABLE) + 2):
        names |= _both(f"layer{number}_depthwise", f"layer{number}/depthwise")
        names |= _both(f"layer{number}_pointwise", f"layer{number}/pointwise")
    return names


def _vggish_names() -> dict[str, Taken]:
    places = {"conv1": "conv1", "conv2": "conv2", "embedding": "fc2"}
    places |= {f"conv{n}_{k}": f"conv{n}/conv{n}_{k}" for n in (3, 4) for k in (1, 2)}
    places |= {f"fc1_{k}": f"fc1/fc1_{k}" for k in (1, 2)}
    names = {}
    for ours, theirs in places.items():
        names |= _both(ours, f"vggish/{theirs}", "weights", "biases")
    return names


_AUDIOSET = {
    "frames": models.FRAMES,
    "ignored": (),
    "embeddings": ("embedding",),
    "split": "as its authors have it",
    "licence": "Apache-2.0",
}

CARDS = (
    Card(
        name="yamnet",
        title="YAMNet, batch norm folded",
        build=models.yamnet,
        recipe="yamnet",
        tags=CLASSES,
        source=Source(
            filename="yamnet/yamnet_folded_f32.npz",
            sha256=DIGEST,
            by_arrays=True,
            advice=YAMNET_ADVICE,
        ),
        names=_yamnet_names(),
        data="AudioSet, sounds of 521 classes",
        origin="tensorflow/models, research/audioset/yamnet, from a file in eight bits",
        **_AUDIOSET,
    ),
    Card(
        name="vggish",
        title="VGGish: it gives an embedding, no classes",
        build=models.vggish,
        recipe="vggish",
        tags=tuple(f"value {number}" for number in range(128)),
        source=Source(
            filename="vggish/vggish_model.ckpt", sha256="", by_arrays=True, advice=VGGISH_ADVICE
        ),
        names=_vggish_names(),
        data="YouTube-8M, its audio",
        origin="tensorflow/models, research/audioset/vggish",
        **_AUDIOSET,
    ),
)
