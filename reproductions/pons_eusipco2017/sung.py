"""How sung phonemes are learned: a segment around every annotated frame, which says its class.

After ronggong/EUSIPCO2017: `phonemeSampleCollection.py` (features of the training, the frames of a
phoneme), `doPhonemeClassification.py` (the test) and `pretrainedDLModels/` (trainings: one with a
validation part, stopped early, says for how many epochs a second one learns from both parts).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from data_prep.index import read_index
from data_prep.sets.jingju_phonemes import SCORES
from mirkeras.cache import FeatureCache
from mirkeras.experiment import Constant, Protocol, Row
from mirkeras.experiment.division import Parts
from mirkeras.experiment.runs import CHECKPOINT, Run
from mirkeras.features import find_recipe
from mirkeras.features.recipe import Recipe
from mirkeras.layers import count_trainable
from mirkeras.pipeline.labels import Labels
from mirkeras.pipeline.segments import Segments, consecutive
from mirkeras.pipeline.splits import hold_out_by_class
from mirkeras.system.errors import UsageError
from mirkeras.training.fit import Plan, predict, train
from mirkeras.training.learner import Learned, Network, Units
from mirkeras.training.learners import LEARNERS
from mirkeras.training.plan import batch_of, divide_run, make_plan, run_seed

#: Of a protocol, for these rows.
VARIANT = "phonemes"
#: In a run's folder, the training that says how many epochs are right.
SEARCH = "search"
TRAINED_ON = "ln(100000x+1)"


@dataclass(frozen=True)
class Annotated:
    """Recordings are cut into a segment around each annotated frame.

    Attributes
    ----------
    leaking : bool
        Whether recordings of the role's other list are trained on, some of which are tested.
    tested_on : str
        Key of `TESTED_ON`: what is made of the energies of the test.
    """

    leaking: bool = False
    tested_on: str = TRAINED_ON


class Sung(NamedTuple):
    """The annotated frames of recordings.

    Attributes
    ----------
    segments : Segments
        One around each frame; their "tracks" are phonemes.
    units : Units
        The phonemes, ``recording@seconds``.
    labels : Labels
        The class of each phoneme.
    recording : int64 (phonemes,)
        Number of the recording that each is from.
    """

    segments: Segments
    units: Units
    labels: Labels
    recording: np.ndarray


def read_sung(heard: pd.DataFrame, cache: FeatureCache, row: Row, classes: tuple[str, ...]) -> Sung:
    """Turn the column ``phonemes`` into segments around the frames of every phoneme.

    A phoneme's frames are those from its start to its end, both rounded to the next frame. Frames
    are centred, and the recipe repeats the outermost ones, so that each has its context.

    Parameters
    ----------
    heard : DataFrame
        The recordings of the cache, in its order.
    """
    recipe = find_recipe(row.recipe)
    margin = recipe.context - row.frames // 2
    names, spans, numbers, recording = [], [], [], []
    for number, (name, annotation) in enumerate(heard.phonemes.items()):
        begin = cache.offsets[number] + margin
        last = cache.offsets[number + 1] - margin - row.frames + 1
        for phoneme in annotation.split(";") if annotation else ():
            start, stop, label = phoneme.split(" ")
            first, end = (begin + _frame(float(time), recipe) for time in (start, stop))
            names.append(f"{name}@{start}")
            spans.append(np.arange(first, min(end, last)))
            numbers.append(classes.index(label))
            recording.append(number)
    first = np.concatenate([np.zeros(0, np.int64), *spans])
    track = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
    offsets = np.array([span[0] if len(span) else 0 for span in spans])
    return Sung(
        segments=Segments(first, track, row.frames),
        units=Units(names, offsets),
        labels=Labels(classes, np.array(numbers, np.int32)),
        recording=np.array(recording),
    )


def _frame(seconds: float, recipe: Recipe) -> int:
    """The next frame; halves are rounded up, as Python 2 did."""
    return int(np.floor(seconds * recipe.sample_rate / recipe.hop + 0.5))


def divide_frames(run: Run, protocol: Protocol, sung: Sung, tracks: pd.DataFrame) -> Parts:
    """Divide the segments: recordings by the split, then frames for validation, by protocol."""
    heard = tracks[tracks.heard]
    recordings = consecutive(np.arange(len(heard) + 1), 1)
    drawn = divide_run(run, protocol, recordings, tracks)
    rest, held = drawn.train, drawn.validation
    if protocol.validate_by == "segment":
        rest, held = np.union1d(rest, held), held[:0]
    if protocol.cut.leaking:
        rest = np.flatnonzero(heard[f"{run.split}{SCORES}"] == "train")

    def frames(part: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.isin(sung.recording[sung.segments.track], part))

    training, validation = frames(rest), frames(held)
    fitted = np.flatnonzero(np.isin(sung.recording, rest))
    if protocol.validate_by == "segment":
        classes = sung.labels.values[sung.segments.track[training]]
        most = round(protocol.held_out * len(training))
        training, validation = hold_out_by_class(training, most, run.seed, classes)
    return Parts(training, validation, frames(drawn.test), fitted)


def joined(parts: Parts, sung: Sung) -> Parts:
    """Let the validation part train, too."""
    both = np.union1d(parts.train, parts.validation)
    fitted = np.unique(sung.segments.track[both])
    return replace(parts, train=both, validation=both[:0], normalise_on=fitted)


class Phonemes(Network):
    """A network on segments around annotated frames, trained a second time on all it may see."""

    learns_all = False
    trainings: ClassVar[int] = 2

    def is_foreseen(self, row) -> bool:
        return False  # how many frames are annotated, features do not say

    def fits(self, protocol) -> bool:
        return VARIANT in protocol.variants

    def takes_tags(self, protocol) -> bool:
        return True  # a recording's are not what is learned

    def check_index(self, row, protocol, prepared, split) -> None:
        if "phonemes" not in prepared.index:
            raise UsageError(
                f"row {row.id} needs recordings with annotated phonemes, as those of --dataset "
                "jingju_phonemes"
            )
        if protocol.cut.leaking and f"{split}{SCORES}" not in prepared.index:
            raise UsageError(
                f"protocol {protocol.name} trains by one list and tests by another, which the "
                f"split {split} does not have: use --split dan or laosheng, or another protocol"
            )

    def built(self, row, protocol, labels) -> list:
        return super().built(row, protocol, Labels(labels.names, np.zeros(0, np.int32)))

    def digested(self, run, row, setting) -> dict:
        annotated = read_index(setting.index).filter(["track", "phonemes", f"{run.split}{SCORES}"])
        return super().digested(run, row, setting) | {"annotated": annotated.to_csv(index=False)}

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        row, protocol = experiment.rows[run.row], experiment.protocol_of(run.protocol, run.row)
        sung = read_sung(tracks[tracks.heard], cache, row, setting.tags)
        parts = divide_frames(run, protocol, sung, tracks)
        directory = run.directory(setting.out)

        def plan(protocol: Protocol, parts: Parts, epochs: int) -> Plan:
            return make_plan(
                row,
                protocol,
                cache,
                sung.segments,
                parts,
                sung.labels,
                batch=batch_of(run, experiment),
                max_epochs=epochs,
                seed=run_seed(run),
                memory_budget=setting.memory_budget,
            )

        searched = train(plan(protocol, parts, run.max_epochs), directory / SEARCH, report)
        once_more = replace(protocol, rule=Constant(), select_by="last", validate_by="test")
        final = plan(once_more, joined(parts, sung), searched.epochs)
        progress = train(final, directory, report)
        facts = {
            "parameters": count_trainable(final.network),
            "epochs": progress.epochs,
            "best_epoch_searched": searched.best_epoch,
            "best_validation_loss": searched.best,
            "training_seconds": round(searched.seconds + progress.seconds, 1),
            "capped": not searched.stopped and searched.epochs < protocol.max_epochs,
            "resident": final.feed.resident,
            "recordings_trained_on_and_tested": _leaked(parts, sung),
        }
        scores = TESTED_ON[protocol.cut.tested_on](final, row)
        (directory / SEARCH / CHECKPOINT).unlink(missing_ok=True)
        return Learned(scores, sung.segments, parts, sung.labels, facts, units=sung.units)


LEARNERS["phonemes"] = Phonemes()


def _leaked(parts: Parts, sung: Sung) -> int:
    trained, tested = (
        sung.recording[sung.segments.track[places]]
        for places in (np.union1d(parts.train, parts.validation), parts.test)
    )
    return len(np.intersect1d(trained, tested))


@keras.saving.register_keras_serializable("mirkeras")
class Quieter(keras.layers.Layer):
    """Turn ln(100000x + 1) into ln(10000x + 1)."""

    def call(self, segments: keras.KerasTensor) -> keras.KerasTensor:
        """Undo one logarithm, take the other."""
        return keras.ops.log1p(keras.ops.expm1(segments) / 10)


def quieter_scores(plan: Plan, row: Row) -> np.ndarray:
    """Score the test segments on ln(10000x + 1), under the z-score of the training."""
    shape = plan.network.input_shape[1:]
    network = keras.Sequential([keras.Input(shape), Quieter(dtype="float32"), plan.network])
    feed = replace(plan.feed, resident=False)  # a second copy of the frames would cost more
    return predict(replace(plan, feed=feed, model=feed.attach(network)))


def plain_scores(plan: Plan, row: Row) -> np.ndarray:
    """Score the test segments on energies without logarithm, standardised in each recording."""
    cache, network = plan.feed.cache, plan.network.layers[-1]  # without its z-score
    first = plan.feed.segments.first[plan.test]
    recording = np.searchsorted(cache.offsets, first, side="right") - 1
    margin = find_recipe(row.recipe).context - row.frames // 2
    scores = np.empty((len(first), network.output_shape[1]), np.float32)
    for number in np.unique(recording):
        begin, end = cache.offsets[number : number + 2]
        starts = np.arange(begin + margin, end - margin - row.frames + 1)
        # 100000 times the energies, which standardising cancels
        energies = np.expm1(cache.segments(starts, row.frames).astype(np.float64))
        scaled = StandardScaler().fit_transform(energies.reshape(len(starts), -1))
        mine = recording == number
        chosen = scaled[first[mine] - starts[0]].astype(np.float32)
        segments = chosen.reshape(-1, row.frames, cache.bands)
        scores[mine] = network.predict(segments, verbose=0)
    return scores


#: What is made of the energies x of test frames → scores of the test segments.
TESTED_ON: dict[str, Callable[[Plan, Row], np.ndarray]] = {
    TRAINED_ON: lambda plan, row: predict(plan),
    "ln(10000x+1)": quieter_scores,
    "x": plain_scores,
}
