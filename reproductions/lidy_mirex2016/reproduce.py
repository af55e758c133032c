"""The whole of the paper: ``python -m reproductions.lidy_mirex2016.reproduce --help``.

Train → (the three MIREX executables over three folds) → tables, verdicts and figures. What is done
already is skipped. Arguments other than its own go to the train command.
"""

import argparse
import sys
from pathlib import Path

from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.options import add_data_options, command_parser, data_words, positive
from mirkeras.cli.train import train
from reproductions.lidy_mirex2016.experiments import PROTOCOLS

PAPER = "lidy_mirex2016"


def main(argv: list[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    arguments, rest = _parser().parse_known_args(argv)
    shared, out = _shared_words(arguments), ["--out", str(arguments.out)]
    status = train(PAPER, [*shared, *rest, *out])
    if not status and arguments.executables:
        from reproductions.lidy_mirex2016 import job

        status = job.main([*shared, "--model", arguments.executables, *out])
    return status or evaluate(PAPER, out)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        f"reproductions.{PAPER}.reproduce",
        __doc__.split("\n\n")[1],
        f"The others are those of `python -m reproductions.{PAPER}.train --help`.",
    )
    add = parser.add_argument
    add("--dataset", required=True, metavar="D", help="data set, as for the train command")
    add("--protocol", choices=PROTOCOLS, default="paper", help="default: %(default)s")
    add("--epochs", type=positive, metavar="E", help="cap on the epochs of a run (150)")
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add("--executables", nargs="?", const="1", metavar="M[,M…]",
        help="also run these models (of 1, 2, 3, 2015; model 1 if none is named) through "
        "extractFeatures, Train and Classify, three folds, as MIREX would")  # fmt: skip
    add_data_options(parser)
    return parser


def _shared_words(arguments: argparse.Namespace) -> list[str]:
    """Spell out what the commands that this one calls have in common: which data, trained how."""
    words = [*data_words(arguments), "--protocol", arguments.protocol]
    return words + (["--epochs", str(arguments.epochs)] if arguments.epochs else [])


if __name__ == "__main__":
    sys.exit(main())
