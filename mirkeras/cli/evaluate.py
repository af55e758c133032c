"""`python -m reproductions.<paper>.evaluate`: from finished runs to tables and figures."""

from pathlib import Path

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.evaluate import evaluate_runs, summary
from mirkeras.system.errors import as_command


@as_command
def evaluate(paper: str, argv: list[str] | None = None) -> int:
    """Run ``python -m reproductions.<paper>.evaluate``; returns the exit status."""
    parser = command_parser(
        f"reproductions.{paper}.evaluate",
        "Compare finished runs with the published rows. Reads predictions, never "
        "networks; writes comparison.csv, comparison.md, measured.csv and figures.",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    arguments = parser.parse_args(argv)
    print(summary(evaluate_runs(paper, arguments.out), arguments.out))
    return 0
