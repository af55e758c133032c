"""Files of PyTorch, written instruction by instruction, as `torch.save` of a state dictionary does.

A pickle is put together of the texts below; `Pickle.end` gives its bytes.
"""

import struct
import zipfile
from pathlib import Path

import numpy as np

MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
VERSION = b"\x80\x02M\xe9\x03."
FACTS = (  # of a little-endian machine
    b"\x80\x02}q\x00(X\x10\x00\x00\x00protocol_versionq\x01M\xe9\x03X\x0d\x00\x00\x00little_endian"
    b"q\x02\x88X\x0a\x00\x00\x00type_sizesq\x03}q\x04(X\x05\x00\x00\x00shortq\x05K\x02X\x03\x00\x00"
    b"\x00intq\x06K\x04X\x04\x00\x00\x00longq\x07K\x04uu."
)
STORAGES = {"f4": "Float", "f8": "Double", "f2": "Half", "i8": "Long", "u1": "Byte", "b1": "Bool"}


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word.encode())) + word.encode()


def whole(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def numbers(values: tuple[int, ...]) -> bytes:
    """A tuple of whole numbers."""
    return b"(" + b"".join(map(whole, values)) + b"t" if values else b")"


def ordered() -> bytes:
    return b"ccollections\nOrderedDict\n)R"


def storage(
    key: str, kind: str, values: int, device: str = "cuda:0", legacy: bool = False
) -> bytes:
    """A storage, kept outside the pickle."""
    named = b"ctorch\n" + STORAGES[kind].encode() + b"Storage\n"
    words = b"(" + text("storage") + named + text(key) + text(device) + whole(values)
    return words + b"N" * legacy + b"tQ"


def tensor(of: bytes, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    """A view of a storage."""
    called = b"ctorch._utils\n_rebuild_tensor_v2\n(" + of + whole(offset)
    return called + numbers(shape) + numbers(strides) + b"\x89" + ordered() + b"tR"


def state(tensors: dict[str, bytes]) -> bytes:
    """Pickle of a state dictionary; versions of modules are its attribute, as in true files."""
    pairs = b"".join(text(name) + value for name, value in tensors.items())
    versions = text("") + b"}" + text("version") + b"K\x01sss"
    attributes = b"}" + text("_metadata") + ordered() + versions
    return b"\x80\x02" + ordered() + b"q\x00(" + pairs + b"u" + attributes + b"b."


def steps_of(array: np.ndarray) -> tuple[int, ...]:
    return tuple(step // array.itemsize for step in array.strides)


def zipped(path: Path, pickle: bytes, raw: dict[str, bytes], byteorder: bytes = b"little") -> Path:
    """Write the layout of PyTorch 1.6 and later."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", pickle)
        file.writestr("archive/byteorder", byteorder)
        for key, content in raw.items():
            file.writestr(f"archive/data/{key}", content)
        file.writestr("archive/version", b"3\n")
    return path


def keys_of(raw: dict[str, bytes]) -> bytes:
    return b"\x80\x02](" + b"".join(map(text, raw)) + b"e."


def sequence(path: Path, pickle: bytes, raw: dict[str, bytes], itemsizes: dict[str, int]) -> Path:
    """Write the layout of PyTorch before 1.6, which Won et al. used."""
    content = MAGIC + VERSION + FACTS + pickle + keys_of(raw)
    for key, values in raw.items():
        content += struct.pack("<q", len(values) // itemsizes[key]) + values
    path.write_bytes(content)
    return path


def saved(path: Path, arrays: dict[str, np.ndarray], legacy: bool = False) -> Path:
    """Save arrays as tensors, each with a storage of its own."""
    tensors, raw, itemsizes = {}, {}, {}
    for number, (name, array) in enumerate(arrays.items()):
        key, kind = str(93_000 + number), array.dtype.str[1:]
        kept = storage(key, kind, array.size, legacy=legacy)
        tensors[name] = tensor(kept, array.shape, steps_of(np.array(array, order="C")))
        raw[key], itemsizes[key] = array.tobytes(), array.itemsize
    if legacy:
        return sequence(path, state(tensors), raw, itemsizes)
    return zipped(path, state(tensors), raw)
