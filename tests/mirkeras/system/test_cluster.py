"""Work on Dask's workers: the same as in processes, whatever is killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mirkeras.cli import options
from mirkeras.system.errors import UsageError
from mirkeras.system.jobs import BUSY, Busy, Job, run_all
from mirkeras.system.workers import WorkersLost, work
from tests.full_disk import room

pytest.importorskip("distributed")

from mirkeras.system.cluster import tasks, words
from mirkeras.system.cluster.client import Cluster

ROOT = Path(__file__).parents[3]
SLURM = "slurm:jobs=2,cores=1,memory=1GB,walltime=01:00:00,queue=gpu,account=mir,gres=gpu:1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three workers of this machine, one thread each or more."""
    made = Cluster(words.read("local:3"))
    made.share([tmp_path_factory.mktemp("shared")], [Path(__file__)])
    yield made
    made.close()


def set_up() -> None:
    pass


def first_time(marker: Path) -> bool:
    if marker.exists():
        return False
    marker.touch()
    return True


def succeed(folder: Path, name: str, report) -> None:
    report({"epoch": 1, "loss": 0.5, "val_accuracy": 0.5})
    (folder / name).write_text(f"{os.getppid()}")


def kill_the_worker(folder: Path, name: str, report) -> None:
    report({"epoch": 1, "loss": 0.5})
    if first_time(folder / "once"):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    succeed(folder, name, report)


def die(folder: Path, name: str, report) -> None:
    os._exit(9)


def fail(folder: Path, name: str, report) -> None:
    raise ValueError("no such luck")


def give_way(folder: Path, name: str, report) -> None:
    raise Busy("somebody is at it")


def fill(folder: Path, name: str, report) -> None:
    with room(100):
        (folder / name).write_text("words " * 100)


def jobs_of(folder: Path, *functions) -> list[Job]:
    return [
        Job(f"job {number}", 1, function, (folder, str(number)))
        for number, function in enumerate(functions)
    ]


def test_jobs_go_on_where_a_worker_was_killed_and_what_failed_is_told(cluster, tmp_path) -> None:
    functions = succeed, kill_the_worker, die, fail, give_way, succeed
    failed = dict(run_all(jobs_of(tmp_path, *functions), cluster, set_up))
    told = {job.name: message for job, message in failed.items()}
    assert list(sorted(told)) == ["job 2", "job 3", "job 4"]
    assert "ended from outside" in told["job 2"]
    assert "ValueError: no such luck" in told["job 3"]
    assert told["job 4"] == BUSY
    workers = {(tmp_path / name).read_text() for name in "015"}
    assert str(os.getpid()) not in workers


def measure(folder: Path, name: str, report) -> None:
    report({"part": 1.0, "row": "of a table", "steps": np.int64(7)})


def test_what_jobs_report_is_heard_here(cluster, tmp_path: Path) -> None:
    heard = []
    work = jobs_of(tmp_path, measure)
    assert run_all(work, cluster, set_up, heard=lambda *told: heard.append(told)) == []
    assert heard == [(work[0], {"part": 1.0, "row": "of a table", "steps": 7.0})]


def test_on_a_full_disk_nothing_more_is_begun(cluster, tmp_path: Path) -> None:
    work = jobs_of(tmp_path, *[fill] * 3, *[succeed] * 20)
    failed = run_all(work, cluster, set_up)
    assert {job.name for job, _ in failed} >= {"job 0"}
    assert "make room" in failed[0][1]
    assert len(list(tmp_path.iterdir())) < 20


def answer(item: Path | int) -> int:
    if isinstance(item, Path):
        if first_time(item):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return 0
    if item < 0:
        os._exit(9)
    if item == 1000:
        raise ValueError("1000 is too much")
    return item + 1


def test_every_item_is_answered_though_a_worker_is_killed(cluster, tmp_path: Path) -> None:
    items = [1, 2, tmp_path / "marker", 3, 4, 5, 6]
    assert sorted(work(answer, items, cluster)) == [0, 2, 3, 4, 5, 6, 7]


def test_what_kills_each_process_is_named_and_the_rest_done(cluster) -> None:
    found = []
    with pytest.raises(WorkersLost, match=r"^track -7: the process at work"):
        found.extend(work(answer, [2, -7, 3], cluster, lambda item: f"track {item}"))
    assert sorted(found) == [3, 4]


