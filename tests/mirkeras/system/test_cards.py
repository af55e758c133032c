"""Which GPUs there are, in all the words that name them, and who is on which."""

import os
import random
from pathlib import Path

import pytest

from mirkeras.system import processes
from mirkeras.system.jobs import Job, Processes, run_all
from mirkeras.system.machine import cards, device
from mirkeras.system.machine.cards import Card, Places, spread
from tests.fake_gpus import GIB, A, B, C, install, machine, seen_by_tensorflow


def keys(found: list[Card]) -> list[str]:
    return [card.key for card in found]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [A, B, C]),
        ("0,2", [A, C]),
        (" 2 , 0", [C, A]),
        (C, [C]),
        (f"{C},{A}", [C, A]),
        ("GPU-ab", [B]),  # the beginning of a name will do
        ("GPU-a", []),  # of two
        ("GPU-none", []),
        ("", []),
        ("-1", []),
        ("0,-1,1", [A]),  # CUDA reads no further
        ("1,7,0", [B]),
        ("1,1", [B]),
        ("NoDevFiles", []),
        ("none", []),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(
    monkeypatch, tmp_path: Path, visible: str | None, expected: list[str]
) -> None:
    machine(tmp_path, monkeypatch, {A: 8, B: 9, C: 10})
    if visible is not None:
        monkeypatch.setenv(cards.VISIBLE, visible)
    assert keys(cards.found()) == expected
    sizes = {A: 8 * GIB, B: 9 * GIB, C: 10 * GIB}
    assert [card.free for card in cards.found()] == [sizes[key] for key in expected]
    # what a process is given means the same card to it
    for key in expected:
        monkeypatch.setenv(cards.VISIBLE, key)
        assert keys(cards.found()) == [key]


def test_a_number_is_no_card_where_cuda_counts_otherwise(monkeypatch, tmp_path: Path) -> None:
    machine(tmp_path, monkeypatch, {A: 8, B: 9})
    monkeypatch.setenv(cards.ORDER, "FASTEST_FIRST")
    assert keys(cards.found()) == [A, B]
    monkeypatch.setenv(cards.VISIBLE, "1")
    assert cards.found() == []
    assert cards.as_seen(["NVIDIA T"]) == [Card("1", "NVIDIA T")]


DIVIDED = f"""\
GPU 0: NVIDIA A100 (UUID: {A})
  MIG 3g.20gb     Device  0: (UUID: MIG-1111)
  MIG 1g.5gb      Device  1: (UUID: MIG-2222)
GPU 1: NVIDIA A100 (UUID: {B})
"""


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["MIG-1111", "MIG-2222", B]),
        ("MIG-2222", ["MIG-2222"]),
        ("1", [B]),
        ("0", ["MIG-1111"]),  # CUDA sees the first part
    ],
)
def test_parts_of_a_gpu_are_cards(monkeypatch, tmp_path: Path, visible, expected) -> None:
    install(tmp_path, monkeypatch, DIVIDED, f"{A}, [N/A]\n{B}, 40000\n")
    if visible:
        monkeypatch.setenv(cards.VISIBLE, visible)
    found = cards.found()
    assert keys(found) == expected
    for card in found:
        assert card.free == (40000 * 2**20 if card.key == B else None)
        assert card.name == {"MIG-1111": "NVIDIA A100 MIG 3g.20gb", "MIG-2222": "NVIDIA A100 MIG "
                             "1g.5gb", B: "NVIDIA A100"}[card.key]  # fmt: skip


@pytest.mark.parametrize("code", ["exit 9", "sleep 5", "echo oops; exit 0", None])
def test_without_an_answer_the_framework_decides(monkeypatch, tmp_path: Path, code) -> None:
    monkeypatch.setattr(cards, "PATIENCE", 0.3)
    install(tmp_path, monkeypatch, f"GPU 0: T (UUID: {A})\n", code=code or "")
    if code is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    assert cards.found() == []
    assert cards.as_seen(["T", "T"]) == [Card("0", "T"), Card("1", "T")]
    monkeypatch.setenv(cards.VISIBLE, "5,GPU-x")
    assert keys(cards.found()) == ["5", "GPU-x"]
    assert cards.as_seen(["T", "T"]) == [Card("5", "T"), Card("GPU-x", "T")]
    assert cards.as_seen([]) == []


def test_a_card_that_does_not_say_holds_no_features(monkeypatch, tmp_path: Path) -> None:
    machine(tmp_path, monkeypatch, {A: "[N/A]", B: "[Insufficient Permissions]"})
    assert [(card.free, card.budget) for card in cards.found()] == [(None, 0)] * 2


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["big", "old", "big"], [A, B, C]),
        (["big", "big"], [A, C]),  # too old for the framework
        ([], []),  # it was installed without CUDA
    ],
)
def test_only_what_the_framework_sees_is_given_away(
    monkeypatch, tmp_path: Path, names, expected
) -> None:
    kinds = ["big", "old", "big"]
    lines = [f"GPU {n}: {k} (UUID: {u})\n" for n, (k, u) in enumerate(zip(kinds, (A, B, C)))]  # noqa: B905
    install(tmp_path, monkeypatch, "".join(lines))
    if names:
        seen_by_tensorflow(monkeypatch, *names)
    assert keys(device.cards_seen()) == expected


