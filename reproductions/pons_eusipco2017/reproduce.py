"""The paper's tasks: ``python -m reproductions.pons_eusipco2017.reproduce --help``.

Train → tables, verdicts and figures. Without --dataset every task on its own: tagging on
MagnaTagATune, instruments on IRMAS, phonemes on jingju; one whose data cannot be had is named and
left out, and the exit status is 1. What is done already is skipped.
"""

import argparse
import sys
from pathlib import Path

from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.options import add_data_options, command_parser, data_words
from mirkeras.cli.reproduce import PLAN
from mirkeras.cli.train import train
from mirkeras.system.errors import say
from reproductions.pons_eusipco2017.experiments import PROTOCOLS

PAPER = "pons_eusipco2017"
#: Task, which is the first word of its rows → its data set.
TASKS = {"tagging": "magnatagatune", "instruments": "irmas", "phonemes": "jingju_phonemes"}
#: Folders 0 to b, c, d to f with all their clips, as the authors' exp_setup.py divides them.
SPLITS = {"magnatagatune": "mtat-pons"}


def main(argv: list[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if (arguments.rows or arguments.split) and not arguments.dataset:
        parser.error("--rows and --split are for one data set: name it by --dataset")
    own = {task: dataset for task, dataset in TASKS.items() if not arguments.dataset}
    wanted, failed = own or {arguments.rows or "tagging": arguments.dataset}, []
    for rows, dataset in wanted.items():
        status = _train(arguments, rows, dataset, rest)
        if status > 1:  # stopped by people
            return status
        failed += [f"{rows} on {dataset}"] * status
    if failed:
        say(f"not done, see above: {', '.join(failed)}")
    if len(failed) == len(wanted) or PLAN in rest:
        return int(bool(failed))
    return evaluate(PAPER, ["--out", str(arguments.out)]) or bool(failed)


def _parser() -> argparse.ArgumentParser:
    others = f"The others are those of `python -m reproductions.{PAPER}.train --help`."
    parser = command_parser(f"reproductions.{PAPER}.reproduce", __doc__.split("\n\n")[1], others)
    add = parser.add_argument
    add("--dataset", metavar="D",
        help="one data set, as for the train command (default: each task on its own)")  # fmt: skip
    add("--rows", metavar="R[,R…]", help="rows to train on it (default: tagging)")
    add("--protocol", choices=PROTOCOLS, default="code", help="default: %(default)s")
    add("--split", metavar="NAME",
        help="default: the data set's own; of magnatagatune mtat-pons")  # fmt: skip
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add_data_options(parser)
    return parser


def _train(arguments: argparse.Namespace, rows: str, dataset: str, rest: list[str]) -> int:
    print(f"{rows} on {dataset}")
    split = arguments.split or SPLITS.get(dataset)
    words = data_words(argparse.Namespace(**{**vars(arguments), "dataset": dataset}))
    words += ["--rows", rows, "--protocol", arguments.protocol, "--out", str(arguments.out)]
    return train(PAPER, [*words, *(["--split", split] if split else []), *rest])


if __name__ == "__main__":
    sys.exit(main())
