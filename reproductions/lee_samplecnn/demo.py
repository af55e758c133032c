"""The whole path on mini-tags: ``make demo-mtat``.

Synthesise → waveforms at two rates from one decoding → tagging networks → macro ROC-AUC and tag by
tag, beside the paper → what the filters answer to → where songs lie in the hidden layers. What is
done already is skipped.
"""

import sys

from mirkeras.cli.reproduce import run_demo
from reproductions.lee_samplecnn import reproduce

OPTIONS = {
    "dataset": "mini_tags",
    "rows": "table5/2000,table5/8000",
    "epochs": "16",  # as many as fit into ten minutes on two cores
    "out": "runs/demo-mtat",
    "filter-layers": "1,2,3,4",
    "marks": "piano,techno",
}


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    return run_demo(reproduce.PAPER, __doc__.splitlines()[0], argv, OPTIONS, reproduce.main)


if __name__ == "__main__":
    sys.exit(main())
