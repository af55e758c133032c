"""Trained weights in a network: every array in its place, or a refusal that says why."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from mirkeras.pretrained import weights
from mirkeras.system.errors import WeightsError
from tests.tiny_card import ARRAYS, CARD, assert_filled, in_wheel, make_wheel, network, saved


@pytest.fixture(autouse=True)
def no_other_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "all_cards", dict)


def test_hdf5_with_a_companion(tmp_path: Path) -> None:
    rest = {name: array for name, array in ARRAYS.items() if name != "conv.bias"}
    with h5py.File(tmp_path / "tiny.h5", "w") as file:
        for name, array in rest.items():
            file[f"group/{name}"] = array
    names = {
        ours: taken if taken.name == "conv.bias" else replace(taken, name=f"group/{taken.name}")
        for ours, taken in CARD.names.items()
    }
    digest = weights.digest_arrays({taken.name: ARRAYS[taken.name[6:]] for taken in names.values()
                                    if taken.name.startswith("group/")}
                                   | {"conv.bias": ARRAYS["conv.bias"]})  # fmt: skip
    source = replace(CARD.source, sha256=digest, companions=("conv.bias.npy",))
    card = replace(CARD, names=names, source=source)
    with pytest.raises(WeightsError, match=r"conv\.bias\.npy: no such file.*beside"):
        weights.load(card, tmp_path / "tiny.h5")
    np.save(tmp_path / "conv.bias.npy", ARRAYS["conv.bias"])
    assert_filled(weights.load(card, tmp_path / "tiny.h5"))


def test_checkpoint_in_a_wheel(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    assert_filled(weights.load(in_wheel(wheel), wheel))


def test_altered_numbers_are_refused_and_known_ones_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered = ARRAYS | {"dense.bias": np.ones(2, "float32")}
    path = saved(tmp_path, altered)
    with pytest.raises(WeightsError, match=r"not in their numbers: they are altered.*Ask Ann"):
        weights.load(CARD, path)
    source = replace(CARD.source, sha256=weights.digest_arrays(altered))
    other = replace(CARD, name="other", source=source)
    monkeypatch.setattr(weights, "all_cards", lambda: {"other": other})
    with pytest.raises(WeightsError, match="they are those of other"):
        weights.load(CARD, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dense.bias": None}, r"wrong model file.*1 arrays missing: dense\.bias"),
        ({"gru": np.zeros(3)}, "wrong model file.*1 arrays unknown: gru"),
        ({"dense.bias": np.zeros(3)}, r"shapes differ: dense\.bias \(3,\) for scores/bias \(2,\)"),
        ({"conv.weight": np.zeros((2, 3))}, r"shapes differ: conv\.weight \(2, 3\)"),
    ],
)
def test_the_file_of_another_model_is_called_so(tmp_path: Path, change: dict, message: str) -> None:
    arrays = {n: a for n, a in (ARRAYS | change).items() if a is not None}
    with pytest.raises(WeightsError, match=message):
        weights.load(CARD, saved(tmp_path, arrays))


def test_the_digest_is_of_names_types_shapes_and_values() -> None:
    digest = weights.digest_arrays(ARRAYS)
    assert weights.digest_arrays(dict(reversed(ARRAYS.items()))) == digest
    assert weights.digest_arrays({n: a.astype(">f4") for n, a in ARRAYS.items()}) == digest
    others = (
        ARRAYS | {"conv.bias": ARRAYS["conv.bias"].astype("float64")},
        ARRAYS | {"conv.weight": ARRAYS["conv.weight"].reshape(5, 3, 4)},
        {n.upper(): a for n, a in ARRAYS.items()},
    )
    assert len({digest, *map(weights.digest_arrays, others)}) == 4


def test_a_hidden_feature_comes_beside_the_scores() -> None:
    model, segments = network(), np.random.RandomState(3).randn(2, 6, 4).astype("float32")
    scores, features = weights.feature_model(model, "conv")(segments)
    assert features.shape == (2, 4 * 5)
    assert np.allclose(scores, model(segments))
