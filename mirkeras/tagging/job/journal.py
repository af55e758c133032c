"""What `mirkeras tag --out` has finished: kept beside the output, so that the same command goes on.

A job is a folder, ``<out>.job``:

    journal.jsonl   first what decides the numbers (the settings: model, weights, recipe, versions),
                    then a line per finished file: its fingerprint, and where its arrays lie with
                    their digest; a line `written` once the output itself was written, with the
                    size and the digest of each of its files
    arrays          starts, taggram, features and spread of the files, one ``.npy`` after another

Both only grow. A file's arrays are written before its line, and both are handed to the system
before the next file, so a killed process loses what it was at and nothing else. The output is made
from here in one piece, in the order of the arguments.

Every line ends on its own digest. What is damaged counts for nothing: a file whose line or arrays
are is tagged again, an output that is not as it was written is written again. Only without its
first line a job is of no use.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from mirkeras.audio import foreign
from mirkeras.storage.files import locked, sha256, write_text
from mirkeras.system.errors import UsageError, say
from mirkeras.tagging.tagger import Tagged

#: Raise by one when the form of a job changes, or what the engine computes (beyond rounding).
FORM = 4

_PIECE = 2**20  # bytes that are read at once


def job_folder(out: Path) -> Path:
    """Where the job of an output is kept."""
    if out.name in ("", ".."):
        out = Path(os.path.abspath(out))
    return out.parent / f"{out.name}.job"


def fingerprint(path: Path) -> tuple | None:
    """Tell a file from any other and from itself after a change.

    Path, size, times of the change of content and of the entry (in ns; the second nobody can set
    back, as `cp -p` and `rsync` do the first), and number on its disk; where it is not libsndfile,
    also what decodes it. None where there is no such file.
    """
    try:
        facts = os.stat(path)
    except OSError:
        return None
    times = facts.st_mtime_ns, facts.st_ctime_ns
    other = (decoder,) if (decoder := foreign.decoder(path)) else ()
    return os.path.abspath(path), facts.st_size, *times, facts.st_ino, *other


class Journal:
    """The finished files of a job; made by `opened`.

    Parameters
    ----------
    files : sequence of Path
        What is asked for now. Files are looked at here, before they are tagged: one that changes
        meanwhile is tagged again by the next command.
    settings : dict
        What decides the numbers, as values of JSON; ``model`` among them.
    """

    def __init__(
        self, folder: Path, files: Sequence[Path], tags: tuple[str, ...], settings: dict
    ) -> None:
        self._folder = folder
        self._settings, self._tags = settings | {"form": FORM}, tags
        self._keys = {path: fingerprint(path) for path in files}
        self._lines: dict[tuple, dict] = {}
        self._written: dict = {}
        self._arrays = open(folder / "arrays", "a+b")  # noqa: SIM115 - see `close`
        self._read_journal(folder / "journal.jsonl")
        self._journal = open(folder / "journal.jsonl", "ab")  # noqa: SIM115

    def __contains__(self, path: Path) -> bool:
        """Whether a file is finished and was not changed since."""
        return self._keys[path] in self._lines

    def add(self, tagged: Tagged) -> None:
        """Keep the result of a file.

        Raises
        ------
        OSError
            It could not be written; all that was kept before stays.
        """
        key = self._keys[tagged.path]
        if key is None:  # it appeared after the job was opened
            key = self._keys[tagged.path] = fingerprint(tagged.path)
        begin = self._arrays.seek(0, os.SEEK_END)
        nothing = np.empty((0, 0), np.float32)
        optional = [nothing if a is None else a for a in (tagged.features, tagged.spread)]
        with _named(self._arrays):
            for array in (tagged.starts, tagged.taggram, *optional):
                np.lib.format.write_array(self._arrays, array, allow_pickle=False)
            self._arrays.flush()
        if not self._begun:  # only now: settings under which nothing was finished bind nobody
            self._append(self._settings)
            self._begun = True
        facts = {"length": tagged.length, "seconds": tagged.seconds, "repeated": tagged.repeated}
        facts |= {"decided": tagged.decided}
        place = {"begin": begin, "end": self._arrays.tell()}
        self._append({"file": key} | facts | place | {"arrays": self._digest(place)})

    def drop_damaged(self) -> int:
        """Forget the finished files whose arrays are not what was written; returns their number.

        `read` relies on it.
        """
        lines = [self._lines[self._keys[path]] for path in self.finished()]
        damaged = [line for line in lines if self._digest(line) != line["arrays"]]
        for line in damaged:
            del self._lines[tuple(line["file"])]
        return len(damaged)

    def read(self, path: Path) -> Tagged:
        """Read back the result of a finished file."""
        line = self._lines[self._keys[path]]
        self._arrays.seek(line["begin"])
        starts, taggram, features, spread = (
            np.lib.format.read_array(self._arrays, allow_pickle=False) for _ in range(4)
        )
        return Tagged(
            path=path,
            model=self._settings["model"],
            tags=self._tags,
            starts=starts,
            length=line["length"],
            seconds=line["seconds"],
            repeated=line["repeated"],
            taggram=taggram,
            features=features if features.size else None,
            decided=line["decided"],
            spread=spread if spread.size else None,
        )

    def finished(self) -> list[Path]:
        """List the finished files among those asked for, in their order."""
        return [path for path in self._keys if path in self]

    def wrote(self, output: dict) -> bool:
        """Whether the last output that was written was this one, of these files.

        Parameters
        ----------
        output : dict
            What decides its form, as values of JSON.
        """
        return self._written.get("written") == self._output(output)

    def changed(self, made: Iterable[Path]) -> list[Path]:
        """List the files of the last output that are not as they were written."""
        known = dict(self._written["files"])
        return [path for path in made if known.get(os.path.abspath(path)) != _look(path)]

    def note_written(self, output: dict, made: Iterable[Path]) -> None:
        """Note that an output was written, and how its files look."""
        files = [(os.path.abspath(path), _look(path)) for path in made]
        self._append({"written": self._output(output), "files": files})

    def close(self) -> None:
        """Close the job's files; a job in which nothing was finished leaves none."""
        for file in (self._journal, self._arrays):
            with suppress(OSError):  # what a full disk refused, once more; it was reported
                file.close()
        if not self._begun:
            with suppress(OSError):  # somebody else's file lies in it
                for name in ("journal.jsonl", "arrays", ".lock"):
                    (self._folder / name).unlink()
                self._folder.rmdir()

    def _output(self, output: dict) -> str:
        facts = [output, [self._keys[path] for path in self.finished()]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _digest(self, place: dict) -> str:
        """Digest the arrays between two places of their file."""
        digest, left = hashlib.blake2b(digest_size=8), place["end"] - place["begin"]
        self._arrays.seek(place["begin"])
        while piece := self._arrays.read(min(left, _PIECE)):
            digest.update(piece)
            left -= len(piece)
        return digest.hexdigest()

    def _append(self, line: dict) -> None:
        with _named(self._journal):
            self._journal.write(_sealed(line))
            self._journal.flush()
        self._take(line)

    def _take(self, line: dict) -> None:
        if "written" in line:
            self._written = line
        elif "file" in line:
            self._lines[tuple(line["file"])] = line

    def _read_journal(self, path: Path) -> None:
        """Take the lines that are whole and have their arrays; leave out the others for good."""
        found = path.read_bytes() if path.exists() else b""
        texts = found.split(b"\n")[:-1]  # behind the last line end lies what a kill tore
        lines = list(map(_unsealed, texts))
        if lines:
            self._refuse_other(lines[0] or _of_older_form(texts[0]))
        if lost := lines.count(None):
            say(f"{path}: {lost} damaged line(s); what they were about is done again")
        size = os.fstat(self._arrays.fileno()).st_size
        kept = [
            text
            for text, line in zip(texts, lines, strict=True)
            if line and line.get("end", 0) <= size
        ]
        for line in map(_unsealed, kept):
            self._take(line)
        if (whole := b"".join(text + b"\n" for text in kept)) != found:
            write_text(path, whole.decode())
        self._arrays.truncate(max((line["end"] for line in self._lines.values()), default=0))
        self._begun = bool(kept)

    def _refuse_other(self, found: dict | None) -> None:
        if found is None:
            raise UsageError(
                f"{self._folder} is damaged, what its results were made with cannot be read; "
                "delete it and run again"
            )
        if found.get("form") != FORM:
            what = "results of another version of mirkeras"
        elif changes := list(_changes(found, self._settings)):
            what = "results with " + "; ".join(changes)
        else:
            return
        raise UsageError(
            f"{self._folder} holds {what}. Delete that folder to tag all anew, choose another "
            "output, or go back to what it was made with"
        )


@contextmanager
def opened(
    folder: Path, files: Sequence[Path], tags: tuple[str, ...], settings: dict
) -> Iterator[Journal]:
    """Open a job, new or begun before, and hold it against other processes; see `Journal`.

    Raises
    ------
    UsageError
        Another process has it, it was made with other settings, or it is damaged.
    """
    busy = UsageError(
        f"{folder}: another process is at work on this output; wait for it, or choose another "
        "output"
    )
    with locked(folder / ".lock", refusal=busy):
        job = Journal(folder, files, tags, settings)
        try:
            yield job
        finally:
            job.close()


def _changes(old: dict, new: dict) -> Iterator[str]:
    """Name what differs in two settings, also inside of what is made of several."""
    for name in new | old:
        before, now = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from (f"{name} {change}" for change in _changes(before, now))
        elif before != now:
            yield f"{name} {before!r}, now {now!r}"


def _sealed(line: dict) -> bytes:
    """Write a line of a journal."""
    return json.dumps(line | {"check": _check(line)}).encode() + b"\n"


def _unsealed(text: bytes) -> dict | None:
    """Read a line of a journal; None if it is damaged."""
    try:
        line = json.loads(text)
        whole = line.pop("check") == _check(line)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None  # no JSON, or no object, or none with a check
    return line if whole else None


def _of_older_form(text: bytes) -> dict | None:
    """Read a first line as journals had it before their lines were sealed."""
    with suppress(ValueError, RecursionError):
        line = json.loads(text)
        if isinstance(line, dict) and "check" not in line and line.get("form") != FORM:
            return line
    return None


def _check(line: dict) -> str:
    return hashlib.blake2b(json.dumps(line).encode(), digest_size=8).hexdigest()


def _look(path: Path) -> list | None:
    """Size and digest of a file, None where there is none."""
    return [path.stat().st_size, sha256(path)] if path.is_file() else None


@contextmanager
def _named(file) -> Iterator[None]:
    """Let an error of writing say which file it was."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or file.name
        raise
