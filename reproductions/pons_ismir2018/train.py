"""Train taggers of Pons et al.: ``python -m reproductions.pons_ismir2018.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("pons_ismir2018"))
