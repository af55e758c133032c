"""Train rows of Table I: ``python -m reproductions.pons_cbmi2016.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("pons_cbmi2016"))
