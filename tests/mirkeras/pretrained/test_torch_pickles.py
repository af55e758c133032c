"""Pickles in files of PyTorch are followed by a few instructions and names, never executed."""

import collections
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from mirkeras.pretrained import weights
from mirkeras.pretrained.torch_files import read_torch
from mirkeras.system.errors import WeightsError
from tests import torch_file
from tests.tiny_card import CARD
from tests.torch_file import state, storage, tensor, text, zipped

TINY = replace(CARD, source=replace(CARD.source, filename="best_model.pth"))


NAMED = [
    (b"cos\nsystem\n", r"os\.system"),
    (b"cposix\nsystem\n", r"posix\.system"),
    (b"cbuiltins\neval\n", r"builtins\.eval"),
    (b"ccollections\nCounter\n", r"collections\.Counter"),
    (b"ctorch._utils\n_rebuild_tensor\n", r"torch\._utils\._rebuild_tensor"),
    (b"ctorch\nload\n", r"torch\.load"),
    (b"c__torch__\nMy\x1b[2Jmodule\n", r"__torch__\.My\\x1b\[2Jmodule"),
]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(("asked", "name"), NAMED)
def test_any_other_name_is_refused_by_its_name(
    tmp_path: Path, asked: bytes, name: str, legacy: bool
) -> None:
    mark = tmp_path / "executed"
    pickled = b"\x80\x02" + asked + text(f"touch {mark}") + b"\x85R."
    path = tmp_path / "best_model.pth"
    if legacy:
        torch_file.sequence(path, pickled, {}, {})
    else:
        zipped(path, pickled, {})
    with pytest.raises(WeightsError, match=rf"{path}: .*not executed: .*asks for {name},") as said:
        weights.load(TINY, path)
    assert "\n" not in str(said.value)
    assert not mark.exists()


