"""The whole path on mini-ballroom: ``make demo``.

Synthesise → features → cross-validated training of the four headline networks → majority vote →
table beside the paper's → figures. What is done already is skipped.
"""

import sys
import time
from pathlib import Path

from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.options import add_jobs_option, command_parser
from mirkeras.cli.train import train
from reproductions.pons_cbmi2016 import filters

PAPER = "pons_cbmi2016"
OUT = Path("runs/demo")
# As many folds and epochs as fit into six minutes on two cores.
FOLDS, EPOCHS = 5, 40


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = command_parser(f"reproductions.{PAPER}.demo", __doc__.splitlines()[0])
    add_jobs_option(parser, "runs trained at once")
    arguments = parser.parse_args(argv)
    begin = time.monotonic()
    options = {
        "dataset": "mini_ballroom",
        "protocol": "clean",
        "folds": FOLDS,
        "epochs": EPOCHS,
        "jobs": arguments.jobs,
        "out": OUT,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    out = ["--out", str(OUT)]
    status = train(PAPER, words) or evaluate(PAPER, out) or filters.main(out)
    if status == 0:
        print(f"demo finished in {time.monotonic() - begin:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
