"""What a run's process has of its machine: threads, a GPU, a share of its memory."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from mirkeras.cli import train
from mirkeras.experiment.setting import Setting
from mirkeras.system import processes
from mirkeras.system.machine import cards, device
from mirkeras.system.machine.cards import Places
from tests.fake_gpus import GIB, A, B, machine

ASKED = Setting(Path(), Path(), {}, (), (), "", "", 1, None, False)


@pytest.fixture
def two(monkeypatch, tmp_path: Path) -> None:
    machine(tmp_path, monkeypatch, {A: 8, B: 16})


def test_a_run_is_recorded_with_its_own_card_and_holds_its_share(monkeypatch, two) -> None:
    places = Places(device.cards_seen(), 3)  # two on the emptier card
    for key, budget in ((B, 2 * GIB), (A, 2 * GIB), (B, 2 * GIB)):
        with processes.variables(places.variables(places.take())):
            assert [card.key for card in device.cards_seen()] == [key]
            here = ASKED.here()
            assert here.memory_budget == budget
            assert here.hardware.endswith("cores, NVIDIA T")
            # what was asked for is for each run, as it is
            assert replace(ASKED, memory_budget=5).here().memory_budget == 5


def test_a_worker_of_a_cluster_has_its_card_to_itself(monkeypatch, two) -> None:
    monkeypatch.setenv(cards.VISIBLE, B)
    assert ASKED.here().memory_budget == 4 * GIB
    monkeypatch.setenv(processes.SHARING, "2")  # where workers were started without GPUs
    assert ASKED.here().memory_budget == 2 * GIB


@pytest.mark.parametrize("budget", [None, 7])
def test_a_command_leaves_card_and_budget_to_its_runs(two, budget: int | None) -> None:
    arguments = argparse.Namespace(cluster=None, jobs=2, memory_budget=budget)
    means = train._means(arguments)
    assert (means["hardware"], means["memory_budget"]) == ("", budget)


@pytest.mark.parametrize("budget", [None, 7])
def test_without_gpus_it_divides_main_memory(monkeypatch, budget: int | None) -> None:
    monkeypatch.setattr(device, "cards_seen", list)
    monkeypatch.setattr(device, "free_memory", lambda: 16 * GIB)
    arguments = argparse.Namespace(cluster=None, jobs=2, memory_budget=budget)
    means = train._means(arguments)
    assert means["hardware"].endswith("no GPU")
    assert means["memory_budget"] == (2 * GIB if budget is None else budget)
