"""Misclassified tracks to look at and to listen to.

``python -m reproductions.schindler_gtzan.browser RUN_DIR --dataset D``

Writes one HTML page that needs no other file and no network. For each test track that a finished
run gets wrong by `max` or by majority (section IX of the reproduction's report shows three): both
decisions, the scores of all segments, and its most telling segments as the network sees them and
as they sound.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

import jinja2
import numpy as np
from tqdm import tqdm

from mirkeras.cli import options
from mirkeras.cli.options import DATA_SETS, add_data_options, command_parser, positive
from mirkeras.storage.files import write_text
from mirkeras.system.errors import as_command
from reproductions.schindler_gtzan import disputes, excerpts
from reproductions.schindler_gtzan.disputes import Choice, Dispute
from reproductions.schindler_gtzan.excerpts import Tick
from reproductions.schindler_gtzan.sources import Finished, Tracks, open_tracks, read_run

TEMPLATES = Path(__file__).parent / "templates"
MOST_CLASSES = 12  # of a heat map
MOST_BARS = 6  # of a segment
MOST_TIMES = 5  # labels below a heat map


def make_page(finished: Finished, tracks: Tracks, most: int, segments: int) -> str:
    """Make the page.

    Parameters
    ----------
    most : int
        Number of tracks at most, the worst first.
    segments : int
        Segments per track at most.

    Raises
    ------
    UsageError
        The audio of a track cannot be had, see `Tracks.samples`.
    """
    found = disputes.find(finished.predictions, finished.aggregate)
    shown = tqdm(found[:most], desc="tracks", unit="track")
    recipe = excerpts.plain(finished.recipe)
    # whatever names of tracks and classes hold, it is text on the page
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("browser.html").render(
        run=finished.run,
        warning=finished.record.get("warning", ""),
        facts=_facts(finished),
        recipe=recipe,
        aggregate=finished.aggregate,
        classes=finished.predictions["classes"].tolist(),
        tested=len(finished.predictions["tracks"]),
        counts={kind: sum(kind in d.kinds for d in found) for kind in disputes.KINDS},
        left_out=len(found) - len(found[:most]),
        tracks=[_describe_track(dispute, tracks, segments) for dispute in shown],
        bands=excerpts.band_ticks(recipe),
        times=excerpts.time_ticks(recipe, finished.frames),
        scale=_picture(excerpts.colour_scale()),
    )


def _facts(finished: Finished) -> list[tuple[str, str]]:
    """List what the run's record says of it."""
    run, record = finished.run, finished.record
    capped = ", cut short by --epochs" if record.get("capped") else ""
    facts = [
        ("Network", f"{run.paper}/{run.row}"),
        ("Data set", run.dataset),
        ("Protocol", run.protocol),
        ("Split", run.split),
        ("Seed", str(run.seed)),
        ("Fold", f"{run.fold + 1} of {run.folds}"),
        ("Epochs", f"{record.get('epochs', run.max_epochs)}{capped}"),
        ("Features", finished.recipe.name),
        ("Commit", record.get("commit") or "not under version control"),
        ("Finished", record.get("finished", "")),
        ("Command", record.get("command", "")),
    ]
    return [(term, value) for term, value in facts if value]


def _describe_track(dispute: Dispute, tracks: Tracks, segments: int) -> dict:
    """Gather what the page shows of a track."""
    finished, recipe = tracks.finished, excerpts.plain(tracks.finished.recipe)
    samples = tracks.samples(dispute.track)
    spans = [
        excerpts.span(recipe, int(frame), finished.frames, len(samples)) for frame in dispute.frames
    ]
    chosen = disputes.telling(dispute, segments)
    inputs = tracks.inputs(dispute.track, dispute.frames[[choice.segment for choice in chosen]])
    colours = float(inputs.min()), float(inputs.max())
    return {
        "dispute": dispute,
        "right": int((dispute.scores.argmax(axis=1) == dispute.true).sum()),
        "colours": colours,
        **_describe_scores(dispute, chosen, [start / recipe.sample_rate for start, _ in spans]),
        "segments": [
            {
                "letter": letter(number),
                "why": choice.why,
                "number": choice.segment + 1,
                "from": spans[choice.segment][0] / recipe.sample_rate,
                "to": spans[choice.segment][1] / recipe.sample_rate,
                "picture": _picture(excerpts.spectrogram(inputs[number], *colours)),
                "sound": excerpts.data_url(
                    "audio/wav",
                    excerpts.wav(samples[slice(*spans[choice.segment])], recipe.sample_rate),
                ),
                "bars": _bars(dispute.scores[choice.segment], dispute.true),
            }
            for number, choice in enumerate(chosen)
        ],
    }


def _describe_scores(dispute: Dispute, chosen: list[Choice], starts: Sequence[float]) -> dict:
    """Gather the heat map of a track and its axes; `starts` of the segments in seconds."""
    always = (dispute.true, dispute.by_max, dispute.by_majority)
    shown = disputes.leading(dispute.sums, MOST_CLASSES, always)
    winners = dispute.scores.argmax(axis=1)
    lines = np.array([shown.index(winner) if winner in shown else -1 for winner in winners])
    place = [100 * (number + 0.5) / len(starts) for number in range(len(starts))]
    labelled = np.unique(np.linspace(0, len(starts) - 1, MOST_TIMES).round().astype(int))
    return {
        "shown": shown,
        "starts": starts,
        "heat": _picture(excerpts.score_map(dispute.scores[:, shown], lines)),
        "times": [Tick(f"{starts[number]:.1f} s", place[number]) for number in labelled],
        "letters": [Tick(letter(n), place[choice.segment]) for n, choice in enumerate(chosen)],
    }


def _bars(scores: np.ndarray, true: int) -> list[tuple[int, float]]:
    """List the highest scores of a segment and the true class's: (class, score), highest first."""
    shown = disputes.leading(scores, MOST_BARS, (true,))
    return sorted(((c, float(scores[c])) for c in shown), key=lambda bar: -bar[1])


def letter(number: int) -> str:
    """Name a chosen segment: A, B, …, Z, A2, B2, …"""
    round_, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(round_ + 1) if round_ else "")


def _picture(png: bytes) -> str:
    return excerpts.data_url("image/png", png)


@as_command
def main(argv: list[str] | None = None) -> int:
    """Write the page of a run; returns the exit status."""
    arguments = _parser().parse_args(argv)
    out = arguments.out or arguments.run / "browser.html"
    finished = read_run(arguments.run)
    prepared = options.prepared(arguments)
    tracks = open_tracks(finished, prepared)
    page = make_page(finished, tracks, arguments.tracks, arguments.segments)
    write_text(out, page)
    print(f"{out}: {len(page) / 1e6:.1f} MB, open it in any web browser")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "reproductions.schindler_gtzan.browser",
        "Write an HTML page of the test tracks that a run gets wrong by max or by "
        "majority:\ndecisions, scores of all segments, spectrograms and sound.",
        DATA_SETS,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN_DIR", help="directory of a finished run")
    add("--dataset", required=True, metavar="D", help="data set of the run, see below")
    add("--out", type=Path, metavar="PAGE.html", help="default: browser.html in RUN_DIR")
    add("--tracks", type=positive, default=40, metavar="N",
        help="tracks on the page at most, worst first (default: %(default)s)")  # fmt: skip
    add("--segments", type=positive, default=3, metavar="N",
        help="segments per track at most, most telling first (default: %(default)s)")  # fmt: skip
    add_data_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
