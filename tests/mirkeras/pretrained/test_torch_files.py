"""Files of PyTorch give their arrays, and nothing in them is ever executed."""

import collections
import io
import pickle
import struct
import sys
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirkeras.pretrained import weights
from mirkeras.pretrained.torch_files import read_torch
from mirkeras.system.errors import WeightsError
from tests import torch_file
from tests.tiny_card import ARRAYS, CARD, assert_filled
from tests.torch_file import state, storage, tensor, text, whole, zipped

LARGEST = 2**24
TINY = replace(CARD, source=replace(CARD.source, filename="tiny/best_model.pth"))
RANDOM = np.random.RandomState(0)
MANY = {
    "weight": RANDOM.randn(3, 2, 4).astype("f4"),
    "counter": np.array(7, "i8"),
    "double": RANDOM.randn(5),
    "half": RANDOM.randn(2, 2).astype("f2"),
    "bytes": np.arange(9, dtype="u1"),
    "flags": np.array([True, False]),
    "none": np.zeros((0, 3), "f4"),
}


def read(path: Path) -> dict[str, np.ndarray]:
    return read_torch(path, LARGEST)


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.c_contiguous
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("legacy", [False, True])
def test_arrays_of_every_type_come_back(tmp_path: Path, legacy: bool) -> None:
    assert_same(read(torch_file.saved(tmp_path / "a.pth", MANY, legacy)), MANY)


class Storage:
    """What `torch.save` hands to the pickler for raw numbers."""

    def __init__(self, values: np.ndarray, key: str) -> None:
        self.values, self.key = values, key


class Tensor:
    """A tensor as it pickles itself."""

    def __init__(self, array: np.ndarray, key: str) -> None:
        self.array, self.storage = array, Storage(array, key)

    def __reduce__(self) -> tuple:
        import torch._utils

        view = (self.array.shape, torch_file.steps_of(self.array))
        state = (self.storage, 0, *view, False, collections.OrderedDict())
        return torch._utils._rebuild_tensor_v2, state


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module `torch` with the names that pickles mention, as PyTorch is not installed."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch._utils = utils

    def _rebuild_tensor_v2(values, offset, shape, strides, *_) -> np.ndarray:
        steps = [step * values.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(values[offset:], shape, steps)

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for kind, name in torch_file.STORAGES.items():
        made = type(f"{name}Storage", (), {"__module__": "torch", "kind": kind})
        setattr(torch, f"{name}Storage", made)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


@pytest.mark.parametrize("legacy", [False, True])
def test_what_pythons_own_pickler_writes_is_read(tmp_path: Path, stand_in, legacy: bool) -> None:
    arrays = {f"layer{n}.weight": RANDOM.randn(n % 4 + 1, 3).astype("f4") for n in range(90)}
    raw = {str(number): array.tobytes() for number, array in enumerate(arrays.values())}

    class Pickler(pickle.Pickler):
        def persistent_id(self, what: object) -> tuple | None:
            if not isinstance(what, Storage):
                return None
            kept = ("storage", stand_in.FloatStorage, what.key, "cuda:0", what.values.size)
            return (*kept, None) if legacy else kept

    tensors = (Tensor(array, str(number)) for number, array in enumerate(arrays.values()))
    whole_state = collections.OrderedDict(zip(arrays, tensors, strict=True))
    whole_state._metadata = collections.OrderedDict([("", {"version": 1})])
    file = io.BytesIO()
    Pickler(file, protocol=2).dump(whole_state)
    assert b"r\x00\x01\x00\x00" in file.getvalue()  # more is remembered than a byte can count
    path = tmp_path / "a.pth"
    if legacy:
        torch_file.sequence(path, file.getvalue(), raw, dict.fromkeys(raw, 4))
    else:
        zipped(path, file.getvalue(), raw)
    assert_same(read(path), arrays)


def test_the_writer_of_these_tests_writes_what_pythons_unpickler_reads(stand_in) -> None:
    class Unpickler(pickle.Unpickler):
        def persistent_load(self, kept: tuple) -> np.ndarray:
            return np.arange(kept[4], dtype=kept[1].kind)

    found = Unpickler(
        io.BytesIO(state({"a": tensor(storage("0", "f4", 6), (3, 2), (1, 3))}))
    ).load()
    np.testing.assert_array_equal(found["a"], np.arange(6, dtype="f4").reshape(2, 3).T)
    said = [pickle.loads(one) for one in (torch_file.MAGIC, torch_file.VERSION, torch_file.FACTS)]
    assert said[:2] == [0x1950A86A20F9469CFC6C, 1001]
    assert said[2]["little_endian"] is True


def test_views_share_a_storage_by_offset_and_strides(tmp_path: Path) -> None:
    values = np.arange(24, dtype="f4")
    kept = storage("0", "f4", 24)
    views = {
        "turned": tensor(kept, (4, 3), (1, 4), 8),
        "every second": tensor(kept, (6,), (2,), 1),
        "repeated": tensor(kept, (2, 3), (0, 1)),
    }
    found = read(zipped(tmp_path / "a.pth", state(views), {"0": values.tobytes()}))
    wanted = {
        "turned": values[8:20].reshape(3, 4).T,
        "every second": values[1:12:2],
        "repeated": np.stack([values[:3]] * 2),
    }
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_order_of_bytes_is_honoured(tmp_path: Path) -> None:
    values = np.arange(5, dtype=">f4")
    pickled = state({"a": tensor(storage("0", "f4", 5), (5,), (1,))})
    path = zipped(tmp_path / "a.pth", pickled, {"0": values.tobytes()}, byteorder=b"big")
    assert_same(read(path), {"a": values.astype("f4")})


@pytest.mark.parametrize("legacy", [False, True])
def test_a_tagger_is_filled_from_the_file_or_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, legacy: bool
) -> None:
    (tmp_path / "tiny").mkdir()
    given = ARRAYS | {"counter.n": np.array(7)}
    path = torch_file.saved(tmp_path / "tiny" / "best_model.pth", given, legacy)
    for place in (path, path.parent, tmp_path):
        assert_filled(weights.load(TINY, place))
    monkeypatch.setenv("MIRKERAS_WEIGHTS", str(tmp_path))
    assert_filled(weights.load(TINY))
    path.unlink()
    np.savez(path.with_suffix(".npz"), **given)
    both = replace(TINY, source=replace(TINY.source, endings=(".npz",)))
    for place in (None, path.parent, tmp_path):
        assert_filled(weights.load(both, place))


