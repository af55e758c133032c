"""Train networks of Lidy & Schindler: ``python -m reproductions.lidy_mirex2016.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("lidy_mirex2016"))
