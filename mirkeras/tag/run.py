"""What `mirkeras tag` does: from audio files to tags, figures and embeddings."""

import argparse
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from mirkeras import tagging
from mirkeras.audio import AudioError
from mirkeras.features import find_recipe
from mirkeras.pretrained import cards
from mirkeras.pretrained.cards import Card
from mirkeras.system.errors import UsageError, explained
from mirkeras.system.files import sweep, whole_file, write_text
from mirkeras.tag import figures
from mirkeras.tag.files import find_files, targets
from mirkeras.tag.jobs import Job, job_folder, opened
from mirkeras.tag.output import DOCUMENTS, clean, jams, versions, write_embeddings
from mirkeras.tagging import Tagged

PLACES = ("out", "plot", "embed")


@dataclass
class Order:
    """What one command asks for, and how far it is.

    Attributes
    ----------
    options : Namespace
        Of the command line.
    card : Card
        The model.
    files : list of Path
        What is to be tagged.
    feature : str or None
        Name of the hidden feature to keep.
    plots, jams : dict
        Audio file → its figure, its JAMS file.
    failed : int
        Files that could not be tagged.
    """

    options: argparse.Namespace
    card: Card
    files: list[Path]
    feature: str | None
    plots: dict[Path, Path] = field(default_factory=dict)
    jams: dict[Path, Path] = field(default_factory=dict)
    failed: int = 0

    @property
    def output(self) -> dict:
        """What decides the form of the output, as plain values."""
        chosen = vars(self.options)
        places = {name: chosen[name] and os.path.abspath(chosen[name]) for name in PLACES}
        return places | {name: chosen[name] for name in ("format", "top")}

    @property
    def settings(self) -> dict:
        """What decides the numbers, as plain values."""
        return {
            "model": self.card.name,
            "weights": self.card.source.sha256,
            "hop": self.options.hop,
            "feature": self.feature,
            "recipe": find_recipe(self.card.recipe).identity(),
            "versions": versions(self.card.recipe),
        }


def run(options: argparse.Namespace) -> int:
    """Tag what the command line asks for; returns the exit status.

    Raises
    ------
    UsageError
        An unknown model or feature, no audio file, an output that would replace an audio file or
        what is no regular file, a job that is not this one's.
    """
    order = _order(options)
    kept = options.out or options.embed
    try:
        if kept is None:
            _pass_through(order)
        else:
            with opened(job_folder(kept), order.files, order.card.tags, order.settings) as job:
                _work(order, job)
    except BrokenPipeError:  # who read the output has left, as `head` does
        return 1
    except KeyboardInterrupt:
        if kept is not None:
            raise  # the command says that it goes on
        _say("stopped; with --out, what is finished is kept")
        return 130
    return 1 if order.failed else 0


def _pass_through(order: Order) -> None:
    """Tag and print, keeping nothing."""
    try:
        _print(order, _drawn(order, _tagged(order, order.files)))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(explained(error, kept=False)) from error


def _order(options: argparse.Namespace) -> Order:
    card = cards.find_card(options.model)
    feature = options.feature or card.embeddings[0] if options.embed else None
    if feature is not None:
        card.check_feature(feature)
    files, empty = find_files(options.files)
    for word in empty:
        _say(f"{word}: no audio file there")
    order = Order(options, card, files, feature)
    if options.plot:
        order.plots = targets(options.plot, files, ".png")
    if options.format == "jams":
        order.jams = targets(options.out, files, ".jams")
    _refuse_replacing(order)
    return order


def _refuse_replacing(order: Order) -> None:
    """Refuse outputs in the place of what they must not replace: audio, devices, one another."""
    made = list(_made(order, order.files))
    for path in made:  # looked at as they are: a link may lead to a device
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise UsageError(
                f"{path} is no regular file (a folder, a link, a pipe or a device) and is not "
                "replaced; choose another output, or leave --out away for standard output"
            )
    real = [os.path.realpath(path) for path in made]
    for path in {os.path.realpath(path) for path in order.files}.intersection(real):
        raise UsageError(f"{path} is to be tagged and would be replaced; choose another output")
    if len(set(real)) < len(real):
        raise UsageError("two outputs are the same file; choose different ones")


