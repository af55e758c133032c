"""How long work will take: from what is known of its kind, better with every piece that ends."""

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import Protocol

#: A bar of tqdm whose postfix is what is `still` left: its own guess knows less.
BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
#: As many epochs, or ended jobs, as what was known before weighs beside what is seen.
_TRUST = 2
#: A job that goes on beyond its likely epochs gets this share of what it has had.
_BEYOND = 0.1


class Work(Protocol):
    """What an `Estimate` asks of a job, see `mirkeras.system.jobs.Job`."""

    kind: str
    epochs: int
    runs: int
    done: int


@dataclass(frozen=True)
class Pace:
    """How long a job of a kind takes.

    Attributes
    ----------
    before, after : float
        Seconds before its first epoch (a process begins, a first step is prepared) and after its
        last (predictions); of jobs without epochs all of it is before.
    epoch : float
        Seconds per epoch; 0 for jobs without.
    epochs : float
        How many it will likely have.
    """

    before: float
    epoch: float
    epochs: float
    after: float = 0.0


@dataclass
class _Under:
    """A job under way: its epochs, those of an earlier process included."""

    job: Work
    begun: float
    last: float
    done: int = 0
    heard: int = 0
    part: float = 0.0


@dataclass
class _Seen:
    """What was seen of a kind: sums, and how many they are of."""

    epochs: int = 0
    seconds: float = 0.0
    firsts: int = 0
    until_first: float = 0.0
    ended: int = 0
    all_epochs: int = 0
    after: float = 0.0
    plain: int = 0  # runs without epochs
    plain_seconds: float = 0.0


