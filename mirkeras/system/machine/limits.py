"""What a container and the system allow a process: known before native code ends for want of it.

Of a container the limits of its control groups count (Linux, both versions). They hold for all
groups within, so those of every group around the process do.
"""

import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MIB = 2**20
#: Address space, measured: NumPy, librosa and their threads; TensorFlow besides.
LIGHT, WITH_TENSORFLOW = 400 * MIB, 3300 * MIB
FILES, USUAL_FILES = 24, 1024  # open at once: without many --jobs; what systems allow

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


def require_files() -> None:
    """Raise a low limit of open files if that is allowed; else end the program in one line."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = USUAL_FILES if hard == resource.RLIM_INFINITY else min(hard, USUAL_FILES)
    if soft < most and soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft < FILES and soft != resource.RLIM_INFINITY:
        sys.exit(
            f"error: this process may open {soft} files (`ulimit -n`), at least {FILES} are "
            "needed; allow more"
        )


def require_address_space(size: int) -> None:
    """End the program in one line if `ulimit -v` allows less."""
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < size:
        sys.exit(
            f"error: this process may use {allowed // MIB} MiB of address space (`ulimit -v`), at "
            f"least {size // MIB} MiB are needed; allow more"
        )


def require_threads() -> None:
    """End the program in one line if the threads of numerical libraries cannot be started."""
    enough, many = threading.Event(), 3 * (os.cpu_count() or 1) + 4
    started: list[threading.Thread] = []
    with suppress(RuntimeError):
        for _ in range(many):
            thread = threading.Thread(target=enough.wait, daemon=True)
            thread.start()
            started.append(thread)
    enough.set()
    for thread in started:
        thread.join()
    if len(started) < many:
        sys.exit(
            f"error: only {len(started)} threads can be started, at least {many} are needed; "
            "allow more processes (`ulimit -u`) or memory (`ulimit -v`), or close other programs"
        )
