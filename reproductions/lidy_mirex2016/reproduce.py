"""The whole of the paper: ``python -m reproductions.lidy_mirex2016.reproduce --help``.

Train → (the three MIREX executables over three folds) → tables, verdicts and figures. What is done
already is skipped. Arguments other than its own go to the train command.
"""

import argparse
import sys

from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.options import data_words, positive
from mirkeras.cli.reproduce import PLAN, reproduce_parser
from mirkeras.cli.train import train
from reproductions.lidy_mirex2016.experiments import PROTOCOLS

PAPER = "lidy_mirex2016"


def main(argv: list[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    arguments, rest = _parser().parse_known_args(argv)
    shared, out = _shared_words(arguments), ["--out", str(arguments.out)]
    status = train(PAPER, [*shared, *rest, *out])
    if status or PLAN in rest:
        return status
    if arguments.executables:
        from reproductions.lidy_mirex2016 import job

        status = job.main([*shared, "--model", arguments.executables, *out])
    return status or evaluate(PAPER, out)


def _parser() -> argparse.ArgumentParser:
    parser = reproduce_parser(PAPER, __doc__.split("\n\n")[1])
    add = parser.add_argument
    add("--protocol", choices=PROTOCOLS, default="paper", help="default: %(default)s")
    add("--epochs", type=positive, metavar="E", help="cap on the epochs of a run (150)")
    add("--executables", nargs="?", const="1", metavar="M[,M…]",
        help="also run these models (of 1, 2, 3, 2015; model 1 if none is named) through "
        "extractFeatures, Train and Classify, three folds, as MIREX would")  # fmt: skip
    return parser


def _shared_words(arguments: argparse.Namespace) -> list[str]:
    """Spell out what the commands that this one calls have in common: which data, trained how."""
    words = [*data_words(arguments), "--protocol", arguments.protocol]
    return words + (["--epochs", str(arguments.epochs)] if arguments.epochs else [])


if __name__ == "__main__":
    sys.exit(main())
