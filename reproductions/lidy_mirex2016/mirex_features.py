"""Features in the scratch folder of MIREX's interface: extracted once, found again by file.

``<scratch>/features/<recipe>-<hash>.h5`` are ordinary caches (`mirkeras.cache`), one for each set
of files that was missing when a list was handed over; a track's name is its absolute path. Every
list finds its files in whichever cache holds them, so several lists may share a scratch folder.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from mirkeras import cache
from mirkeras.cache import CacheError, FeatureCache
from mirkeras.cache.access import AUDIO
from mirkeras.cache.rows import rows_as_cache
from mirkeras.features import Recipe, find_recipe
from mirkeras.features.extraction import digest_of
from mirkeras.storage.files import whole_file
from mirkeras.storage.memory import Memory
from mirkeras.storage.tables import read_csv

#: The window is 3,072 samples at 44.1 kHz and scaled proportionally for half and quarter.
RECIPES = {rate: f"lidy2016-{rate}" for rate in (44_100, 22_050, 11_025)}
USUAL = 22_050  # Hz, the rate of MIREX's audio
FOLDER = "features"


@dataclass(frozen=True, eq=False)
class Features:
    """The features of the files of a list.

    Attributes
    ----------
    recipe : Recipe
    held : dict
        File → the cache that holds it, and its number there.
    unusable : dict
        File → why it has no features.
    """

    recipe: Recipe
    held: dict[str, tuple[FeatureCache, int]]
    unusable: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Digest of the names and audio of all files in the caches that hold these."""
        prints = sorted({found.fingerprint for found, _ in self.held.values()})
        return prints[0] if len(prints) == 1 else _digest(prints)

    @property
    def identity(self) -> dict:
        """What defines the numbers; `choose_recipe` and `provide` see that it is one."""
        return next(iter(self.held.values()))[0].identity

    def frames(self, file: str) -> np.ndarray:
        """Read the frames of a file, float32 (time, band)."""
        return self.held[file][0].track(file)

    def offsets(self, files: Sequence[str]) -> np.ndarray:
        """Where each file starts if their frames follow on each other: int64 (files + 1,)."""
        places = [self.held[file] for file in files]
        return np.cumsum([0, *(found.offsets[n + 1] - found.offsets[n] for found, n in places)])


def choose_recipe(scratch: Path, files: Sequence[str]) -> tuple[Recipe, str]:
    """Choose the recipe of a list: the one it was extracted by, else the one of its files' rate.

    Files at several rates, or at one for which the paper has no window, are resampled to 22,050 Hz.

    Returns
    -------
    (recipe, reason)
        The reason is for people.
    """
    wanted, found = set(files), Counter()
    for name in RECIPES.values():
        for cached in _caches(scratch, find_recipe(name)):
            found[name] += len(wanted & set(cached.tracks))
    if any(found.values()):
        return find_recipe(max(found, key=found.get)), "as extracted before"
    rates = Counter(filter(None, map(_rate, wanted)))
    if len(rates) == 1 and (rate := next(iter(rates))) in RECIPES:
        return find_recipe(RECIPES[rate]), f"all files at {rate} Hz"
    listed = ", ".join(f"{count} at {rate} Hz" for rate, count in sorted(rates.items()))
    return find_recipe(RECIPES[USUAL]), f"files resampled: {listed or 'none can be read'}"


def provide(scratch: Path, files: Sequence[str], recipe: Recipe, jobs: int | None) -> Features:
    """Find the features of files, extract those that are missing or of other audio than now.

    Parameters
    ----------
    jobs
        Number of processes; by default one per core.

    Raises
    ------
    CacheError
        A cache is damaged, in use, cannot be written or was made by other versions.
    """
    wanted = set(files)
    features = _look_up(scratch, wanted, recipe)
    unknown = sorted(wanted - features.held.keys() - features.unusable.keys())
    missing = [file for file in unknown if Path(file).exists()]
    unusable = dict.fromkeys(set(unknown) - set(missing), "missing")
    if missing:
        unusable |= _extract(scratch, missing, recipe, jobs)
        features = _look_up(scratch, wanted, recipe)
    return replace(features, unusable=features.unusable | unusable)


def gather(features: Features, files: Sequence[str], path: Path) -> FeatureCache:
    """Copy the frames of files, one after another, into a file that a feed can read.

    Parameters
    ----------
    path
        Raw float32; to be deleted after use.
    """
    # Written, not mapped: on a full disk a write says so, a mapped page ends the process.
    with whole_file(path) as temporary, temporary.open("wb") as raw:
        for file in files:
            raw.write(np.ascontiguousarray(features.frames(file), np.float32).data)
    return rows_as_cache(
        path,
        tracks=files,
        counts=np.diff(features.offsets(files)),
        bands=features.recipe.bands,
        identity=features.identity,
        fingerprint=features.fingerprint,
        rejected=pd.DataFrame(columns=["track", "path", "reason", "size"]),
    )


def _caches(scratch: Path, recipe: Recipe) -> list[FeatureCache]:
    paths = sorted((scratch / FOLDER).glob(f"{recipe.name}-*.h5"))
    return [cache.open_cache(path, recipe) for path in paths]


def _look_up(scratch: Path, wanted: set[str], recipe: Recipe) -> Features:
    """Find out what the caches know of files."""
    held, unusable = {}, {}
    audio = Memory(scratch / FOLDER / AUDIO)
    for found in _caches(scratch, recipe):
        for number, file in enumerate(found.tracks):
            if file in wanted and found.digests[number] == digest_of(Path(file), audio):
                held[file] = found, number
        for line in found.rejected.itertuples():
            # one that was mended since is worth another try
            if line.track in wanted and line.digest == digest_of(Path(line.track), audio):
                unusable[line.track] = line.reason
    audio.save()
    unusable = {file: why for file, why in unusable.items() if file not in held}
    return Features(recipe, held, unusable)


def _extract(
    scratch: Path, missing: Sequence[str], recipe: Recipe, jobs: int | None
) -> dict[str, str]:
    """Build a cache of files; returns why each is unusable if all are, for then there is none."""
    path = scratch / FOLDER / f"{recipe.name}-{_digest(missing)[:16]}.h5"
    index = pd.DataFrame({"track": missing, "path": [file.lstrip("/") for file in missing]})
    report = path.with_suffix(".rejected.csv")
    report.unlink(missing_ok=True)
    try:
        # Whether too many are unusable is for the step that needs them to say.
        cache.build_cache(index, Path("/"), recipe, path, jobs=jobs, max_rejected=1.0)
    except CacheError:
        columns = ("track", "reason")
        rejected = read_csv(report, columns, "run again") if report.exists() else None
        if rejected is None or set(rejected.track) != set(missing):
            raise
        return dict(zip(rejected.track, rejected.reason, strict=True))
    return {}


def _rate(file: str) -> int | None:
    """Sample rate in Hz, from the header alone; None where it cannot be read (extraction says)."""
    try:
        return soundfile.info(file).samplerate
    except (soundfile.LibsndfileError, OSError, TypeError):
        return None


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("".join(f"{text}\n" for text in texts).encode()).hexdigest()
