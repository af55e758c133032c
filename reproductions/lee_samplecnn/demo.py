"""The whole path on mini-tags: ``make demo-mtat``.

Synthesise → waveforms at two rates from one decoding → tagging networks → macro ROC-AUC and tag by
tag, beside the paper → what the filters answer to → where songs lie in the hidden layers. What is
done already is skipped.
"""

import sys
import time

from mirkeras.cli.options import add_jobs_option, command_parser
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
    parser = command_parser("reproductions.lee_samplecnn.demo", __doc__.splitlines()[0])
    add_jobs_option(parser, "runs trained at once")
    arguments = parser.parse_args(argv)
    begin = time.monotonic()
    words = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    status = reproduce.main([*words, "--jobs", str(arguments.jobs)])
    if status == 0:
        print(f"demo finished in {time.monotonic() - begin:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
