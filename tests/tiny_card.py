"""A card with a tiny network, and files of its weights as users may give them."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from mirkeras.pretrained import weights
from mirkeras.pretrained.cards import Card, Source, Taken

ARRAYS = {
    "conv.weight": np.random.RandomState(0).randn(5, 4, 3).astype("float32"),
    "conv.bias": np.arange(5, dtype="float32"),
    "dense.weight": np.random.RandomState(1).randn(2, 5).astype("float32"),
    "dense.bias": np.zeros(2, "float32"),
}
WHEEL = "tiny-0.1.0-py3-none-any.whl"


def network() -> keras.Model:
    frames = keras.Input((6, 4))
    x = keras.layers.Conv1D(5, 3, name="conv")(frames)
    x = keras.layers.GlobalMaxPooling1D(name="pool")(x)
    return keras.Model(frames, keras.layers.Dense(2, "sigmoid", name="scores")(x))


CARD = Card(
    name="tiny",
    title="a test's network",
    build=network,
    recipe="musicnn",
    frames=6,
    tags=("a", "b"),
    source=Source("tiny.npz", "", by_arrays=True, advice="Ask Ann."),
    names={
        "conv/kernel": Taken("conv.weight", (2, 1, 0)),
        "conv/bias": Taken("conv.bias"),
        "scores/kernel": Taken("dense.weight", (1, 0)),
        "scores/bias": Taken("dense.bias"),
    },
    ignored=(r"counter\..*",),
    embeddings=("pool",),
    hears="nothing",
    data="none",
    split="none",
    licence="none",
    origin="none",
)
CARD = replace(CARD, source=replace(CARD.source, sha256=weights.digest_arrays(ARRAYS)))


def saved(folder: Path, arrays: dict[str, np.ndarray] = ARRAYS) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "tiny.npz", **arrays)
    return folder / "tiny.npz"


def make_wheel(tmp_path: Path) -> Path:
    """Make a wheel that holds the arrays as a TensorFlow checkpoint."""
    import tensorflow as tf

    prefix = str(tmp_path / "checkpoint")
    names, tensors = zip(*ARRAYS.items(), strict=True)
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors
    )
    folder = tmp_path / "made"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for ending in (".index", ".data-00000-of-00001"):
            archive.write(prefix + ending, f"tiny/MODEL/{ending}")
        archive.writestr("tiny/MODEL/.meta", b"")
        about = "tiny-0.1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 0.1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return folder / WHEEL


def in_wheel(wheel: Path) -> Card:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return replace(CARD, source=Source(WHEEL, digest, package="tiny==0.1.0", member="tiny/MODEL"))


def assert_filled(model: keras.Model) -> None:
    segments = np.random.RandomState(2).randn(3, 6, 4).astype("float32")
    windows = np.lib.stride_tricks.sliding_window_view(segments, 3, axis=1)
    hidden = np.einsum("btcf,ocf->bto", windows, ARRAYS["conv.weight"]) + ARRAYS["conv.bias"]
    logits = hidden.max(axis=1) @ ARRAYS["dense.weight"].T
    scores = keras.ops.convert_to_numpy(model(segments))
    assert np.allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-5)
