"""Files are whole or absent; run directories belong to one process at a time."""

import errno
import multiprocessing
import threading
from pathlib import Path

import pytest

from mirkeras.errors import expected_errors, explained
from mirkeras.files import whole_file, write_text
from mirkeras.runs import claimed


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
    assert isinstance(error, expected_errors())
    message = explained(error)
    assert "runs/x/checkpoint.npz" in message
    assert "finished work is kept" in message


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
    assert "another process trains this run" in capsys.readouterr().out


def test_rests_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    rest = tmp_path / ".checkpoint.1234abcd.part.npz"
    rest.touch()
    with claimed(tmp_path):
        assert not rest.exists()
