"""Arrays of PyTorch's files (`.pth`), read without PyTorch and without executing their pickle.

Both layouts of `torch.save` are read. Since PyTorch 1.6 a file is a zip archive, nothing in it
compressed:

    <any>/data.pkl       pickle, protocol 2: name → tensor, a tensor by the key of its storage
    <any>/data/<key>     a storage: raw numbers
    <any>/byteorder      little or big; little where it is missing

Before (Won et al. wrote theirs with 1.2) it is a sequence: pickles of a magic number, a version,
facts on the machine, the dictionary and the list of storage keys; then, per key, the number of
values as 8 bytes, and the values (`torch/serialization.py` of pytorch/pytorch).

A pickle is a program. `pickletools` disassembles it, and `_Reader` follows the few instructions
that a dictionary of tensors needs. The names that it may ask for stand in `_NAMES`; none of them is
imported, and calling one means to note down what it describes.
"""

import math
import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from mirkeras.system.errors import shown

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_ZIP = b"PK\x03\x04"
_LONGEST = 2**20  # bytes of a pickle; that of a network of 72 arrays has 10,000
_MOST_AXES = 8
_ORDERS = {b"little": "<", b"big": ">"}

_ORDERED = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
#: Storages and the types of their values; those that NumPy has.
_TYPES = {
    f"torch {name}Storage": np.dtype(kind)
    for name, kind in (
        *(("Double", "f8"), ("Float", "f4"), ("Half", "f2")),
        *(("Long", "i8"), ("Int", "i4"), ("Short", "i2"), ("Char", "i1")),
        *(("Byte", "u1"), ("Bool", "?")),
    )
}
_NAMES = frozenset({_ORDERED, _TENSOR, *_TYPES})


@dataclass(frozen=True)
class _Name:
    """What a pickle would import."""

    text: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    values: int

    @property
    def size(self) -> int:
        return self.values * self.dtype.itemsize


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage, counted in values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch(path: Path, largest: int) -> dict[str, np.ndarray]:
    """Read the tensors of a state dictionary that `torch.save` wrote, in either layout.

    Parameters
    ----------
    largest : int
        Bytes that all arrays together may have.

    Returns
    -------
    dict
        Name → array of its own, in the machine's byte order, row by row.

    Raises
    ------
    ValueError, KeyError, EOFError, zipfile.BadZipFile
        The file is cut short, contradicts itself, holds more than `largest`, something else than
        named tensors, or its pickle asks for something that those do not need.
    """
    if path.stat().st_size > largest:
        raise ValueError(f"it has {path.stat().st_size:,} bytes, more than {largest:,}")
    with open(path, "rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    tensors, raw, order = (_from_zip if zipped else _from_sequence)(path, largest)
    size = sum(math.prod(t.shape) * t.storage.dtype.itemsize for t in tensors.values())
    if size > largest:
        raise ValueError(f"it claims to hold {size:,} bytes, more than {largest:,}")
    return {
        name: _array(tensor, raw[tensor.storage.key], order) for name, tensor in tensors.items()
    }


_Parts = tuple[dict[str, _Tensor], dict[str, bytes], str]  # by name; by key; byte order, < or >


def _from_zip(path: Path, largest: int) -> _Parts:
    with zipfile.ZipFile(path) as file:
        members = file.infolist()
        if packed := [m.filename for m in members if m.compress_type != zipfile.ZIP_STORED]:
            raise ValueError(f"{shown(packed[0])} is compressed, which PyTorch never does")
        if sum(member.file_size for member in members) > largest:
            raise ValueError(f"it claims to hold more than {largest:,} bytes")
        homes = [name[: -len("data.pkl")] for name in file.namelist() if name.endswith("/data.pkl")]
        if len(homes) != 1:
            raise ValueError(f"it holds {len(homes)} members data.pkl instead of one")
        pickle = file.read(f"{homes[0]}data.pkl")
        reader = _Reader()
        tensors = _named_tensors(reader.read(BytesIO(pickle)))
        raw = {key: file.read(f"{homes[0]}data/{key}") for key in reader.storages}
        written = f"{homes[0]}byteorder"
        byteorder = file.read(written) if written in file.namelist() else b"little"
    if byteorder not in _ORDERS:
        raise ValueError("it does not say the order of bytes")
    for key, storage in reader.storages.items():
        _check_length(storage, len(raw[key]))
    return tensors, raw, _ORDERS[byteorder]


def _from_sequence(path: Path, largest: int) -> _Parts:
    file = BytesIO(path.read_bytes())
    if (_Reader().read(file), _Reader().read(file)) != (_MAGIC, _VERSION):
        raise ValueError("it does not begin as a file of PyTorch does")
    facts = _Reader().read(file)
    if not isinstance(facts, dict) or not isinstance(facts.get("little_endian"), bool):
        raise ValueError("it does not say the order of bytes")
    order = "<" if facts["little_endian"] else ">"
    reader = _Reader()
    tensors = _named_tensors(reader.read(file))
    keys = _Reader().read(file)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("it does not list its storages")
    if len(keys) != len(reader.storages) or {*keys} != reader.storages.keys():
        raise ValueError("the storages that it lists are not those of its tensors")
    raw = {}
    for key in keys:
        storage = reader.storages[key]
        values = int.from_bytes(file.read(8), "little" if order == "<" else "big")
        if values != storage.values:
            raise ValueError(f"storage {shown(key)} has {values} values, not {storage.values}")
        raw[key] = file.read(storage.size)
        _check_length(storage, len(raw[key]))
    if file.read(1):
        raise ValueError("something follows its last storage")
    return tensors, raw, order


def _check_length(storage: _Storage, found: int) -> None:
    if found != storage.size:
        raise ValueError(f"storage {shown(storage.key)} has {found} bytes, not {storage.size}")


def _named_tensors(found: object) -> dict[str, _Tensor]:
    if not isinstance(found, dict) or not found:
        raise ValueError("it holds no dictionary of tensors")
    for name, tensor in found.items():
        if not isinstance(tensor, _Tensor):
            raise ValueError(f"{shown(name)} is no tensor")
    return found


def _array(tensor: _Tensor, raw: bytes, order: str) -> np.ndarray:
    dtype = tensor.storage.dtype
    values = np.frombuffer(raw, dtype.newbyteorder(order))
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, dtype)
    strides = [step * dtype.itemsize for step in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides)
    return view.astype(dtype, order="C")


