"""Train networks of Schindler et al.: ``python -m reproductions.schindler_gtzan.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("schindler_gtzan"))
