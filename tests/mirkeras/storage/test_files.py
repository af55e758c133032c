"""Files are whole or absent; run directories belong to one process at a time."""

import errno
import multiprocessing
import threading
from pathlib import Path

import pytest

from mirkeras.experiment.runs import claimed
from mirkeras.storage.files import sweep, whole_file, write_text
from mirkeras.system.errors import EXPECTED, explained


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")

    def fill_the_disk() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half of the n")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(OSError, match="No space left"):
        fill_the_disk()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_explained() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "runs/x/checkpoint.npz")
    assert isinstance(error, EXPECTED)
    message = explained(error)
    assert "runs/x/checkpoint.npz" in message
    assert "finished work is kept" in message
    assert explained(error, kept=False).endswith("make room, then run the same command again")
    missing = OSError(errno.ENOENT, "No such file or directory", "/proc/x")
    assert "choose another folder" in explained(missing)
    assert "kept" not in explained(missing)


def hold(directory: Path, ready, release) -> None:
    with claimed(directory):
        ready.set()
        release.wait(20)


def test_a_second_process_waits_and_says_so(tmp_path: Path, capsys) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=hold, args=(tmp_path, ready, release))
    holder.start()
    assert ready.wait(20)
    threading.Timer(0.3, release.set).start()
    with claimed(tmp_path):
        assert release.is_set()  # entered only after the holder let go
    holder.join()
    assert "another process trains this run" in capsys.readouterr().err


def test_rests_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    rest = tmp_path / ".checkpoint.1234abcd.part.npz"
    rest.touch()
    with claimed(tmp_path):
        assert not rest.exists()


def test_only_rests_of_the_files_named_are_swept(tmp_path: Path) -> None:
    rests = [".o2.0123abcd.part.csv", ".x.0123abcd.part"]
    others = [".o2.b.deadbeef.part.csv", ".o2.0123abc.part.csv", ".o2.0123abcd.part.png", "o2.csv"]
    for name in [*rests, *others]:
        (tmp_path / name).touch()
    sweep(tmp_path, {"o2.csv", "x"})
    sweep(tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
