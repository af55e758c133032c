"""Getting what a data set consists of: made, downloaded and unpacked, or placed by hand.

Two kinds of published files: archives, which are unpacked into the set's folder, and files that are
kept as they are (tables, split lists). Kept files are fetched also for audio that was placed by
hand; `data_prep.fetch.lists` says where they lie.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from data_prep.declare import Archive, DataError, DataSet, as_data_errors
from data_prep.fetch import archives, checksums, download
from data_prep.fetch.counts import DEMO, indented
from data_prep.fetch.lists import archive_folder, kept_file
from data_prep.fetch.parts import whole_name
from mirkeras.storage.files import locked, read_json, whole_file

#: Written into a data set that was downloaded: which archives, from where, with which checksums.
SOURCE = "mirkeras-source.json"


def audio(dataset: DataSet, root: Path, mirror: str | None, offline: bool) -> str:
    """See that the set's folder is there; return how: "present", "made" or "downloaded".

    Raises
    ------
    DataError
        It is absent and cannot be had.
    """
    if _holds_files(root):
        return "present"
    if dataset.own_audio:
        raise DataError(
            f"The audio of {dataset.name} is not published; bring your own to {root}:\n"
            f"{indented(dataset.layout)}\n{DEMO}"
        )
    with _locked(root):
        if _holds_files(root):
            return "present"  # another process provided it while this one waited
        if dataset.make is not None:
            print(f"{dataset.name}: making it in {root}", flush=True)
            with archives.staged(root) as staging:
                dataset.make(staging)
            return "made"
        _download(dataset, root, mirror, offline)
        return "downloaded"


def kept_files(dataset: DataSet, root: Path, mirror: str | None, offline: bool) -> None:
    """See that the set's tables and lists are there and are the published ones.

    Split lists that cannot be had are said: the set is usable without the split.

    Raises
    ------
    DataError
        A file that the index needs is absent and cannot be had, or one beside the audio is not
        the published one.
    """
    stand_in = is_stand_in(dataset, root)
    lost: dict[str, list[download.FetchError]] = {}
    for archive in (a for a in dataset.archives if a.keep):
        present = kept_file(root, archive.filename)
        if present is not None:
            _check_present(archive, root, present, stand_in)
        elif not stand_in:  # published lists say nothing about a stand-in
            try:
                _fetch_kept(archive, root, mirror, offline)
            except download.FetchError as error:
                if not archive.optional:
                    raise DataError(_absent(dataset, root, error)) from None
                lost.setdefault(archive.split, []).append(error)
    for split, errors in lost.items():
        what = f"the split {split}" if split else "optional files"
        names = ", ".join(error.archive.filename for error in errors)
        # what keeps one of them away usually keeps all
        print(
            f"{dataset.name}: going on without {what}. Put {names} into {archive_folder(root)}, or "
            f"run again with a network.\n{indented(str(errors[0]))}",
            flush=True,
        )


def is_stand_in(dataset: DataSet, root: Path) -> bool:
    """Whether a record says that other files than the published ones were unpacked here.

    Raises
    ------
    DataError
        The record is damaged.
    """
    if not (root / SOURCE).is_file():
        return False
    declared = {archive.filename: archive.checksum for archive in dataset.archives}
    try:
        entries = list(read_json(root / SOURCE))
        if not entries:
            raise ValueError("it names no archive")
        return any(
            entry.get("stand_in", declared.get(entry["archive"]) != entry["checksum"])
            for entry in entries
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{root / SOURCE} is damaged ({type(error).__name__}: {error}). Move {root} away and "
            "run again to have the set provided anew."
        ) from error


def _check_present(archive: Archive, root: Path, path: Path, stand_in: bool) -> None:
    """A list that lies there, whoever put it there, must be the published one."""
    try:
        if path.parent != root:
            download.fetch(replace(archive, urls=()), path.parent, offline=True)
        elif archive.checksum is not None and not stand_in:
            checksums.verify(path, archive.checksum)
    except (checksums.TransferError, download.FetchError) as error:
        raise DataError(
            f"{path} is not the published file ({error}). Remove it and run again."
        ) from None


def _fetch_kept(archive: Archive, root: Path, mirror: str | None, offline: bool) -> None:
    place = archive_folder(root)
    with _locked(root):
        got = download.fetch(archive, place, mirror=mirror, offline=offline)
        _check_length(archive, got.path)
        # lists of a stand-in do not go with audio from elsewhere; a changed original may
        if not got.genuine and got.address == str(got.path):
            raise DataError(
                f"{got.path} belongs to a stand-in, but the audio in {root} does not come from "
                "its mirror. Move that folder away, or run without this mirror."
            )
        if not got.genuine:
            print(
                f"{got.path} differs from the file others have reported ({archive.reported}).",
                flush=True,
            )
        if got.path.parent != place:  # a mirror folder may not be there next time
            with as_data_errors(place), whole_file(place / archive.filename) as unfinished:
                shutil.copyfile(got.path, unfinished)


def _check_length(archive: Archive, path: Path) -> None:
    if path.stat().st_size > archive.max_unpacked:
        raise DataError(
            f"{path}: {path.stat().st_size:,} bytes, at most {archive.max_unpacked:,} are "
            "expected; this is another file."
        )


def _holds_files(root: Path) -> bool:
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file where the folder of a data set is expected; move it.")
    return root.is_dir() and any(root.iterdir())


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the one right to provide a data set; a second process waits here."""
    with ExitStack() as held:
        # Some network file systems have no locks: there, too, start one preparation at a time.
        with suppress(OSError):
            held.enter_context(locked(root.with_name(f".{root.name}.lock")))
        yield


