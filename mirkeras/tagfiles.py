"""Which files `mirkeras tag` is asked to tag, and what the files it makes of them are called."""

import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.declare import audio_extensions, files_below
from mirkeras.errors import UsageError

# File systems allow 255 bytes; a file being written has a longer name, see `files.whole_file`.
LONGEST_STEM = 200


def find_files(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Find the audio files that the words of a command line stand for.

    Parameters
    ----------
    words : sequence of str
        Files, taken whatever their suffix and even if they do not exist (who tags them says so);
        folders, searched with all their sub-folders for suffixes libsndfile reads; patterns with
        ``*``, ``?``, ``[…]`` or ``**``, likewise. An existing file is no pattern.

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


def targets(place: Path, files: Sequence[Path], suffix: str) -> dict[Path, Path]:
    """Name the file to be made of each audio file.

    Parameters
    ----------
    place : Path
        A folder, in which the tree of the audio files below their common folder is mirrored; a
        path that ends on `suffix` is the one file made of one audio file.
    suffix : str
        Of the files to be made, with the dot. It replaces the audio file's own, unless two audio
        files differ in that alone.

    Raises
    ------
    UsageError
        One file is named for several audio files.
    """
    if place.suffix == suffix:
        if len(files) > 1:
            raise UsageError(f"{place} is one file, {len(files)} are needed: name a folder")
        return dict.fromkeys(files, place)
    full = [Path(os.path.abspath(path)) for path in files]
    root = os.path.commonpath([path.parent for path in full])
    stems = Counter(path.with_suffix("") for path in full)
    return {
        path: place / where.parent.relative_to(root) / (_stem(where, stems) + suffix)
        for path, where in zip(files, full, strict=True)
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
        for match in sorted(glob.glob(word, recursive=True)):
            if os.path.isdir(match):
                yield from _audio_below(match)
            elif _is_audio(Path(match)):
                yield Path(match)


def _audio_below(folder: str) -> Iterator[Path]:
    return filter(_is_audio, files_below(Path(folder)))


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in audio_extensions()


def _stem(path: Path, stems: Counter) -> str:
    stem = path.stem if stems[path.with_suffix("")] == 1 else path.name
    encoded = os.fsencode(stem)
    if len(encoded) <= LONGEST_STEM:
        return stem
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{os.fsdecode(encoded[: LONGEST_STEM - 9])}-{digest}"
