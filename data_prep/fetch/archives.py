"""Unpacking archives from strangers: nothing leaves the target, nothing half-done passes for whole.

Every member is judged before a byte of it is written. Refused are absolute names, names with `..`,
devices and pipes, links to anything but a plain file unpacked before from the same archive, more
bytes than declared and absurd numbers of members. Because a link can never stand for a folder, no
later member can be written through one. The content grows in a hidden folder beside the target and
is renamed at the end, so a killed process leaves the target absent.
"""

import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from data_prep.declare import DataError, as_data_errors
from data_prep.fetch import parts

MAX_MEMBERS = 100_000  # the largest music collections of the field stay well below
MAX_FOLDERS, MAX_NAME = 50, 255  # folders above a member, bytes of a name
_CHUNK = 2**20  # bytes

# `filter` came with 3.11.4; before, `_judge_tar` and `set_attrs=False` carry the whole burden.
_TAR_FILTER = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
#: What readers raise where an archive is damaged or lies about itself: headers nested without end,
#: methods and versions nobody knows, names that are no text.
DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, RecursionError, NotImplementedError, ValueError, LookupError, OverflowError),
    struct.error,
)
_COLLIDING = (FileExistsError, IsADirectoryError, NotADirectoryError)


class ArchiveError(DataError):
    """An archive is damaged, hostile or larger than declared."""


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty hidden folder beside `target` that becomes `target` if the block ends well.

    What a killed process left in it is removed first; callers see to it that only one process
    works on a target (`data_prep.prepare` holds a lock).
    """
    staging = target.with_name(f".{target.name}.unfinished")
    with as_data_errors(target.parent):
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir(parents=True)
        try:
            yield staging
            if target.is_dir() and not any(target.iterdir()):
                target.rmdir()
            staging.rename(target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def unpack(archive: Path, folder: Path, *, max_bytes: int, further: Sequence[Path] = ()) -> None:
    """Unpack one archive into an existing folder, usually one that is `staged`.

    Parameters
    ----------
    archive : Path
        A `.zip` file, or a tar file in any compression `tarfile` reads.
    max_bytes : int
        Most bytes the content may take on disk.
    further : sequence of Path
        The remaining parts if `archive` is the first part of a zip (`name.zip.001`).

    Raises
    ------
    ArchiveError
        The archive is damaged, truncated, hostile or too large.
    """
    all_parts = (archive, *further)
    is_part = parts.whole_name(archive.name) != archive.name
    if is_part:
        parts.check_order(all_parts)
    is_zip = parts.whole_name(archive.name).lower().endswith(".zip")
    try:
        if is_zip:
            _unpack_zip(archive, all_parts, folder, max_bytes)
        else:
            _unpack_tar(archive, folder, max_bytes)
    except _COLLIDING as error:
        raise ArchiveError(f"{archive}: refused, two members collide ({error}).") from error
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, not the archive's
        what = f"{parts.describe(all_parts)}: one part" if is_part else archive
        why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise ArchiveError(
            f"{what} is damaged or cut short ({why}). Remove it and fetch it again."
        ) from error


def _unpack_tar(archive: Path, folder: Path, max_bytes: int) -> None:
    budget = _Budget(archive, max_bytes)
    files: set[str] = set()
    with tarfile.open(archive) as tar:
        for member in tar:
            name = _judge_name(archive, member.name, member.isdir())
            _judge_tar(archive, member, files)
            budget.spend(member.size if member.isreg() else 0, member.name)
            # Owners, modes and times of the packer's machine are none of ours.
            tar.extract(member, folder, set_attrs=False, **_TAR_FILTER)
            if member.isreg():
                files.add(name)
        # gzip checks its sum only at the end of the compressed stream
        while block := tar.fileobj.read(_CHUNK):
            budget.spend(len(block), "what follows the last member")


def _judge_tar(archive: Path, member: tarfile.TarInfo, files: set[str]) -> None:
    """Refuse every kind of member but files, folders and links to files already unpacked."""
    if member.isreg() or member.isdir():
        return
    if not (member.issym() or member.islnk()):
        raise ArchiveError(f"{archive}: refused, {member.name!r} is a device or a pipe.")
    # A symbolic link counts from its own folder, a hard link from the top of the archive.
    start = PurePosixPath(member.name).parent if member.issym() else PurePosixPath()
    aim = os.path.normpath(start / member.linkname)
    if aim not in files or aim == os.path.normpath(member.name):
        raise ArchiveError(
            f"{archive}: refused, the link {member.name!r} leads to {member.linkname!r}, which is "
            "outside or no file unpacked before it."
        )


def _unpack_zip(archive: Path, all_parts: Sequence[Path], folder: Path, max_bytes: int) -> None:
    budget = _Budget(archive, max_bytes)
    with (
        io.BufferedReader(parts.Joined(all_parts), _CHUNK) as file,
        zipfile.ZipFile(file) as packed,
    ):
        for member in packed.infolist():
            name = _judge_name(archive, member.filename, member.filename.endswith("/"))
            _judge_zip(archive, member)
            budget.spend(member.file_size, member.filename)
            if member.is_dir():
                (folder / name).mkdir(parents=True, exist_ok=True)
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            # ZipExtFile stops at the stated size, so a member cannot outgrow what was spent, and
            # compares the member's sum (CRC) when the last byte is read.
            with packed.open(member) as source, open(folder / name, "wb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)


def _judge_zip(archive: Path, member: zipfile.ZipInfo) -> None:
    """Refuse encrypted members and, as Unix zips can hold them, links, devices and pipes."""
    if member.flag_bits & 0x1:
        raise ArchiveError(f"{archive}: refused, {member.filename!r} is encrypted.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(
            f"{archive}: refused, {member.filename!r} is a link, a device or a pipe."
        )


def _judge_name(archive: Path, name: str, is_folder: bool) -> str:
    """The member's normalised name, if it stays below the folder on Unix and on Windows alike."""
    normal = os.path.normpath(name)
    if normal == "." and not is_folder:
        raise ArchiveError(f"{archive}: refused, a member has no name.")
    names = normal.split(os.sep)
    if len(names) > MAX_FOLDERS + 1 or max(len(os.fsencode(part)) for part in names) > MAX_NAME:
        raise ArchiveError(f"{archive}: refused, {name[:50]!r}… is too long or too deep a name.")
    # Windows paths know both separators and drives: whatever they call harmless, is.
    seen_by_windows = PureWindowsPath(name)
    if seen_by_windows.anchor or ".." in seen_by_windows.parts:
        raise ArchiveError(f"{archive}: refused, {name!r} leads out of the folder.")
    return normal


class _Budget:
    """Counts what an archive unpacks to and stops it before it exceeds what was declared."""

    def __init__(self, archive: Path, max_bytes: int) -> None:
        self.archive, self.left, self.max_bytes, self.members = archive, max_bytes, max_bytes, 0

    def spend(self, n_bytes: int, name: str) -> None:
        self.members += 1
        self.left -= n_bytes
        if self.left < 0:
            raise ArchiveError(
                f"{self.archive}: refused, it unpacks to more than {self.max_bytes:,} bytes "
                f"(reached at {name!r})."
            )
        if self.members > MAX_MEMBERS:
            raise ArchiveError(f"{self.archive}: refused, it has over {MAX_MEMBERS:,} members.")
