"""Compare finished runs with the tables: ``python -m reproductions.lee_samplecnn.evaluate``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("lee_samplecnn"))
