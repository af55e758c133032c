"""Jobs in processes: failures do not spread, death is explained."""

import os
import time
from io import StringIO
from pathlib import Path

import pytest
from tqdm import tqdm

from mirkeras.storage.files import write_text
from mirkeras.system import jobs
from mirkeras.system.jobs import Job, run_all
from tests.full_disk import room


def set_up() -> None:
    pass


def succeed(path: Path, report) -> None:
    report({"epoch": 1, "loss": 0.5, "val_accuracy": 0.5})
    path.touch()


def train(path: Path, report) -> None:
    report({"epoch": 1, "loss": 0.5, "accuracy": 0.5})
    path.touch()


def fail(report) -> None:
    raise ValueError("no such luck")


def die(report) -> None:
    os._exit(9)


def test_a_failing_job_leaves_the_others_alone(tmp_path: Path) -> None:
    jobs = [Job(f"job {n}", 1, succeed, (tmp_path / str(n),)) for n in range(4)]
    jobs.insert(1, Job("bad", 1, fail, ()))
    failed = run_all(jobs, 2, set_up)
    ((job, message),) = failed
    assert job.name == "bad"
    assert "ValueError: no such luck" in message
    assert all((tmp_path / str(n)).exists() for n in range(4))


def test_a_job_may_validate_by_nothing(tmp_path: Path) -> None:
    assert not run_all([Job("job", 1, train, (tmp_path / "done",))], 1, set_up)
    assert (tmp_path / "done").exists()


def test_a_job_that_trains_twice_counts_on() -> None:
    worker = jobs.Worker(Job("job", 6, train, ()), tqdm(total=6, disable=False, file=StringIO()))
    for epoch in (1, 2, 3, 1, 2, 3):
        worker.show({"epoch": epoch, "loss": 0.5})
        assert worker.bar.n <= 6
    assert worker.bar.n == 6


def test_a_killed_process_is_explained(tmp_path: Path) -> None:
    jobs = [Job("victim", 1, die, ()), Job("next", 1, succeed, (tmp_path / "next",))]
    ((job, message),) = run_all(jobs, 1, set_up)
    assert job.name == "victim"
    assert "ended from outside" in message
    assert (tmp_path / "next").exists()


def fill(folder: Path, report) -> None:
    with room(100):
        write_text(folder / "log.txt", "words " * 100)


def test_on_a_full_disk_nothing_more_is_begun(tmp_path: Path) -> None:
    jobs = [Job("first", 1, succeed, (tmp_path / "first",)), Job("full", 1, fill, (tmp_path,))]
    jobs += [Job("never", 1, succeed, (tmp_path / "never",))]
    ((job, message),) = run_all(jobs, 1, set_up)
    assert job.name == "full"
    assert message.startswith(f"{tmp_path / 'log.txt'}: File too large; make room, then run")
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


class ResourceExhaustedError(Exception):
    """As TensorFlow's."""


@pytest.mark.parametrize("error", [MemoryError("many"), ResourceExhaustedError("OOM\nby …")])
def test_a_want_of_memory_is_one_line(error: Exception) -> None:
    ((_, message),) = run_all([Job("large", 1, want, (error,))], 1, set_up)
    remedy = "close other programs or use fewer --jobs, then run the same command again"
    assert message == f"memory: Cannot allocate memory; {remedy}"


def want(error: Exception, report) -> None:
    raise error


def linger(folder: Path, report) -> None:
    (folder / "started").touch()
    for epoch in range(1, 600):
        time.sleep(0.05)
        report({"epoch": epoch, "loss": 0.5, "val_accuracy": 0.5})
        (folder / "alive").write_text(str(epoch))


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys

    code = (
        "from pathlib import Path; from tests.mirkeras.system.test_jobs import *;"
        f"run_all([Job('long', 600, linger, (Path({str(tmp_path)!r}),))], 1, set_up)"
    )
    root = Path(__file__).parents[3]
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=root, stderr=subprocess.DEVNULL)
    wait_for(lambda: (tmp_path / "alive").exists())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    time.sleep(0.5)
    last = (tmp_path / "alive").read_text()
    time.sleep(0.5)
    assert (tmp_path / "alive").read_text() == last


def wait_for(condition) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never happened")
