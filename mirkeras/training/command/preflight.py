"""What a command chose, checked before anything is trained: rows, protocol, split, divisions."""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from data_prep.index import WHOLE
from data_prep.prepare import Prepared
from data_prep.sets import listed
from data_prep.sets.folder import FOLDERS
from mirkeras import cache
from mirkeras.experiment import Experiment, Protocol
from mirkeras.experiment.division import divide, keeps_groups, tracks_of
from mirkeras.experiment.published import row_ids
from mirkeras.experiment.setting import Extractor, Setting
from mirkeras.features import Recipe, find_recipe
from mirkeras.pipeline.segments import consecutive
from mirkeras.pipeline.splits import DRAWN, SEEDED, STRATIFIED, named_folds
from mirkeras.storage.files import require_writable
from mirkeras.system.errors import UsageError, shown
from mirkeras.system.jobs import Whose
from mirkeras.system.machine import device
from mirkeras.training.learner import Learner
from mirkeras.training.learners import LEARNERS

#: Backends of Keras that networks are trained on.
TRAINING = ("tensorflow", "jax")
#: Ends the name that results go by where tracks of a split have no audio here.
PARTIAL = "-partial"
#: What helps, by split, where a class is tested and not trained on.
_OTHERWISE = {
    DRAWN: f"use --split {STRATIFIED}, which keeps each class's share in every part",
    STRATIFIED: "use other --folds or --seeds, or more tracks",
}


def plan_rows(
    experiment: Experiment, wanted: list[str], extractors: tuple[Extractor, ...]
) -> list[str]:
    """Check row ids, add the rows that others start from, put those first."""
    names = row_ids(experiment.paper) | {name: name for name in experiment.rows}
    chosen: list[str] = []
    for word in wanted:
        # a published id, a row, a table of them, or all
        word = word.removeprefix(f"{experiment.paper}/")
        table = [row for name, row in names.items() if name.startswith(f"{word}/") and row]
        if word == "all":
            chosen += experiment.rows
        elif names.get(word):
            chosen.append(names[word])
        elif table:
            chosen += table
        else:
            why = "cited from earlier work" if word in names else "unknown"
            raise UsageError(f"{why} row {word!r}; rows: {', '.join(experiment.rows)}")

    needed = []
    for name in dict.fromkeys(chosen):
        # whatever the protocol: a row needs the same rows under all of them
        learner = LEARNERS[experiment.learner_of(next(iter(experiment.protocols)), name)]
        needed += learner.needs(experiment.rows[name], extractors)
    if added := sorted(set(needed) - set(chosen)):
        print(f"also training {', '.join(added)}: a wanted row starts from them")
    return sorted({*chosen, *needed}, key=list(experiment.rows).index)


def choose_protocol(experiment: Experiment, rows: list[str], wanted: str | None) -> Protocol:
    """Return the protocol asked for, or the first by which these rows can be learned.

    Raises
    ------
    UsageError
        The rows have no protocol in common, or the one asked for is not theirs.
    """
    fitting = {
        name: protocol
        for name, protocol in experiment.protocols.items()
        if all(LEARNERS[experiment.learner_of(name, row)].fits(protocol) for row in rows)
    }
    if not fitting:
        raise UsageError(
            "rows on features of trained taggers are run by another protocol than networks; name "
            f"one kind in --rows: {', '.join(rows)}"
        )
    if wanted and wanted not in fitting:
        raise UsageError(
            f"protocol {wanted} is not for {', '.join(rows)}; use --protocol {' or '.join(fitting)}"
        )
    return fitting[wanted or next(iter(fitting))]


def choose_split(
    prepared: Prepared, protocol: Protocol, wanted: str | None, folds: int | None
) -> tuple[str, int]:
    """Return the split's name and its number of folds.

    Raises
    ------
    UsageError
        The data set has no such split, or its lists are missing, or `folds` does not go with it.
    """
    named = [name for name in prepared.dataset.splits if name in prepared.index]
    # one's own train and test come before the protocol's split. Without that, the data set's is the
    # default also where its lists are missing: an error, no reason to train on another division
    own_parts = {FOLDERS, listed.SPLIT} & {*prepared.dataset.splits}
    first = next(iter(own_parts), protocol.split)
    own = DRAWN if prepared.dataset.counts or prepared.dataset.tags else STRATIFIED
    split = wanted or first or next(iter(prepared.dataset.splits), own)
    if split in SEEDED:
        folds = folds or protocol.folds
        if folds < 2 and split == DRAWN:
            raise UsageError("--folds must be at least 2: one part is tested, the others train")
        if split == DRAWN and protocol.draw and WHOLE in prepared.index:
            raise UsageError(
                f"protocol {protocol.name} draws its folds by track, and the groups of "
                f"{prepared.dataset.name} must not be divided: use --split {STRATIFIED}, or "
                "another --protocol"
            )
        return split, folds
    if split not in named:
        missing = " (its lists are missing, see above)" * (split in prepared.dataset.splits)
        known = ", ".join([*named, *SEEDED])
        raise UsageError(f"{prepared.dataset.name} has no split {split!r}{missing}; known: {known}")
    if folds:
        seeded = " or ".join(SEEDED)
        raise UsageError(f"--folds is for --split {seeded}; the split {split} has its own")
    return split, named_folds(prepared.index[split].to_numpy(str))


