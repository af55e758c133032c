"""Which files `mirkeras tag` is asked to tag, and what the files it makes of them are called."""

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from mirkeras.audio.formats import BROKEN_LINK, audio_among, tell_left_out, undecoded
from mirkeras.storage.files import UNREADABLE, files_below, is_leftover
from mirkeras.system.errors import UsageError

# File systems allow 255 bytes; a file being written has a longer name, see `files.whole_file`.
LONGEST_STEM = 200


class Found(NamedTuple):
    """What the words of a command line stand for.

    Attributes
    ----------
    files : list of Path
        In the order of the words, sorted within each, none twice.
    empty : list of str
        Folders and patterns without an audio file.
    left_out : dict
        What else lies there: path to reason, see `mirkeras.audio.formats.audio_among`.
    """

    files: list[Path]
    empty: list[str]
    left_out: dict[Path, str]

    def undone(self, strict: bool) -> int:
        """Count what was asked for and cannot be done; `strict`: any music counts."""
        lost = {UNREADABLE, BROKEN_LINK} | (undecoded() if strict else set())
        return len(self.empty) + sum(reason in lost for reason in self.left_out.values())


def find_files(words: Sequence[str]) -> Found:
    """Find the audio files that the words of a command line stand for.

    Parameters
    ----------
    words : sequence of str
        Files, taken whatever their suffix and even if they do not exist (who tags them says so);
        folders, searched with all their sub-folders for suffixes libsndfile reads; patterns with
        ``*``, ``?``, ``[…]`` or ``**`` (any folders, links followed once), likewise. What exists
        as it is written is no pattern: a file, or a folder such as ``Album [2003]`` in a pattern.

    Raises
    ------
    UsageError
        No word stands for any file, or one is empty.
    """
    found: dict[str, Path] = {}
    empty: list[str] = []
    left_out: dict[Path, str] = {}
    for word in words:
        paths = list(_files_of(word, left_out))
        for path in paths:
            found.setdefault(os.path.abspath(path), path)
        if not paths:
            empty.append(word)
    if not found:
        told = f": {tell_left_out(left_out)}" if left_out else ""
        raise UsageError(
            f"no audio file in {', '.join(map(repr, empty))}{told}; give files, folders or "
            "patterns ('music/**/*.flac')"
        )
    return Found(list(found.values()), empty, left_out)


def output_paths(place: Path, files: Sequence[Path], suffix: str) -> dict[Path, Path]:
    """Name the file to be made of each audio file.

    Parameters
    ----------
    place : Path
        A folder, in which the tree of the audio files below their common folder is mirrored; a
        path that ends on `suffix` is the one file made of one audio file.
    suffix : str
        Suffix of the files to be made, with the dot. It replaces the audio file's own, unless
        another audio file could be meant then: ``a.mp3`` beside ``a.flac`` keeps its own too. Names
        that differ in nothing but upper and lower case (for some file systems they are one) or are
        too long end on eight digits of a checksum.

    Raises
    ------
    UsageError
        One file is named for several audio files.
    """
    if place.suffix.lower() == suffix:
        if len(files) > 1:
            raise UsageError(f"{place} is one file, {len(files)} are needed: name a folder")
        return dict.fromkeys(files, place)
    full = [Path(os.path.abspath(path)) for path in files]
    root = os.path.commonpath([path.parent for path in full])
    below = [path.relative_to(root) for path in full]
    stems, names = map(Counter, zip(*map(_folded, below), strict=True))
    return {
        path: place / where.parent / (_unique(where, stems, names) + suffix)
        for path, where in zip(files, below, strict=True)
    }


def _files_of(word: str, left_out: dict[Path, str]) -> Iterator[Path]:
    if not word:
        raise UsageError("an empty file name; was a variable of the shell empty?")
    # os.path, not pathlib: a name the file system refuses is then just a file that does not exist
    if os.path.isdir(word):
        yield from audio_among(files_below(Path(word), left_out), left_out)
    elif os.path.lexists(word) or not glob.has_magic(word):
        yield Path(word)
    else:
        yield from audio_among(_matching(word, left_out), left_out)


def _matching(pattern: str, left_out: dict[Path, str]) -> Iterator[Path]:
    """Find the files that match a pattern, and those in folders that match.

    The library's patterns pass over names that begin with a dot and folders that cannot be read,
    and its ``**`` follows links round in circles.
    """
    parts = Path(pattern).parts
    deep = parts.index("**") if "**" in parts else len(parts)
    places = [Path()]
    for part in parts[:deep]:
        places = [inner for place in places for inner in _inner(place, part, left_out)]
    for place in places:
        if not os.path.isdir(place):
            yield place
            continue
        for path in files_below(place, left_out):
            if _matches(path.relative_to(place).parts, parts[deep:]):
                yield path


def _inner(place: Path, part: str, left_out: dict[Path, str]) -> list[Path]:
    """Name what in a folder goes by one part of a pattern."""
    if os.path.lexists(place / part):
        return [place / part]
    if not glob.has_magic(part) or not os.path.isdir(place):
        return []
    try:
        names = sorted(os.listdir(place))
    except OSError:
        left_out[place] = UNREADABLE
        return []
    return [place / name for name in names if _goes_by(name, part) and not is_leftover(name)]


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a path, given by its names, or a folder it lies in matches."""
    if not patterns:
        return True
    if patterns[0] == "**":
        return any(_matches(names[i:], patterns[1:]) for i in range(len(names)))
    return bool(names) and _goes_by(names[0], patterns[0]) and _matches(names[1:], patterns[1:])


def _goes_by(name: str, part: str) -> bool:
    return name == part or fnmatchcase(name, part)


def _folded(path: Path) -> tuple[str, str]:
    """Give a path without its suffix and with it, the same in upper and lower case."""
    return str(path.with_name(path.stem)).casefold(), str(path).casefold()


def _unique(path: Path, stems: Counter, names: Counter) -> str:
    """Choose the name without suffix if nobody else may have it, else with; else make one up."""
    stem, full = _folded(path)
    unclaimed = names[stem] == (stem == full)  # by the full name of another
    short = stems[stem] == 1 and unclaimed
    name = path.stem if short else path.name
    encoded = os.fsencode(name)
    if (short or names[full] == 1) and len(encoded) <= LONGEST_STEM:
        return name
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return f"{os.fsdecode(encoded[: LONGEST_STEM - 9])}-{digest}"
