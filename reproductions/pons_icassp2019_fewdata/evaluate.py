"""Compare finished runs: ``python -m reproductions.pons_icassp2019_fewdata.evaluate``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("pons_icassp2019_fewdata"))
