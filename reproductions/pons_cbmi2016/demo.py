"""The whole path on mini-ballroom: ``make demo``.

Synthesise → features → cross-validated training of the four headline networks → majority vote →
table beside the paper's → figures. What is done already is skipped.
"""

import sys

from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.reproduce import PLAN, run_demo
from mirkeras.cli.train import train
from reproductions.pons_cbmi2016 import filters

PAPER = "pons_cbmi2016"
OUT = ["--out", "runs/demo"]
OPTIONS = {
    "dataset": "mini_ballroom",
    "protocol": "clean",
    # as many folds and epochs as fit into six minutes on two cores
    "folds": 5,
    "epochs": 40,
}


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""

    def run(words: list[str]) -> int:
        status = train(PAPER, [*words, *OUT])
        if status or PLAN in words:
            return status
        return evaluate(PAPER, OUT) or filters.main(OUT)

    return run_demo(PAPER, __doc__.splitlines()[0], argv, OPTIONS, run)


if __name__ == "__main__":
    sys.exit(main())