class Evil:
    """Unpickling it runs a command of the shell."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("deep", [False, True])
def test_no_protocol_executes_anything(tmp_path: Path, protocol: int, deep: bool) -> None:
    mark = tmp_path / "executed"
    what = collections.OrderedDict(a=[(Evil(mark),)]) if deep else Evil(mark)
    path = zipped(tmp_path / "best_model.pth", pickle.dumps(what, protocol), {})
    with pytest.raises(WeightsError, match=r"best_model\.pth: damaged, .*refused and not executed"):
        weights.load(TINY, path)
    assert not mark.exists()


INSTRUCTIONS = {
    "INST": b"(ios\nsystem\n.",
    "OBJ": b"(N" + b"o.",
    "NEWOBJ": b"N)\x81.",
    "NEWOBJ_EX": b"N)}\x92.",
    "STACK_GLOBAL": text("os") + text("system") + b"\x93.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\x00.",
    "EXT4": b"\x84\x01\x00\x00\x00.",
    "PERSID": b"Pfile\n.",
    "BINBYTES": b"B\x02\x00\x00\x00ab.",
    "FROZENSET": b"(\x91.",
    "DUP": b"N2.",
    "MEMOIZE": b"N\x94.",
    "LONG4": b"\x8b\x01\x00\x00\x00\x01.",
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_any_other_instruction_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.pth", b"\x80\x02" + INSTRUCTIONS[name], {})
    with pytest.raises(ValueError, match=f"not executed: .*instruction {name},"):
        read_torch(path, 2**24)


KEPT = storage("0", "f4", 6)
GOOD = tensor(KEPT, (6,), (1,))
#: Name → an object, what is said.
OBJECTS = {
    "no dictionary": (b"N.", "no dictionary of tensors"),
    "nothing": (b".", "more or less than one"),
    "two values": (b"NN.", "more or less than one"),
    "an open mark": (b"}(.", "more or less than one"),
    "empty": (b"}.", "no dictionary of tensors"),
    "a list": (b"].", "no dictionary of tensors"),
    "a number": (b"}" + text("a") + b"K\x01s.", "a is no tensor"),
    "a dictionary": (b"}" + text("model") + b"}s.", "model is no tensor"),
    "itself": (b"}q\x00" + text("a") + b"h\x00s.", "a is no tensor"),
    "a name": (b"}" + text("a") + b"ctorch\nFloatStorage\ns.", "a is no tensor"),
    "key no text": (b"}K\x01" + GOOD + b"s.", "int where str belongs"),
    "odd pairs": (b"}(" + text("a") + b"u.", "damaged"),
    "below the mark": (b"}" + text("a") + b"(" + GOOD + b"su.", "damaged"),
    "not remembered": (b"h\x05.", "damaged"),
    "nothing to append to": (b"(e.", "damaged"),
    "append to a tuple": (b")Na.", "tuple where list belongs"),
    "attributes of a tensor": (GOOD + b"}b.", "tensor where dict belongs"),
    "attributes no dictionary": (b"}Nb.", "nonetype where dict belongs"),
    "attributes of a name": (b"ctorch\nFloatStorage\n}b.", "name where dict belongs"),
    "call of a number": (b"K\x01)R.", "int where name belongs"),
    "call of a storage": (b"ctorch\nFloatStorage\n)R.", r"calls torch\.FloatStorage otherwise"),
    "filled when made": (b"ccollections\nOrderedDict\n]\x85R.", "calls collections.OrderedDict"),
    "tensor of a number": (tensor(b"K\x01", (6,), (1,)) + b".", "int where storage belongs"),
    "tensor of text": (tensor(text("a"), (6,), (1,)) + b".", "str where storage belongs"),
    "beyond": (tensor(KEPT, (7,), (1,)) + b".", "reaches beyond its storage 0"),
    "offset beyond": (tensor(KEPT, (), (), 6) + b".", "reaches beyond its storage 0"),
    "strides beyond": (tensor(KEPT, (3, 2), (1, 4)) + b".", "reaches beyond its storage 0"),
    "backwards": (tensor(KEPT, (2,), (-1,), 5) + b".", "size or place that no file has"),
    "negative offset": (tensor(KEPT, (1,), (1,), -1) + b".", "size or place that no file has"),
    "too few strides": (tensor(KEPT, (3, 2), (1,)) + b".", "not as many strides as axes"),
    "too many axes": (tensor(KEPT, (1,) * 9, (1,) * 9) + b".", "or too many"),
    "shape no tuple": (GOOD.replace(b"(J\x06\x00\x00\x00t", b"]") + b".", "list where tuple"),
    "shape of truth": (GOOD.replace(b"(J\x06\x00\x00\x00t", b"\x88\x85") + b".", "bool where int"),
    "no storage": (b")Q.", "something that is no storage"),
    "view of a storage": (KEPT[:-2] + b"K\x01tQ.", "something that is no storage"),
    "a module": (KEPT.replace(b"storage", b"modules") + b".", "something that is no storage"),
    "of dictionaries": (
        KEPT.replace(b"ctorch\nFloatStorage", b"ccollections\nOrderedDict") + b".",
        "something that is no storage",
    ),
    "of two types": (KEPT + storage("0", "f8", 6) + b".", "0 is described in two ways"),
    "of two lengths": (KEPT + storage("0", "f4", 7) + b".", "0 is described in two ways"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_any_other_object_is_refused(tmp_path: Path, name: str) -> None:
    pickled, message = OBJECTS[name]
    path = zipped(tmp_path / "best_model.pth", b"\x80\x02" + pickled, {"0": bytes(24)})
    with pytest.raises(WeightsError, match=message):
        weights.load(TINY, path)


def test_bombs_do_not_go_off(tmp_path: Path) -> None:
    # a tuple that holds twice a tuple that holds twice …: 2 ** 5000 values, were they walked
    doubled = b")" + b"".join(b"q\x00h\x00\x86" for _ in range(5000))
    for pickled, message in (
        (doubled + b".", "no dictionary"),
        (b"}" + doubled + b"Ns.", "tuple where str"),
        (b"(N" + doubled + b"NNNtQ.", "tuple where name"),
        (b"}" + text("a") + doubled + b"s.", "a is no tensor"),
        (b"N0" * 2**20 + b".", "instruction POP"),
        (b"]q\x00" + b"h\x00a" * 2**20 + b".", "longer than"),
        (b"X\xff\xff\xff\xffa.", "damaged|expected"),
        (b"r\xff\xff\xff\xff.", "damaged"),
        (tensor(KEPT, (2**30, 2**30), (0, 0)) + b".", "no dictionary"),
        (state({"a": tensor(KEPT, (2**30, 2**30), (0, 0))}), "claims to hold"),
        (state({"a": tensor(KEPT, (0, 2**31 - 1, 2**31 - 1, 2**31 - 1), (0,) * 4)}), "too big|dim"),
        (state({"a": tensor(storage("0", "f4", 2**31 - 1), (6,), (1,))}), "has 24 bytes, not 85"),
    ):
        path = zipped(tmp_path / "a.pth", b"\x80\x02" + pickled, {"0": bytes(24)})
        with pytest.raises(ValueError, match=message):
            read_torch(path, 2**24)
