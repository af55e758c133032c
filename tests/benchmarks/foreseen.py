"""How far the estimate of a command's time is from the truth, at 5, 10, 25 and 50 % of the work.

``python -m tests.benchmarks.foreseen train PAPER …`` (or ``features …``, ``tag …``): runs that
command as it is, notes what its bar would say is left, and compares that with what was left.
Nothing else should run beside it, from the first line of the plan on.
"""

import sys
import time

from mirkeras.cli.app import main
from mirkeras.system import jobs
from mirkeras.system.estimate import Estimate, Remaining

SHARES = (0.05, 0.1, 0.25, 0.5)


class Notes:
    """When the work began and ended, and what was said to be left in between."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.said: list[tuple[float, float]] = []

    def begin(self) -> None:
        """Note the beginning, once."""
        self.began = self.began or time.monotonic()

    def say(self, seconds: float | None) -> None:
        """Note what is left."""
        self.ended = time.monotonic()
        if seconds is not None and self.began:
            self.said.append((self.ended, seconds))


def watch(notes: Notes) -> None:
    """Let all estimates be noted; the wave of runs that was begun last counts."""
    begun, left = Estimate.begun, Estimate.left
    begin, remaining = Remaining.__init__, Remaining.left

    def first(self: Estimate, key: object, job: object) -> None:
        if job.name != "timing steps" and job.epochs:
            notes.begin()
        begun(self, key, job)

    def created(self: Remaining, *arguments: object) -> None:
        notes.begin()
        begin(self, *arguments)

    def noted(self: Estimate, *arguments: object) -> float | None:
        notes.say(seconds := left(self, *arguments))
        return seconds

    def counted(self: Remaining) -> float | None:
        notes.say(seconds := remaining(self))
        return seconds

    Estimate.begun, Estimate.left = first, noted
    Remaining.__init__, Remaining.left = created, counted
    jobs.LONG_PAUSE = 0.2


def report(notes: Notes) -> None:
    """Print what was said at each share of the work, and how far off it was."""
    total = notes.ended - notes.began
    print(f"\nthe work took {total:.0f} s; said to be left at")
    for share in SHARES:
        at = notes.began + share * total
        when, said = next(((t, left) for t, left in notes.said if t >= at), (0.0, 0.0))
        if when:
            true = notes.ended - when
            print(
                f"  {(when - notes.began) / total:5.1%}: {said:6.0f} s, it was {true:6.0f} s: "
                f"{said / true - 1 if true else 0:+.0%}"
            )


if __name__ == "__main__":
    found = Notes()
    watch(found)
    status = main(sys.argv[1:])
    report(found)
    sys.exit(status)
