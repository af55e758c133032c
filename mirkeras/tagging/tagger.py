"""Tagging one's own music: a trained network, files, and what it hears in them over time.

    from mirkeras.tagging import tag
    tag("song.mp3").top(10)

Files are decoded and turned into frames by threads, piece by piece, while the network scores
segments of the files before: those of many short files together, those of a long file a batch at a
time. So neither the length of a file nor the number of files fills memory.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mirkeras.audio import AudioError, stream
from mirkeras.audio.decoding import as_audio_error
from mirkeras.features.stream import frames
from mirkeras.pipeline.segments import stream_segments
from mirkeras.system import processes, threads
from mirkeras.system.errors import UsageError
from mirkeras.tagging.batches import Batch, Track, joined
from mirkeras.tagging.models import Model, find_model

if TYPE_CHECKING:
    from mirkeras.pretrained.inference import Score

# Frames that the network scores at once: 2 segments of musicnn. Twice as many are a few per cent
# faster on a CPU, but take some 250 MiB more, and over hours twice that.
_BATCH_FRAMES = 400
# Of a hidden feature; 20 times the widest vector, and 400 kB per segment.
MOST_VALUES = 100_000
_MOST_READERS = 4  # each holds a few pieces of its file


@dataclass(frozen=True, eq=False)
class Tagged:
    """What a network hears in a track.

    Attributes
    ----------
    starts
        Where the segments begin, in seconds: float64 (segments,).
    length
        Length of a segment in seconds.
    repeated
        Whether it is shorter than a segment, and was repeated until it filled one.
    taggram
        Scores: float32 (segments, tags), within [0, 1] but for support vector machines; of several
        runs their mean.
    features
        A hidden layer's output: float32 (segments, dims); None if none was asked for. They stay in
        memory until the track ends: per hour and without overlap 3.6 MB of musicnn's `max_pool`,
        but 370 MB of its `timbral`.
    decided
        The class that a classifier decides for, by its protocol's rule (majority of the segments,
        mean or product of their scores); None where tags are given.
    spread
        Standard deviation over several runs of the track's scores: float32 (tags,); else None.
    """

    path: Path
    model: str
    tags: tuple[str, ...]
    starts: np.ndarray
    length: float
    seconds: float
    repeated: bool
    taggram: np.ndarray
    features: np.ndarray | None = None
    decided: str | None = None
    spread: np.ndarray | None = None

    @property
    def scores(self) -> np.ndarray:
        """The mean over the segments, as the authors rank tags: float32 (tags,)."""
        return self.taggram.mean(axis=0)

    def __repr__(self) -> str:
        best = self.decided or ", ".join(f"{tag} {score:.2f}" for tag, score in self.top(3))
        return f"<{self.path.name}, {self.seconds:.1f} s, by {self.model}: {best}>"

    def top(self, n: int = 3) -> list[tuple[str, float]]:
        """List the `n` likeliest tags and their scores, best first."""
        scores = self.scores
        best = np.argsort(-scores, kind="stable")[:n]
        return [(self.tags[i], float(scores[i])) for i in best]


class Tagger:
    """A trained network, ready to tag any number of files.

    Parameters
    ----------
    model
        Name of a card, see `mirkeras.pretrained.cards`, or the path of one's own finished run or
        runs, see `mirkeras.tagging.models`; or what `find_model` made of either.
    weights, mirror, offline
        Where its weights come from, see `mirkeras.pretrained.weights.load`.
    hop
        Seconds from one segment to the next, at most a segment; rounded down to whole frames the
        authors' way, so that 1 s is 61 frames of musicnn. None: segments do not overlap, but as
        the protocol of one's own run lets them.
    features
        Name of a hidden feature of the model to give beside the scores, None for none.
    jobs
        Files that are decoded at once; by default half as many as there are processor cores, up to
        four: the network needs most of the time.

    Raises
    ------
    UsageError
        No such model or feature, a model without tags, a feature of more than `MOST_VALUES` per
        segment, or a hop shorter than a frame or longer than a segment.
    """

    def __init__(
        self,
        model: str | Path | Model = "MTT_musicnn",
        *,
        weights: Path | None = None,
        hop: float | None = None,
        features: str | None = None,
        mirror: str | None = None,
        offline: bool = False,
        jobs: int | None = None,
    ) -> None:
        from mirkeras.system.machine import device  # with TensorFlow: what a finished job needs not

        if not isinstance(model, Model):
            model = find_model(model, weights, mirror=mirror, offline=offline)
        self.model = model
        self._hop = model.hop if hop is None else _hop_frames(hop, model)
        if features is not None:
            model.check_feature(features)
        device.prepare()
        self._score = model.open(features)
        if features is not None:
            _check_size(self._score, features, model)
        # whole tracks are of unlike lengths, and scored one by one
        self._size = max(1, _BATCH_FRAMES // model.frames) if model.frames else 1
        self._jobs = jobs or min(_MOST_READERS, max(1, processes.usable_cores() // 2))
        #: Seconds of each file that are tagged; None: all of it.
        self.at_most: float | None = None

    def tag(self, path: str | Path) -> Tagged:
        """Tag one file.

        Raises
        ------
        AudioError
            The file cannot be read, is silent, or is shorter than a second.
        """
        ((_, result),) = self.tag_all([path])
        if isinstance(result, AudioError):
            raise result
        return result

    def tag_all(self, paths: Iterable[str | Path]) -> Iterator[tuple[Path, Tagged | AudioError]]:
        """Tag many files: what came of each, in their order.

        A file that cannot be used, whatever is raised while it is read, gives its error and does
        not disturb its neighbours.
        """
        tracks: deque[Track] = deque()
        batch = Batch(self._score, self._size)
        for track, segments in self._read(map(Path, paths)):
            if not tracks or tracks[-1] is not track:
                tracks.append(track)
            batch.add(track, segments)
            while tracks and tracks[0].finished:
                yield self._result(tracks.popleft())
        batch.flush()
        for track in tracks:
            yield self._result(track)

    def _read(self, paths: Iterable[Path]) -> Iterator[tuple[Track, np.ndarray]]:
        """Give segments (k, frames, bands) of track after track; k is 0 at the end of each."""
        nothing = np.zeros((0, self.model.frames, self.model.recipe.bands), np.float32)
        tracks = map(Track, paths)
        for track, pieces in threads.ahead(self._segments, tracks, threads=self._jobs):
            try:
                for segments in pieces:
                    yield track, segments
            except Exception as error:
                track.error = as_audio_error(track.path, error)
            track.ended = True
            yield track, nothing

    def _segments(self, track: Track) -> Iterator[np.ndarray]:
        """Cut a track into segments (k, frames, bands), in a thread."""
        recipe = self.model.recipe
        blocks = self._measured(stream.blocks(track.path, recipe.sample_rate), track)
        pieces = (track.count(_as_floats(piece)) for piece in frames(blocks, recipe))
        if not self.model.frames:
            yield np.concatenate(list(pieces))[None]
            return
        cuts = stream_segments(pieces, self.model.frames, self._hop)
        yield from _without_last(cuts) if self.model.drop_last else cuts

    def _measured(self, blocks: Iterable[np.ndarray], track: Track) -> Iterator[np.ndarray]:
        """Count samples; a track must last a second before anything is made of its end."""
        for samples in blocks:
            track.samples += len(samples)
            yield samples
            if self.at_most and track.samples >= self.at_most * self.model.recipe.sample_rate:
                return
        rate, least = self.model.recipe.sample_rate, self.model.shortest
        if track.samples < least * rate or not track.samples:
            milliseconds = 1000 * track.samples // rate  # rounded down: never 1.000 s
            detail = f"{milliseconds / 1000:.3f} s, at least {least or 0.001:g} s is needed"
            raise AudioError(track.path, "too short", detail)

    def _result(self, track: Track) -> tuple[Path, Tagged | AudioError]:
        if track.error is not None:
            return track.path, track.error
        scores, *features = joined(track.scored)
        model, decided, spread = self.model, None, None
        seconds = track.samples / model.recipe.sample_rate
        if scores.ndim == 3:  # (segments, runs, tags)
            if scores.shape[1] > 1:
                spread = scores.mean(axis=0).std(axis=0)
            scores = scores.mean(axis=1)
        if model.aggregate:
            from mirkeras.evaluation.metrics import track_classes  # with scikit-learn and pandas

            one = {"scores": scores, "segment_track": np.zeros(len(scores), int), "tracks": [0]}
            decided = model.tags[track_classes(one, model.aggregate)[0]]
        step = model.recipe.hop / model.recipe.sample_rate  # seconds per frame
        return track.path, Tagged(
            path=track.path,
            model=model.name,
            tags=model.tags,
            starts=np.arange(len(scores)) * (self._hop * step),
            length=model.frames * step if model.frames else seconds,
            seconds=seconds,
            repeated=track.frames < model.frames,
            taggram=scores,
            features=features[0] if features else None,
            decided=decided,
            spread=spread,
        )


def tag(path: str | Path, model: str | Path = "MTT_musicnn", **options) -> Tagged:
    """Tag one file; the options are those of `Tagger`, which is better for many."""
    return Tagger(model, **options).tag(path)


def _as_floats(frames: np.ndarray) -> np.ndarray:
    """Give frames as networks see them: int16 stands for [-1, 1]."""
    return frames / np.float32(32768) if frames.dtype == np.int16 else frames


def _without_last(cuts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Leave out the last segment, unless it is the only one."""
    held = None
    for cut in cuts:
        if held is None:
            yield cut[:1]  # the first stays, whatever follows
            cut = cut[1:]
            held = cut[:0]
        both = np.concatenate([held, cut])
        yield both[:-1]
        held = both[-1:]


def _hop_frames(hop: float, model: Model) -> int:
    """Turn seconds into frames as the authors do (musicnn, extractor.py)."""
    recipe = model.recipe
    # `librosa.time_to_frames`; frames begin half a transform earlier: the authors say so
    frames = (int(hop * recipe.sample_rate) - getattr(recipe, "n_fft", 0) // 2) // recipe.hop
    if not model.frames:
        raise UsageError(f"{model.name} takes a track as a whole: there is no --hop")
    if not 1 <= frames <= model.frames:
        step = recipe.hop / recipe.sample_rate
        raise UsageError(
            f"a hop of {hop:g} s is {frames} frames of {step:.3f} s; segments of {model.name} can "
            f"be 1 to {model.frames} frames apart ({model.frames * step:.2f} s)"
        )
    return frames


def _check_size(score: "Score", features: str, model: Model) -> None:
    """Refuse a feature that would fill memory within one long track."""
    nothing = np.zeros((1, model.frames, model.recipe.bands), np.float32)
    values = score(nothing)[1].size
    if values > MOST_VALUES:
        raise UsageError(
            f"{features!r} of {model.name} has {values:,} values per segment, more than "
            f"{MOST_VALUES:,}; choose a layer behind it"
        )
