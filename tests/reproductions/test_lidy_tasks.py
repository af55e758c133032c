"""The MIREX tasks: what is declared adds up, and lists that differ are refused by name."""

import pytest

from mirkeras.system.errors import UsageError
from reproductions.lidy_mirex2016 import tasks
from reproductions.lidy_mirex2016.tasks import TASKS, check


def listed(name: str, **changes: int) -> dict[str, str]:
    """Make a full list of a task, classes as even as they go; `changes` sets files of a class."""
    task = TASKS[name]
    labels = task.classes or [f"class {number}" for number in range(task.labels)]
    share, more = divmod(task.files, task.labels)
    counts = {label: share + (place < more) for place, label in enumerate(labels)} | changes
    return {
        f"/audio/{label}/{number}.wav": label
        for label, count in counts.items()
        for number in range(count)
    }


def relabelled(name: str, old: str, new: str) -> dict[str, str]:
    return {path: new if label == old else label for path, label in listed(name).items()}


def test_the_six_tasks_have_their_sizes() -> None:
    assert {task.name: (task.files, task.labels) for task in TASKS.values()} == {
        "composer": (2772, 11),
        "genre": (7000, 10),
        "latin": (3227, 10),
        "mood": (600, 5),
        "kpop-mood": (1438, 5),
        "kpop-genre": (1894, 7),
    }


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_declarations_add_up(task: tasks.Task) -> None:
    assert task.source
    assert len(task.classes) in (0, task.labels)
    assert len({tasks.plain(name) for name in task.classes}) == len(task.classes)
    assert task.per_class in (None, task.files / task.labels)


def test_what_is_special_is_declared() -> None:
    told = {name: task.summary for name, task in TASKS.items()}
    assert {name for name in told if told[name].endswith("classes; album filter")} == {"composer"}
    two = {name for name in told if "classes, American or Korean labels; artist" in told[name]}
    assert two == {"kpop-mood", "kpop-genre"}
    assert {task.name for task in TASKS.values() if not task.classes} == {"latin"}


@pytest.mark.parametrize("name", TASKS)
def test_a_full_list_passes(name: str) -> None:
    check(TASKS[name], listed(name))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("genre", "Hip-Hop", "hiphop"),
        ("genre", "Country/Western", "country western"),
        ("genre", "HardRock/Metal", "hard_rock_metal"),
        ("composer", "Dvorak", "Dvořák"),
        ("kpop-genre", "R&B", "RB"),
        ("mood", "Cluster_3", "cluster 3"),
    ],
)
def test_labels_may_be_spelt_otherwise(name: str, old: str, new: str) -> None:
    check(TASKS[name], relabelled(name, old, new))


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("genre", relabelled("genre", "Blues", "Polka"), "task genre has no class 'Polka'; its"),
        ("mood", listed("mood", Cluster_2=0), "the list has no file of Cluster_2"),
        ("composer", listed("composer", Bach=251), "251 files of class 'Bach', task composer has"),
        ("composer", listed("composer", Bach=253), "253 files of class 'Bach', task composer has"),
        ("mood", listed("mood", Cluster_2=119), "the list has 599 files, task mood has 600"),
        ("latin", relabelled("latin", "class 3", "class 4"), "9 classes, task latin has 10"),
        ("kpop-genre", {}, "no file of Ballad, Dance"),
        ("composer", {"/audio/0.wav": "Cage"}, "no class 'Cage'"),
    ],
)
def test_lists_that_differ_are_refused(name: str, files: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(TASKS[name], files)


def test_one_class_spelt_in_two_ways_is_two_classes() -> None:
    files = listed("mood")
    files["/audio/Cluster_1/0.wav"] = "cluster1"
    with pytest.raises(UsageError, match="6 classes, task mood has 5"):
        check(TASKS["mood"], files)
