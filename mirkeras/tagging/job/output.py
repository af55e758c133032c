"""What `mirkeras tag` writes: text, CSV, Parquet, JSON, JAMS, and embeddings as HDF5.

Names of files survive whatever they hold. JSON and JAMS are plain ASCII with escapes, where a byte
that is no UTF-8 is a lone surrogate (``\\udcff`` is the byte FF), as Python reads and writes it;
text, CSV and HDF5 hold the name's own bytes. Text escapes control characters and line ends, which
could deceive a terminal or whoever reads line by line.
"""

import io
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import import_module, metadata
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import h5py
import numpy as np

from mirkeras import __version__
from mirkeras.audio import decoding
from mirkeras.features import find_recipe
from mirkeras.storage.files import whole_file
from mirkeras.storage.tables import csv_line
from mirkeras.system.errors import UsageError, shown
from mirkeras.tagging.models import Model
from mirkeras.tagging.tagger import Tagged

#: Decimals of scores and times; the networks themselves are proven to 1e-4.
DECIMALS = 6
JAMS_VERSION = "0.3.5"
_CHUNK = 2**18  # bytes of a piece of an HDF5 data set
_MOST_ROWS = 4096  # in such a piece


@lru_cache
def versions(recipe: str, path: Path | None = None) -> dict[str, str]:
    """Versions of all that decides the numbers: decoder, resampler, frames of a recipe, network.

    Without a path they are part of a job's settings, so that what is written of it was computed by
    them; with one the decoder is that of this file.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    network = {
        "mirkeras": __version__,
        "keras": _version("keras"),
        "backend": f"{backend} {_version(backend)}",
    }
    return network | find_recipe(recipe).libraries() | decoding.identity(path)


def _version(module: str) -> str:
    """As it was installed: a complete job is recognised without importing TensorFlow."""
    for name in (module, f"{module}-cpu"):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    from mirkeras.system import backend  # noqa: F401  a package of another name, or a wrong word

    return import_module(module).__version__


def texts(tracks: Iterable[Tagged], model: Model, top: int) -> Iterator[str]:
    """For every track its path and its `top` tags with their scores, best first."""
    for tagged in tracks:
        repeated = ", repeated to fill a segment" if tagged.repeated else ""
        decided = f"  {shown(tagged.decided)}" if tagged.decided else ""
        yield f"{shown(tagged.path)}  ({tagged.seconds:.1f} s{repeated}){decided}\n"
        for tag, score in tagged.top(top):
            yield f"  {score:.3f}  {tag}\n"


def csv_lines(tracks: Iterable[Tagged], model: Model, top: int) -> Iterator[str]:
    """A line per track: path, seconds, repeated (0 or 1), then the score of every tag.

    Of a classifier its decision comes before the scores, of several runs the standard deviation of
    each score over them behind all.
    """
    yield csv_line([*_fact_names(model), *_score_names(model)])
    for tagged in tracks:
        facts = [str(tagged.path), f"{tagged.seconds:.3f}", int(tagged.repeated)]
        facts += [tagged.decided] * bool(model.aggregate)
        yield csv_line([*facts, *(f"{score:.{DECIMALS}f}" for score in _scores(tagged))])


def _fact_names(model: Model) -> list[str]:
    return ["path", "seconds", "repeated", *["decided"] * bool(model.aggregate)]


def _score_names(model: Model) -> list[str]:
    spread = model.tags if len(model.runs) > 1 else ()
    return [*model.tags, *(f"{tag} (std of {len(model.runs)} runs)" for tag in spread)]


def _scores(tagged: Tagged) -> np.ndarray:
    return np.append(tagged.scores, () if tagged.spread is None else tagged.spread)


def write_parquet(path: Path, tracks: Iterable[Tagged], model: Model) -> None:
    """Write the table of `csv_lines` as a Parquet file, whole or not at all.

    Scores are float32. Bytes of a name that are no UTF-8 are written as ``\\xff``: a Parquet
    string holds none.

    Raises
    ------
    OSError
        The file could not be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"path": pa.string(), "seconds": pa.float64(), "repeated": pa.bool_()}
    facts = [(name, kinds.get(name, pa.string())) for name in _fact_names(model)]
    schema = pa.schema([*facts, *((name, pa.float32()) for name in _score_names(model))])
    with (
        whole_file(path) as temporary,
        _Sink(temporary) as sink,
        parquet.ParquetWriter(sink, schema) as table,
    ):
        tracks = iter(tracks)
        while some := list(islice(tracks, _MOST_ROWS)):
            names = [os.fsencode(one.path).decode("utf-8", "backslashreplace") for one in some]
            columns = [names, [one.seconds for one in some], [one.repeated for one in some]]
            columns += [[one.decided for one in some]] * bool(model.aggregate)
            scores = np.stack([_scores(one) for one in some]).astype(np.float32)
            table.write_table(pa.table([*columns, *scores.T], schema=schema))
            sink.check()


