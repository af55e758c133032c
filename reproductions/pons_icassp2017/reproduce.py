"""The paper on a data set: ``python -m reproductions.pons_icassp2017.reproduce --help``.

Train → tables and verdicts → accuracy against parameters → what the P filters learned. What is done
already is skipped. Arguments other than its own go to the train command.
"""

import sys

from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.options import data_words
from mirkeras.cli.reproduce import PLAN, reproduce_parser
from mirkeras.cli.train import train
from reproductions.pons_icassp2017 import filters, parameters

PAPER = "pons_icassp2017"


def main(argv: list[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    arguments, rest = reproduce_parser(PAPER, __doc__.split("\n\n")[1]).parse_known_args(argv)
    out = ["--out", str(arguments.out)]
    status = train(PAPER, [*data_words(arguments), *rest, *out])
    if status or PLAN in rest:
        return status
    return (
        evaluate(PAPER, out)
        or parameters.main(out)
        or filters.main([*out, "--cache-root", str(arguments.cache_root)])
    )


if __name__ == "__main__":
    sys.exit(main())
