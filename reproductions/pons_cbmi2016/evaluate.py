"""Compare finished runs with Table I: ``python -m reproductions.pons_cbmi2016.evaluate --help``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("pons_cbmi2016"))
