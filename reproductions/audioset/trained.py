"""Cards of VGGish and YAMNet, trained on AudioSet.

No release of either is fixed here by its digest: VGGish's is not at hand, and YAMNet's batch norm
is folded by whoever unpacks it. Any file with these names and shapes is taken, and records say by
the digest of its arrays which it was.
"""

from pathlib import Path

from mirkeras.pretrained.cards import Card, Source, Taken, network

#: Display names of the 521 classes of AudioSet that YAMNet knows, in the order of its outputs.
CLASSES = tuple(
    Path(__file__).with_name("classes.txt").read_text(encoding="utf-8").strip().split("\n")
)

MODELS = "reproductions.audioset.models"
FRAMES = 96
ORIGIN = "tensorflow/models, research/audioset"


def _both(ours: str, theirs: str, kernel: str, bias: str) -> dict[str, Taken]:
    return {
        f"{ours}/kernel": Taken(f"{theirs}/{kernel}"),
        f"{ours}/bias": Taken(f"{theirs}/{bias}"),
    }


def _yamnet_names() -> dict[str, Taken]:
    places = {"layer1_conv": "layer1/conv", "scores": "dense"}
    for number in range(2, 15):
        for part in ("depthwise", "pointwise"):
            places[f"layer{number}_{part}"] = f"layer{number}/{part}"
    pairs = [_both(ours, theirs, "kernel", "bias") for ours, theirs in places.items()]
    return {ours: taken for pair in pairs for ours, taken in pair.items()}


def _vggish_names() -> dict[str, Taken]:
    """Layers that stand twice in a row lie one deeper in the checkpoint: `vggish/conv3/conv3_1`."""
    ours = ["conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "fc1_1", "fc1_2"]
    places = {name: f"vggish/{name.split('_')[0]}/{name}" for name in ours if "_" in name}
    places |= {name: f"vggish/{name}" for name in ours if "_" not in name}
    places["embedding"] = "vggish/fc2"
    pairs = [_both(ours, theirs, "weights", "biases") for ours, theirs in places.items()]
    return {ours: taken for pair in pairs for ours, taken in pair.items()}


YAMNET = Card(
    name="yamnet",
    title="YAMNet, batch norm folded, trained on AudioSet",
    build=network(f"{MODELS}:yamnet", len(CLASSES)),
    recipe="yamnet",
    frames=FRAMES,
    tags=CLASSES,
    source=Source(
        filename="yamnet/yamnet_folded_f32.npz",
        sha256="",
        by_arrays=True,
        advice="It is an npz of YAMNet's float32 arrays with batch norm folded into kernel and "
        "bias, named layer1/conv/kernel, layer2/depthwise/kernel, layer2/pointwise/kernel … "
        "dense/bias; see reproductions/audioset/README.md.",
    ),
    names=_yamnet_names(),
    ignored=(),
    embeddings=("embedding",),
    hears="sounds of every kind: speech, animals, machines, instruments, genres; 1 s at a time",
    data="AudioSet",
    split="",
    licence="Apache-2.0",
    origin=ORIGIN,
)

VGGISH = Card(
    name="vggish",
    title="VGGish (embedding only), trained on AudioSet",
    build=network(f"{MODELS}:vggish"),
    recipe="vggish",
    frames=FRAMES,
    tags=(),
    source=Source(
        filename="vggish/vggish_model.ckpt",
        sha256="",
        by_arrays=True,
        advice="It is the checkpoint vggish_model.ckpt (277 MB) that the README of VGGish in "
        "tensorflow/models (research/audioset/vggish) names; an npz or HDF5 file of its arrays "
        "by the same names (vggish/conv1/weights …) will do.",
    ),
    names=_vggish_names(),
    ignored=("global_step",),
    embeddings=("embedding",),
    hears="no tags; features of any sound for a classifier of your own, 1 s at a time",
    data="AudioSet",
    split="",
    licence="Apache-2.0",
    origin=ORIGIN,
)

CARDS = (YAMNET, VGGISH)