def _tagged(order: Order, files: Sequence[Path]) -> Iterator[Tagged]:
    """Tag files; those that cannot be are reported and counted."""
    if not files:
        return
    options, seconds, failed = order.options, 0.0, order.failed
    tagger = tagging.Tagger(
        order.card.name,
        weights=options.weights,
        hop=options.hop,
        features=order.feature,
        mirror=options.mirror,
        offline=options.offline,
        jobs=options.jobs,
    )
    began = time.monotonic()
    bar = tqdm(total=len(files), desc="tagging", unit="file", disable=None)
    with bar, closing(tagger.tag_all(files)) as results:
        for _, outcome in results:
            if isinstance(outcome, AudioError):
                order.failed += 1
                _say(str(outcome))
            else:
                seconds += outcome.seconds
                yield outcome
            bar.update()
    _summarise(len(files), order.failed - failed, seconds, time.monotonic() - began)


def _summarise(files: int, failed: int, seconds: float, took: float) -> None:
    many = "file" if files == 1 else "files"
    speed = f"{seconds / 60:.1f} min of audio in {took:.1f} s: {seconds / took:.0f} × real time"
    trouble = f"; {failed} could not be tagged" if failed else ""
    _say(f"{files} {many}, {speed}{trouble}")


def _work(order: Order, job: Job) -> None:
    """Tag what a job lacks, then write its output."""
    left = [path for path in order.files if path not in job]
    if len(left) < len(order.files):
        done = len(order.files) - len(left)
        _say(f"{done} of {len(order.files)} files were tagged before")
    with closing(_tagged(order, left)) as results:
        for tagged in results:
            job.add(tagged)
    finished = job.finished()
    if not finished:
        raise UsageError("no file could be tagged; nothing is written")
    made: dict[Path, set[str]] = {}
    for path in _made(order, order.files):
        made.setdefault(path.parent, set()).add(path.name)
    for folder, names in made.items():  # the job is held: nobody else is writing them
        sweep(folder, names)
    if job.is_written(order.output) and all(path.exists() for path in _made(order, finished)):
        _say(f"{order.options.out or order.options.embed}: complete, nothing to write")
    else:
        _write(order, job, finished)
        job.note_written(order.output)
    if order.options.out is None:
        _print(order, map(job.read, finished))


def _made(order: Order, files: Sequence[Path]) -> Iterator[Path]:
    """Name the files that the output of some audio files consists of."""
    if order.options.out and not order.jams:
        yield order.options.out
    if order.options.embed:
        yield order.options.embed
    for each in (order.plots, order.jams):
        yield from (each[path] for path in files if each)


def _write(order: Order, job: Job, finished: Sequence[Path]) -> None:
    """Write all output of a job: embeddings, files per track, the document."""
    options = order.options
    if options.embed:
        tracks = map(job.read, finished)
        write_embeddings(options.embed, tracks, order.card, order.feature)
    if order.plots or order.jams:
        bar = tqdm(finished, desc="writing", unit="file", disable=None)
        for tagged in _drawn(order, map(job.read, bar)):
            if order.jams:
                write_text(order.jams[tagged.path], jams(tagged, order.card, options.top))
    if options.out and not order.jams:
        with (
            whole_file(options.out) as temporary,
            open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file,
        ):
            file.writelines(_document(order, map(job.read, finished)))


def _drawn(order: Order, tracks: Iterable[Tagged]) -> Iterator[Tagged]:
    """Draw the taggrams of tracks that pass by, where figures are asked for."""
    for tagged in tracks:
        if order.plots:
            figures.draw(tagged, order.plots[tagged.path], order.options.top)
        yield tagged


def _document(order: Order, tracks: Iterable[Tagged]) -> Iterator[str]:
    return DOCUMENTS[order.options.format](tracks, order.card, order.options.top)


def _print(order: Order, tracks: Iterable[Tagged]) -> None:
    """Write a document to standard output as it grows."""
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # names as they are
    for piece in _document(order, tracks):
        with tqdm.external_write_mode(file=sys.stdout):
            _write_out(piece)


def _write_out(piece: str) -> None:
    try:
        sys.stdout.write(piece)
        sys.stdout.flush()
    except OSError as error:
        # what is left in the buffer would fail once more when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        error.filename = "standard output"
        raise


def _say(message: str) -> None:
    with tqdm.external_write_mode(file=sys.stderr):
        print(clean(message), file=sys.stderr)