class Estimate:
    """The time that jobs of several kinds still need.

    Parameters
    ----------
    known : mapping
        What is known before, by kind.
    clock : callable
        () → seconds.
    """

    def __init__(
        self, known: Mapping[str, Pace] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._known, self._clock = dict(known or {}), clock
        self._seen: dict[str, _Seen] = {}
        self._running: dict[Hashable, _Under] = {}

    def begun(self, key: Hashable, job: Work) -> None:
        """A job has begun."""
        now = self._clock()
        self._running[key] = _Under(job, now, now)

    def heard(self, key: Hashable, line: Mapping) -> None:
        """A job says that an epoch has ended, or how far it is."""
        one, now = self._running[key], self._clock()
        one.part = line.get("part", 0.0)
        if "epoch" not in line:
            return
        seen = self._seen.setdefault(one.job.kind, _Seen())
        if one.heard:
            seen.epochs, seen.seconds = seen.epochs + 1, seen.seconds + now - one.last
        else:  # one that goes on counts from where it was
            one.done = int(line["epoch"]) - 1
            seen.firsts, seen.until_first = seen.firsts + 1, seen.until_first + now - one.begun
        one.done, one.heard, one.last = one.done + 1, one.heard + 1, now

    def ended(self, key: Hashable, done: bool) -> None:
        """A job has ended; one that failed says nothing of its kind."""
        one, now = self._running.pop(key), self._clock()
        if not done:
            return
        seen = self._seen.setdefault(one.job.kind, _Seen())
        if one.heard:
            seen.ended, seen.all_epochs = seen.ended + 1, seen.all_epochs + one.done
            seen.after += now - one.last
        else:
            seen.plain += one.job.runs
            seen.plain_seconds += now - one.begun

    def pace(self, kind: str) -> Pace | None:
        """How long jobs of a kind take, as far as is known by now."""
        known, seen = self._known.get(kind), self._seen.get(kind, _Seen())
        if known is None and not seen.epochs + seen.plain:
            return None
        trust = _TRUST if known else 0
        known = known or Pace(0.0, 0.0, 0.0)
        before, epoch, epochs, after = known.before, known.epoch, known.epochs, known.after
        if seen.epochs:
            epoch = (trust * epoch + seen.seconds) / (trust + seen.epochs)
        if seen.ended:
            epochs = (trust * epochs + seen.all_epochs) / (trust + seen.ended)
        # what surrounds the epochs (a process, a disk) is much the same for all kinds
        before = self._before(kind, epoch) if seen.firsts else before + self._surplus("before")
        after = seen.after / seen.ended if seen.ended else after + self._surplus("after")
        if seen.plain:
            before = seen.plain_seconds / seen.plain
        return Pace(before, epoch, epochs or math.inf, after)

    def _before(self, kind: str, epoch: float) -> float:
        """Seconds before the first epoch, as seen: until it ended, without itself."""
        seen = self._seen[kind]
        return max(0.0, seen.until_first / seen.firsts - epoch)

    def _surplus(self, where: str) -> float:
        """How much longer than was known it took before, or after, the epochs of other kinds."""
        found = []
        for kind, seen in self._seen.items():
            known = self._known.get(kind)
            if known and where == "before" and seen.firsts:
                found.append(self._before(kind, known.epoch) - known.before)
            elif known and where == "after" and seen.ended:
                found.append(seen.after / seen.ended - known.after)
        return max(0.0, sum(found) / len(found)) if found else 0.0

    def left(self, waiting: Sequence[Work], places: int) -> float | None:
        """Seconds until the jobs under way and those that wait are done.

        Parameters
        ----------
        places : int
            How many are done at once.

        Returns
        -------
        float or None
            None if nothing is known of any. Of a kind that is unknown a job takes as long as the
            mean of the others.
        """
        if not (waiting or self._running):
            return 0.0
        paces = {kind: self.pace(kind) for kind in {job.kind for job in waiting}}
        costs = [_cost(job, paces[job.kind]) for job in waiting]
        rests = [self._rest(one) for one in self._running.values()]
        known = [seconds for seconds in (*costs, *rests) if seconds is not None]
        if not known:
            return None
        usual = sum(known) / len(known)
        ends = [usual if rest is None else rest for rest in rests]
        ends += [0.0] * (max(1, places) - len(ends))
        heapify(ends)
        for cost in costs:
            heapreplace(ends, ends[0] + (usual if cost is None else cost))
        return max(ends)

    def _rest(self, one: _Under) -> float | None:
        """What a job under way still needs."""
        if (pace := self.pace(one.job.kind)) is None:
            return None
        if one.heard:
            still = _still(pace, one.job, one.done)
            return pace.epoch * max(0.0, still - one.part) + pace.after
        whole = _cost(one.job, pace)
        if not one.part:
            return max(0.0, whole - (self._clock() - one.begun))
        if not pace.epoch:  # several runs, of which so many are done
            return whole * (1 - one.part)
        return max(0.0, whole - pace.before - one.part * pace.epoch)


def _cost(job: Work, pace: Pace | None) -> float | None:
    if pace is None:
        return None
    return pace.before * job.runs + pace.epoch * _still(pace, job, job.done) + pace.after


def _still(pace: Pace, job: Work, done: int) -> float:
    """How many epochs a job will still have."""
    return max(0.0, min(max(pace.epochs, done * (1 + _BEYOND)), job.epochs) - done)


class Remaining:
    """The time that many things of known weights still need, done by several at once.

    What the first of them took is left out: it holds the start of the processes.

    Parameters
    ----------
    total : float
        All weights together, e.g. bytes of files.
    at_once : int
        How many are done at once.
    """

    def __init__(
        self, total: float, at_once: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._first, self._clock = total, at_once, clock
        self._done = self._counted = 0.0
        self._began = 0.0

    def add(self, weight: float) -> None:
        """One is done."""
        self._done += weight
        if self._first:
            self._first, self._began = self._first - 1, self._clock()
        else:
            self._counted += weight

    def left(self) -> float | None:
        """Seconds, or None as long as nothing is known."""
        if not self._counted:
            return None
        return (self._clock() - self._began) / self._counted * max(0.0, self._total - self._done)


def still(seconds: float | None) -> str:
    """Say what is left; nothing where that is unknown, or nothing is."""
    return f"about {spoken(seconds)} left" if seconds else ""


def in_bytes(number: float) -> str:
    """Say a size: 3 kB, 31 MB, 1.2 GB."""
    if number < 1e6:
        return f"{number / 1e3:.0f} kB"
    return f"{number / 1e6:.0f} MB" if number < 1e9 else f"{number / 1e9:.1f} GB"


def spoken(seconds: float) -> str:
    """Say a time as people do: 0.35 s, 40 s, 12 min, 3 h 20 min, 4 days 3 h."""
    if seconds < 9.5:
        return f"{seconds:.2g} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 10:
        return f"{hours} h {minutes:02d} min"
    if hours < 72:
        return f"{hours + (minutes >= 30)} h"
    return f"{hours // 24} days {hours % 24} h"
