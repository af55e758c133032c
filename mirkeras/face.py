"""What ``import mirkeras as mk`` offers; each function imports what it needs when it is called.

>>> import mirkeras as mk
>>> mk.build("pons_cbmi2016/table1/time-1x60", classes=8).count_params()
7336
>>> mk.features.__name__
'mirkeras.features'
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mirkeras.system.backend import keras

    import numpy as np
    import tensorflow as tf

    from mirkeras.tagging import Tagged, Tagger


def tag(path: str | Path, model: str | Path = "MTT_musicnn", **options) -> "Tagged":
    """Tag a file by a published network, or by finished runs of one's own.

    Parameters
    ----------
    model
        Name of a card (`mirkeras tag --list`), or the path of a run or of the folder of its folds.
    options
        Those of `mirkeras.tagging.Tagger`: hop, features, weights, jobs …

    Raises
    ------
    AudioError, UsageError
        The file cannot be used; there is no such model.

    Examples
    --------
    >>> mk.tag("song.mp3").top(3)                                        # doctest: +SKIP
    [('techno', 0.61), ('electronic', 0.43), ('beat', 0.3)]
    """
    from mirkeras import tagging

    return tagging.tag(path, model, **options)


class Parts(NamedTuple):
    """A data set, divided: each part gives batches of segments and their labels.

    Attributes
    ----------
    train, validation, test : tf.data.Dataset
        (float32 (batch, time, band), int32 (batch,) classes or float32 (batch, tags)).
    classes : tuple of str
        What the labels are numbers of, or the tags.
    """

    train: "tf.data.Dataset"
    validation: "tf.data.Dataset"
    test: "tf.data.Dataset"
    classes: tuple[str, ...]


def dataset(
    name: str,
    recipe: str = "musicnn",
    frames: int = 187,
    *,
    batch: int = 32,
    split: str | None = None,
    folds: int = 5,
    fold: int = 0,
    seed: int = 0,
    data_root: str | Path | None = None,
    cache_root: str | Path | None = None,
) -> Parts:
    """Make a data set ready for `keras.Model.fit`: fetched, checked, extracted, cut, divided.

    Parameters
    ----------
    name
        A declared name (`mirkeras data list`), ``folder:PATH`` with a folder per class,
        ``csv:FILE``, or ``mirdata:NAME``.
    frames
        Length of a segment; tracks are cut without overlap.
    split
        A split that comes with the data set, ``drawn`` or ``stratified`` (None: as
        `mirkeras train` chooses). Groups (artists, replicas) share a part.
    folds, fold, seed
        Of a split from the seed: which fold is tested, counted from 0.
    data_root, cache_root
        Where data sets and features live; None: where the commands keep them (`mirkeras doctor`).

    Raises
    ------
    DataError, CacheError, UsageError
        The data set, its features or the split cannot be used.

    Examples
    --------
    >>> data = mk.dataset("folder:music")                                # doctest: +SKIP
    >>> network = mk.build("pons_ismir2018/released/musicnn", len(data.classes))  # doctest: +SKIP
    >>> network.compile("adam", "sparse_categorical_crossentropy")       # doctest: +SKIP
    >>> network.fit(data.train, validation_data=data.validation)         # doctest: +SKIP
    """
    from mirkeras.storage.places import cache_home, data_home
    from mirkeras.training.command.ready import ready

    parts = ready(
        name, recipe, frames, batch=batch, split=split, folds=folds, fold=fold, seed=seed,
        data_root=Path(data_root or data_home()), cache_root=Path(cache_root or cache_home()),
    )  # fmt: skip
    return Parts(*parts)


def build(
    row: str, classes: int, *, tags: bool = False, protocol: str | None = None
) -> "keras.Model":
    """Build the untrained network of a published row, for so many outputs.

    Parameters
    ----------
    row
        ``<paper>/<row>``, as `mirkeras list` prints it: ``lee_samplecnn/table5/22050``.
    tags
        Whether the outputs are tags (sigmoid), not classes (softmax).
    protocol
        Whose options the network gets; None: the paper's first.

    Raises
    ------
    UsageError, ResultsError
        There is no such row, or it has no network of its own; no such paper.
    """
    from mirkeras.experiment import find_experiment
    from mirkeras.experiment.published import published_rows
    from mirkeras.system.errors import UsageError

    paper, _, name = row.partition("/")
    published_rows(paper)  # or an error that lists the papers
    experiment = find_experiment(paper)
    found = experiment.rows.get(name)
    if found is None or found.build is None or found.features_from:
        have = [one.id for one in experiment.rows.values() if one.build and not one.features_from]
        raise UsageError(f"{paper} has no network {name!r}; it has: {', '.join(have)}")
    chosen = experiment.protocol_of(protocol or next(iter(experiment.protocols)), name)
    activation = "sigmoid" if tags else "softmax"
    return found.build(classes, activation, **found.options(chosen, 0))


@dataclass(frozen=True)
class FinishedRun:
    """A finished run.

    Attributes
    ----------
    directory : Path
    record : dict
        Its ``run.json``: command, commit, versions, seed, fold, data fingerprint, scores.
    """

    directory: Path
    record: dict

    def predictions(self) -> dict[str, "np.ndarray"]:
        """Read what it said of its test tracks, see `mirkeras.experiment.records`."""
        from mirkeras.experiment.records import read_predictions

        return read_predictions(self.directory)

    def network(self) -> "keras.Model":
        """Load its network: segments (batch, time, band) → scores."""
        from mirkeras.experiment.records import finished_network
        from mirkeras.transfer.networks import load_network

        return load_network(finished_network(self.directory, self.record["row"]))

    def tagger(self, **options) -> "Tagger":
        """Make a tagger of it; the options are those of `mirkeras.tagging.Tagger`."""
        from mirkeras.tagging import Tagger

        return Tagger(self.directory, **options)


def load_run(path: str | Path) -> FinishedRun:
    """Open a finished run by its directory (`mirkeras list --runs`).

    Raises
    ------
    RunError
        There is none, it is not finished, or its files are not those that it left.
    """
    from mirkeras.experiment.records import RunError, check_files, read_record

    directory = Path(path)
    record = read_record(directory)
    if record is None or record["status"] != "finished":
        raise RunError(f"{directory} holds no finished run; see mirkeras list --runs")
    check_files(directory, record)
    return FinishedRun(directory, dict(record))
