"""What `mirkeras tag` does: from audio files to tags, figures and embeddings."""

import argparse
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from mirkeras.audio import AudioError
from mirkeras.audio.formats import tell_left_out
from mirkeras.storage.files import require_writable, sweep, whole_file, write_text
from mirkeras.system.errors import UsageError, explained, say, shown
from mirkeras.system.estimate import BAR, Remaining, still
from mirkeras.system.jobs import Hands
from mirkeras.tagging.job import foreseen
from mirkeras.tagging.job.inputs import find_files, output_paths
from mirkeras.tagging.job.journal import Journal, job_folder, opened
from mirkeras.tagging.job.output import (
    DOCUMENTS,
    jams,
    require_parquet,
    versions,
    write_embeddings,
    write_parquet,
)
from mirkeras.tagging.models import Model, find_model
from mirkeras.tagging.tagger import Tagged, Tagger

PLACES = ("out", "plot", "embed")
#: So many files, and the command begins by saying how much audio they hold.
MANY = 20


@dataclass
class Request:
    """What one command asks for, and how far it is.

    Attributes
    ----------
    feature : str or None
        Name of the hidden feature to keep.
    plots, jams : dict
        Audio file → its figure, its JAMS file.
    failed : int
        How much of what was asked for could not be done.
    cluster : Hands or None
        Who tags, if not this process.
    """

    options: argparse.Namespace
    model: Model
    files: list[Path]
    feature: str | None
    plots: dict[Path, Path] = field(default_factory=dict)
    jams: dict[Path, Path] = field(default_factory=dict)
    failed: int = 0
    cluster: Hands | None = None

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
            "model": self.model.name,
            "weights": self.model.weights,
            "hop": self.options.hop,
            "feature": self.feature,
            "recipe": self.model.recipe.identity(),
            "versions": versions(self.model.recipe.name),
        }


def run(options: argparse.Namespace, cluster: Hands | None = None) -> int:
    """Tag what the command line asks for; returns the exit status.

    Parameters
    ----------
    cluster : Hands or None
        Who tags, if not this process.

    Raises
    ------
    UsageError
        An unknown model or feature, no audio file, an output that would replace an audio file or
        what is no regular file, a job that is not this one's.
    OSError
        An output cannot be written: found before anything is tagged, if it can be.
    """
    request = replace(_request(options), cluster=cluster)
    kept = options.out or options.embed
    if options.plan:
        print(_plan(request, kept))
        return 0
    try:
        if kept is None:
            _pass_through(request)
        else:
            with opened(
                job_folder(kept), request.files, request.model.tags, request.settings
            ) as job:
                _resume(request, job)
    except BrokenPipeError:  # who read the output has left, as `head` does
        return 1
    except KeyboardInterrupt as stop:
        if kept is not None:
            raise  # the command says that it goes on
        raise KeyboardInterrupt("stopped; with --out, what is finished is kept") from stop
    return 1 if request.failed else 0


def _plan(request: Request, kept: Path | None) -> str:
    """Say what is ahead, without doing or keeping anything of it."""
    from mirkeras.system.machine import device

    device.configure()
    options, left, note = request.options, request.files, ""
    if kept and job_folder(kept).exists():
        with opened(job_folder(kept), left, request.model.tags, request.settings) as job:
            left = [path for path in left if path not in job]
        note = (
            f"{len(request.files) - len(left)} of {len(request.files)} files were tagged before\n"
        )
    chosen = {"features": request.feature, "jobs": options.jobs}
    return note + foreseen.plan(left, Tagger(request.model, hop=options.hop, **chosen))


def _pass_through(request: Request) -> None:
    """Tag and print, keeping nothing."""
    try:
        _print(request, _drawn(request, _tagged(request, request.files)))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(explained(error, kept=False)) from error


def _request(options: argparse.Namespace) -> Request:
    if options.format == "parquet":
        require_parquet()
    found = {"mirror": options.mirror, "offline": options.offline}
    model = find_model(options.model, options.weights, **found)
    feature = None
    if options.embed:
        feature = options.feature or next(iter(model.features), "the last hidden layer")
        model.check_feature(feature)
    found = find_files(options.files)
    for word in found.empty:
        _say(f"{word}: no audio file there")
    if found.left_out:
        _say(tell_left_out(found.left_out))
    request = Request(options, model, found.files, feature, failed=found.undone(options.strict))
    if options.plot:
        request.plots = output_paths(options.plot, found.files, ".png")
    if options.format == "jams":
        request.jams = output_paths(options.out, found.files, ".jams")
    _refuse_replacing(request)
    for path in {path.parent: path for path in _made(request, found.files)}.values():
        require_writable(path)
    return request


def _refuse_replacing(request: Request) -> None:
    """Refuse outputs in the place of what they must not replace: audio, devices, one another."""
    made = list(_made(request, request.files))
    for path in made:  # looked at as they are: a link may lead to a device
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise UsageError(
                f"{path} is no regular file (a folder, a link, a pipe or a device) and is not "
                "replaced; choose another output, or leave --out away for standard output"
            )
    real = [os.path.realpath(path) for path in made]
    for path in {os.path.realpath(path) for path in request.files}.intersection(real):
        raise UsageError(f"{path} is to be tagged and would be replaced; choose another output")
    if len(set(real)) < len(real):
        raise UsageError("two outputs are the same file; choose different ones")


