"""Work in several processes: all of it is done, or what is lost is named."""

import multiprocessing
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from mirkeras.storage.files import whole_file
from mirkeras.system import processes
from mirkeras.system.workers import MOST_LOST, WorkersLost, work


def answer(item: int) -> int:
    if item < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 1000:
        raise ValueError("1000 is too much")
    if item == 2000:
        raise MemoryError
    return item + 1


def begin_a_file(path: Path) -> None:
    with whole_file(path) as temporary:
        temporary.write_text("half")
        time.sleep(30)


@pytest.mark.parametrize(("items", "jobs"), [(range(20), 2), (range(2), 4), ([], 2), ([5], None)])
def test_every_item_is_done_once(items: list[int], jobs: int | None) -> None:
    assert sorted(work(answer, items, jobs)) == [item + 1 for item in items]
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_killed_process_was_at_is_named_and_the_rest_done(jobs: int) -> None:
    found = []
    results = work(answer, [2, -7, 3, 4, 5], jobs, name=lambda item: f"track {item}")
    with pytest.raises(WorkersLost, match=r"^track -7: the process at work .* --jobs"):
        found.extend(results)
    assert sorted(found) == [3, 4, 5, 6]


def test_where_all_are_killed_it_ends() -> None:
    items = [-1, -2, -3, -4, -5, -6]
    named = ", ".join(map(str, items[:MOST_LOST]))
    with pytest.raises(WorkersLost, match=f"^{named}: the process at work"):
        list(work(answer, items, 1))


@pytest.mark.parametrize(("item", "error"), [(1000, ValueError), (2000, MemoryError)])
def test_an_error_comes_back_with_its_place(item: int, error: type) -> None:
    with pytest.raises(error) as caught:
        list(work(answer, [0, item, 1], 2))
    assert "in answer" in caught.value.__notes__[-1]
    assert not multiprocessing.active_children()


def test_whoever_stops_early_leaves_nothing_half_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 20.0)  # a machine may be busy
    with closing(work(answer_or_write, [0, tmp_path], 2)) as done:
        assert next(done) == 1
        while not list(tmp_path.iterdir()):
            time.sleep(0.02)
    assert not list(tmp_path.iterdir())
    assert not multiprocessing.active_children()


def answer_or_write(item: int | Path) -> int | None:
    return answer(item) if isinstance(item, int) else begin_a_file(item / "file.txt")
