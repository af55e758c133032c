"""What the system allows a process, looked at before native code would end it for want of more."""

import os
import resource
import sys
import threading
from contextlib import suppress

MIB = 2**20
#: Address space, measured: NumPy, librosa and their threads; TensorFlow besides.
LIGHT, WITH_TENSORFLOW = 400 * MIB, 3300 * MIB


FILES, USUAL_FILES = 24, 1024  # open at once: without many --jobs; what systems allow


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