PICKLED = state(
    {"a": tensor(storage("0", "f4", 6), (6,), (1,)), "b": tensor(storage("1", "i8", 1), (), ())}
)
RAW = {"0": bytes(24), "1": bytes(8)}


def test_a_zip_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best_model.pth"
    for raw, message in (
        ({"0": bytes(24)}, "no item named 'archive/data/1'"),
        (RAW | {"0": bytes(23)}, "storage 0 has 23 bytes, not 24"),
        (RAW | {"0": bytes(28)}, "storage 0 has 28 bytes, not 24"),
        (RAW | {"2": bytes(LARGEST)}, "more than"),
    ):
        with pytest.raises((ValueError, KeyError), match=message):
            read(zipped(path, PICKLED, raw))
    with pytest.raises(ValueError, match="the order of bytes"):
        read(zipped(path, PICKLED, RAW, byteorder=b"middle"))
    zipped(path, PICKLED, RAW)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data/2", bytes(2**20))
    with pytest.raises(ValueError, match="archive/data/2 is compressed"):
        read(path)
    zipped(path, PICKLED, RAW)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("other/data.pkl", PICKLED)
    with pytest.raises(ValueError, match="2 members"):
        read(path)
    np.savez(tmp_path / "best_model.npz", a=np.zeros(3))
    (tmp_path / "best_model.npz").replace(path)
    with pytest.raises(ValueError, match="0 members"):
        read(path)


def test_a_sequence_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path, sizes = tmp_path / "best_model.pth", {"0": 4, "1": 8}
    good = torch_file.sequence(path, PICKLED, RAW, sizes).read_bytes()
    assert {name: array.size for name, array in read(path).items()} == {"a": 6, "b": 1}
    keys = torch_file.keys_of(RAW)
    count = struct.pack("<q", 6)
    for content, message in (
        (good + b"x", "something follows"),
        (good.replace(torch_file.MAGIC, torch_file.VERSION), "does not begin"),
        (good.replace(torch_file.FACTS, b"\x80\x02}."), "order of bytes"),
        (good.replace(keys, torch_file.keys_of({"0": b""})), "not those of its tensors"),
        (good.replace(keys, b"\x80\x02](" + text("0") + text("0") + b"e."), "not those"),
        (good.replace(keys, b"\x80\x02](" + text("0") + text("9") + b"e."), "not those"),
        (good.replace(keys, b"\x80\x02" + whole(2) + b"."), "does not list"),
        (good.replace(count, struct.pack("<q", 7)), "storage 0 has 7 values, not 6"),
        (good.replace(count, struct.pack("<q", -1)), "values, not 6"),
    ):
        assert content != good
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, legacy: bool) -> None:
    arrays = {name: ARRAYS[name] for name in ("conv.bias", "dense.bias")}
    path = torch_file.saved(tmp_path / "best_model.pth", arrays, legacy)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match=r"best_model\.pth: damaged, or no file of weights"):
            weights.load(TINY, path)


def test_a_changed_byte_of_a_zip_is_noticed(tmp_path: Path) -> None:
    path = torch_file.saved(tmp_path / "a.pth", {"a": np.arange(6, dtype="f4")})
    content = bytearray(path.read_bytes())
    content[content.index(np.arange(6, dtype="f4").tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        read(path)


def test_more_than_any_tagger_has_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "a.pth", "wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ValueError, match="more than"):
        read(tmp_path / "a.pth")
