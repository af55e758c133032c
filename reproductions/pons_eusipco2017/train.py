"""Train rows of the three tasks: ``python -m reproductions.pons_eusipco2017.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("pons_eusipco2017"))
