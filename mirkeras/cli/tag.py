"""The words of `mirkeras tag`; what it does is in `mirkeras.tagging.command`."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from mirkeras.cli.options import add_cluster_option, positive

#: Endings of --out, and the formats that they ask for.
ENDINGS = {
    ".txt": "text",
    ".csv": "csv",
    ".parquet": "parquet",
    ".json": "json",
    ".jams": "jams",
}

DESCRIPTION = """\
Tag music with a trained network.

A track is cut into segments (3 s for the musicnn models), each gets a score between 0 and 1 for
every tag of the model (its taggram); the scores of the track are their means. A network of your
own (--model RUN) that was trained on classes also decides for one, as its protocol says; of several
runs the CSV holds the standard deviation of every score.

What --embed FILE.h5 holds, tracks one after another: features (segments, values), starts (seconds),
means (tracks, values: of each track's segments), offsets (track i has the segments
offsets[i]:offsets[i + 1]) and paths; its attributes say by what.
"""

EPILOG = """\
examples:
  mirkeras tag song.mp3                                the ten best tags of a track
  mirkeras tag song.mp3 --plot song.png                ... and how they go over time
  mirkeras tag --list                                  the models there are
  mirkeras tag --card MSD_musicnn                      all about one, its tags included
  mirkeras tag music/ --model MSD_musicnn --out tags.csv
                                                       a folder, every score of every track
  mirkeras tag music/ --model runs/PAPER/DATA/PROTOCOL/ROW/seed0
                                                       by networks of your own (mirkeras list
                                                       --runs): the folds of a row, averaged
  mirkeras tag 'music/**/*.flac' --format jams --out jams/
                                                       a JAMS file per track
  mirkeras tag music/ --hop 1 --out tags.json --embed features.h5
                                                       taggrams, a segment every second, and what
                                                       the last hidden layer makes of each segment

With --out or --embed, what is finished is kept in <out>.job: the same command goes on after an
interruption, does only what is new when files were added, and writes another --format, --top or
--plot without tagging again. Delete that folder when the output is all you want.

The first use of a model fetches its weights and checks them (once; --weights, --offline).
Files that cannot be tagged are named with the reason, the others are done; the same command tries
them again. What folders and patterns hold besides (.m4a, .jpg …) is counted in one line.
Exit status: 0 all tagged; 1 some file could not be, a folder or pattern holds no audio or cannot be
read, or the command could not go on (--strict: or music was left out); 2 wrong usage.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mirkeras tag`."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.set_defaults(parser=parser)
    parser.add_argument("files", nargs="*", metavar="FILE",
                        help="audio files, folders (and all below) or patterns")  # fmt: skip
    parser.add_argument("--strict", action="store_true",
                        help="exit status 1 also where music in a folder was left out")  # fmt: skip
    about = parser.add_mutually_exclusive_group()
    about.add_argument("--list", action="store_true", help="list the models and leave")
    about.add_argument("--card", metavar="MODEL_OR_RUN", help="say all about a model and leave")
    about.add_argument("--plan", action="store_true",
                       help="say how much audio there is and how long it takes")  # fmt: skip
    _add_output(parser)
    _add_network(parser)


def check(arguments: argparse.Namespace) -> None:
    """End the command as argparse does, status 2, where the options do not fit together."""
    wrong = arguments.parser.error
    if arguments.list or arguments.card:
        if arguments.files:
            wrong("--list and --card take no files")
        return
    if not arguments.files:
        wrong("which files? for example: mirkeras tag song.mp3; see --help")
    arguments.format = _format(arguments, wrong)
    if arguments.format == "jams" and not arguments.out:
        wrong("--format jams makes a file per track: --out FOLDER says where")
    if arguments.format == "parquet" and not arguments.out:
        wrong("--format parquet is no text to print: --out FILE.parquet says where")
    if arguments.format != "jams" and arguments.out and arguments.out.is_dir():
        wrong(f"--out {arguments.out} is a folder, --format {arguments.format} makes one file")
    if arguments.format == "jams":
        _check_place(wrong, "--out", arguments.out, ".jams")
    if arguments.plot:
        _check_place(wrong, "--plot", arguments.plot, ".png")
    if arguments.cluster and not (arguments.out or arguments.embed):
        wrong("--cluster finishes files in any order: --out FILE (or --embed) says where to")
    if arguments.feature and not arguments.embed:
        wrong("--feature says what --embed FILE.h5 holds: name that file")
    if arguments.embed and arguments.embed.is_dir():
        wrong(f"--embed {arguments.embed} is a folder: name a file")


def _format(arguments: argparse.Namespace, wrong: Callable) -> str:
    """Tell the format by the ending of --out, where it has one; both must agree."""
    out, given = arguments.out, arguments.format
    if out is None:
        return given or "text"
    if out.is_dir() and not given:
        return "jams"
    ending = out.suffix.lower()
    implied = ENDINGS.get(ending)
    if implied and given and given != implied:
        wrong(f"--out {out} ends on {ending}, --format is {given}: which of them?")
    if ending and not implied and not given:
        known = ", ".join(ENDINGS)
        wrong(f"--out {out}: which format? It ends on none of {known}; say so with --format")
    return given or implied or "text"


def _check_place(wrong: Callable, option: str, place: Path, suffix: str) -> None:
    """A file per track is made: the place must be a folder, or one file of that kind."""
    if place.suffix.lower() == suffix or place.is_dir():
        return
    if place.exists():
        wrong(f"{option} {place} is a file: name a folder, or one file that ends on {suffix}")
    if place.suffix:  # more likely a format that is not made than a folder
        wrong(
            f"{option} {place}: what is made ends on {suffix}; name such a file or a folder (one "
            "with a dot in its name must exist)"
        )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=["text", "csv", "parquet", "json", "jams"],
                       help="text: best tags; csv, parquet: a line per track, all tags; json: "
                       "also the taggrams; jams: a file per track (default: by the ending of "
                       "--out, of a folder jams, else text)")  # fmt: skip
    group.add_argument("--top", type=positive, default=10, metavar="N",
                       help="tags in text, jams and figures (default: %(default)s)")  # fmt: skip
    group.add_argument("--out", type=Path, metavar="PATH",
                       help="file, for jams a folder (default: standard output)")  # fmt: skip
    group.add_argument("--plot", type=Path, metavar="PATH",
                       help="draw the taggram: a .png, or a folder with one per track")  # fmt: skip
    group.add_argument("--embed", type=Path, metavar="FILE.h5",
                       help="write a hidden feature of every segment")  # fmt: skip


def _add_network(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    group.add_argument("--model", default="MTT_musicnn", metavar="MODEL_OR_RUN",
                       help="see --list; or the directory of a finished run of yours, the folder "
                       "of several of one row, or a .keras file with its run.json (default: "
                       "%(default)s)")  # fmt: skip
    group.add_argument("--feature", metavar="NAME",
                       help="which one, see --card (default: the model's first)")  # fmt: skip
    group.add_argument("--hop", type=_seconds, metavar="SECONDS",
                       help="from segment to segment (default: no overlap)")  # fmt: skip
    group.add_argument("--weights", type=Path, metavar="PATH",
                       help="file with the weights, or a folder that holds it")  # fmt: skip
    group.add_argument("--mirror", metavar="DIR_OR_URL", help="fetch weights from there first")
    group.add_argument("--offline", action="store_true", help="fetch nothing")
    group.add_argument("--jobs", type=positive, metavar="N",
                       help="files decoded at once (default: by the cores)")  # fmt: skip
    add_cluster_option(group, "some files at a time; with --out or --embed")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds
