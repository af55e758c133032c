"""Which files `mirkeras tag` is asked to tag, and what the files it makes of them are called."""

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from mirkeras.audio.formats import audio_extensions
from mirkeras.system.errors import UsageError
from mirkeras.system.files import files_below

# File systems allow 255 bytes; a file being written has a longer name, see `files.whole_file`.
LONGEST_STEM = 200


def find_files(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Find the audio files that the words of a command line stand for.

    Parameters
    ----------
    words : sequence of str
        Files, taken whatever their suffix and even if they do not exist (who tags them says so);
        folders, searched with all their sub-folders for suffixes libsndfile reads; patterns with
        ``*``, ``?``, ``[…]`` or ``**`` (any folders, hidden ones left out, links followed once),
        likewise. An existing file is no pattern.

    Returns
    -------
    files : list of Path
        In the order of the words, sorted within each, none twice.
    empty : list of str
        Folders and patterns without an audio file.

    Raises
    ------
    UsageError
        No word stands for any file, or one is empty.
    """
    found: dict[str, Path] = {}
    empty = []
    for word in words:
        paths = list(_files_of(word))
        for path in paths:
            found.setdefault(os.path.abspath(path), path)
        if not paths:
            empty.append(word)
    if not found:
        raise UsageError(
            f"no audio file in {', '.join(map(repr, empty))}; give files, folders or patterns "
            "('music/**/*.flac')"
        )
    return list(found.values()), empty


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


def _files_of(word: str) -> Iterator[Path]:
    if not word:
        raise UsageError("an empty file name; was a variable of the shell empty?")
    # os.path, not pathlib: a name the file system refuses is then just a file that does not exist
    if os.path.isdir(word):
        yield from _audio_below(word)
    elif os.path.lexists(word) or not glob.has_magic(word):
        yield Path(word)
    else:
        yield from _matching(word)


def _matching(pattern: str) -> Iterator[Path]:
    """Find the audio files that match a pattern, and those in folders that match.

    ``**`` is walked here: the library's follows links round in circles.
    """
    parts = pattern.split(os.sep)
    if "**" not in parts:
        for match in sorted(glob.glob(pattern)):
            if os.path.isdir(match):
                yield from _audio_below(match)
            elif _is_audio(Path(match)):
                yield Path(match)
        return
    deep = parts.index("**")
    above = os.sep.join([*parts[:deep], ""]) if deep else ""
    behind = [part for part in parts[deep:] if part]
    for folder in sorted(glob.glob(above)) if above else [""]:
        for path in _audio_below(folder):
            if _matches(path.relative_to(folder).parts, behind):
                yield path


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a path, given by its names, or a folder it lies in matches."""
    if not patterns:
        return True
    if patterns[0] == "**":
        return any(_matches(names[i:], patterns[1:]) for i in range(len(names)))
    return bool(names) and fnmatchcase(names[0], patterns[0]) and _matches(names[1:], patterns[1:])


def _audio_below(folder: str) -> Iterator[Path]:
    return filter(_is_audio, files_below(Path(folder)))


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in audio_extensions()


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
