"""Train rows of the table: ``python -m reproductions.pons_icassp2019_fewdata.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("pons_icassp2019_fewdata"))
