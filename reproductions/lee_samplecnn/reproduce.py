"""The whole of the paper on a data set: ``python -m reproductions.lee_samplecnn.reproduce --help``.

Train → (time) → tables and verdicts → Figures 2 to 4 of the networks of Table 5 → Figure 5. What is
done already is skipped. Arguments other than its own go to the train command.
"""

import argparse
import sys
from pathlib import Path

from mirkeras.commands import train
from mirkeras.errors import expected_errors, explained
from mirkeras.evaluation import evaluate
from mirkeras.runs import find_runs
from mirkeras.splits import DRAWN
from reproductions.lee_samplecnn import filters, levels, timing

PAPER = "lee_samplecnn"


def main(argv: list[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    arguments, rest = _parser().parse_known_args(argv)
    out = ["--out", str(arguments.out)]
    status = train(PAPER, [*rest, *out])
    if not status and arguments.timing:
        status = timing.main(out)
    return status or evaluate(PAPER, out) or _figures(arguments, rest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m reproductions.{PAPER}.reproduce",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__.split("\n\n")[1],
        epilog=f"The others are those of `python -m reproductions.{PAPER}.train --help`.",
    )
    add = parser.add_argument
    add("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    add("--timing", action="store_true", help="also measure the time ratios of Table 5")
    add("--filter-layers", metavar="N[,N…]", help="layers of Figures 2 to 4 (default: 1 to 6)")
    add("--marks", metavar="A,B", help="tags or classes of Figure 5, e.g. piano,techno")
    return parser


def _figures(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Draw Figures 2 to 5 of the networks of Table 5 that this command trained last."""
    try:
        networks = _networks(arguments.out)
    except expected_errors() as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1
    if not networks:
        return 0
    layers = ["--layers", arguments.filter_layers] if arguments.filter_layers else []
    status = filters.main([*map(str, networks), *layers, "--out", str(arguments.out / "figures")])
    if status or not arguments.marks:
        return status
    place = ["--out", str(arguments.out / "figures"), "--marks", arguments.marks]
    # of the network at the highest rate, on the data it was trained on
    return levels.main([str(networks[-1]), *_data_options(rest), *place])


def _networks(out: Path) -> list[Path]:
    """Find the first run of each network of Table 5 in the newest set-up, by rising rate."""
    found = [
        (record["finished"], (record["dataset"], record.get("split", DRAWN), record["protocol"]),
         int(record["row"].removeprefix("table5/")), path)
        for path, record in find_runs(out, PAPER)
        if record["row"].startswith("table5/") and (path / "model.keras").exists()
        and record["seed"] == record["fold"] == 0
    ]  # fmt: skip
    if not found:
        return []
    newest = max(found)[1]
    return [
        path for _, setup, rate, path in sorted(found, key=lambda run: run[2]) if setup == newest
    ]


def _data_options(words: list[str]) -> list[str]:
    """Pick the options of the train command that say which data and where."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    names = ("--dataset", "--data-root", "--cache-root", "--mirror")
    for name in names:
        parser.add_argument(name)
    given = vars(parser.parse_known_args(words)[0])
    return [
        word
        for name in names
        if (value := given[name[2:].replace("-", "_")]) is not None
        for word in (name, value)
    ]


if __name__ == "__main__":
    sys.exit(main())
