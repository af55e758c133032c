"""Getting an archive: mirror first, then the published addresses, resumed and verified.

The transfer is our own because pooch starts every attempt from zero and these archives weigh up
to 1.5 GB. A partial file is kept as `<name>.part` across failures, runs and addresses (the checksum
decides in the end, so it may be continued from anywhere). Only a file whose checksum matches ever
gets the archive's name.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from data_prep.declare import Archive, DataError, as_data_errors
from data_prep.fetch import checksums
from data_prep.fetch.checksums import TransferError

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3  # at one address, counted anew whenever `PROGRESS` bytes came through
PROGRESS = 2**20  # bytes
BACKOFF = 1.0  # seconds before the second attempt, doubled for each further one
_CHUNK = 2**18  # bytes

#: In a mirror folder: all it holds is a stand-in, see `data_prep.fetch.counts`.
STAND_IN = "stand-in.json"

_HEADERS = {
    # The host of Ballroom answers 403 to the default names of download libraries.
    "User-Agent": "Mozilla/5.0 (compatible; mirkeras)",
    # Lengths and ranges must be those of the file, not of a compressed transfer.
    "Accept-Encoding": "identity",
}


class _Interrupted(Exception):
    """One attempt failed in a way that may pass."""


class FetchError(DataError):
    """No address gave the archive; `tried` lists (address, what happened)."""

    def __init__(self, archive: Archive, tried: list[tuple[str, str]]) -> None:
        lines = "\n".join(f"  {address}: {reason}" for address, reason in tried)
        super().__init__(f"{archive.filename} could not be fetched.\n{lines}")
        self.archive, self.tried = archive, tried


@dataclass(frozen=True)
class Fetched:
    """A verified archive: where it lies, where it came from, the checksum it matched.

    `genuine` is False for a stand-in: anything known to be another file than the published one.
    """

    path: Path
    address: str
    checksum: str
    genuine: bool = True


def fetch(
    archive: Archive, folder: Path, *, mirror: str | None = None, offline: bool = False
) -> Fetched:
    """Find or download an archive and verify it.

    Parameters
    ----------
    folder : Path
        Where downloads are kept; an archive placed here by hand is used.
    mirror : str or None
        Folder, or http(s) address of a folder, that is tried before the published addresses.
        An archive in a mirror folder is used in place. There a file `<archive>.sha256` (as
        `sha256sum` writes it) vouches for a stand-in that is not the published archive, and a file
        `stand-in.json` says so of everything there.

    Raises
    ------
    FetchError
        No place has the archive with the right checksum.
    DataError
        The disk is full, `folder` cannot be written, or `mirror` is neither folder nor address.
    """
    target = folder / archive.filename
    tried: list[tuple[str, str]] = []
    for address in (str(target), *_mirror_address(archive, mirror), *archive.urls):
        try:
            if not _is_url(address):
                return _local(archive, Path(address), target)
            if offline:
                raise TransferError("not tried (offline)")
            return _download(archive, address, target)
        except TransferError as error:
            tried.append((address, str(error)))
    raise FetchError(archive, tried)


def _is_url(address: str) -> bool:
    return re.match(r"https?://", address, re.IGNORECASE) is not None


def _mirror_address(archive: Archive, mirror: str | None) -> tuple[str, ...]:
    """The archive's address on the mirror (none without a mirror)."""
    if mirror is None:
        return ()
    if _is_url(mirror):
        return (f"{mirror.rstrip('/')}/{archive.filename}",)
    if not Path(mirror).expanduser().is_dir():
        raise DataError(f"--mirror {mirror}: neither a folder nor an http(s) address.")
    return (str(Path(mirror).expanduser().resolve() / archive.filename),)


def _local(archive: Archive, path: Path, target: Path) -> Fetched:
    """An archive on disk, if it is there and its checksum matches."""
    if not path.is_file():
        raise TransferError("no such file")
    voucher = path.with_name(path.name + ".sha256")
    if path == target or not (voucher.is_file() or path.with_name(STAND_IN).is_file()):
        return Fetched(path, str(path), *checksums.judge(archive, path, target))
    found = checksums.of(path, "sha256")
    if voucher.is_file():
        checksums.require_equal(found, checksums.stated(voucher))
    known = archive.checksum or archive.reported
    genuine = known is not None and checksums.of(path, known) == known
    return Fetched(path, str(path), found, genuine)