MACHINES = {
    "one": [Card("a", "T", 8 * GIB)],
    "three": [Card(key, "T", 8 * GIB) for key in "abc"],
    "uneven": [Card("a", "S", 2 * GIB), Card("b", "L", 80 * GIB), Card("c", "M", 24 * GIB)],
    "one says nothing": [Card("a", "S"), Card("b", "L", 80 * GIB)],
    "one in use": [Card("a", "T", GIB // 2), Card("b", "T", 8 * GIB), Card("c", "T", 7 * GIB)],
    "all in use": [Card("a", "T", GIB // 2), Card("b", "T", GIB // 4)],
}


@pytest.mark.parametrize("jobs", range(1, 6))
@pytest.mark.parametrize("name", MACHINES)
def test_runs_are_spread_and_share_what_a_card_has(name: str, jobs: int) -> None:
    found = MACHINES[name]
    shares = spread(found, jobs)
    assert sum(share.runs for share in shares) == jobs
    counts = [share.runs for share in shares]
    assert max(counts) - min(counts) <= 1
    free = [share.card.free or 0 for share in shares]
    assert free == sorted(free, reverse=True)  # the emptiest first
    if name == "one in use":
        assert "a" not in keys([share.card for share in shares])
    elif jobs >= len(found):
        assert len(shares) == len(found)
    for share in shares:
        assert share.budget * share.runs <= share.card.budget
        assert share.budget == share.card.budget // share.runs


@pytest.mark.parametrize("jobs", range(1, 6))
@pytest.mark.parametrize("name", MACHINES)
def test_no_card_ever_has_more_runs_than_share_it(name: str, jobs: int) -> None:
    """Whichever places are freed, in whatever order."""
    places, order = Places(MACHINES[name], jobs), random.Random(jobs)
    most = {share.card.key: share for share in spread(MACHINES[name], jobs)}
    taken: list[int] = []
    for _ in range(200):
        while len(taken) < jobs:
            taken.append(places.take())
            on = [places.variables(number)[cards.VISIBLE] for number in taken]
            for key in on:
                assert on.count(key) <= most[key].runs
                budget = places.variables(taken[on.index(key)])[processes.BUDGET]
                assert int(budget) == most[key].budget
        for _ in range(order.randint(1, jobs)):
            places.leave(taken.pop(order.randrange(len(taken))))


def test_where_there_is_no_gpu_nothing_is_given() -> None:
    places = Places([], 4)
    assert places.variables(places.take()) == {}


def tell(folder: Path, name: str, report) -> None:
    names = (cards.VISIBLE, processes.BUDGET)
    (folder / name).write_text(" ".join(os.environ.get(name, "none") for name in names))
    if name == "dies":
        os._exit(9)
    if name == "fails":
        raise ValueError("no such luck")


def set_up() -> None:
    pass


LONG = pytest.mark.long  # processes that start TensorFlow


@LONG
@pytest.mark.parametrize("visible", [None, f"{B},{C}", ""])
def test_each_process_sees_its_card_and_this_one_keeps_its_own(
    monkeypatch, tmp_path: Path, visible: str | None
) -> None:
    machine(tmp_path, monkeypatch, {A: 8, B: 16, C: 4})
    if visible is not None:
        monkeypatch.setenv(cards.VISIBLE, visible)
    before, hands = dict(os.environ), Processes(3)
    (tmp_path / "told").mkdir()
    names = ["dies", "fails", "third", "fourth", "fifth"]
    work = [Job(name, 0, tell, (tmp_path / "told", name)) for name in names]
    failed = run_all(work, hands, set_up)
    assert sorted(job.name for job, _ in failed) == ["dies", "fails"]
    assert dict(os.environ) == before
    told = {path.name: path.read_text().split() for path in (tmp_path / "told").iterdir()}
    if visible == "":
        assert set(map(tuple, told.values())) == {("none",)}
        return
    # the emptiest card has two runs where three are on two cards
    budgets = {None: {A: 2 * GIB, B: 4 * GIB, C: GIB}, f"{B},{C}": {B: 2 * GIB, C: GIB}}[visible]
    assert {key: int(budget) for key, budget in told.values()} == budgets
    first = [told[name][0] for name in names[:3]]
    assert first == ([B, A, C] if visible is None else [B, C, B])
    assert set(hands._cards._taken) == {0}  # every place is free again
