"""The paper on a data set: ``python -m reproductions.schindler_gtzan.reproduce --help``.

Train on the protocol's split, and where the data set comes with the split fault-filtered train on
that too, so that the page shows both → tables and verdicts → the report's Figure 7 beside ours →
a page of the tracks that the last run of the best row misclassifies. What is done already is
skipped. Arguments other than those below go to the train command (--rows, --epochs, --jobs …).
"""

import argparse
import sys

import pandas as pd

import data_prep
from data_prep.prepare import Prepared
from data_prep.sets import gtzan
from mirkeras.cli import options
from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.options import data_words, positive
from mirkeras.cli.reproduce import PLAN, reproduce_parser
from mirkeras.cli.train import train
from mirkeras.evaluation.comparison import SETUP
from mirkeras.evaluation.evaluate import setup_name
from mirkeras.evaluation.results import evaluated
from mirkeras.experiment import find_experiment
from mirkeras.experiment.runs import Run
from mirkeras.system.errors import as_command
from mirkeras.training.command.preflight import PARTIAL
from reproductions.schindler_gtzan import confusion

PAPER = "schindler_gtzan"
# Without the faulty excerpts of GTZAN, and no artist in two parts: what random splits flatter.
FILTERED = gtzan.FAULT_FILTERED


@as_command
def main(argv: list[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    arguments, rest = _parser().parse_known_args(argv)
    status = _train(arguments, rest)
    if status or PLAN in rest:
        return status
    return evaluate(PAPER, _out(arguments)) or _look(arguments)


def _parser() -> argparse.ArgumentParser:
    protocols = find_experiment(PAPER).protocols
    parser = reproduce_parser(PAPER, __doc__.split("\n\n", 1)[1])
    add = parser.add_argument
    add("--protocol", choices=protocols, default=next(iter(protocols)), help="default: %(default)s")
    add("--split", metavar="NAME",
        help=f"train on this split alone (default: the protocol's, then {FILTERED})")  # fmt: skip
    add("--folds", type=positive, metavar="K",
        help="number of folds drawn from the seed (default: the protocol's)")  # fmt: skip
    add("--no-browser", action="store_true", help="leave out the page of misclassified tracks")
    return parser


def _out(arguments: argparse.Namespace) -> list[str]:
    return ["--out", str(arguments.out)]


def _train(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Train on the split asked for, or on the protocol's and the fault-filtered one."""
    words = [*data_words(arguments), "--protocol", arguments.protocol, *rest, *_out(arguments)]
    split = ["--split", arguments.split] if arguments.split else []
    folds = ["--folds", str(arguments.folds)] if arguments.folds else []
    status = train(PAPER, [*words, *split, *folds])
    if status or split or not _is_filtered(arguments):
        return status
    print(f"once more on the split {FILTERED}")
    return train(PAPER, [*words, "--split", FILTERED])


def _is_filtered(arguments: argparse.Namespace) -> bool:
    """Whether the data set has the fault-filtered split, and its lists are at hand."""
    if FILTERED not in data_prep.get(arguments.dataset, arguments.layout).splits:
        return False
    return FILTERED in _prepared(arguments).index


def _prepared(arguments: argparse.Namespace) -> Prepared:
    """Look at the data set once more; the training has fetched what there is."""
    return options.prepared(arguments, offline=True)


def _look(arguments: argparse.Namespace) -> int:
    """Draw Fig. 7 and write the browser's page for the best row."""
    runs = _best(arguments)
    row = runs.row.iloc[0]
    status = confusion.main([row, *_out(arguments)])
    if status or arguments.no_browser:
        return status
    from reproductions.schindler_gtzan import browser

    last = runs.sort_values("finished").iloc[-1]
    run = Run.of(last.to_dict()).directory(arguments.out)
    name = f"misclassified-{setup_name(runs)}-{row.replace('/', '-')}.html"
    return browser.main(
        [str(run), *data_words(arguments), "--out", str(arguments.out / PAPER / name)]
    )


def _best(arguments: argparse.Namespace) -> pd.DataFrame:
    """Find the runs of the row that is best by `max`, of the set-up that was run last.

    Only runs of this data, split and protocol count; earlier trials with fewer epochs or folds do
    not.
    """
    split = arguments.split or find_experiment(PAPER).protocols[arguments.protocol].split
    data = _prepared(arguments).home.name
    measured = evaluated(PAPER, arguments.out)
    same = measured[
        measured.dataset.isin([data, f"{data}{PARTIAL}"])
        & (measured.protocol == arguments.protocol)
        & (measured.split == split)
    ]
    last = same.sort_values("finished").iloc[-1]
    newest = same[(same[SETUP] == last[SETUP]).all(axis=1)]
    return max((group for _, group in newest.groupby("row")), key=lambda group: group["max"].mean())


if __name__ == "__main__":
    sys.exit(main())
