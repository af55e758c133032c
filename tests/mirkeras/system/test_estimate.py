"""How long work will take, told before and while it is done."""

from dataclasses import dataclass

import pytest

from mirkeras.system.estimate import Estimate, Pace, Remaining, in_bytes, spoken


@dataclass(frozen=True)
class Work:
    kind: str
    epochs: int = 10
    runs: int = 1
    done: int = 0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drive(
    jobs: list[Work], places: int, around: float, epoch: float, known: dict, epochs: int = 10
) -> tuple[list[tuple[float, float | None]], float]:
    """Simulate jobs that all have so many epochs: (time, what is said to be left), the end."""
    clock = Clock()
    estimate, waiting, said = Estimate(known, clock), list(jobs), []
    events: list[tuple[float, int, int]] = []  # when, job, epoch (0: it ends)
    running, number = {}, 0
    while waiting or running:
        while waiting and len(running) < places:
            running[number] = waiting.pop(0)
            estimate.begun(number, running[number])
            events += [(clock.now + around + epoch * n, number, n) for n in range(1, epochs + 1)]
            events.append((clock.now + around + epoch * epochs + 0.001, number, 0))
            number += 1
        events.sort()
        clock.now, key, n = events.pop(0)
        if n:
            estimate.heard(key, {"epoch": n, "loss": 1.0})
        else:
            del running[key]
            estimate.ended(key, True)
        said.append((clock.now, estimate.left(waiting, places)))
    return said, clock.now


@pytest.mark.parametrize("places", [1, 2, 3])
@pytest.mark.parametrize("epochs", [10, 4])
def test_what_is_known_is_told_and_comes_true(places: int, epochs: int) -> None:
    jobs = [Work("a")] * 7
    known = {"a": Pace(before=5, epoch=2, epochs=epochs)}
    before = Estimate(known, Clock()).left(jobs, places)
    said, end = drive(jobs, places, 5, 2, known, epochs)
    assert before == pytest.approx(end, rel=0.01)
    assert all(now + left == pytest.approx(end, rel=0.03) for now, left in said)


def test_what_is_seen_corrects_what_was_known() -> None:
    said, end = drive([Work("a")] * 20, 2, 5, 2, {"a": Pace(before=1, epoch=8, epochs=10)})
    early = next(left for now, left in said if now > 0.05 * end)
    late = next(left for now, left in said if now > 0.5 * end)
    assert early == pytest.approx(0.95 * end, rel=0.7)
    assert late == pytest.approx(0.5 * end, rel=0.1)


def test_without_knowledge_the_second_epoch_tells() -> None:
    said, end = drive([Work("a")] * 8, 2, 3, 2, {})
    assert said[0][1] is None
    assert all(now + left == pytest.approx(end, rel=0.25) for now, left in said[4:])


def test_jobs_without_epochs_are_known_by_those_that_ended() -> None:
    clock = Clock()
    estimate = Estimate(clock=clock)
    groups = [Work("svm", epochs=1, runs=20)] * 3
    estimate.begun(0, groups[0])
    clock.now = 40
    assert estimate.left(groups[1:], 1) is None
    estimate.ended(0, True)
    assert estimate.left(groups[1:], 1) == pytest.approx(80)


def test_several_runs_in_a_job_are_done_part_by_part() -> None:
    estimate = Estimate({"svm": Pace(3, 0, 0)}, Clock())
    job = Work("svm", epochs=1, runs=100)
    assert estimate.left([job], 1) == 300
    estimate.begun(0, job)
    estimate.heard(0, {"part": 0.1})
    assert estimate.left([], 1) == pytest.approx(270)


def test_what_follows_the_last_epoch_is_left_to_the_end() -> None:
    clock = Clock()
    estimate = Estimate({"a": Pace(5, 2, 3, after=60)}, clock)
    estimate.begun(0, Work("a", epochs=3))
    assert estimate.left([], 1) == 5 + 6 + 60
    for epoch in (1, 2, 3):
        clock.now = 5 + 2 * epoch
        estimate.heard(0, {"epoch": epoch, "loss": 1.0})
        assert estimate.left([], 1) == pytest.approx(60 + 2 * (3 - epoch))
    clock.now += 50
    estimate.ended(0, True)
    assert estimate.pace("a").after == 50
    assert estimate.left([Work("a", epochs=3)], 1) == pytest.approx(5 + 6 + 50)


