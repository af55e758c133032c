"""Compare runs with the paper: ``python -m reproductions.pons_eusipco2017.evaluate --help``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("pons_eusipco2017"))
