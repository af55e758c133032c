"""What decides a run's numbers besides its name, as a digest in two parts: inputs and network.

The first needs no network and is what records of older versions hold. The second needs one to be
built, which only a worker may do: it touches a device.
"""

import hashlib
import json
from importlib.metadata import version

from mirkeras.cache import open_cache
from mirkeras.experiment import Experiment
from mirkeras.experiment.division import drops_by_chance, holds_out_by_class, tracks_of
from mirkeras.experiment.records import library, major
from mirkeras.experiment.runs import JOINT, Run
from mirkeras.experiment.setting import Setting
from mirkeras.features import find_recipe
from mirkeras.pipeline.labels import read_labels
from mirkeras.pipeline.splits import SEEDED
from mirkeras.training.learners import LEARNERS
from mirkeras.training.plan import batch_of

#: Of a layer in a network's configuration: what it is called, and what `Setting` decides.
_IGNORED = ("name", "registered_name", "module", "dtype", "build_config")
_LINKS = ("inbound_nodes", "input_layers", "output_layers")


def origin_of(run: Run, experiment: Experiment, setting: Setting) -> str:
    """Digest what decides a run's numbers besides its name: `inputs_of` and `network_of`."""
    inputs, network = (part(run, experiment, setting) for part in (inputs_of, network_of))
    return f"{inputs}{JOINT}{network}"


def inputs_of(run: Run, experiment: Experiment, setting: Setting) -> str:
    """Digest features, labels, groups, splits, the protocol, and the networks it builds on."""
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    learner = LEARNERS[experiment.learner_of(run.protocol, run.row)]
    caches = {
        name: open_cache(setting.caches[name], find_recipe(name))
        for name in sorted(learner.recipes(experiment, row, setting.extractors))
    }
    tracks = tracks_of(next(iter(caches.values())), setting.index, setting.tags)
    # of what is drawn every declared track decides
    deciding = tracks if run.split in SEEDED else tracks[tracks.heard]
    parts = {
        "features": {name: [cache.identity, cache.fingerprint] for name, cache in caches.items()},
        # lists of other splits may arrive later
        "tracks": deciding[["label", "group", *({run.split} & set(tracks))]].to_csv(),
        "tags": setting.tags,
        "protocol": protocol.chosen(),
        "row": [row.frames, row.layers, row.standardise, batch_of(run, experiment)],
        "mixed_precision": setting.mixed_precision,
    } | learner.digested(run, row, setting)
    if holds_out_by_class(protocol, run.split, run.folds):  # older runs of that name did not
        parts["validation"] = "by class"
    if drops_by_chance(protocol, run.split):
        parts["dropped"] = "by chance"
    return _digest(parts)


def network_of(run: Run, experiment: Experiment, setting: Setting) -> str:
    """Digest what a run's row builds, its optimiser, and what computes them.

    Layers, shapes, rates and initialisers decide, names do not.
    """
    row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
    learner = LEARNERS[experiment.learner_of(run.protocol, run.row)]
    recipe = sorted(learner.recipes(experiment, row, setting.extractors))[0]
    tracks = tracks_of(open_cache(setting.caches[recipe]), setting.index, setting.tags)
    labels = read_labels(tracks[tracks.heard], setting.tags)
    return digest_of(learner.built(row, protocol, labels))


def digest_of(built: list) -> str:
    """Digest networks and optimisers, and what computes them."""
    computed = library()
    parts = [computed, major(version(computed["backend"]))]
    parts += [[type(one).__name__, nameless(one.get_config())] for one in built]
    return _digest(parts)


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def nameless(value: object, places: dict[str, int] | None = None, linked: bool = False) -> object:
    """Strip the configuration of a network, layer or optimiser of what decides no numbers.

    Names go: they are counted up within a process; where layers are linked by name, their places
    stand instead. What is None or False goes, too: a later Keras has more of it.

    Parameters
    ----------
    places : dict or None
        Name → place of the layers of the network around.
    linked : bool
        Whether this is part of a link.
    """
    if isinstance(value, dict):
        if "layers" in value:
            places = {layer.get("name"): place for place, layer in enumerate(value["layers"])}
        return {
            name: nameless(part, places, linked or name in _LINKS)
            for name, part in value.items()
            if name not in _IGNORED and part is not None and part is not False
        }
    if isinstance(value, list | tuple):
        return [nameless(part, places, linked) for part in value]
    return (places or {}).get(value, value) if linked and isinstance(value, str) else value
