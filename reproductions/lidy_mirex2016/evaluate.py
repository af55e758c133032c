"""Evaluate finished runs: ``python -m reproductions.lidy_mirex2016.evaluate --help``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("lidy_mirex2016"))
