"""The list files of MIREX's train/test interface.

Feature list and test list: one absolute path per line. Training list and output list: an absolute
path, a tab, a class per line. No header.

Lists are written as UTF-8 with a newline after every line. Read are also lists with a byte order
mark, with CR LF, with blank lines and with spaces at the ends of lines and fields.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mirkeras.storage.files import write_text
from mirkeras.system.errors import UsageError


def read_files(path: Path) -> list[str]:
    """Read a feature or test list: absolute paths in its order, repeated ones too.

    Raises
    ------
    UsageError
        The list is missing, empty or not UTF-8, or a line is no absolute path.
    """
    files = []
    for place, line in _lines(path):
        if "\t" in line:
            raise UsageError(f"{place}: there is a tab; this list has a path per line, no classes")
        files.append(_absolute(place, line))
    return files


def read_pairs(path: Path, *, absolute: bool = True) -> list[tuple[str, str]]:
    """Read a training or output list: (absolute path, class) in its order, repeated ones too.

    With `absolute` False any list of two fields: a name, which need be no path, and its value.

    Raises
    ------
    UsageError
        The list is missing, empty or not UTF-8; a line lacks its tab or one of its fields; a path
        is not absolute or has two classes.
    """
    pairs, known = [], {}
    for place, line in _lines(path):
        file, _, label = (part.strip() for part in line.rpartition("\t"))
        if not file:
            raise UsageError(f"{place}: {line!r} has no tab (a path, a tab, a class)")
        if absolute:
            _absolute(place, file)
        if known.setdefault(file, label) != label:
            raise UsageError(f"{place}: {file} is {label!r} here and {known[file]!r} before")
        pairs.append((file, label))
    return pairs


def write_files(path: Path, files: Iterable[str]) -> None:
    """Write a feature or test list, whole."""
    write_text(path, "".join(f"{_writable(file)}\n" for file in files))


def write_pairs(path: Path, files: Sequence[str], classes: Mapping[str, str]) -> None:
    """Write a training or output list, whole: a line for each of `files`, in their order."""
    lines = (f"{_writable(file)}\t{_writable(classes[file])}\n" for file in files)
    write_text(path, "".join(lines))


def is_output_of(path: Path, files: Sequence[str]) -> bool:
    """Whether an output list is there and has a line for each of `files`, in their order."""
    return path.exists() and [file for file, _ in read_pairs(path)] == list(files)


def _writable(field: str) -> str:
    """Refuse what would read back as something else."""
    if field != field.strip() or any(mark in field for mark in "\t\n\r"):
        raise UsageError(f"{field!r} cannot stand in a list: rename it, without tab and line break")
    return field


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Go through the lines that hold something: (list and number, text)."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such list file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text ({error.reason}, byte {error.start})") from None
    # Not `splitlines`: it also cuts at characters that may stand in a file's name.
    lines = [(f"{path}, line {n}", line.strip()) for n, line in enumerate(text.split("\n"), 1)]
    if not any(line for _, line in lines):
        raise UsageError(f"{path} is empty; a line per file is expected")
    return ((place, line) for place, line in lines if line)


def _absolute(place: str, file: str) -> str:
    if not file.startswith("/"):
        raise UsageError(f"{place}: {file!r} is not an absolute path (it does not begin with /)")
    return file
