"""From a data set's name to its audio and its index: present, fetched or made, and checked.

<data_root>/<name>/              the data set, as unpacked; may be read-only once it is there
<data_root>/archives/<name>/     downloads, and archives placed by hand
<cache_root>/<name>/index.csv    the tracks: id, path, label, group, tempo
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import data_prep
from data_prep import archives, download, folder
from data_prep.declare import Archive, DataError, DataSet, explained
from mirkeras.files import write_text

__all__ = ["DataError", "Prepared", "prepare"]

#: Written into a data set that was downloaded: which archives, from where, with which checksums.
SOURCE = "mirkeras-source.json"

DEMO = "Without this data, `make demo` runs the whole path on a set it makes itself."


@dataclass(frozen=True)
class Prepared:
    """A data set ready for feature extraction.

    Parameters
    ----------
    dataset : DataSet
        Its declaration.
    root : Path
        Folder the index's paths start from.
    index : pandas.DataFrame
        Tracks, see `data_prep.declare.make_index`.
    home : Path
        `<cache_root>/<name>`, where what is derived from the set belongs; its last part is the
        name results go by (a stand-in has its own).
    stand_in : bool
        True if it was unpacked from an archive other than the published one (vouched for by the
        user's mirror): numbers measured on it are not the paper's data.
    """

    dataset: DataSet
    root: Path
    index: pd.DataFrame
    home: Path
    stand_in: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in alphabetical order: declared, or (`folder:PATH`) found."""
        return self.dataset.classes or tuple(sorted(self.index["label"].unique()))


def prepare(
    name: str,
    *,
    data_root: Path,
    cache_root: Path,
    mirror: str | None = None,
    offline: bool = False,
) -> Prepared:
    """Make a data set usable, doing only what is not done yet.

    Parameters
    ----------
    name : str
        A declared name or `folder:PATH`.
    data_root, cache_root : Path
        Where data sets and what is derived from them live.
    mirror : str or None
        Folder or http(s) address tried before the published addresses.
    offline : bool
        Use no network.

    Raises
    ------
    DataError
        The set is absent and cannot be had, or does not hold the tracks it must.
    """
    dataset = data_prep.get(name)
    if name.startswith(folder.PREFIX):
        root, how = folder.root_of(name), "present"
    else:
        root = Path(data_root).expanduser().absolute() / dataset.name
        how = "present" if _holds_files(root) else _provide(dataset, root, mirror, offline)
    index = dataset.index(root)
    check_counts(dataset, root, index)
    stand_in = _is_stand_in(dataset, root)
    # what is derived from a stand-in never carries the name of the published set
    home = Path(cache_root).expanduser().absolute() / (
        f"{dataset.name}-stand-in" if stand_in else dataset.name
    )
    written = _write_index(index, home / "index.csv")
    prepared = Prepared(dataset, root, index, home, stand_in)
    _report(prepared, how, written)
    return prepared


def check_counts(dataset: DataSet, root: Path, index: pd.DataFrame) -> None:
    """Compare the tracks found with the declaration, class by class.

    Raises
    ------
    DataError
        They differ; the message lists every class and the remedy.
    """
    found = index["label"].value_counts().to_dict()
    if not dataset.counts or found == dict(dataset.counts):
        return
    lines = []
    for label in sorted({*dataset.counts, *found}):
        want, have = dataset.counts.get(label, 0), found.get(label, 0)
        lines.append(
            f"  {label:<16}{want:>6} expected {have:>6} found{'' if want == have else ' <'}"
        )
    raise DataError(
        f"{root} does not hold the {dataset.name} data set as declared:\n"
        + "\n".join(lines)
        + f"\nIt should look like this:\n{_indented(dataset.layout)}\n"
        f"Complete the folder, or move it away and run again to have the set provided anew. {DEMO}"
    )


def archive_folder(root: Path) -> Path:
    """Where downloads for the data set at `root` are kept."""
    return root.parent / "archives" / root.name


def _holds_files(root: Path) -> bool:
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file where the folder of a data set is expected; move it.")
    return root.is_dir() and any(root.iterdir())


def _provide(dataset: DataSet, root: Path, mirror: str | None, offline: bool) -> str:
    """Make or download the absent data set; say which."""
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


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the one right to provide a data set; a second process waits here."""
    with explained(root.parent):
        root.parent.mkdir(parents=True, exist_ok=True)
        lock = open(root.with_name(f".{root.name}.lock"), "w")  # noqa: SIM115 - closed below
    with lock:
        # Some network file systems have no locks: there, too, start one preparation at a time.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file gives the right back


def _download(dataset: DataSet, root: Path, mirror: str | None, offline: bool) -> None:
    """Fetch and unpack all archives of a data set; `root` appears only when all is there."""
    fetched: list[tuple[Archive, download.Fetched]] = []
    for archive in dataset.archives:
        try:
            place = archive_folder(root)
            got = download.fetch(archive, place, mirror=mirror, offline=offline)
            fetched.append((archive, got))
        except download.FetchError as error:
            if not archive.optional:
                raise DataError(_absent(dataset, root, error)) from None
            print(f"{dataset.name}: going on without an optional archive. {error}", flush=True)
    with archives.staged(root) as staging:
        for archive, got in fetched:
            print(f"{dataset.name}: unpacking {got.path}", flush=True)
            archives.unpack(got.path, staging, max_bytes=archive.max_unpacked)
        record = [
            {"archive": archive.filename, "address": got.address, "checksum": got.checksum}
            for archive, got in fetched
        ]
        (staging / SOURCE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _absent(dataset: DataSet, root: Path, error: download.FetchError) -> str:
    """The one message for data that is not there and cannot be had."""
    archive = error.archive
    size = f"{archive.size:,} bytes, " if archive.size is not None else ""
    return (
        f"The data set {dataset.name} is not in {root}, and {error}\n"
        f"Three ways out:\n"
        f"  - run again when the network is back (what has arrived is kept and continued);\n"
        f"  - get it from {archive.urls[0]} by other means ({size}{archive.checksum}) and put it\n"
        f"    at {archive_folder(root) / archive.filename},\n"
        f"    or give the folder or address that holds it: --mirror DIR_OR_URL;\n"
        f"  - put an unpacked copy at {root}:\n{_indented(dataset.layout, 6)}\n"
        f"{DEMO}"
    )


def _is_stand_in(dataset: DataSet, root: Path) -> bool:
    """Whether a record says that other archives than the declared ones were unpacked here."""
    if not (root / SOURCE).is_file():
        return False
    declared = {archive.filename: archive.checksum for archive in dataset.archives}
    record = json.loads((root / SOURCE).read_text(encoding="utf-8"))
    return any(declared.get(entry["archive"]) != entry["checksum"] for entry in record)


def _write_index(index: pd.DataFrame, path: Path) -> bool:
    """Write the index unless the file holds just that; tell whether it was written."""
    text = index.to_csv(index=False, lineterminator="\n")
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with explained(path.parent):
        write_text(path, text)
    return True


def _report(prepared: Prepared, how: str, written: bool) -> None:
    """One line on what is there, and one on anything a reader must not miss."""
    dataset, index = prepared.dataset, prepared.index
    print(
        f"{dataset.name}: {len(index)} tracks in {len(prepared.classes)} classes, {how} at "
        f"{prepared.root}; index {'written to' if written else 'up to date in'} {prepared.home}",
        flush=True,
    )
    if prepared.stand_in:
        print(
            f"{dataset.name}: NOT the published archive but a stand-in from a mirror; results "
            "on it count as different data.",
            flush=True,
        )
    if dataset.archives or dataset.make is not None:
        return
    if ignored := folder.left_out(prepared.root):
        what = ", ".join(f"{n} × {kind}" for kind, n in ignored.most_common(5))
        print(f"{dataset.name}: {sum(ignored.values())} files left out ({what})", flush=True)


def _indented(text: str, by: int = 2) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())
