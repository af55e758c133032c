"""Song-level features of several trained networks as the input of one more network."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from mirkeras.cache import FeatureCache, open_cache
from mirkeras.cache.rows import rows_as_cache
from mirkeras.embeddings import kept_features
from mirkeras.experiment import Row, records
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.extractors import of_record
from mirkeras.features import find_recipe
from mirkeras.system.files import sha256, whole_file

#: In a run's directory while it trains.
FILE = "features.raw"


def sources(run: Run, row: Row, setting: Setting) -> list[Path]:
    """Paths of the trained networks that a row builds on; those of its fold may not exist yet."""
    if row.features_from and setting.extractors:
        return [extractor.path for extractor in setting.extractors]
    return [replace(run, row=name).directory(setting.out) / "model.keras" for name in row.sources]


def build(
    run: Run, row: Row, setting: Setting, *, overlapping: bool
) -> tuple[FeatureCache, dict[str, object]]:
    """Concatenate the features of a row's networks, one frame per track.

    Returns
    -------
    (cache, description)
        The description is for the run's record.

    Raises
    ------
    RunError
        A network it needs is not trained yet.
    """
    extractors = setting.extractors or _own(run, row, setting)
    names = sorted({extractor.recipe for extractor in extractors})
    caches = {name: open_cache(setting.caches[name], find_recipe(name)) for name in names}
    # what one recipe's cache had to set aside is missing for all
    common = sorted(set.intersection(*(set(cache.tracks) for cache in caches.values())))
    columns = []
    for extractor in extractors:
        cache, folder = caches[extractor.recipe], setting.index.parent / "embeddings"
        found = kept_features(extractor.path, cache, folder, row.layers, overlapping=overlapping)
        places = np.flatnonzero(np.isin(cache.tracks, common))
        columns += [found[layer][places] for layer in row.layers]
    described = {
        "networks": [[one.dataset, one.row, sha256(one.path)] for one in extractors],
        "layers": list(row.layers),
        "overlapping": overlapping,
        "recipes": {name: cache.identity for name, cache in caches.items()},
    }
    target = run.directory(setting.out) / FILE
    features = _as_cache(columns, target, common, list(caches.values()), described)
    return features, {"recipe": described} | _provenance(run, row, extractors)


def _own(run: Run, row: Row, setting: Setting) -> tuple[Extractor, ...]:
    """Return the networks of the same fold that a row takes its features from."""
    found = []
    for name in row.features_from:
        directory = replace(run, row=name).directory(setting.out)
        path = records.finished_network(directory, name)
        found.append(of_record(path, records.read_record(directory)))
    return tuple(found)


def _provenance(run: Run, row: Row, extractors: tuple[Extractor, ...]) -> dict[str, str]:
    """Say whose features these are, and what keeps them from being the paper's."""
    found = {"extractors": " ".join(f"{one.dataset}:{one.row}" for one in extractors)}
    published = row.pretrained_on or run.dataset
    trained = sorted({one.dataset for one in extractors})
    reasons = []
    if trained != [published]:
        reasons.append(f"features trained on {', '.join(trained)}, not {published}")
    if tuple(one.row for one in extractors) != row.features_from:
        reasons.append(f"features of {', '.join(one.row for one in extractors)}")
    if any(one.capped for one in extractors):
        reasons.append("feature networks cut short by --epochs")
    division = (run.split, run.folds, run.fold, run.seed)
    if any(_related(one.dataset, run.dataset) and one.division != division for one in extractors):
        reasons.append("feature networks of another division may have heard test tracks")
    return found | ({"pretrained": "; ".join(reasons)} if reasons else {})


def _related(one: str, other: str) -> bool:
    """Whether two data sets share tracks, a part of one being named after it."""
    return one.startswith(other) or other.startswith(one)


def _as_cache(
    columns: list[np.ndarray],
    path: Path,
    tracks: list[str],
    caches: list[FeatureCache],
    identity: dict,
) -> FeatureCache:
    """Lay features out as a cache of one frame per track, so that the usual feed reads them."""
    bands = sum(values.shape[1] for values in columns)
    with whole_file(path) as temporary:
        frames = np.memmap(temporary, np.float32, "w+", shape=(len(tracks), bands))
        np.concatenate(columns, axis=1, out=frames)
        frames.flush()
    prints = "".join(cache.fingerprint for cache in caches)
    return rows_as_cache(
        path,
        tracks=tracks,
        counts=np.ones(len(tracks)),
        bands=bands,
        identity=identity,
        fingerprint=hashlib.sha256(prints.encode()).hexdigest(),
        rejected=caches[0].rejected,
    )
