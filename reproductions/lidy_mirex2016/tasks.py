"""The train/test tasks of MIREX 2016: what a list of files must hold, and whether one does.

File and class counts are those of MIREX's task pages (as a table: README.md of
`manojsukhavasi/MIREX-2019`). Class names come from the MIREX wiki as `Task.source` says. The lists
themselves are not at hand, so how their labels are spelt is not known: `check` compares letters and
digits only ("Hip-Hop" is "hiphop"). The ten Latin genres stay undeclared: the task page's list of
them could not be read.

All tasks: 30 s, 22,050 Hz, mono, 16-bit WAV; three-fold cross-validation, with no artist (or album)
in both the training and the test part. Who the artists are, a list does not say.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mirkeras.system.errors import UsageError

FOLDS = 3  # of every task

PAGE = "MIREX wiki, 2016:Audio_Classification_(Train/Test)_Tasks"
KPOP_MOOD_PAGE = "MIREX wiki, 2016:Audio_K-POP_Mood_Classification"
KPOP_GENRE_PAGE = "MIREX wiki, 2016:Audio_K-POP_Genre_Classification"

# What the clusters of mood words begin with: 1 passionate, 2 rollicking, 3 literate, 4 humorous,
# 5 aggressive (K-POP mood page; Hu & Downie, ISMIR 2007). Both mood tasks use the same five.
CLUSTERS = tuple(f"Cluster_{number}" for number in range(1, 6))


@dataclass(frozen=True)
class Task:
    """A train/test task of MIREX 2016.

    Attributes
    ----------
    name : str
        Short, for commands.
    title : str
        As MIREX calls it.
    files, labels : int
        How many files and classes it has.
    source : str
        Where names and counts stand.
    classes : tuple of str
        Names of the classes; empty where they are not known.
    per_class : int or None
        Files of each class, where all have the same number.
    filter_by : "artist" or "album"
        What MIREX has in one part of a fold only. A job must be told of each file's: by a file of
        groups, or by a column of the index.
    annotations : tuple of str
        Whose labels there are, where there are several sets: each is a task of its own.
    """

    name: str
    title: str
    files: int
    labels: int
    source: str
    classes: tuple[str, ...] = ()
    per_class: int | None = None
    filter_by: Literal["artist", "album"] = "artist"
    annotations: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        labels = f", {' or '.join(self.annotations)} labels" if self.annotations else ""
        counts = f"{self.files:,} files, {self.labels} classes"
        return f"{self.title}: {counts}{labels}; {self.filter_by} filter"


TASKS = {
    task.name: task
    for task in (
        Task(
            "composer",
            "Audio Classical Composer Identification",
            files=2772,
            labels=11,
            # the page of 2016 prints "Mendelssohnn"; that of 2010 does not
            classes=(
                *("Bach", "Beethoven", "Brahms", "Chopin", "Dvorak", "Handel", "Haydn"),
                *("Mendelssohn", "Mozart", "Schubert", "Vivaldi"),
            ),
            per_class=252,
            filter_by="album",
            source=PAGE,
        ),
        Task(
            "genre",
            "Audio US Pop Music Genre Classification",  # in results: mixed genre
            files=7000,
            labels=10,
            classes=(
                *("Blues", "Jazz", "Country/Western", "Baroque", "Classical", "Romantic"),
                *("Electronica", "Hip-Hop", "Rock", "HardRock/Metal"),
            ),
            per_class=700,
            source=PAGE,
        ),
        Task(
            "latin",
            "Audio Latin Music Genre Classification",
            files=3227,
            labels=10,
            source=f"{PAGE}; the genres are those of the Latin Music Database, names not verified",
        ),
        Task(
            "mood",
            "Audio Mood Classification",
            files=600,
            labels=5,
            classes=CLUSTERS,
            source=f"{PAGE}; the clusters as on {KPOP_MOOD_PAGE}",
        ),
        Task(
            "kpop-mood",
            "Audio K-POP Mood Classification",
            files=1438,
            labels=5,
            classes=CLUSTERS,
            annotations=("American", "Korean"),
            source=KPOP_MOOD_PAGE,
        ),
        Task(
            "kpop-genre",
            "Audio K-POP Genre Classification",
            files=1894,
            labels=7,
            classes=("Ballad", "Dance", "Folk", "Hip-hop", "R&B", "Rock", "Trot"),
            annotations=("American", "Korean"),
            source=KPOP_GENRE_PAGE,
        ),
    )
}


def check(task: Task, listed: Mapping[str | Path, str]) -> None:
    """Compare the list of all files with what the task declares.

    Parameters
    ----------
    listed : mapping
        Path → class.

    Raises
    ------
    UsageError
        Unknown, missing or too many classes, or another number of files (of a class).
    """
    counts = Counter(listed.values())
    if task.classes:
        _check_names(task, counts)
    _check_count(task, "classes", len(counts), task.labels)
    for label, count in sorted(counts.items()):
        _check_count(task, f"files of class {label!r}", count, task.per_class or count)
    _check_count(task, "files", len(listed), task.files)


def _check_names(task: Task, counts: Counter[str]) -> None:
    declared = {plain(name) for name in task.classes}
    if unknown := sorted(label for label in counts if plain(label) not in declared):
        raise UsageError(
            f"task {task.name} has no class {', '.join(map(repr, unknown))}; "
            f"its classes: {', '.join(task.classes)}"
        )
    found = {plain(label) for label in counts}
    if missing := [name for name in task.classes if plain(name) not in found]:
        raise UsageError(f"task {task.name}: the list has no file of {', '.join(missing)}")


def _check_count(task: Task, what: str, found: int, declared: int) -> None:
    if found != declared:
        raise UsageError(
            f"the list has {found} {what}, task {task.name} has {declared} ({task.source})"
        )


def plain(label: str) -> str:
    """Reduce a label to its letters and digits, without case and accents."""
    letters = unicodedata.normalize("NFKD", label).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
