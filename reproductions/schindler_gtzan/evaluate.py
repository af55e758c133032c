"""Compare finished runs with the tables: ``python -m reproductions.schindler_gtzan.evaluate``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("schindler_gtzan"))
