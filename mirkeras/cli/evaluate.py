"""`python -m reproductions.<paper>.evaluate`: from finished runs to tables and figures."""

from pathlib import Path

from mirkeras.cli.options import command_parser
from mirkeras.evaluation.evaluate import evaluate_runs, summary
from mirkeras.system.errors import as_command


@as_command
def evaluate(paper: str, argv: list[str] | None = None, called: str | None = None) -> int:
    """Run ``mirkeras evaluate PAPER``, or ``python -m reproductions.<paper>.evaluate``.

    The arguments are those of `mirkeras.cli.train.train`; returns the exit status.
    """
    parser = command_parser(
        f"reproductions.{paper}.evaluate",
        "Compare finished runs with the published rows. Reads predictions, never "
        "networks; writes comparison.csv, comparison.md, measured.csv, predictions and figures "
        "into the paper's folder below --out.",
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR")
    parser.prog = called or parser.prog
    parser.add_argument("--all-rows", action="store_true",
                        help="of your own data, too: the published numbers beside them, and the "
                        "rows that were not run")  # fmt: skip
    arguments = parser.parse_args(argv)
    compared = evaluate_runs(paper, arguments.out, all_rows=arguments.all_rows)
    print(summary(compared, arguments.out / paper, all_rows=arguments.all_rows))
    return 0
