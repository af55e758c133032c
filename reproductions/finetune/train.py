"""Fine-tune a tagger: ``python -m reproductions.finetune.train --help``."""

import sys

from mirkeras.cli.train import train

if __name__ == "__main__":
    sys.exit(train("finetune"))
