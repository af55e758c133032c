"""Tables of fine-tuned taggers: ``python -m reproductions.finetune.evaluate --help``."""

import sys

from mirkeras.cli.evaluate import evaluate

if __name__ == "__main__":
    sys.exit(evaluate("finetune"))
