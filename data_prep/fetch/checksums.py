"""Whether a file is the one that is declared.

Where no checksum is published, the sum of the first file that is used is recorded
as `<folder>/<archive>.recorded.sha256`, and every later one must match it.
"""

import hashlib
from pathlib import Path

from data_prep.declare import Archive, as_data_errors
from mirkeras.storage.files import write_text


class TransferError(Exception):
    """One address failed; trying it again at once is of no use."""


def of(path: Path, like: str) -> str:
    """`<algorithm>:<hex>` of a file, by the algorithm that `like` names or starts with."""
    algorithm = like.partition(":")[0]
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def stated(voucher: Path) -> str:
    """The sum in a file as `sha256sum` writes it."""
    return "sha256:" + (voucher.read_text("utf-8", "replace").split() or ["(empty)"])[0].lower()


def require_equal(found: str, expected: str) -> None:
    """Raise `TransferError`, naming both sums, if they differ."""
    if found != expected:
        raise TransferError(f"wrong checksum: expected {expected}, found {found}")


def verify(path: Path, expected: str) -> None:
    """Raise `TransferError`, naming both sums, if a file is not the one expected."""
    require_equal(of(path, expected), expected)


def judge(archive: Archive, path: Path, target: Path) -> tuple[str, bool]:
    """The checksum that `path` matches and whether it is the published file.

    Without a published checksum, the sum recorded beside `target` (where the archive belongs)
    decides; without that, it is recorded now, but of a file known to be another than the published
    only if it was put there by hand, not if it was downloaded or lies on a mirror.

    Raises
    ------
    TransferError
        It is another file than the published or the first one.
    """
    if archive.checksum is not None:
        verify(path, archive.checksum)
        return archive.checksum, True
    record = target.with_name(target.name + ".recorded.sha256")
    found = of(path, "sha256")
    genuine = archive.reported is None or of(path, archive.reported) == archive.reported
    if record.is_file():
        if found != stated(record):
            raise TransferError(
                f"another file than the first time: {record} records {stated(record)}, found "
                f"{found}; if the published file has changed, remove the record"
            )
    elif genuine or path == target:
        with as_data_errors(record.parent):
            write_text(record, f"{found.partition(':')[2]}  {target.name}\n")
    return found, genuine
