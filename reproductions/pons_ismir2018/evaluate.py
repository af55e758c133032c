"""Compare finished runs with the tables: ``python -m reproductions.pons_ismir2018.evaluate``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("pons_ismir2018"))