def test_what_surrounds_epochs_is_learned_for_all_kinds() -> None:
    clock = Clock()
    estimate = Estimate({"a": Pace(1, 1, 2), "b": Pace(2, 9, 4)}, clock)
    estimate.begun(0, Work("a", epochs=2))
    for clock.now, epoch in ((6.0, 1), (7.0, 2)):
        estimate.heard(0, {"epoch": epoch, "loss": 1.0})
    assert estimate.pace("b") == Pace(2 + 4, 9, 4, 0)
    clock.now = 10
    estimate.ended(0, True)
    assert estimate.pace("b") == Pace(2 + 4, 9, 4, 3)
    assert estimate.left([Work("b", epochs=9)], 1) == pytest.approx(6 + 36 + 3)


def test_within_the_first_epoch_its_part_counts() -> None:
    estimate = Estimate({"a": Pace(5, 100, 2)}, Clock())
    estimate.begun(0, Work("a"))
    estimate.heard(0, {"part": 0.25})
    assert estimate.left([], 1) == pytest.approx(175)


def test_what_failed_says_nothing() -> None:
    clock = Clock()
    estimate = Estimate(clock=clock)
    estimate.begun(0, Work("a"))
    clock.now = 1
    estimate.ended(0, False)
    assert estimate.left([Work("a")], 1) is None


def test_a_run_that_goes_on_counts_from_where_it_was() -> None:
    clock = Clock()
    estimate = Estimate({"a": Pace(5, 2, 100)}, clock)
    estimate.begun(0, Work("a", epochs=100))
    clock.now = 7
    estimate.heard(0, {"epoch": 91, "loss": 1.0})
    assert estimate.left([], 1) == pytest.approx(2 * 9)
    clock.now = 8
    estimate.heard(0, {"part": 0.5})
    assert estimate.left([], 1) == pytest.approx(2 * 8.5)


def test_what_an_earlier_process_did_is_not_counted_again() -> None:
    estimate = Estimate({"a": Pace(5, 2, 60)}, Clock())
    assert estimate.left([Work("a", epochs=100, done=50)], 1) == pytest.approx(5 + 2 * 10)
    # beyond what is likely, some more
    assert estimate.left([Work("a", epochs=100, done=80)], 1) == pytest.approx(5 + 2 * 8)
    assert estimate.left([Work("a", epochs=100, done=99)], 1) == pytest.approx(5 + 2 * 1)


def test_a_kind_that_is_unknown_counts_as_the_others() -> None:
    estimate = Estimate({"a": Pace(0, 1, 10)}, Clock())
    assert estimate.left([Work("a"), Work("b")], 1) == pytest.approx(20)


@pytest.mark.parametrize("at_once", [1, 4])
def test_things_of_unlike_weight(at_once: int) -> None:
    """The first of each process hold its start, and say nothing."""
    clock = Clock()
    weights = [1, 9, 2, 3] * 25
    remaining = Remaining(sum(weights), at_once, clock)
    clock.now = 30
    for number, weight in enumerate(weights):
        clock.now += weight * (number >= at_once)
        remaining.add(weight)
        left = sum(weights[number + 1 :])
        if number >= at_once:
            assert remaining.left() == pytest.approx(left)
        else:
            assert remaining.left() is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0123, "0.012 s"), (3, "3 s"), (3.14, "3.1 s"), (12.3, "12 s"),
     (99, "99 s"), (99.6, "2 min"), (5400, "90 min"), (12_000, "3 h 20 min"),
     (36_000, "10 h"), (37_900, "11 h"), (270_000, "3 days 3 h")],
)  # fmt: skip
def test_times_in_words(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(2_500, "2 kB"), (999_000, "999 kB"), (1e6, "1 MB"), (31.4e6, "31 MB"), (1.24e9, "1.2 GB")],
)
def test_sizes_as_people_say_them(number: float, words: str) -> None:
    assert in_bytes(number) == words