def _download(archive: Archive, url: str, target: Path) -> Fetched:
    """Transfer to `<target>.part`, verify, rename."""
    part = target.with_name(target.name + ".part")
    with as_data_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        resumed = _length(part) > 0
        transfer(url, part, archive.size)
        try:
            checksum, genuine = checksums.judge(archive, part, target)
        except TransferError:
            part.unlink()
            if not resumed:
                raise
            # The old part may have been of another file: this address deserves a fresh start.
            return _download(archive, url, target)
        os.replace(part, target)
    return Fetched(target, url, checksum, genuine)


def transfer(url: str, part: Path, size: int | None) -> None:
    """Bring `part` to the full length of the file at `url`, continuing what it holds.

    Parameters
    ----------
    url : str
        http or https address; redirects to anything else are not followed.
    part : Path
        Partial file, may be absent.
    size : int or None
        Length in bytes the file must have, if known.

    Raises
    ------
    TransferError
        The server cannot be reached, refuses, offers another size, or broke off `ATTEMPTS` times
        in a row without progress. What arrived stays in `part`.
    """
    failures, furthest = 0, _length(part)
    while True:
        try:
            return _attempt(url, part, size)
        except _Interrupted as interruption:
            advanced = _length(part) >= furthest + PROGRESS
            furthest = max(furthest, _length(part))
            failures = 1 if advanced else failures + 1
            if failures >= ATTEMPTS:
                kept = f"; {_length(part):,} bytes are kept for the next run"
                raise TransferError(f"{interruption}{kept}") from interruption
            time.sleep(BACKOFF * 2 ** (failures - 1))


def _attempt(url: str, part: Path, size: int | None) -> None:
    """One request, from where `part` ends."""
    import requests  # what is here need not be fetched, and tagging starts sooner
    from urllib3.exceptions import ProtocolError

    if size is not None and _length(part) > size:
        part.unlink()
    have = _length(part)
    if have and have == size:
        return
    headers = _HEADERS | ({"Range": f"bytes={have}-"} if have else {})
    timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            _receive(response, part, have, size)
    except requests.ConnectionError as error:
        cause = error.args[0] if error.args else error
        if isinstance(cause, ProtocolError):
            raise _Interrupted("the server closed the connection") from error
        # No name, no route, refused, no certificate: waiting a second does not help.
        reason = str(getattr(cause, "reason", cause)).split(": ", 1)[-1]
        raise TransferError(f"cannot connect ({reason})") from error
    except requests.Timeout as error:
        raise _Interrupted(f"no answer within {READ_TIMEOUT:.0f} s") from error
    except requests.RequestException as error:
        raise TransferError(str(error)) from error


def _receive(response: "requests.Response", part: Path, have: int, size: int | None) -> None:
    """Judge an answer and write its body to the end of `part` (or over it)."""
    start, total = _offered(response)
    if response.status_code == 416 and total == have:
        return
    if response.status_code == 416 or (response.status_code == 206 and start != have):
        part.unlink(missing_ok=True)
        raise _Interrupted("the server could not continue the partial file; it was discarded")
    if response.status_code == 429 or response.status_code >= 500:
        raise _Interrupted(f"HTTP {response.status_code} {response.reason}")
    if response.status_code not in (200, 206):
        raise TransferError(f"HTTP {response.status_code} {response.reason}")
    if size is not None and total is not None and total != size:
        raise TransferError(f"offers a file of {total:,} bytes, {size:,} are declared")
    expected = total if total is not None else size
    _write(response, part, start, expected)
    if expected is not None and _length(part) < expected:
        raise _Interrupted(f"broke off after {_length(part):,} of {expected:,} bytes")


def _offered(response: "requests.Response") -> tuple[int, int | None]:
    """First byte and length of the whole file, as the headers of an answer state them."""
    if response.status_code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    match = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match is None:
        return -1, None
    total = None if match[2] == "*" else int(match[2])
    return -1 if match[1] is None else int(match[1]), total


def _write(response: "requests.Response", part: Path, start: int, expected: int | None) -> None:
    """Append the body as sent (a server that labels `.tar.gz` as an encoding must not unpack)."""
    from urllib3.exceptions import HTTPError

    name = part.name.removesuffix(".part")
    print(f"{'resuming' if start else 'downloading'} {name} from {response.url}", flush=True)
    bar = tqdm(
        desc=name,
        total=expected,
        initial=start,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        disable=None,  # silent where nobody watches
    )
    with bar, open(part, "ab" if start else "wb") as sink:
        try:
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                sink.write(chunk)
                bar.update(len(chunk))
        except HTTPError as error:
            sink.flush()
            of = f" of {expected:,}" if expected is not None else ""
            raise _Interrupted(f"broke off after {sink.tell():,}{of} bytes") from error


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