class _Reader:
    """Follows a pickle: values on a stack, as pickle has it, but names stay names.

    Values are numbers, text, None, tuples, lists, dictionaries with names as keys, `_Name`,
    `_Storage` and `_Tensor`. No value is printed or compared as a whole: tuples of a hostile pickle
    that hold each other twice would take for ever.
    """

    def __init__(self) -> None:
        self.storages: dict[str, _Storage] = {}
        self._stack: list = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def read(self, file: BytesIO) -> object:
        """Read one pickle, and leave the file behind it."""
        begin = file.tell()
        try:
            for opcode, argument, place in pickletools.genops(file):
                if place - begin > _LONGEST:
                    raise ValueError(f"its pickle is longer than {_LONGEST:,} bytes")
                if opcode.name not in _STEPS:
                    raise ValueError(
                        f"refused and not executed: its pickle has the instruction {opcode.name}, "
                        "which no arrays need"
                    )
                _STEPS[opcode.name](self, argument)
        except (IndexError, KeyError) as error:  # nothing on the stack, nothing remembered
            raise ValueError("its pickle is damaged") from error
        if len(self._stack) != 1 or self._marks:
            raise ValueError("its pickle leaves more or less than one value")
        return self._stack.pop()

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self, kind: type) -> object:
        return _of_kind(self._last(1)[0], kind)

    def _top(self, kind: type) -> object:
        return _of_kind(self._stack[-1], kind)

    def _mark(self, _: None) -> None:
        self._marks.append(len(self._stack))

    def _since_mark(self) -> list:
        mark = self._marks.pop()
        found = self._stack[mark:]
        del self._stack[mark:]
        return found

    def _name(self, text: str) -> None:
        if text not in _NAMES:
            name = shown(text.replace(" ", ".", 1))[:100]
            raise ValueError(
                f"refused and not executed: its pickle asks for {name}, which no arrays need"
            )
        self._push(_Name(text))

    def _put(self, number: int) -> None:
        self._memo[number] = self._stack[-1]

    def _get(self, number: int) -> None:
        self._push(self._memo[number])

    def _last(self, count: int) -> list:
        """Take the uppermost values, none from below a mark."""
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise IndexError
        found = self._stack[-count:]
        del self._stack[-count:]
        return found

    def _append(self, values: list) -> None:
        self._top(list).extend(values)

    def _set(self, pairs: list) -> None:
        if len(pairs) % 2:
            raise IndexError
        target = self._top(dict)
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[_of_kind(name, str)] = value

    def _build(self, _: None) -> None:
        """Drop the attributes of a dictionary: PyTorch notes versions of modules there."""
        self._pop(dict)
        self._top(dict)

    def _persistent(self, _: None) -> None:
        """Note a storage down: "storage", its type, key, device, number of values[, None]."""
        found = self._pop(tuple)
        if len(found) not in (5, 6) or found[5:] not in ((), (None,)):
            raise ValueError("its pickle names something that is no storage")
        word, name, key, device, values = found[:5]
        kind = _TYPES.get(_of_kind(name, _Name).text)
        if _of_kind(word, str) != "storage" or kind is None or not isinstance(device, str):
            raise ValueError("its pickle names something that is no storage")
        storage = _Storage(_of_kind(key, str), kind, _count(values))
        if self.storages.setdefault(storage.key, storage) != storage:
            raise ValueError(f"storage {shown(key)} is described in two ways")
        self._push(storage)

    def _reduce(self, _: None) -> None:
        """Call a name: OrderedDict() is a dictionary, the other makes a tensor."""
        arguments, name = self._pop(tuple), self._pop(_Name).text
        if name == _ORDERED and not arguments:
            self._push({})
        elif name == _TENSOR and len(arguments) == 6:  # with gradient and hooks, not used
            self._push(_view(*arguments[:4]))
        else:
            raise ValueError(f"its pickle calls {name.replace(' ', '.')} otherwise than PyTorch")