def _download(dataset: DataSet, root: Path, mirror: str | None, offline: bool) -> None:
    """Fetch all archives of a data set and unpack them; `root` appears only when all is there."""
    fetched: list[tuple[Archive, download.Fetched]] = []
    for archive in dataset.archives:
        try:
            got = download.fetch(archive, archive_folder(root), mirror=mirror, offline=offline)
            fetched.append((archive, got))
        except download.FetchError as error:
            if not archive.optional:
                raise DataError(_absent(dataset, root, error)) from None
            if not archive.keep:  # of kept files `kept_files` tells
                print(f"{dataset.name}: going on without an optional archive. {error}", flush=True)
    with archives.staged(root) as staging:
        _unpack(dataset, fetched, staging)
        for _, got in fetched:  # a stand-in brings the counts that it states for itself
            stated = got.path.with_name(download.STAND_IN)
            if not got.genuine and stated.is_file():
                shutil.copyfile(stated, staging / download.STAND_IN)
        record = [
            {
                "archive": archive.filename,
                "address": got.address,
                "checksum": got.checksum,
                "stand_in": not got.genuine,
            }
            for archive, got in fetched
        ]
        (staging / SOURCE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _unpack(
    dataset: DataSet, fetched: list[tuple[Archive, download.Fetched]], folder: Path
) -> None:
    """Unpack archives (the parts of one together), copy the files that are kept."""
    for _, same in groupby(fetched, key=lambda pair: whole_name(pair[0].filename)):
        (archive, got), *further = same
        if archive.keep:
            _check_length(archive, got.path)
            shutil.copyfile(got.path, folder / archive.filename)
            continue
        print(f"{dataset.name}: unpacking {got.path}", flush=True)
        archives.unpack(
            got.path,
            folder,
            max_bytes=archive.max_unpacked,
            further=[part.path for _, part in further],
        )


def _absent(dataset: DataSet, root: Path, error: download.FetchError) -> str:
    """The one message for data that is not there and cannot be had."""
    archive = error.archive
    size = f"{archive.size:,} bytes, " if archive.size is not None else ""
    return (
        f"The data set {dataset.name} is not in {root}, and {error}\n"
        f"Three ways out:\n"
        f"  - run again when the network is back (what has arrived is kept and continued);\n"
        f"  - get it from {archive.urls[0]} by other means "
        f"({size}{archive.checksum or 'no checksum is published'}) and put it\n"
        f"    at {archive_folder(root) / archive.filename},\n"
        f"    or give the folder or address that holds it: --mirror DIR_OR_URL;\n"
        f"  - put an unpacked copy at {root}:\n{indented(dataset.layout, 6)}\n"
        f"{DEMO}"
    )