def require_parquet() -> None:
    """Say in a line, before anything is tagged, that the extra is missing."""
    if find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow: pip install 'mirkeras[parquet]'")


def json_array(tracks: Iterable[Tagged], model: Model, top: int) -> Iterator[str]:
    """One array with an object per track, each on a line of its own; see `as_object`."""
    yield "["
    separator = "\n"
    for tagged in tracks:
        yield separator + json.dumps(as_object(tagged, model))
        separator = ",\n"
    yield "\n]\n"


#: Formats that make one document of all tracks: (tracks, model, top) → pieces of it.
DOCUMENTS: dict[str, Callable[[Iterable[Tagged], Model, int], Iterator[str]]] = {
    "text": texts,
    "csv": csv_lines,
    "json": json_array,
}


def as_object(tagged: Tagged, model: Model) -> dict:
    """Give all that is known of a track as plain values.

    ``scores`` (tags) are the means of ``taggram`` (segments × tags) over the segments, which begin
    at ``starts`` (seconds) and last ``length`` seconds each. Of a classifier there is what it
    ``decided``, of several runs the ``spread`` of each score: its standard deviation over them.
    """
    return {
        "path": str(tagged.path),
        "model": tagged.model,
        "weights": model.weights,
        "seconds": tagged.seconds,
        "repeated": tagged.repeated,
        "tags": list(tagged.tags),
        "scores": _plain(tagged.scores),
        **({"decided": tagged.decided} if tagged.decided else {}),
        **({"spread": _plain(tagged.spread)} if tagged.spread is not None else {}),
        "length": tagged.length,
        "starts": _plain(tagged.starts),
        "taggram": _plain(tagged.taggram),
        "versions": versions(model.recipe.name, tagged.path),
    }


def jams(tagged: Tagged, model: Model, top: int) -> str:
    """Write a track as a JAMS file (JSON Annotated Music Specification 0.3; Humphrey et al. 2014).

    Two annotations of namespace ``tag_open``: the `top` tags of the track, and the `top` tags of
    every segment. Confidences are the scores.
    """
    whole = [_observation(0, tagged.seconds, tag, score) for tag, score in tagged.top(top)]
    ends = np.minimum(tagged.starts + tagged.length, tagged.seconds)
    best = np.argsort(-tagged.taggram, axis=1, kind="stable")[:, :top]
    parts = [
        _observation(start, end - start, tagged.tags[tag], scores[tag])
        for start, end, scores, order in zip(tagged.starts, ends, tagged.taggram, best, strict=True)
        for tag in order
    ]
    content = {
        "annotations": [
            _annotation(whole, tagged, model, "track: mean over segments"),
            _annotation(parts, tagged, model, "segments"),
        ],
        "file_metadata": {
            "title": "",
            "artist": "",
            "release": "",
            "duration": tagged.seconds,
            "identifiers": {},
            "jams_version": JAMS_VERSION,
        },
        "sandbox": {"path": str(tagged.path), "versions": versions(model.recipe.name, tagged.path)},
    }
    return json.dumps(content, indent=1) + "\n"


