"""VGGish and YAMNet: their sizes, their layers beside plain NumPy, and files of weights."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from mirkeras.layers import count_trainable
from mirkeras.pretrained import weights
from mirkeras.pretrained.cards import Card, find_card
from mirkeras.system.errors import UsageError, WeightsError
from mirkeras.tagging import listing
from mirkeras.tagging.tagger import Tagger
from mirkeras.transfer.segment_features import TAGGRAM, Embedding
from reproductions.audioset import models
from reproductions.audioset.trained import CLASSES
from tests.models.synthetic import arrays_for


@pytest.fixture(scope="module")
def yamnet(tmp_path_factory) -> tuple[Path, dict[str, np.ndarray]]:
    """A file of the true names and shapes, and its arrays."""
    card = find_card("yamnet")
    arrays = arrays_for(card, card.build())
    path = tmp_path_factory.mktemp("weights") / "yamnet.npz"
    np.savez(path, **arrays)
    return path, arrays


def test_classes_are_audiosets() -> None:
    assert (len(CLASSES), CLASSES[0], CLASSES[69], CLASSES[-1]) == (
        521, "Speech", "Dog", "Field recording",
    )  # fmt: skip
    assert CLASSES[1] == "Child speech, kid speaking"


def same(image: np.ndarray, stride: int) -> np.ndarray:
    """Pad (height, width, channels) as TensorFlow's SAME for 3 × 3: what is odd goes behind."""
    around = []
    for size in image.shape[:2]:
        total = max(0, (-(-size // stride) - 1) * stride + 3 - size)
        around.append((total // 2, total - total // 2))
    return np.pad(image, (*around, (0, 0)))


def windows(image: np.ndarray, stride: int) -> np.ndarray:
    """Every 3 × 3 neighbourhood: (height, width, channels, 3, 3)."""
    view = np.lib.stride_tricks.sliding_window_view(same(image, stride), (3, 3), axis=(0, 1))
    return view[::stride, ::stride]


def plain_yamnet(arrays: dict[str, np.ndarray], frames: np.ndarray) -> tuple:
    """Compute the published layers in float64: scores (521,) and the embedding (1024,)."""
    a = {name: array.astype(float) for name, array in arrays.items()}
    seen = np.einsum("hwcij,ijco->hwo", windows(frames[..., None], 2), a["layer1/conv/kernel"])
    x = np.maximum(0, seen + a["layer1/conv/bias"])
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    for number, stride in enumerate(strides, start=2):
        name = f"layer{number}"
        kernel = a[f"{name}/depthwise/kernel"][..., 0]
        x = np.einsum("hwcij,ijc->hwc", windows(x, stride), kernel)
        x = np.maximum(0, x + a[f"{name}/depthwise/bias"])
        x = np.maximum(0, x @ a[f"{name}/pointwise/kernel"][0, 0] + a[f"{name}/pointwise/bias"])
    embedding = x.mean((0, 1))
    return 1 / (1 + np.exp(-(embedding @ a["dense/kernel"] + a["dense/bias"]))), embedding


def test_yamnet_is_the_published_layers(yamnet) -> None:
    path, arrays = yamnet
    network = weights.load(find_card("yamnet"), path)
    assert network.count_params() == 3_729_481
    frames = np.random.RandomState(1).randn(96, 64).astype("float32")
    both = weights.feature_model(network, "embedding")
    ours = [keras.ops.convert_to_numpy(side)[0] for side in both(frames[None])]
    for us, them in zip(ours, plain_yamnet(arrays, frames.astype(float)), strict=True):
        assert us.shape == them.shape
        assert np.ptp(them) > 0.01
        np.testing.assert_allclose(us, them, atol=1e-5)


def test_records_say_which_file_it_was(yamnet, tmp_path: Path) -> None:
    path, arrays = yamnet
    card = find_card("yamnet")
    known = weights.identified(card, path)
    assert known.source.sha256 == weights.digest_arrays(arrays)
    assert Embedding(known, "embedding", 96).recorded["weights"] == known.source.sha256
    other = tmp_path / "yamnet.npz"
    np.savez(other, **arrays | {"dense/bias": arrays["dense/bias"] + 1})
    assert weights.identified(card, other).source.sha256 != known.source.sha256
    with pytest.raises(WeightsError, match="not in their numbers"):
        weights.load(known, other)  # what was identified is what is read
    with pytest.raises(WeightsError, match=r"no such file.*batch norm folded"):
        weights.identified(card, tmp_path / "none.npz")
    assert "records hold the digest" in listing.description(card)


def small_vggish(card: Card) -> Card:
    """VGGish with a narrow pair of hidden layers: the same names, a hundredth of the numbers."""

    def build() -> keras.Model:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(models, "VGGISH_HIDDEN", 16)
            return models.vggish()

    return replace(card, build=build)


def test_vggish_counts() -> None:
    network = find_card("vggish").build()
    assert count_trainable(network) == network.count_params() == 72_141_184
    assert network.output_shape == (None, 128)
    assert network.get_layer("flat").output.shape == (None, 6 * 4 * 512)


def test_vggish_from_a_checkpoint_and_from_an_npz(tmp_path: Path) -> None:
    import tensorflow as tf

    card = small_vggish(find_card("vggish"))
    arrays = arrays_for(card, card.build())
    assert {"vggish/conv1/weights", "vggish/conv3/conv3_2/biases", "vggish/fc1/fc1_1/weights",
            "vggish/fc2/biases"} < arrays.keys()  # fmt: skip
    held = arrays | {"global_step": np.int64(3)}
    tf.raw_ops.SaveV2(prefix=str(tmp_path / "second.ckpt"), tensor_names=list(held),
                      shape_and_slices=[""] * len(held), tensors=list(held.values()))  # fmt: skip
    # as TensorFlow 1 wrote it, in one file
    tf.raw_ops.Save(filename=str(tmp_path / "vggish_model.ckpt"), tensor_names=list(held),
                    data=list(held.values()))  # fmt: skip
    np.savez(tmp_path / "vggish.npz", **arrays)
    frames = np.random.RandomState(1).randn(2, 96, 64).astype("float32")
    results = []
    for name in ("vggish_model.ckpt", "second.ckpt.index", "vggish.npz"):
        network = weights.load(card, tmp_path / name)
        results.append(keras.ops.convert_to_numpy(network(frames)))
    assert results[0].shape == (2, 128)
    assert results[0].min() == 0 < results[0].max()
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_other_weights_are_not_taken_for_vggish(yamnet, tmp_path: Path) -> None:
    path, _ = yamnet
    vggish = find_card("vggish")
    with pytest.raises(WeightsError, match=r"wrong model file.*vggish.*missing: vggish/conv1"):
        weights.identified(vggish, path)
    narrow = small_vggish(vggish)
    arrays = arrays_for(narrow, narrow.build())
    np.savez(tmp_path / "narrow.npz", **arrays)
    with pytest.raises(WeightsError, match=r"shapes differ.*fc1/fc1_1/weights \(12288, 16\)"):
        weights.load(vggish, tmp_path / "narrow.npz")
    (tmp_path / "vggish_model.ckpt").write_bytes(b"nothing of the kind" * 99)
    with pytest.raises(WeightsError, match=r"vggish_model\.ckpt: damaged"):
        weights.load(vggish, tmp_path / "vggish_model.ckpt")


def test_vggish_gives_no_tags() -> None:
    with pytest.raises(UsageError, match="vggish gives no tags"):
        Tagger("vggish")
    with pytest.raises(UsageError, match=f"no feature '{TAGGRAM}'; it has: embedding"):
        Embedding(find_card("vggish"), TAGGRAM, 96)
