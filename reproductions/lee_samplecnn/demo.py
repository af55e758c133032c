"""The whole path on mini-tags: ``make demo-mtat``.

Synthesise → waveforms at two rates → tagging networks → macro ROC-AUC and per-tag table beside the
paper's → what the filters learned. What is done already is
skipped.
"""

import argparse
import sys
import time
from pathlib import Path

from mirkeras.commands import train
from mirkeras.evaluation import evaluate
from mirkeras.options import add_jobs_option
from reproductions.lee_samplecnn import filters

PAPER = "lee_samplecnn"
OUT = Path("runs/demo-mtat")
ROWS = ("table5/2000", "table5/8000")
# As many as fit into ten minutes on two cores.
EPOCHS = 16
FILTER_LAYERS = "1,2,3,4"


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=f"python -m reproductions.{PAPER}.demo", description=__doc__.splitlines()[0]
    )
    add_jobs_option(parser, "runs trained at once")
    arguments = parser.parse_args(argv)
    begin = time.monotonic()
    options = {
        "dataset": "mini_tags",
        "rows": ",".join(ROWS),
        "epochs": EPOCHS,
        "jobs": arguments.jobs,
        "out": OUT,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    status = train(PAPER, words) or evaluate(PAPER, ["--out", str(OUT)]) or _figures()
    if status == 0:
        print(f"demo finished in {time.monotonic() - begin:.0f} s")
    return status


def _figures() -> int:
    networks = [str(next((OUT / PAPER).glob(f"*/*/{row}/seed0/fold01of01"))) for row in ROWS]
    figures = OUT / "figures"
    return filters.main([*networks, "--out", str(figures), "--layers", FILTER_LAYERS])


if __name__ == "__main__":
    sys.exit(main())