def _tagged(request: Request, files: Sequence[Path]) -> Iterator[Tagged]:
    """Tag files; those that cannot be are reported and counted."""
    if not files:
        return
    seconds, failed = 0.0, request.failed
    began = time.monotonic()
    if len(files) >= MANY:
        _say(foreseen.said(files))
    remaining = Remaining(sum(map(foreseen.size, files)))
    bar = tqdm(total=len(files), desc="tagging", unit="file", disable=None, bar_format=BAR)
    with bar, closing(_outcomes(request, files)) as results:
        for path, outcome in results:
            if isinstance(outcome, AudioError):
                request.failed += 1
                _say(str(outcome))
            else:
                seconds += outcome.seconds
                yield outcome
            remaining.add(foreseen.size(path))
            bar.set_postfix_str(still(remaining.left()), refresh=False)
            bar.update()
    took, failed = time.monotonic() - began, request.failed - failed
    many = "file" if len(files) == 1 else "files"
    speed = f"{seconds / 60:.1f} min of audio in {took:.1f} s: {seconds / took:.0f} × real time"
    trouble = f"; {failed} could not be tagged" if failed else ""
    _say(f"{len(files)} {many}, {speed}{trouble}")


def _outcomes(
    request: Request, files: Sequence[Path]
) -> Iterator[tuple[Path, Tagged | AudioError]]:
    """Tag files here, or by the workers of a cluster."""
    options, model = request.options, request.model
    # with TensorFlow: a job that is complete needs none
    if request.cluster is None:
        from mirkeras.system.machine import device

        device.configure()
        chosen = {"features": request.feature, "jobs": options.jobs}
        return Tagger(model, hop=options.hop, **chosen).tag_all(files)
    from mirkeras.tagging.job import spread

    own = Path(options.model)
    asked = spread.Asked(
        model=str(own.absolute()) if own.exists() else options.model,
        weights=options.weights,
        mirror=options.mirror,
        offline=options.offline,
        digest=model.weights,
        hop=options.hop,
        feature=request.feature,
        jobs=options.jobs,
    )
    request.cluster.share([], [*files[:1], *([own] if own.exists() else [])])
    return spread.tag_all(files, asked, request.cluster)


def _resume(request: Request, job: Journal) -> None:
    """Tag what a job lacks, then write its output; what is damaged is done again."""
    before = job.finished()
    written = _is_written(request, job, before)
    read = not written or len(before) < len(request.files) or request.options.out is None
    if read and (damaged := job.drop_damaged()):
        _say(f"{damaged} result(s) kept before are damaged; their files are tagged again")
    left = [path for path in request.files if path not in job]
    if len(left) < len(request.files):
        done = len(request.files) - len(left)
        _say(f"{done} of {len(request.files)} files were tagged before")
    with closing(_tagged(request, left)) as results:
        for tagged in results:
            job.add(tagged)
    finished = job.finished()
    if not finished:
        raise UsageError("no file could be tagged; nothing is written")
    made: dict[Path, set[str]] = {}
    for path in _made(request, request.files):
        made.setdefault(path.parent, set()).add(path.name)
    for folder, names in made.items():  # the job is held: nobody else is writing them
        sweep(folder, names)
    if written and finished == before:
        _say(f"{request.options.out or request.options.embed}: complete, nothing to write")
    else:
        _write(request, job, finished)
        job.note_written(request.output, _made(request, finished))
    if request.options.out is None:
        _print(request, map(job.read, finished))


def _is_written(request: Request, job: Journal, finished: Sequence[Path]) -> bool:
    """Whether the output was written before and is as it was then; says what is not."""
    if not job.wrote(request.output):
        return False
    changed = job.changed(_made(request, finished))
    if changed:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        _say(f"{changed[0]}{more}: gone, or not as it was written; written again")
    return not changed


def _made(request: Request, files: Sequence[Path]) -> Iterator[Path]:
    """Name the files that the output of some audio files consists of."""
    if request.options.out and not request.jams:
        yield request.options.out
    if request.options.embed:
        yield request.options.embed
    for each in (request.plots, request.jams):
        yield from (each[path] for path in files if each)


def _write(request: Request, job: Journal, finished: Sequence[Path]) -> None:
    """Write all output of a job: embeddings, files per track, the document."""
    options = request.options
    if options.embed:
        tracks = map(job.read, finished)
        write_embeddings(options.embed, tracks, request.model, request.feature)
    if request.plots or request.jams:
        bar = tqdm(finished, desc="writing", unit="file", disable=None)
        for tagged in _drawn(request, map(job.read, bar)):
            if request.jams:
                write_text(request.jams[tagged.path], jams(tagged, request.model, options.top))
    if options.format == "parquet":
        write_parquet(options.out, map(job.read, finished), request.model)
    elif options.out and not request.jams:
        with (
            whole_file(options.out) as temporary,
            open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file,
        ):
            file.writelines(_document(request, map(job.read, finished)))


def _drawn(request: Request, tracks: Iterable[Tagged]) -> Iterator[Tagged]:
    """Draw the taggrams of tracks that pass by, where figures are asked for."""
    if request.plots:
        from mirkeras.tagging.job import figure  # with Matplotlib

    for tagged in tracks:
        if request.plots:
            figure.draw(tagged, request.plots[tagged.path], request.options.top)
        yield tagged


def _document(request: Request, tracks: Iterable[Tagged]) -> Iterator[str]:
    return DOCUMENTS[request.options.format](tracks, request.model, request.options.top)


def _print(request: Request, tracks: Iterable[Tagged]) -> None:
    """Write a document to standard output as it grows."""
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # names as they are
    for piece in _document(request, tracks):
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
        say(shown(message))
