"""What the papers' `reproduce` and `demo` commands have in common."""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mirkeras.cli.options import add_data_options, add_jobs_option, command_parser

#: With this word of the train command nothing follows it.
PLAN = "--plan"


def reproduce_parser(paper: str, description: str) -> argparse.ArgumentParser:
    """Make the parser of a paper's `reproduce`: which data, and where runs go.

    What it does not know goes to the train command: use `parse_known_args`.
    """
    others = f"The others are those of `python -m reproductions.{paper}.train --help`."
    parser = command_parser(f"reproductions.{paper}.reproduce", description, others)
    add = parser.add_argument
    add("--dataset", required=True, metavar="D", help="data set, as for the train command")
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add_data_options(parser)
    return parser


def run_demo(
    paper: str,
    description: str,
    argv: list[str] | None,
    options: Mapping[str, object],
    run: Callable[[list[str]], int],
) -> int:
    """Run a paper's demo, say how long it took, and return its exit status.

    Parameters
    ----------
    options : mapping
        Options of the command that `run` calls, without their dashes.
    run : callable
        Gets these, ``--jobs`` and what else was given as words; returns an exit status.
    """
    others = "Other options go to the train command, and come before the demo's own."
    parser = command_parser(f"reproductions.{paper}.demo", description, others)
    add_jobs_option(parser, "runs trained at once")
    arguments, rest = parser.parse_known_args(argv)
    chosen = {**options, "jobs": arguments.jobs}
    words = [word for name, value in chosen.items() for word in (f"--{name}", str(value))]
    begin = time.monotonic()
    status = run([*words, *rest])
    if status == 0:
        print(f"demo finished in {time.monotonic() - begin:.0f} s")
    return status
