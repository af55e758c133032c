"""The whole of the paper on a data set: ``python -m reproductions.lee_samplecnn.reproduce --help``.

Train → (time) → tables and verdicts → Figures 2 to 4 of the networks of Table 5 → Figure 5. What is
done already is skipped. Arguments other than its own go to the train command.
"""

import argparse
import sys
from pathlib import Path

import data_prep
from mirkeras.cli.evaluate import evaluate
from mirkeras.cli.options import data_words
from mirkeras.cli.reproduce import PLAN, reproduce_parser
from mirkeras.cli.train import train
from mirkeras.experiment.runs import Run, find_runs
from mirkeras.system.errors import as_command
from reproductions.lee_samplecnn import filters, levels, timing

PAPER = "lee_samplecnn"


def main(argv: list[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    arguments, rest = _parser().parse_known_args(argv)
    data, out = data_words(arguments), ["--out", str(arguments.out)]
    status = train(PAPER, [*data, *rest, *out])
    if status or PLAN in rest:
        return status
    if arguments.timing:
        status = timing.main(out)
    return status or evaluate(PAPER, out) or _figures(arguments, data)


def _parser() -> argparse.ArgumentParser:
    parser = reproduce_parser(PAPER, __doc__.split("\n\n")[1])
    add = parser.add_argument
    add("--timing", action="store_true", help="also measure the time ratios of Table 5")
    add("--filter-layers", metavar="N[,N…]", help="layers of Figures 2 to 4 (default: 1 to 6)")
    add("--marks", metavar="A,B", help="tags or classes of Figure 5, e.g. piano,techno")
    return parser


@as_command
def _figures(arguments: argparse.Namespace, data: list[str]) -> int:
    """Draw Figures 2 to 5 of the networks of Table 5 that were trained last on this data set."""
    networks = _networks(arguments.out, data_prep.get(arguments.dataset, arguments.layout).name)
    if not networks:
        return 0
    layers = ["--layers", arguments.filter_layers] if arguments.filter_layers else []
    place = ["--out", str(arguments.out / PAPER / "figures")]
    status = filters.main([*map(str, networks), *layers, *place])
    if status or not arguments.marks:
        return status
    # of the network at the highest rate
    return levels.main([str(networks[-1]), *data, "--marks", arguments.marks, *place])


def _networks(out: Path, dataset: str) -> list[Path]:
    """Find the first run of each network of Table 5 in a data set's newest set-up, by rate."""
    found = [
        (record["finished"], (Run.of(record).split, record["protocol"], record["max_epochs"]),
         int(record["row"].removeprefix("table5/")), path)
        for path, record in find_runs(out, PAPER)
        if record["row"].startswith("table5/") and (path / "model.keras").exists()
        and record["dataset"] in (dataset, f"{dataset}-stand-in", f"{dataset}-partial")
        and record["seed"] == record["fold"] == 0
    ]  # fmt: skip
    if not found:
        return []
    newest = max(found)[1]
    by_rate = sorted(found, key=lambda run: run[2])
    return [path for _, setup, _, path in by_rate if setup == newest]


if __name__ == "__main__":
    sys.exit(main())
