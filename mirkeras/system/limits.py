"""What a container allows of the machine: the limits of its control groups (Linux, both versions).

A group's limits hold for all groups within it, so those of every group around the process count.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def cpu_quota(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """Return how many cores' time the process may use; None if as much as there is.

    Parameters
    ----------
    groups : Path
        Where control groups are mounted.
    membership : Path
        File that says which groups the process is in.
    """
    return _least(_cores, _around(groups, membership, "cpu"))


def memory_left(groups: Path = GROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Return how many bytes more the process may use; None if as much as there is."""
    return _least(_bytes_left, _around(groups, membership, "memory"))


def _around(groups: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Go through the folders of the groups around the process that may limit something."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # version 2 names no controllers; version 1 is mounted under their names, all or each
        mounts = (controllers, controller) if controllers else ("", "unified")
        parts = [part for part in place.split("/") if part not in ("", "..")]
        for mount in dict.fromkeys(mounts):
            for depth in range(len(parts) + 1):
                yield groups.joinpath(mount, *parts[:depth])


def _least(limit: Callable[[Path], float | None], folders: Iterator[Path]) -> float | None:
    found = []
    for folder in folders:
        try:
            found.append(limit(folder))
        except (OSError, ValueError, LookupError):  # no such group here, or no such limit
            continue
    return min((value for value in found if value is not None), default=None)


def _cores(folder: Path) -> float | None:
    if (folder / "cpu.max").exists():
        quota, period = (folder / "cpu.max").read_text().split()
    else:
        quota, period = (
            (folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
        )
    return None if quota == "max" or int(quota) <= 0 else int(quota) / int(period)


def _bytes_left(folder: Path) -> int | None:
    second = (folder / "memory.max").exists()
    names = ("max", "current") if second else ("limit_in_bytes", "usage_in_bytes")
    limit, used = ((folder / f"memory.{name}").read_text().strip() for name in names)
    if limit == "max":
        return None
    # what was read of files is dropped when memory is wanted
    counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    droppable = counts["inactive_file" if second else "total_inactive_file"]
    return max(0, int(limit) - max(0, int(used) - int(droppable)))