def write_embeddings(path: Path, tracks: Iterable[Tagged], model: Model, feature: str) -> None:
    """Write the hidden features of all tracks into one HDF5 file, whole or not at all.

    Its data sets, tracks one after another: ``features`` float32 (all segments, dimensions),
    ``means`` float32 (tracks, dimensions), their mean over each track's segments, ``starts``
    float64 (all segments,) in seconds, ``offsets`` int64 (tracks + 1,): track i has the segments
    ``offsets[i]:offsets[i + 1]``; ``paths`` (tracks,), the names' own bytes. Attributes: model,
    weights (SHA-256), feature, recipe, length of segments and hop from one to the next in
    seconds (hop: whole frames, as done, not as asked for; NaN where no track has two segments),
    versions (JSON).

    Raises
    ------
    OSError
        The file could not be written.
    """
    with whole_file(path) as temporary, _Sink(temporary) as sink, h5py.File(sink, "w") as file:
        offsets, paths, length, hop = [0], [], 0.0, math.nan
        for tagged in tracks:
            _append(file, "features", tagged.features)
            _append(file, "means", tagged.features.mean(axis=0, keepdims=True))
            _append(file, "starts", tagged.starts)
            sink.check()
            offsets.append(offsets[-1] + len(tagged.starts))
            paths.append(os.fsencode(tagged.path))
            length = tagged.length
            if len(tagged.starts) > 1:
                hop = tagged.starts[1] - tagged.starts[0]
        longest = max(map(len, paths), default=1)
        file["offsets"] = np.array(offsets, np.int64)
        file["paths"] = np.array(paths, h5py.string_dtype("utf-8", longest))
        facts = {"model": model.name, "weights": model.weights, "feature": feature}
        facts |= {"recipe": model.recipe.name, "length": length, "hop": hop}
        file.attrs.update(facts | {"versions": json.dumps(versions(model.recipe.name))})


class _Sink(io.FileIO):
    """A new file for HDF5, which ends the process where writing fails: only `check` says so."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the error with which writing ended, if it did."""
        if self._error is not None:
            raise self._error

    def write(self, data: memoryview) -> int:
        rest = memoryview(data).cast("B")
        try:
            while rest and self._error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._error = error
        return len(data)

    def __exit__(self, *_) -> None:
        self.close()
        self.check()


def _append(file: h5py.File, name: str, rows: np.ndarray) -> None:
    if name not in file:
        # not by the first track: of one segment it would make a piece of every segment
        together = max(1, min(_MOST_ROWS, _CHUNK // rows[0].nbytes))
        shape = rows.shape[1:]
        chunks = (together, *shape)
        file.create_dataset(name, data=rows, maxshape=(None, *shape), chunks=chunks)
        return
    data = file[name]
    data.resize(len(data) + len(rows), axis=0)
    data[-len(rows) :] = rows


def _plain(values: np.ndarray) -> list:
    return np.round(values.astype(np.float64), DECIMALS).tolist()


def _observation(time: float, duration: float, tag: str, score: float) -> dict:
    numbers = {"time": time, "duration": max(duration, 0.0), "confidence": score}
    return {key: round(float(value), DECIMALS) for key, value in numbers.items()} | {"value": tag}


def _annotation(data: list[dict], tagged: Tagged, model: Model, what: str) -> dict:
    return {
        "namespace": "tag_open",
        "time": 0.0,
        "duration": tagged.seconds,
        "annotation_metadata": {
            "curator": {"name": "mirkeras", "email": ""},  # what JAMS' own library writes for none
            "annotator": {"model": model.name, "weights": model.weights},
            "version": __version__,
            "corpus": model.data,
            "annotation_tools": f"mirkeras {__version__}",
            "annotation_rules": "",
            "validation": "",
            "data_source": "program",
        },
        "data": data,
        "sandbox": {"what": what, "segment_length": tagged.length, "repeated": tagged.repeated},
    }
