"""Misclassified tracks to look at and to listen to.

``python -m reproductions.schindler_gtzan.browser RUN_DIR --dataset D``

Writes the page of `mirkeras.site.browser` of one finished run; `mirkeras report` makes it of all.
"""

import argparse
import sys
from pathlib import Path

from mirkeras.cli import options
from mirkeras.cli.options import DATA_SETS, add_data_options, command_parser, positive
from mirkeras.site.browser.page import make_page
from mirkeras.site.browser.sources import open_tracks, read_run
from mirkeras.storage.files import write_text
from mirkeras.system.errors import as_command


@as_command
def main(argv: list[str] | None = None) -> int:
    """Write the page of a run; returns the exit status."""
    arguments = _parser().parse_args(argv)
    out = arguments.out or arguments.run / "browser.html"
    tracks = open_tracks(read_run(arguments.run), options.prepared(arguments))
    page = make_page([tracks], arguments.tracks, arguments.segments)
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