def check_classes(prepared: Prepared, split: str, folds: int) -> None:
    """Refuse folds that cannot hold every class, before features are extracted.

    Raises
    ------
    UsageError
        A stratified split is wanted of tracks with tags, or a class has fewer tracks than folds.
    """
    if split != STRATIFIED:
        return
    name = prepared.dataset.name
    if prepared.dataset.tags:
        raise UsageError(
            f"tracks of {name} have tags, no class to stratify by; use --split {DRAWN}"
        )
    counts = prepared.index.label.value_counts()
    few = counts[counts < max(2, folds)].sort_values()
    if few.empty:
        return
    named = ", ".join(f"{label!r} ({count})" for label, count in few.iloc[:5].items())
    more = f" and {len(few) - 5} more" if len(few) > 5 else ""
    remedy = f"use --folds {few.iloc[0]}, or add tracks" if few.iloc[0] > 1 else "add tracks to it"
    raise UsageError(
        f"{name}: too few tracks for {folds} folds with every class in each: {named}{more}; "
        f"{remedy}, or leave out what is that small"
    )


def leaks(prepared: Prepared, protocol: Protocol, split: str) -> str:
    """Say what a split puts on both sides, as far as it is known; or nothing."""
    if split not in SEEDED:
        used = prepared.index[prepared.index[split] != ""]
        parts = used.groupby("group")[split].transform("nunique")
        return (
            f"{(parts > 1).sum()} of {len(used)} tracks share their recording with tracks of "
            "another part."
            if (parts > 1).any()
            else ""
        )
    said = [prepared.dataset.repeats] if prepared.dataset.repeats else []
    shared = int(prepared.index.group.duplicated(keep=False).sum())
    if shared and not keeps_groups(protocol, prepared.index):
        said.append(
            f"{shared} of {len(prepared.index)} tracks share their recording with others, and this "
            "protocol lets it be in both training and test."
        )
    return " ".join(said)


def lacks_audio(prepared: Prepared, split: str) -> bool:
    """Whether tracks of the split are not there: what is measured is not the published set."""
    # of a published archive everything must be there, see `data_prep.fetch.counts`
    if not prepared.dataset.own_audio or split in SEEDED:
        return False
    found = prepared.index[split].value_counts()
    declared = prepared.dataset.splits[split]
    return any(found.get(part, 0) < count for part, count in declared.items())


def check_machine(arguments: argparse.Namespace) -> None:
    """Refuse what this machine or backend cannot do, before anything starts."""
    if device.backend() not in TRAINING:
        raise UsageError(
            f"training runs on TensorFlow or JAX, KERAS_BACKEND is {device.backend()}: unset it"
        )
    # whoever starts the workers of a cluster need not be like them
    if arguments.mixed_precision and not arguments.cluster and not device.half_precision():
        raise UsageError(
            "--mixed-precision needs a GPU, or a processor that multiplies bfloat16, and none was "
            "found: leave it out"
        )
    if arguments.plan:
        require_writable(arguments.out / "run.json")  # leaves nothing
    else:
        arguments.out.mkdir(parents=True, exist_ok=True)


def check_division(
    protocol: Protocol,
    caches: dict[str, cache.FeatureCache],
    setting: Setting,
    split: str,
    folds: int,
    wanted_seeds: list[int],
) -> None:
    """Make every division once, so that an impossible one is said at the start and once.

    Raises
    ------
    UsageError
        There are too few tracks, a part stays empty, or a tested class is not trained on.
    """
    for features in caches.values():
        tracks = tracks_of(features, setting.index, setting.tags)
        labels = tracks.label[tracks.heard].to_numpy()
        # tracks are divided, whatever their length
        whole = consecutive(np.arange(len(labels) + 1), 1)
        for seed, fold in product(wanted_seeds, range(folds)):
            try:
                parts = divide(
                    protocol, whole, tracks, split=split, folds=folds, fold=fold, seed=seed
                )
            except ValueError as error:
                held = "" if protocol.validate_by == "test" else " with a validation part"
                raise UsageError(
                    f"{len(tracks)} tracks cannot be cut into {folds} folds{held} ({error}); use "
                    "other --folds or more tracks"
                ) from error
            for part in ("train", "validation", "test"):
                if not len(getattr(parts, part)):
                    raise UsageError(
                        f"the split {split} leaves no track in the {part} part; use other --folds, "
                        "another --split or --protocol, or more tracks"
                    )
            lost = sorted(set(labels[parts.test]) - set(labels[parts.train]))
            if lost and not setting.tags:
                remedy = _OTHERWISE.get(split, "use another --split")
                raise UsageError(
                    f"split {split}, seed {seed}, fold {fold + 1}: tracks of {', '.join(lost)} are "
                    f"tested and none trained on; {remedy}"
                )


def wanted_caches(
    experiment: Experiment,
    learners: dict[str, Learner],
    extractors: tuple[Extractor, ...],
    prepared: Prepared,
    more: set[str],
) -> dict[Path, Recipe]:
    """Name the caches that rows read, and `more`; as for `build_caches`."""
    names = set(more)
    for row, learner in learners.items():
        names |= learner.recipes(experiment, experiment.rows[row], extractors)
    return {prepared.home / f"{name}.h5": find_recipe(name) for name in sorted(names)}


def build_caches(
    experiment: Experiment,
    learners: dict[str, Learner],
    extractors: tuple[Extractor, ...],
    prepared: Prepared,
    more: set[str],
    whose: Whose = None,
) -> dict[str, cache.FeatureCache]:
    """Build or open the caches that rows read, and `more`, by recipe; `learners` by row.

    Parameters
    ----------
    whose : int, None or Hands
        Who extracts, see `mirkeras.system.jobs`.
    """
    paths = wanted_caches(experiment, learners, extractors, prepared, more)
    built = cache.build_all(
        prepared.index,
        prepared.root,
        paths,
        jobs=whose,
        max_rejected=prepared.dataset.max_bad,
        members=prepared.members,
    )
    for features in built.values():
        if len(features.rejected):
            print(shown(features.set_aside))
    return {path.stem: features for path, features in built.items()}