def test_an_error_comes_back_with_its_place(cluster) -> None:
    with pytest.raises(ValueError, match="too much") as caught:
        list(work(answer, [0, 1000, 1], cluster))
    assert "in answer" in caught.value.__notes__[-1]


def threads_and_memory(item: int) -> tuple:
    return os.environ.get("OMP_NUM_THREADS"), os.environ["MIRKERAS_THREADS"]


def test_a_process_has_the_commands_settings_not_those_of_dask(cluster) -> None:
    assert {one for one, _ in work(threads_and_memory, [1], cluster)} == {"1"}
    # a whole worker computes with threads of its own number, where nothing else was asked for
    assert {one for one, _ in work(threads_and_memory, [1], cluster, whole=True)} == {
        os.environ.get("OMP_NUM_THREADS")
    }


def tell_the_card(folder: Path, name: str, report) -> None:
    (folder / name).write_text(os.environ["CUDA_VISIBLE_DEVICES"])


def card_of(item: int) -> str:
    time.sleep(0.3)  # so that every worker has some
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_gpu_has_a_run_and_no_run_has_two(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    made = Cluster(words.read("local:3"))
    try:
        assert made.places() == 2  # the third worker extracts features only
        assert not run_all(jobs_of(tmp_path, *[tell_the_card] * 4), made, set_up)
        assert {*work(card_of, range(12), made)} == {"4", "7", ""}
    finally:
        made.close()
    assert {path.read_text() for path in tmp_path.iterdir()} == {"4", "7"}


def test_a_worker_with_several_gpus_is_refused(monkeypatch) -> None:
    made = Cluster(words.read("local:1"))
    found = made._workers
    monkeypatch.setattr(words.cards, "found", lambda: [words.cards.Card("4", "T")])
    monkeypatch.setattr(
        made,
        "_workers",
        lambda: {key: {**one, "resources": {"GPU": 2}} for key, one in found().items()},
    )
    try:
        with pytest.raises(UsageError, match=r"several GPUs.*CUDA_VISIBLE_DEVICES=N dask worker"):
            made.places()
    finally:
        made.close()


def terms(**changed) -> tasks.Terms:
    plain = tasks.Terms(os.urandom(4).hex(), tasks.versions(), tasks.settings(), {}, {})
    return replace(plain, **changed)


def test_a_worker_that_is_not_as_the_command_is_unfit(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "SEEN", 0)
    beacon = tmp_path / "beacon"
    assert not tasks.unfit(terms())
    other = {**tasks.versions(), "numpy": "0.1"}
    assert "numpy" in tasks.unfit(terms(versions=other))
    assert "this command 0.1: install the same" in tasks.unfit(terms(versions=other))
    unseen = tasks.unfit(terms(beacons={str(beacon): "here"}))
    assert (
        unseen == f"does not see what is written to {tmp_path}: use a folder that all machines"
        " share"
    )
    beacon.write_text("there")
    assert tasks.unfit(terms(beacons={str(beacon): "here"}))
    beacon.write_text("here")
    assert not tasks.unfit(terms(beacons={str(beacon): "here"}))
    assert str(beacon) in tasks.unfit(terms(sizes={str(beacon): 5}))
    assert not tasks.unfit(terms(sizes={str(beacon): 4, str(tmp_path): -1}))


def test_other_versions_are_refused_in_one_line_that_names_the_worker(monkeypatch) -> None:
    ours = tasks.versions()
    monkeypatch.setattr(tasks, "versions", lambda: {**ours, "keras": "2.4"})
    other = Cluster(words.read("local:1"))
    try:
        with pytest.raises(UsageError) as caught:
            list(work(answer, [1], other))
    finally:
        other.close()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("worker tcp://127.0.0.1:")
    assert f"has keras {ours['keras']}, this command 2.4: install the same" in str(caught.value)


def silent(listens: socket.socket) -> None:
    listens.accept()[0].recv(1000)
    time.sleep(3)


def chatter(listens: socket.socket) -> None:
    listens.accept()[0].sendall(b"SSH-2.0-OpenSSH_9.6\r\n" * 50)


@pytest.mark.parametrize(
    ("scheme", "answers"),
    [("tcp", None), ("tcp", silent), ("tcp", chatter), ("tls", None), ("http", None)],
)
def test_where_no_scheduler_answers_is_named(scheme, answers, monkeypatch) -> None:
    monkeypatch.setattr("mirkeras.system.cluster.client.PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listens:
        address = f"{scheme}://127.0.0.1:{listens.getsockname()[1]}"
        if answers:
            threading.Thread(target=answers, args=(listens,), daemon=True).start()
        else:
            listens.close()
        nobody = Cluster(words.read(address))
        with pytest.raises(UsageError, match=rf"^--cluster {address}: no scheduler answers"):
            nobody.places()
        assert nobody._client is None  # one that never connected ends in a traceback
        nobody.close()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "here",
            "tcp://",
            "tcp://host",
            "tcp://host:",
            "host:x",
            "Slurm:jobs=1",
            "tcp://a/b:1",
        ),
        *("local:", "local:0", "local:-1", "local:x", "local:²"),
        *("slurm:", "slurm:cpus=3", "slurm:jobs", "slurm:jobs=0", "slurm:cores=", "slurm:cores=x"),
        *("slurm:memory=16", "slurm:memory=0GB", "slurm:memory=-1GB", "slurm:memory=much"),
        *("slurm:gres=gpu:2", "slurm:gres=gpu:12", "slurm:gres=gpu:", "slurm:gres=gpu:a100:2"),
    ],
)
def test_words_that_say_nothing_known(text: str) -> None:
    with pytest.raises(ValueError, match=r"cluster|number|slurm|memory|GPU"):
        words.read(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "tcp://host:8786",
            "tls://10.0.0.1:1",
            "host:8786",
            "tcp://[::1]:8786",
            "local",
            "local:2",
        ),
        *("slurm", "slurm:jobs=2,cores=4,memory=16GB,walltime=1-0", "slurm:memory=1.5 GiB"),
        *("slurm:memory=16g", "slurm:gres=gpu", "slurm:gres=gpu:1", "slurm:gres=gpu:a100:1"),
    ],
)
def test_words_that_are_known(text: str) -> None:
    assert words.read(text).text == text


