"""Whether a data set holds what it must: tracks by class or in all, and by part of each split.

A stand-in (a mirror's miniature of a published set) states its own counts in `stand-in.json`:

    {"tracks": 24, "splits": {"mtat-lee": {"train": 12, "validation": 4, "test": 8}}}

`tracks` is a number for a set with tags, or tracks per class; splits that it leaves out do not
exist there. Without this file the published counts apply.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from data_prep.declare import DataError, DataSet
from data_prep.fetch.download import STAND_IN
from data_prep.index import TAG_SEPARATOR
from mirkeras.storage.files import read_json

DEMO = "Without this data, `make demo` runs the whole path on a set it makes itself."


def indented(text: str, by: int = 2) -> str:
    """`text` with every line moved to the right."""
    return "\n".join(" " * by + line for line in text.splitlines())


def with_own_counts(dataset: DataSet, root: Path) -> DataSet:
    """The declaration with the counts that the stand-in at `root` states for itself.

    Raises
    ------
    DataError
        Its `stand-in.json` is not of the form shown above.
    """
    path = root / STAND_IN
    if not path.is_file():
        return dataset
    try:
        stated = read_json(path)
        tracks, splits = stated["tracks"], stated.get("splits", {})
        counts = [n for parts in splits.values() for n in parts.values()]
        counts += [tracks] if dataset.tags else tracks.values()
        if not all(type(n) is int and n >= 0 for n in counts):
            raise TypeError("a count is no whole number")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        form = '"tracks": 24' if dataset.tags else '"tracks": {"class": 12, ...}'
        raise DataError(
            f'{path} cannot be read as {{{form}, "splits": {{"name": {{"train": 12, ...}}}}}} '
            f"({type(error).__name__}: {error})."
        ) from error
    if dataset.tags:
        own = {"tracks": tracks}
    else:
        own = {"counts": {name: n for name, n in tracks.items() if name in dataset.counts}}
        if len(own["counts"]) < len(tracks):  # a subset: its share of the parts is not stated
            splits = {}
    # what is missing from the published set says nothing about this one
    return replace(dataset, **own, splits=splits, class_splits={}, known_bad=(), replicas=())


def check_counts(dataset: DataSet, root: Path, index: pd.DataFrame) -> None:
    """Compare the tracks found with the declaration: by class or in all, and by part of each split.

    Known-bad tracks may be absent. Of a set whose audio the user brings, only tracks too many are
    an error.

    Raises
    ------
    DataError
        They differ; the message lists every class or part, and the remedy.
    """
    if dataset.own_audio and not len(index):
        raise DataError(
            f"No audio of {dataset.name} was found below {root}. It should look like this:\n"
            f"{indented(dataset.layout)}\n{DEMO}"
        )
    _check_tracks(dataset, root, index)
    for split, parts in dataset.splits.items():
        if parts and split in index.columns:
            _check_split(dataset, root, index, split, parts)


def _check_tracks(dataset: DataSet, root: Path, index: pd.DataFrame) -> None:
    absent = _absent_bad(dataset, index)
    if dataset.tags:
        want, have = _parts_by_tag(dataset, index)
        want, have = want | {"tracks": dataset.tracks}, have | {"tracks": len(index)}
        absent_from = {"tracks": len(absent)}
    else:
        want, have = dict(dataset.counts), index["label"].value_counts().to_dict()
        absent_from = {
            label: sum(track.startswith(f"{label}/") for track in absent) for label in want
        }
    if not want:
        return
    wrong = {
        name
        for name in {*want, *have}
        if want.get(name, 0) is not None
        and _wrong(dataset, want.get(name, 0) - absent_from.get(name, 0), have.get(name, 0))
    }
    if wrong:
        raise DataError(
            f"{root} does not hold the {dataset.name} data set as declared:\n"
            f"{_table(want, have, wrong)}\n"
            f"It should look like this:\n{indented(dataset.layout)}\n"
            "Complete the folder, or move it away and run again to have the set provided anew."
            f"{_hints(dataset, root, have)} {DEMO}"
        )


def _parts_by_tag(dataset: DataSet, index: pd.DataFrame) -> tuple[dict[str, int], dict[str, int]]:
    """Count the parts of splits whose tags are declared, and their tags: expected and found."""
    want, have = {}, {}
    for split, tags_of in dataset.class_splits.items():
        for part, tracks in dataset.splits[split].items():
            labels = index.loc[index[split] == part, "label"]
            found = labels.str.split(TAG_SEPARATOR).explode().value_counts()
            want[part], have[part] = tracks, len(labels)
            for tag, count in tags_of.get(part, {}).items():
                want[f"{part}, {tag}"], have[f"{part}, {tag}"] = count, int(found.get(tag, 0))
    return want, have


def _check_split(
    dataset: DataSet, root: Path, index: pd.DataFrame, split: str, parts: Mapping[str, int]
) -> None:
    have = index.loc[index[split] != "", split].value_counts().to_dict()
    slack = len(_absent_bad(dataset, index))  # an absent track's part is not known any more
    wrong = {
        part
        for part in {*parts, *have}
        if all(
            _wrong(dataset, parts.get(part, 0) - less, have.get(part, 0))
            for less in range(slack + 1)
        )
    }
    if wrong:
        lists = [archive.filename for archive in dataset.archives if archive.split == split]
        what = f"its lists ({', '.join(lists)})" if lists else "the set"
        raise DataError(
            f"The split {split} of {dataset.name} does not have the tracks it must:\n"
            f"{_table(parts, have, wrong)}\n"
            f"Either audio is missing below {root}, or {what} are not the published ones; remove "
            f"what is wrong and run again.{_hints(dataset, root, {})}"
        )


def _wrong(dataset: DataSet, want: int, have: int) -> bool:
    return have > want if dataset.own_audio else have != want


def _absent_bad(dataset: DataSet, index: pd.DataFrame) -> list[str]:
    return sorted({*dataset.known_bad} - {*index["track"]})


def _table(want: Mapping, have: Mapping, wrong: set) -> str:
    lines, names = [], sorted({*want, *have})
    width = max(16, *(len(name) + 1 for name in names))
    for name in names:
        mark = " <" if name in wrong else ""
        lines.append(
            f"  {name:<{width}}{want.get(name, 0):>6} expected {have.get(name, 0):>6} found{mark}"
        )
    return "\n".join(lines)


def _hints(dataset: DataSet, root: Path, have: Mapping[str, int]) -> str:
    """Two things people may mean: some classes only, or a miniature."""
    present = sorted(name for name in have if name in dataset.counts)
    if 2 <= len(present) < len(dataset.counts):
        return f" For these classes alone, name the set {dataset.name}:{','.join(present)}."
    if (root / STAND_IN).is_file():
        return f" The counts are those that {root / STAND_IN} states."
    return f" (A mirror with a miniature of the set states its own counts in {STAND_IN}.)"
