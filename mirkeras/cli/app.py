"""The `mirkeras` command.

Sub-commands import what they need when they run: `--help` needs neither TensorFlow nor its seconds.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from mirkeras import __version__
from mirkeras.cli import options
from mirkeras.cli import tag as tag_command
from mirkeras.cli.options import (
    DATA_SETS,
    add_cache_option,
    add_data_options,
    add_data_root_option,
    add_jobs_option,
    count,
    prepared,
)
from mirkeras.system.errors import UsageError, as_command


@as_command
def main(argv: list[str] | None = None) -> int:
    """Run `mirkeras`; returns the exit status."""
    arguments = _parser().parse_args(argv)
    return arguments.command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirkeras",
        description="Classic music-CNN papers, re-run in Keras and compared row by row.",
        epilog="`mirkeras train PAPER --help` explains a paper's rows; `make help` lists one-line "
        "targets, one per paper.",
    )
    parser.add_argument("--version", action="version", version=f"mirkeras {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_of_paper(commands, "train", _train, "train rows of a paper, on its data or your own")
    _add_of_paper(commands, "evaluate", _evaluate, "scores, tables and figures of finished runs")
    _add_tag(commands)
    _add_export(commands)
    _add_list(commands)
    _add_compare(commands)
    _add_claims(commands)
    _add_report(commands)
    _add_data(commands)
    _add_features(commands)
    doctor = _add(commands, "doctor", _doctor, "say what this machine has and what is chosen")
    doctor.description = "Versions, GPUs, memory, and the settings mirkeras derives from them."
    return parser


def _add(
    commands: argparse._SubParsersAction, name: str, command: Callable, summary: str
) -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(name, help=summary, description=summary, formatter_class=formatter)
    parser.set_defaults(command=command)
    return parser


def _add_of_paper(
    commands: argparse._SubParsersAction, name: str, command: Callable, summary: str
) -> None:
    """Add a command whose options depend on the paper: its own parser reads them."""
    parser = _add(commands, name, command, summary)

    def with_papers() -> str:
        # only when help is asked for: what knows the papers takes half a second to import
        from mirkeras.experiment.published import papers

        known = ", ".join(papers())
        parser.epilog = f"mirkeras {name} PAPER --help lists the options; papers: {known}"
        return argparse.ArgumentParser.format_help(parser)

    parser.format_help = with_papers
    parser.usage = f"mirkeras {name} PAPER [option …]"
    parser.add_argument("paper", metavar="PAPER", help="name of the paper's folder")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)


def _require_paper(name: str) -> None:
    """Refuse what is no paper, by an error that lists those that are."""
    from mirkeras.experiment.published import published_rows

    published_rows(name)


def _train(arguments: argparse.Namespace) -> int:
    _require_paper(arguments.paper)
    from mirkeras.cli.train import train

    return train(arguments.paper, arguments.rest, "mirkeras train " + arguments.paper)


def _evaluate(arguments: argparse.Namespace) -> int:
    _require_paper(arguments.paper)
    from mirkeras.cli.evaluate import evaluate

    return evaluate(arguments.paper, arguments.rest, "mirkeras evaluate " + arguments.paper)


def _add_tag(commands: argparse._SubParsersAction) -> None:
    tag_command.add_options(_add(commands, "tag", _tag, "tag music with a trained network"))


def _tag(arguments: argparse.Namespace) -> int:
    tag_command.check(arguments)
    from mirkeras.pretrained import cards
    from mirkeras.tagging import listing

    if arguments.list:
        print(listing.table(cards.all_cards().values()), end="")
    elif arguments.card in cards.all_cards() or (
        arguments.card and not Path(arguments.card).exists()
    ):
        print(listing.description(cards.find_card(arguments.card)), end="")
    elif arguments.card:
        from mirkeras.tagging.models import find_model

        model = find_model(arguments.card, arguments.weights)
        print(listing.description_of_runs(model), end="")
    else:
        from mirkeras.tagging import command as tagging_command

        if arguments.cluster is None:
            return tagging_command.run(arguments)
        with options.hands(arguments) as cluster:
            return tagging_command.run(arguments, cluster)
    return 0


def _add_export(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "export", _export, "a network for other programs: ONNX, LiteRT, Keras")
    parser.description = (
        "Write a network as a file of another runtime. It is loaded by that runtime and compared\n"
        "with Keras before it is kept; what must be known of it (outputs in order, rate, segment,\n"
        "recipe, licence) stands in FILE.json and, but for Keras, inside. Extra: export."
    )
    add = parser.add_argument
    add("model", metavar="MODEL_OR_RUN", help="as `mirkeras tag --model`; folds are averaged")
    add("--format", choices=["onnx", "litert", "keras"], required=True)
    add("--samples", action="store_true", help="it takes samples: the front-end is in the graph")
    add("--out", type=Path, required=True, metavar="FILE")
    add("--weights", type=Path, metavar="PATH", help="as `mirkeras tag --weights`")
    add("--mirror", metavar="DIR_OR_URL", help="fetch weights from there first")
    add("--offline", action="store_true", help="fetch nothing")


def _export(arguments: argparse.Namespace) -> int:
    from mirkeras.export.write import export

    found = {name: getattr(arguments, name) for name in ("samples", "weights", "mirror", "offline")}
    about = export(arguments.model, arguments.out, arguments.format, **found)
    print(
        f"{arguments.out}: {about['bytes'] / 1e6:.1f} MB, takes {about['input']} {about['shape']}, "
        f"within {about['difference']:.1e} of Keras"
    )
    return 0


def _add_list(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "list", _list, "every published row, its parameters ours and theirs")
    parser.add_argument("paper", nargs="?", help="one paper (default: all)")
    parser.add_argument("--csv", action="store_true", help="as CSV")
    parser.add_argument("--runs", nargs="?", type=Path, const=Path("runs"), metavar="DIR",
                        help="instead: the finished runs below a folder (default: runs), each a "
                        "--model of `mirkeras tag`")  # fmt: skip


def _list(arguments: argparse.Namespace) -> int:
    from mirkeras.evaluation import comparison, results
    from mirkeras.experiment.published import papers
    from mirkeras.storage.tables import csv_text
    from mirkeras.system.machine import device

    if arguments.runs:
        table = results.finished_runs(arguments.runs, arguments.paper)
        said = csv_text(table) if arguments.csv else table.to_string(index=False, na_rep="–") + "\n"
        print(said, end="")
        return 0
    device.configure()
    for paper in [arguments.paper] if arguments.paper else papers():
        table = results.listing(paper)
        if arguments.csv:
            print(csv_text(table[comparison.COLUMNS]), end="")
        else:
            print(
                table[comparison.COLUMNS].drop(columns="model").to_string(index=False, na_rep="–")
            )
    return 0


def _add_compare(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "compare", _compare, "finished runs beside the published numbers")
    parser.add_argument("paper", help="name of the paper's folder, e.g. pons_cbmi2016")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR",
                        help="where the runs are (default: %(default)s)")  # fmt: skip
    parser.add_argument("--publish", action="store_true",
                        help="also put the measured runs into results/measured/ and rewrite the "
                        "paper's page and figures in results/pages/")  # fmt: skip


def _compare(arguments: argparse.Namespace) -> int:
    _require_paper(arguments.paper)
    from mirkeras.evaluation import evaluate

    table = evaluate.evaluate_runs(arguments.paper, arguments.out)
    print(evaluate.summary(table, arguments.out / arguments.paper))
    if arguments.publish:
        print(f"written: {evaluate.publish_figures(arguments.paper, arguments.out)}")
    return 0


def _add_claims(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "claims", _claims, "what the papers claim, and what answers it")
    parser.description = (
        "Answer each claim by the numbers its paper prints and by what was measured: with the\n"
        "suite (results/measured), or, with --out, by your own finished runs."
    )
    parser.add_argument("paper", nargs="?", metavar="PAPER", help="one paper (default: all)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where runs of your own are")
    parser.add_argument("--csv", action="store_true", help="as CSV")
    parser.add_argument("--publish", action="store_true",
                        help="also rewrite results/pages/PAPER/claims.md, always of "
                        "results/measured")  # fmt: skip


def _claims(arguments: argparse.Namespace) -> int:
    from mirkeras.evaluation import answered
    from mirkeras.storage.tables import csv_text

    found = answered.of_papers(arguments.paper, arguments.out)
    if arguments.csv:
        print(csv_text(answered.joined(found)), end="")
    else:
        print("\n".join(answered.text(paper, answers) for paper, answers in found.items()), end="")
    for paper in found if arguments.publish else ():
        print(f"written: {answered.publish(paper)}", file=sys.stderr)
    return 0


def _add_report(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "report", _report, "a static web site of results and of your runs")
    parser.description = (
        "A folder of web pages that needs nothing from outside: what is proven, each paper's\n"
        "table, runs with curves, confusions and records, wrong tracks with their sound.\n"
        "It replaces the one that was there."
    )
    add = parser.add_argument
    add("--out", type=Path, default=Path("report"), metavar="DIR", help="default: %(default)s")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR",
        help="where the runs are (default: %(default)s)")  # fmt: skip
    add("--source", choices=["both", "results", "runs"], default="both",
        help="results: what came with the suite; runs: yours (default: %(default)s)")  # fmt: skip
    add("--tracks", type=count, default=20, metavar="N",
        help="wrong tracks on a page, worst first; 0: none (default: %(default)s)")  # fmt: skip
    add("--watch", action="store_true", help="again whenever a run comes on; Ctrl-C ends it")
    add_cache_option(parser)
    add_data_root_option(parser)


def _report(arguments: argparse.Namespace) -> int:
    from mirkeras.site.command import report
    from mirkeras.site.write import Places

    names = ("out", "runs", "data_root", "cache_root", "source", "tracks")
    report(Places(**{name: getattr(arguments, name) for name in names}), arguments.watch)
    return 0


def _add_data(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "data", _data, "get, check or list data sets")
    parser.epilog = DATA_SETS
    parser.add_argument("action", choices=["get", "check", "list"],
                        help="get: fetch if absent, check; check: no network")  # fmt: skip
    parser.add_argument("dataset", nargs="?", metavar="D", help="data set, see below")
    add_data_options(parser)


def _data(arguments: argparse.Namespace) -> int:
    import data_prep

    if arguments.action == "list":
        width = max(map(len, data_prep.names())) + 2
        for name in data_prep.names():
            print(f"{name:{width}}{data_prep.get(name).description.splitlines()[0]}")
        return 0
    if not arguments.dataset:
        raise UsageError(f"which data set? mirkeras data {arguments.action} D; see data list")
    prepared(arguments, offline=arguments.action == "check")
    return 0


def _add_features(commands: argparse._SubParsersAction) -> None:
    parser = _add(commands, "features", _features, "compute the features of a data set")
    parser.epilog = DATA_SETS
    parser.add_argument("dataset", metavar="D", help="data set, see below")
    parser.add_argument("recipes", metavar="RECIPE[,RECIPE…]",
                        help="feature recipes, e.g. cbmi2016 or waveform-8000,waveform-22050; "
                        "every track is decoded once for all of them")  # fmt: skip
    parser.add_argument("--plan", action="store_true",
                        help="say what is ahead (tracks, hours, time, disk) and stop; a few tracks "
                        "are tried")  # fmt: skip
    add_jobs_option(parser, "processes", default=None)
    options.add_cluster_option(parser, "a track at a time with each thread")
    add_data_options(parser)


def _features(arguments: argparse.Namespace) -> int:
    from mirkeras import cache
    from mirkeras.cli import plan
    from mirkeras.features import find_recipe
    from mirkeras.system.errors import shown

    try:
        recipes = [find_recipe(name) for name in arguments.recipes.split(",")]
    except ValueError as error:
        raise UsageError(str(error)) from error
    found = (plan.data if arguments.plan else prepared)(arguments)
    files = {found.home / f"{recipe.name}.h5": recipe for recipe in recipes}
    with options.hands(arguments) as whose:
        if arguments.plan:
            plan.features(found, files, whose)
            return 0
        options.share(whose, found)
        caches = cache.build_all(
            found.index,
            found.root,
            files,
            jobs=whose,
            max_rejected=found.dataset.max_bad,
            members=found.members,
        )
    for path, features in caches.items():
        said = (
            f"{path}: {len(features.tracks)} tracks, {features.offsets[-1]} frames of "
            f"{features.bands} bands; {features.set_aside}"
        )
        print(shown(said))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from mirkeras.cli.doctor import report

    print(report())
    return 0
