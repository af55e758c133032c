"""Whatever is written: a disk that fills is one error with the file's name, the old file stays."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from mirkeras.system.backend import keras

import numpy as np
import pytest
from matplotlib.figure import Figure

from data_prep.synthesis import making
from mirkeras.experiment import records
from mirkeras.report import figures
from mirkeras.storage import arrays, files
from mirkeras.system.errors import as_command
from mirkeras.training import fit
from mirkeras.transfer import song_features
from tests.full_disk import room


def numbers(rows: int = 1500) -> np.ndarray:
    return np.arange(4 * rows, dtype=np.float32).reshape(-1, 4)


def network() -> keras.Model:
    layers = [keras.Input((50,), name="in"), keras.layers.Dense(100, name="dense")]
    return keras.Sequential(layers, name="network")


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(-9999, 9999, 16_000, np.int16)


def drawing() -> Figure:
    figure = Figure()
    figure.subplots().imshow(np.random.default_rng(0).random((200, 200)))
    return figure


def make(folder: Path) -> None:
    about = {"name": "file", "comment": "1", "row": {}, "sample_rate": 8000, "samples": 16_000}
    track = SimpleNamespace(**about, play=noise)
    making._make_track(folder, track)


def song(folder: Path) -> None:
    cache = SimpleNamespace(fingerprint="", rejected=None)
    song_features._as_cache([numbers(), numbers()], folder / "file.rows", ["a"] * 1500, [cache], {})


WRITERS: dict[str, Callable[[Path], object]] = {
    "file.txt": lambda folder: files.write_text(folder / "file.txt", "words " * 4000),
    "run.json": lambda folder: records.write_record(folder, {"words": "words " * 4000}),
    "file.npz": lambda folder: arrays.write_archive(folder / "file.npz", a=numbers(), b=numbers()),
    "file.npy": lambda folder: arrays.write_rows(folder / "file.npy", [numbers(), numbers()]),
    "file.png": lambda folder: figures.save(drawing(), folder / "file.png"),
    "file.keras": lambda folder: fit.save_network(network(), folder / "file.keras"),
    "file.flac": make,
    "file.rows": song,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_what_was_there(name: str, tmp_path: Path, capsys):
    write, path = as_command(lambda: WRITERS[name](tmp_path) and 0), tmp_path / name
    WRITERS[name](tmp_path)
    whole = path.read_bytes()
    path.write_bytes(b"old")
    for size in (0, 1, 600, len(whole) // 2, len(whole) - 1):
        with room(size):
            assert write() == 1
        line = f"error: {path}: File too large; make room, then run the same command again"
        assert capsys.readouterr().err == f"{line}: finished work is kept\n"
        assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
    WRITERS[name](tmp_path)
    assert len(path.read_bytes()) == len(whole)


def test_rows_are_what_numpy_reads(tmp_path: Path) -> None:
    arrays.write_rows(tmp_path / "a.npy", [numbers(3), numbers(5)])
    read = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert read.dtype == np.float32
    assert read.tolist() == [*numbers(3).tolist(), *numbers(5).tolist()]
    np.save(tmp_path / "b.npy", read)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
