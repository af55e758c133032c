"""What a container allows, on folders like those of its control groups."""

from pathlib import Path

import pytest

from mirkeras.system import processes
from mirkeras.system.machine import device, limits

NONE = "9223372036854771712\n"  # what version 1 has where there is no limit


def made(folder: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    for name, content in files.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "own").write_text(membership)
    return folder / "groups", folder / "own"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3.0),
        ("0::/a/b\n", {"a/b/cpu.max": "200000 50000\n", "a/cpu.max": "300000 100000\n"}, 3.0),
        ("0::/../host\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/\n", {"cpu.max": "nonsense\n"}, None),
        ("4:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
                               "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 4.0),
        ("4:cpuacct,cpu:/docker/x\n", {"cpu/cpu.cfs_quota_us": "250000\n",
                                       "cpu/cpu.cfs_period_us": "100000\n"}, 2.5),
        ("4:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1\n",
                             "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("4:memory:/\n", {"memory/cpu.max": "100000 100000\n"}, None),
    ],
)  # fmt: skip
def test_a_quota_of_processor_time(
    tmp_path: Path, membership: str, files: dict, expected: float | None
) -> None:
    assert limits.cpu_quota(*made(tmp_path, membership, files)) == expected


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"memory.max": "1000\n", "memory.current": "700\n",
                    "memory.stat": "anon 400\ninactive_file 250\n"}, 550),
        ("0::/\n", {"memory.max": "max\n", "memory.current": "700\n",
                    "memory.stat": "inactive_file 0\n"}, None),
        ("0::/a\n", {"a/memory.max": "max\n", "a/memory.current": "5\n", "memory.max": "100\n",
                     "memory.current": "120\n", "memory.stat": "inactive_file 0\n"}, 0),
        ("9:memory:/docker/x\n", {"memory/memory.limit_in_bytes": "1000\n",
                                  "memory/memory.usage_in_bytes": "900\n",
                                  "memory/memory.stat": "total_inactive_file 300\n"}, 400),
        ("9:memory:/\n", {"memory/memory.limit_in_bytes": NONE,
                          "memory/memory.usage_in_bytes": "900\n",
                          "memory/memory.stat": "total_inactive_file 300\n"}, int(NONE) - 600),
    ],
)  # fmt: skip
def test_what_is_left_of_a_limit_of_memory(
    tmp_path: Path, membership: str, files: dict, expected: int | None
) -> None:
    assert limits.memory_left(*made(tmp_path, membership, files)) == expected


def test_elsewhere_nothing_is_limited(tmp_path: Path) -> None:
    assert limits.cpu_quota(tmp_path, tmp_path / "none") is None
    assert limits.memory_left(tmp_path, tmp_path / "none") is None


@pytest.mark.parametrize(("quota", "cores"), [(None, 8), (0.4, 1), (1.5, 1), (3.0, 3), (64.0, 8)])
def test_jobs_share_what_a_container_may_use(monkeypatch, quota: float | None, cores: int) -> None:
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(limits, "cpu_quota", lambda: quota)
    assert processes.usable_cores() == cores
    assert device.find().cores == cores


def test_memory_is_what_machine_and_container_leave(monkeypatch) -> None:
    monkeypatch.setattr(limits, "memory_left", lambda: None)
    everything = device.free_memory()
    assert everything > 2**20
    monkeypatch.setattr(limits, "memory_left", lambda: 2**20)
    assert device.free_memory() == 2**20
    monkeypatch.setattr(limits, "memory_left", lambda: 2**60)
    assert device.free_memory() < 2**60
