"""`mirkeras report`: the site, once or again and again while runs are trained."""

import time
from pathlib import Path

from mirkeras.site.write import Places, write_site
from mirkeras.system.errors import UsageError, shown
from mirkeras.system.machine import device

SECONDS = 2.0  # between two looks at the runs
WATCHED = ("run.json", "log.csv")


def report(places: Places, watch: bool = False) -> None:
    """Write the site; with `watch` again whenever a run begins, ends an epoch, or finishes.

    Raises
    ------
    UsageError
        There is nothing to watch or to show; the folder of the site holds something else.
    """
    if watch and not places.runs.is_dir():
        raise UsageError(f"{places.runs}: no such folder to watch; train first, or give --runs")
    device.configure()
    while True:
        seen = _state(places.runs) if watch else ()
        print(shown(write_site(places)), flush=True)
        if not watch:
            return
        while _state(places.runs) == seen:
            time.sleep(SECONDS)


def _state(runs: Path) -> tuple:
    """Say what there is of runs, and when it was last written."""
    return tuple(
        (str(path), status.st_mtime_ns, status.st_size)
        for path in sorted(runs.rglob("*"))
        if path.name in WATCHED
        for status in [path.stat()]
    )
