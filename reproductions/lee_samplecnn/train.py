"""Train networks of Lee et al.: ``python -m reproductions.lee_samplecnn.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("lee_samplecnn"))
