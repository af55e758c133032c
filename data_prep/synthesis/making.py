"""Make the files of a synthetic data set: in parallel, resumable, the same on every run.

Every file is whole or absent and carries a comment that says which version of which set made it.
The table of tracks is written last, so that an interrupted making is never taken for a whole set.
"""

import hashlib
import io
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import soundfile
from tqdm import tqdm

from data_prep.declare import DataError
from data_prep.index import make_index
from mirkeras.storage.files import sweep, write_bytes
from mirkeras.storage.tables import read_csv, write_csv
from mirkeras.system.workers import work

TABLE = "tracks.csv"


class Makeable(Protocol):
    """A track that can be made; it travels to other processes.

    Attributes
    ----------
    name : str
        Track id, also the path without its suffix.
    comment : str
        Written into the file; it must change whenever the sound would.
    row : dict
        Its line in the table: track, label, tempo, and what else the set tells.
    sample_rate, samples : int
        Rate in Hz and length of the track.
    """

    @property
    def name(self) -> str: ...
    @property
    def comment(self) -> str: ...
    @property
    def row(self) -> dict[str, object]: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def samples(self) -> int: ...

    def play(self) -> np.ndarray:
        """Make the sound: int16, shape (samples,), mono."""


def make_tracks(
    root: Path, tracks: Sequence[Makeable], title: str, processes: int | None = None
) -> None:
    """Make the tracks under `root` that are not there yet, as mono 16-bit FLAC; then the table.

    Every file is whole or absent and the table is written last. A second call after a kill makes
    only what is missing, and the result is the same, whatever the number of processes. The column
    `sha256` is of a track's samples (little-endian int16); `title` stands at the progress bar.
    """
    for folder in root.glob("*/"):
        sweep(folder)
    rows = []
    make = partial(_make_track, root)
    with (
        tqdm(total=len(tracks), desc=title, unit="track") as bar,
        closing(work(make, tracks, processes, name=lambda track: root / track.name)) as made,
    ):
        for row in made:
            rows.append(row)
            bar.update()
    table = pd.DataFrame(rows).sort_values("track")
    write_csv(table, root / TABLE)


def _make_track(root: Path, track: Makeable) -> dict[str, object]:
    """Make one track unless it is there; return its line in the table."""
    path = root / f"{track.name}.flac"
    samples = _read_own(path, track)
    if samples is None:
        samples = track.play()
        form = {"channels": 1, "format": "FLAC", "subtype": "PCM_16"}
        coded = io.BytesIO()  # libsndfile says nothing of a disk that is full
        with soundfile.SoundFile(coded, "w", samplerate=track.sample_rate, **form) as file:
            file.comment = track.comment
            file.write(samples)
        write_bytes(path, coded.getbuffer())
    digest = hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()
    return track.row | {"sha256": digest}


def _read_own(path: Path, track: Makeable) -> np.ndarray | None:
    """Samples of a track made earlier; None if there is none or it is of another version."""
    if not path.is_file():
        return None
    try:
        with soundfile.SoundFile(path) as file:
            samples = file.read(dtype="int16") if file.comment == track.comment else None
    except soundfile.LibsndfileError:  # damaged since: making it again is always right
        return None
    return samples if samples is not None and len(samples) == track.samples else None


def made_index(root: Path, title: str, *further: str) -> pd.DataFrame:
    """Index of a set made here, with `further` columns of its table; errors as of `read_table`."""
    table = read_table(root, title, *further)
    if table is None:
        return make_index((), root).assign(**{name: pd.Series(dtype=str) for name in further})
    table = table.sort_values("track", ignore_index=True)  # as `make_index` sorts
    paths = [root / f"{track}.flac" for track in table["track"]]
    columns = table["track"], paths, table["label"], table["tempo"]
    return make_index(zip(*columns, strict=True), root).assign(**table[list(further)])


def read_table(root: Path, title: str, *further: str) -> pd.DataFrame | None:
    """Read the table of a whole set, with `further` columns; None if nothing was made yet.

    Raises
    ------
    data_prep.DataError
        The table or one of the files it lists is missing: the making was interrupted or files were
        removed.
    mirkeras.storage.tables.TableError
        The table is damaged.
    """
    remedy = (
        f"this {title} is not whole. Remove the folder and run the command again; the set is made "
        "anew in about a minute."
    )
    if not (root / TABLE).is_file():
        if root.is_dir() and any(root.rglob("*.flac")):
            raise DataError(f"{root / TABLE} is missing: {remedy}")
        return None
    columns = ("track", "label", "tempo", *further)
    table = read_csv(root / TABLE, columns, remedy, numbers=["tempo"])
    paths = [root / f"{track}.flac" for track in table["track"]]
    if lost := [path for path in paths if not path.is_file()]:
        raise DataError(f"{lost[0]} is missing (files lost: {len(lost)}): {remedy}")
    return table