def _view(storage: object, offset: object, shape: object, strides: object) -> _Tensor:
    found = _Tensor(
        _of_kind(storage, _Storage),
        _count(offset),
        tuple(map(_count, _of_kind(shape, tuple))),
        tuple(map(_count, _of_kind(strides, tuple))),
    )
    if len(found.shape) != len(found.strides) or len(found.shape) > _MOST_AXES:
        raise ValueError("a tensor has not as many strides as axes, or too many")
    steps = zip(found.shape, found.strides, strict=True)
    last = found.offset + sum((length - 1) * step for length, step in steps)
    if 0 not in found.shape and last >= found.storage.values:
        raise ValueError(f"a tensor reaches beyond its storage {shown(found.storage.key)}")
    return found


def _of_kind(value: object, kind: type) -> object:
    if type(value) is not kind:
        names = (each.__name__.strip("_").lower() for each in (type(value), kind))
        raise ValueError("its pickle has {} where {} belongs".format(*names))
    return value


def _count(value: object) -> int:
    if not 0 <= _of_kind(value, int) < 2**40:
        raise ValueError("its pickle has a size or place that no file has")
    return value


#: The instructions of a pickled dictionary of tensors, protocol 2, and what follows them.
_STEPS: dict[str, Callable[[_Reader, object], None]] = {
    **dict.fromkeys(("PROTO", "STOP"), lambda reader, _: None),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"), _Reader._push),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Reader._put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Reader._get),
    "NONE": _Reader._push,
    "NEWTRUE": lambda reader, _: reader._push(True),
    "NEWFALSE": lambda reader, _: reader._push(False),
    "EMPTY_TUPLE": lambda reader, _: reader._push(()),
    "EMPTY_LIST": lambda reader, _: reader._push([]),
    "EMPTY_DICT": lambda reader, _: reader._push({}),
    "MARK": _Reader._mark,
    "TUPLE": lambda reader, _: reader._push(tuple(reader._since_mark())),
    "TUPLE1": lambda reader, _: reader._push(tuple(reader._last(1))),
    "TUPLE2": lambda reader, _: reader._push(tuple(reader._last(2))),
    "TUPLE3": lambda reader, _: reader._push(tuple(reader._last(3))),
    "APPEND": lambda reader, _: reader._append(reader._last(1)),
    "APPENDS": lambda reader, _: reader._append(reader._since_mark()),
    "SETITEM": lambda reader, _: reader._set(reader._last(2)),
    "SETITEMS": lambda reader, _: reader._set(reader._since_mark()),
    "GLOBAL": _Reader._name,
    "BINPERSID": _Reader._persistent,
    "REDUCE": _Reader._reduce,
    "BUILD": _Reader._build,
}
