"""The network that MIREX's interface keeps in the scratch folder: loaded, and used on lists.

``<scratch>/model/`` holds ``model.keras``, ``model.json`` (what it was trained on, and how) and
``log.csv``; `mirex_training` leaves them there. A scratch folder has one model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np

from mirkeras.evaluation.metrics import track_classes
from mirkeras.pipeline.feed import prediction_batch
from mirkeras.pipeline.segments import Segments, cut
from mirkeras.storage.files import read_json, sha256
from mirkeras.system.errors import UsageError
from mirkeras.system.machine import device
from reproductions.lidy_mirex2016.experiments import EXPERIMENT
from reproductions.lidy_mirex2016.mirex_features import Features

FOLDER = "model"
AT_ONCE = 10  # files whose segments are in memory together when they are classified


def set_up(threads: int | None) -> None:
    """Prepare the process.

    Raises
    ------
    UsageError
        Keras does not run on TensorFlow.
    """
    if device.backend() != "tensorflow":
        raise UsageError(f"KERAS_BACKEND is {device.backend()}, this needs TensorFlow: unset it")
    device.configure(threads=threads)


def load(scratch: Path) -> tuple[keras.Model, dict]:
    """Load the finished network of a scratch folder, and its description.

    Nothing that the file may contain is executed (Keras' safe mode).

    Raises
    ------
    UsageError
        There is none, or its training was not finished, or its files do not belong together.
    """
    place = scratch / FOLDER
    described = read(place)
    if not described:
        raise UsageError(f"{place} holds no model: run Train with this scratch folder first")
    if described["status"] != "finished":
        raise UsageError(f"the training in {place} was not finished: run the same Train again")
    if digest_of(place) != described["network"]:
        raise UsageError(f"{place / 'model.keras'} is not what Train left there: run Train again")
    network = keras.saving.load_model(place / "model.keras", compile=False, safe_mode=True)
    return network, described


def classify(
    network: keras.Model, described: Mapping, features: Features, files: Sequence[str]
) -> dict[str, str]:
    """Decide for a class per file.

    Which random segments a file gives depends on the seed of the training and on the other files.
    """
    protocol = EXPERIMENT.protocol_of(described["protocol"], described["row"])
    files, length = sorted(set(files)), network.input_shape[1]
    offsets = features.offsets(files)
    segments = cut(protocol.cut, offsets, length, described["seed"])
    numbers = np.arange(len(files))
    scores = [
        _scores(network, features, [files[n] for n in some], segments, offsets, some[0])
        for some in np.array_split(numbers, -(-len(files) // AT_ONCE))
    ]
    known = {"scores": np.concatenate(scores), "segment_track": segments.track, "tracks": files}
    chosen = track_classes(known, protocol.aggregate)
    return {file: described["classes"][n] for file, n in zip(files, chosen, strict=True)}


def _scores(
    network: keras.Model,
    features: Features,
    files: Sequence[str],
    segments: Segments,
    offsets: np.ndarray,
    first: int,
) -> np.ndarray:
    """Score the segments of some files, of which `first` is the number of the first one."""
    frames = np.concatenate([features.frames(file) for file in files])
    chosen = segments.of_tracks(np.arange(first, first + len(files)))
    starts = segments.first[chosen] - offsets[first]
    windows = frames[starts[:, None] + np.arange(segments.length)]
    batches = np.array_split(windows, -(-len(windows) // prediction_batch(windows[0].size)))
    return np.concatenate([network.predict_on_batch(batch) for batch in batches])


def read(place: Path) -> dict:
    """Read the description; empty if there is none, or none that can be read."""
    try:
        found = read_json(place / "model.json")
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) and "status" in found else {}


def digest_of(place: Path) -> str:
    """Digest of the network's file; empty if there is none."""
    path = place / "model.keras"
    return sha256(path) if path.exists() else ""