def test_it_is_told_once_that_no_worker_is_left(monkeypatch, capsys) -> None:
    monkeypatch.setattr("mirkeras.system.cluster.client.TURN", -1)
    one = Cluster(words.read("tcp://host:1"))
    found = iter([{"a worker": {}}, {}, {}])
    one._client = SimpleNamespace(scheduler_info=lambda n_workers: {"workers": next(found)})
    assert [len(one._workers()) for _ in range(3)] == [1, 0, 0]
    assert capsys.readouterr().err == "--cluster tcp://host:1: no worker is left, waiting for one\n"


def test_the_extra_is_named(monkeypatch, capsys) -> None:
    parser = options.command_parser("reproductions.any", "")
    options.add_cluster_option(parser, "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        pytest.raises(UsageError, match=r"pip install 'mirkeras\[cluster\]'"),
        options.hands(parser.parse_args(["--cluster", "local"])),
    ):
        pass


def test_jobs_of_slurm_say_what_was_asked_for() -> None:
    pytest.importorskip("dask_jobqueue")
    with words.slurm(words.read(SLURM)) as made:
        script = made.job_script()
    for line in ("-p gpu", "-A mir", "--cpus-per-task=1", "-t 01:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}\n" in script
    assert "--resources GPU=1" in script
    assert f"{sys.executable} -m distributed.cli.dask_worker tcp://" in script


def linger(folder: Path, name: str, report) -> None:
    for epoch in range(1, 600):
        time.sleep(0.05)
        report({"epoch": epoch, "loss": 0.5})
        (folder / name).write_text(str(epoch))


COMMAND = """
from pathlib import Path
from mirkeras.system import interrupts
interrupts.take_over()
from mirkeras.system.errors import as_command
from mirkeras.cli import options
from tests.mirkeras.system.test_cluster import *

@as_command
def main():
    parser = options.command_parser("reproductions.any", "")
    options.add_cluster_option(parser, "")
    with options.hands(parser.parse_args(["--cluster", sys.argv[1]])) as whose:
        folder = Path(sys.argv[2])
        whose.share([folder])
        work = jobs_of(folder, *[globals()[name] for name in sys.argv[3:]])
        return len(run_all(work, whose, set_up))

if __name__ == "__main__":
    sys.exit(main())
"""


def command(*arguments: object, **settings: str) -> subprocess.Popen:
    given = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    # not those that a scheduler of this process left
    own = {name: value for name, value in os.environ.items() if "DASK_" not in name}
    own |= {"PYTHONPATH": str(ROOT), **settings}
    options = {"cwd": ROOT, "env": own, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(given, **options)


def wait_for(condition) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never happened")


SBATCH = """#!/bin/sh
cp "$1" "$1.job"  # as SLURM does: its file is deleted at once
bash "$1.job" > "$1.log" 2>&1 &
echo $! >> "$FAKE/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill $(pgrep -P "$1") "$1"
echo "$1" >> "$FAKE/cancelled"
"""


#: It takes one job and no more.
SBATCH_OF_ONE = """#!/bin/sh
mkdir "$FAKE/one" 2>/dev/null || { echo "sbatch: error: no more
than one" >&2; exit 1; }
"""


def slurm_at(folder: Path, sbatch: str) -> dict[str, str]:
    """Put programs there that do as SLURM's; returns variables that let a command find them."""
    pytest.importorskip("dask_jobqueue")
    for name, script in {"sbatch": sbatch, "scancel": SCANCEL, "squeue": "#!/bin/sh\n"}.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "FAKE": str(folder)}


@pytest.mark.parametrize("where", ["local:2", SLURM])
def test_ctrl_c_is_one_line_and_the_workers_end(where: str, tmp_path: Path) -> None:
    settings = slurm_at(tmp_path, SBATCH) if where == SLURM else {}
    stopped = command(where, tmp_path, "linger", "linger", **settings)
    wait_for(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists())
    stopped.send_signal(signal.SIGINT)
    _, error = stopped.communicate(timeout=30)
    assert stopped.returncode == 130
    assert error.strip().splitlines()[-1:] == [
        "stopped; finished work is kept, the same command goes on"
    ]
    assert "Traceback" not in error
    time.sleep(2)
    last = (tmp_path / "0").read_text()
    time.sleep(0.5)
    assert (tmp_path / "0").read_text() == last


def test_what_slurm_would_start_does_the_work_and_is_cancelled(tmp_path: Path) -> None:
    settings, out = slurm_at(tmp_path, SBATCH), tmp_path / "out"
    done = command(SLURM, out, *["succeed"] * 3, **settings)
    _, error = done.communicate(timeout=120)
    assert done.returncode == 0, error
    assert sorted(path.name for path in out.iterdir()) == ["0", "1", "2"]
    begun = (tmp_path / "jobs").read_text().split()
    assert sorted((tmp_path / "cancelled").read_text().split()) == sorted(begun)
    assert len(begun) == 2


def test_what_slurm_says_against_a_job_is_told_and_the_others_are_cancelled(tmp_path) -> None:
    settings = slurm_at(tmp_path, SBATCH_OF_ONE + SBATCH.removeprefix("#!/bin/sh"))
    refused = command(SLURM, tmp_path / "out", "succeed", **settings)
    _, error = refused.communicate(timeout=120)
    assert refused.returncode == 1
    assert error.endswith("SLURM did not take its jobs: sbatch: error: no more; than one\n")
    assert "Traceback" not in error
    assert (tmp_path / "cancelled").read_text() == (tmp_path / "jobs").read_text()


def test_where_all_jobs_of_slurm_have_ended_so_does_the_command(tmp_path: Path) -> None:
    # Dask waits some seconds for a worker to come back
    settings = {**slurm_at(tmp_path, SBATCH), "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1s"}
    out = tmp_path / "out"
    left = command(SLURM.replace("jobs=2", "jobs=1"), out, "linger", **settings)
    wait_for(lambda: (out / "0").exists())
    for job in (tmp_path / "jobs").read_text().split():
        subprocess.run(["pkill", "-KILL", "-P", job], check=True)
    _, error = left.communicate(timeout=60)
    assert left.returncode == 1
    assert "all its workers have ended (killed, or their time was over)" in error
    assert "Traceback" not in error


def test_local_workers_leave_the_commands_variables_alone() -> None:
    before = dict(os.environ)
    made = words.started(words.read("local:1"))
    made.close()
    assert dict(os.environ) == before
