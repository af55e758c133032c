"""What is to be built: a cache file, the recipe it is made by, and its tracks."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mirkeras.cache.file import CacheError
from mirkeras.features import Recipe, extraction


@dataclass(frozen=True, eq=False)
class Build:
    """One cache to build.

    Attributes
    ----------
    identity
        What defines the numbers, plain values.
    tasks
        One per track, sorted by track.
    max_rejected
        Largest share of unusable tracks; one track is always allowed unless this is 0.
    members
        The tracks of each class or tag.
    """

    path: Path
    root: Path
    identity: dict
    tasks: list[extraction.Task]
    max_rejected: float
    members: Mapping[str, Collection[str]]

    @property
    def partial(self) -> Path:
        """Folder of the shards."""
        return partial_folder(self.path)

    @property
    def assembled(self) -> Path:
        """The cache file while it is written."""
        return self.partial / "assembled.h5"

    @property
    def allowed(self) -> int:
        """How many tracks may be unusable."""
        # In a small set one track may always be unusable, unless none may.
        return max(1, int(self.max_rejected * len(self.tasks))) if self.max_rejected else 0


def list_tasks(
    index: pd.DataFrame,
    root: Path,
    recipe: Recipe,
    path: Path,
    identity: dict,
    max_rejected: float,
    members: Mapping[str, Collection[str]],
) -> Build:
    """List what to extract, sorted by track, so that the order of the index does not matter.

    Raises
    ------
    CacheError
        The index is empty or names a track twice.
    """
    if index.empty or index["track"].duplicated().any():
        raise CacheError(f"{path}: the index must hold at least one track, and each only once")
    tag = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    tasks = [
        extraction.Task(
            track=track,
            path=root / relative,
            # Track ids hold slashes and any letters; a hash is a safe file name.
            shard=partial_folder(path) / f"{hashlib.sha256(track.encode()).hexdigest()[:32]}.npz",
            recipe=recipe,
            identity=tag,
            min_frames=identity["min_frames"],
        )
        for track, relative in sorted(zip(index["track"], index["path"], strict=True))
    ]
    return Build(path, root, identity, tasks, max_rejected, members)


def partial_folder(path: Path) -> Path:
    """Return where the shards of a cache file wait."""
    return path.with_name(f"{path.name}.partial")
