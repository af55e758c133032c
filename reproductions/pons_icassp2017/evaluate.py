"""Compare finished runs with the paper: ``python -m reproductions.pons_icassp2017.evaluate``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("pons_icassp2017"))
