"""Train a network from a MIREX list; resumable.

While it trains, ``<scratch>/model/`` also holds the checkpoint from which an interrupted Train goes
on. Another list or other options begin by deleting the model that is there.
"""

import hashlib
import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirkeras.cache import FeatureCache
from mirkeras.experiment import Protocol, Row, records
from mirkeras.experiment.division import Parts
from mirkeras.experiment.runs import CHECKPOINT, FEATURES, claimed
from mirkeras.layers import count_trainable
from mirkeras.pipeline.labels import Labels
from mirkeras.pipeline.segments import cut
from mirkeras.storage.files import write_text
from mirkeras.system.machine import device
from mirkeras.training import origin
from mirkeras.training.fit import train
from mirkeras.training.plan import Plan, make_plan
from reproductions.lidy_mirex2016.experiments import EXPERIMENT
from reproductions.lidy_mirex2016.mirex_features import Features, gather
from reproductions.lidy_mirex2016.mirex_model import FOLDER, digest_of, read

REPORT_SECONDS = 10.0

ROWS = {
    **{str(number): f"mirex2016/model-{number}" for number in (1, 2, 3)},
    "2015": "mirex2015/music-speech",
}


@dataclass(frozen=True)
class Options:
    """What Train is told.

    Attributes
    ----------
    model : str
        Key of `ROWS`.
    protocol : str
        Name of a protocol of the paper.
    epochs : int or None
        Cap on the protocol's; None: all of them.
    seed : int
    """

    model: str
    protocol: str
    epochs: int | None
    seed: int

    @property
    def row(self) -> Row:
        """The network."""
        return EXPERIMENT.rows[ROWS[self.model]]

    @property
    def rules(self) -> Protocol:
        """The protocol as it is for the network."""
        return EXPERIMENT.protocol_of(self.protocol, self.row.id)

    @property
    def wanted_epochs(self) -> int:
        """How many epochs to train: those asked for, at most the protocol's."""
        most = self.rules.max_epochs
        return min(self.epochs or most, most)

    def built(self, classes: int) -> str:
        """Digest of the network for so many classes, and of its optimiser."""
        network = self.row.build(classes, "softmax", **self.row.options(self.rules, 1))
        return origin.digest_of([network, self.rules.optimizer()])


def fit(
    scratch: Path,
    classes: Mapping[str, str],
    features: Features,
    options: Options,
    say: Callable[[str], None],
) -> dict:
    """Train a network, unless that is done; go on if it was interrupted.

    Parameters
    ----------
    classes : mapping
        File → class, of files that have features.

    Returns
    -------
    dict
        The description, as in ``model.json``.
    """
    place, wanted = scratch / FOLDER, _identity(classes, features, options)
    description = place / "model.json"
    with claimed(place):
        # descriptions of older versions lack what was built
        found = {"built": wanted["built"]} | read(place)
        if {name: found.get(name) for name in wanted} != wanted:
            # of another training; its description goes first: nothing of it is valid
            description.unlink(missing_ok=True)
            for path in place.iterdir():
                if path.name != ".lock":  # it is held
                    path.unlink()
            _write(description, wanted | {"status": "training"})
        elif found["status"] == "finished" and digest_of(place) == found["network"]:
            say("trained already on this list with these options; nothing to do")
            _tidy(place)  # a kill may have come before
            return found

        cache = gather(features, sorted(classes), place / FEATURES)
        plan = _plan(cache, classes, options)
        progress = train(plan, place, _Reporter(plan.max_epochs, say))
        described = wanted | {
            **{"files": dict(Counter(classes.values())), "segments": len(plan.train)},
            **{"parameters": count_trainable(plan.network), "best_epoch": progress.best_epoch},
            "training_seconds": round(progress.seconds, 1),
            **records.environment(),
            **{"status": "finished", "network": digest_of(place)},
        }
        _write(description, described)
        _tidy(place)
    return described


def _identity(classes: Mapping[str, str], features: Features, options: Options) -> dict:
    """Describe all that decides the trained network."""
    lines = "".join(f"{file}\t{classes[file]}\n" for file in sorted(classes))
    rules = options.rules.chosen()
    return {
        "row": options.row.id,
        "protocol": options.protocol,
        "epochs": options.wanted_epochs,
        "batch": EXPERIMENT.batch,
        "frames": options.row.frames,
        "seed": options.seed,
        "classes": sorted(set(classes.values())),
        "train_list": hashlib.sha256(lines.encode()).hexdigest(),
        "rules": hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest(),
        "recipe": features.identity,
        "features": features.fingerprint,
        "built": options.built(len(set(classes.values()))),
    }


def _plan(cache: FeatureCache, classes: Mapping[str, str], options: Options) -> Plan:
    """Make a plan without validation and test: what is tested, only Classify is told."""
    row, protocol = options.row, options.rules
    names = tuple(sorted(set(classes.values())))
    labels = Labels(
        names, np.array([names.index(classes[file]) for file in cache.tracks], np.int32)
    )
    segments = cut(protocol.cut, cache.offsets, row.frames, options.seed)
    everything = np.arange(len(segments))
    parts = Parts(everything, everything[:0], everything[:0], np.arange(len(cache.tracks)))
    words = [options.seed, zlib.crc32(row.id.encode())]
    return make_plan(
        row,
        protocol,
        cache,
        segments,
        parts,
        labels,
        batch=EXPERIMENT.batch,
        max_epochs=options.wanted_epochs,
        seed=int(np.random.SeedSequence(words).generate_state(1)[0] >> 1),
        memory_budget=device.find().memory_budget,
    )


class _Reporter:
    """Says how far a training is: where it goes on, now and then, and at its end."""

    def __init__(self, epochs: int, say: Callable[[str], None]):
        self.epochs, self.say, self.said_at = epochs, say, None

    def __call__(self, line: dict) -> None:
        if "epoch" not in line:  # within a long epoch
            return
        now, epoch = time.monotonic(), int(line["epoch"])
        if self.said_at is None and epoch > 1:
            self.say(f"going on after epoch {epoch - 1}")
        if self.said_at is None or now - self.said_at > REPORT_SECONDS or epoch == self.epochs:
            self.said_at = now
            right = 100 * line["accuracy"]
            self.say(f"epoch {epoch} of {self.epochs}: loss {line['loss']:.4f}, {right:.1f} % of "
                     "the training segments right")  # fmt: skip


def _tidy(place: Path) -> None:
    """Delete what only a training that goes on needs."""
    for rest in (CHECKPOINT, FEATURES):
        (place / rest).unlink(missing_ok=True)


def _write(path: Path, described: dict) -> None:
    write_text(path, json.dumps(described, indent=1) + "\n")
