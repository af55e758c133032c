"""Song-level features of several trained networks as the input of one more network."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mirkeras import records
from mirkeras.cache import FeatureCache, open_cache
from mirkeras.embeddings import digest, kept_features
from mirkeras.experiment import Extractor, Row, Setting, find_experiment
from mirkeras.features import find_recipe
from mirkeras.files import whole_file
from mirkeras.runs import Run

#: In a run's directory while it trains.
FILE = "features.raw"


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
    caches = {name: open_cache(setting.caches[name], find_recipe(name))
              for name in {extractor.recipe for extractor in extractors}}  # fmt: skip
    # what one recipe's cache had to set aside is missing for all
    common = sorted(set.intersection(*(set(cache.tracks) for cache in caches.values())))
    columns = []
    for extractor in extractors:
        cache, folder = caches[extractor.recipe], setting.index.parent / "embeddings"
        found = kept_features(extractor.path, cache, folder, overlapping=overlapping)
        places = np.flatnonzero(np.isin(cache.tracks, common))
        columns += [found[layer][places] for layer in row.layers]
    cache = next(iter(caches.values()))
    described = {
        "networks": [[one.dataset, one.row, digest(one.path)] for one in extractors],
        "layers": list(row.layers),
        "overlapping": overlapping,
        "recipes": {name: cache.identity for name, cache in caches.items()},
    }
    values = np.concatenate(columns, axis=1)
    target = run.directory(setting.out) / FILE
    features = _as_cache(values, target, common, cache, described)
    return features, {"recipe": described} | _provenance(run, row, extractors)


def _own(run: Run, row: Row, setting: Setting) -> tuple[Extractor, ...]:
    """Return the networks of the same fold that a row takes its features from."""
    rows = find_experiment(run.paper).rows
    found = []
    for name in row.features_from:
        source = replace(run, row=name)
        path = records.finished_network(source.directory(setting.out), name)
        found.append(Extractor(path, rows[name].recipe, run.dataset, name))
    return tuple(found)


def _provenance(run: Run, row: Row, extractors: tuple[Extractor, ...]) -> dict[str, str]:
    """Say whose features these are, and whether the paper's came from other data."""
    found = {"extractors": " ".join(f"{one.dataset}:{one.row}" for one in extractors)}
    published = row.pretrained_on or run.dataset
    trained = sorted({one.dataset for one in extractors})
    if trained != [published]:
        found["pretrained"] = f"features trained on {', '.join(trained)}, not {published}"
    return found


def _as_cache(
    values: np.ndarray, path: Path, tracks: list[str], source: FeatureCache, identity: dict
) -> FeatureCache:
    """Lay features out as a cache of one frame per track, so that the usual feed reads them."""
    with whole_file(path) as temporary:
        np.ascontiguousarray(values, np.float32).tofile(temporary)
    return FeatureCache(
        path=path,
        tracks=tuple(tracks),
        offsets=np.arange(len(tracks) + 1),
        sizes=np.zeros(len(tracks), np.int64),
        bands=values.shape[1],
        identity=identity,
        fingerprint=source.fingerprint,
        rejected=source.rejected,
        dtype="float32",
        _position_in_file=0,
    )
