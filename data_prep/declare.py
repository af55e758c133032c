"""What a data set is: the declaration every module of this package fills in.

A data set is declared, not scripted. Its module says where the archives lie, what they must weigh
and hash to, how the unpacked tree looks, how many tracks each class must hold and which tracks
repeat one another; `data_prep.prepare` does the same work for all of them from these facts.

Words: a *track* is one recording, its *label* the class it belongs to (or its tags, joined by `|`),
its *group* what must stay on one side of a split (replicas share a group). A *split* is a named,
published division of the set; its parts are `train`, `validation` and `test`, or folds `1`, `2` …
Tempi are in beats per minute (BPM).
"""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mirkeras.system.errors import ExpectedError

if TYPE_CHECKING:
    import pandas as pd

# The last two: a file stands where a folder is needed.
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


class DataError(ExpectedError):
    """A data set cannot be used; the message says what, where, and what to do about it."""

    has_lines = True


@contextmanager
def as_data_errors(place: Path) -> Iterator[None]:
    """Turn "disk full" and "not allowed" below `place` into a `DataError` that helps."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"No space left for {place}. Make room, or choose a folder on another disk with "
                "--data-root or --cache-root, and run again; what was downloaded is kept."
            ) from error
        if error.errno in _NOT_ALLOWED:
            raise DataError(
                f"{place} cannot be read or written ({error.strerror}: {error.filename}). Choose "
                "a folder of your own with --data-root or --cache-root."
            ) from error
        raise


@dataclass(frozen=True)
class Archive:
    """One published file a data set is made of.

    Parameters
    ----------
    filename : str
        Name of the file on disk and on a mirror.
    urls : tuple of str
        Public addresses, tried in order.
    checksum : str or None
        `"md5:<hex>"` or `"sha256:<hex>"`; nothing is unpacked before it matches. None where the
        publisher states none: then the sum of the first download is recorded beside it, and later
        ones must match that.
    size : int or None
        Published length in bytes, None where no public source states it.
    max_unpacked : int
        Most bytes its content may take on disk; more is treated as a hostile archive. For parts of
        one zip (`name.zip.001` …), which are unpacked as one, the first part's counts.
    optional : bool
        True for annotations the set can be used without; failing to get them is said, not fatal.
    keep : bool
        True for a file that is not unpacked but read as it is: a list, a table.
    split : str
        Name of the split this list belongs to.
    reported : str or None
        A checksum that others, not the publisher, have reported. A file that differs is used, but
        counts as a stand-in.
    """

    filename: str
    urls: tuple[str, ...]
    checksum: str | None
    size: int | None
    max_unpacked: int
    optional: bool = False
    keep: bool = False
    split: str = ""
    reported: str | None = None


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Everything the suite knows about one data set.

    Parameters
    ----------
    name : str
        Name on the command line and of its folders under the data and the cache root.
    description, citation, licence : str
        One paragraph; BibTeX; terms of use as published.
    archives : tuple of Archive
        What is downloaded; empty for sets that are synthesised or the user's own.
    layout : str
        The expected tree, as shown to people in error messages.
    counts : mapping of str to (int or None)
        Tracks per class, None where no public source states the number; empty where nothing is
        declared (`folder:PATH`) and for tags.
    known_bad : tuple of str
        Ids of tracks known to be damaged as published. They are counted and indexed; reading
        them fails, and the cache sets them aside. Copies of the set that lack them are complete.
    replicas : tuple of tuple of str
        Sets of track ids that are the same recording; no track is in two of them.
    index : callable
        `index(root)` lists the tracks under `root` as a table with the columns `COLUMNS`.
    make : callable or None
        `make(root)` fills the empty folder `root` for sets that are synthesised.
    tags : tuple of str
        The vocabulary, in the order of a network's outputs, if tracks have tags instead of a class.
    tracks : int or None
        Number of tracks of a set with tags.
    seconds : float
        Usual length of a track, for estimates before the audio is here; 0: not known.
    splits : mapping
        Name of a split to tracks per part (none: not declared); the first is the default. An index
        lacks the column of a split whose lists could not be had.
    class_splits : mapping
        Split, then part, to tracks per class: what subsets by class are checked against. Of a set
        with tags, to tracks with each tag, for the parts where that is known.
    folder : str
        Name of the folder under the data root, if it is not the set's own name.
    repeats : str
        What random folds of the set get wrong, one sentence for people: which recordings or artists
        come more than once. Empty where nothing is known.
    own_audio : bool
        True if the lists are published but not the audio: the user brings it, and tracks without
        audio are reported, not refused.
    max_bad : float
        Largest share of tracks that may be unusable, from 0 to 1.
    """

    name: str
    description: str
    citation: str = ""
    licence: str
    archives: tuple[Archive, ...] = ()
    layout: str
    counts: Mapping[str, int | None] = field(default_factory=dict)
    known_bad: tuple[str, ...] = ()
    replicas: tuple[tuple[str, ...], ...] = ()
    index: "Callable[[Path], pd.DataFrame]" = field(repr=False)
    make: Callable[[Path], None] | None = field(default=None, repr=False)
    tags: tuple[str, ...] = ()
    tracks: int | None = None
    seconds: float = 0.0
    splits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    class_splits: Mapping[str, Mapping[str, Mapping[str, int]]] = field(
        default_factory=dict, repr=False
    )
    folder: str = ""
    own_audio: bool = False
    repeats: str = ""
    max_bad: float = 0.05

    @property
    def classes(self) -> tuple[str, ...]:
        """Declared class names in alphabetical order (empty for `folder:PATH` and for tags)."""
        return tuple(sorted(self.counts))
