"""MIREX's train/test interface: feature extraction, training and classification by lists.

``bin/extractFeatures``, ``bin/Train`` and ``bin/Classify`` (also with ``.sh``) call this module,
their own name as its first argument:

    extractFeatures [-numThreads n] SCRATCH FEATURE_LIST
    Train [-numThreads n] [-model M] [-protocol P] [-epochs n] [-seed n] SCRATCH TRAIN_LIST
    Classify [-numThreads n] SCRATCH TEST_LIST OUTPUT_LIST

All that is kept lies in the scratch folder: ``features/`` (`mirex_features`), ``model/``
(`mirex_training`, `mirex_model`). Train and Classify extract what is missing, so extractFeatures
may be left out.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mirkeras.cli.options import command_parser, positive, seeds
from mirkeras.features import find_recipe
from mirkeras.system.errors import UsageError, as_command, say
from reproductions.lidy_mirex2016 import mirex_features, mirex_lists
from reproductions.lidy_mirex2016.mirex_features import Features

MODELS = ("1", "2", "3", "2015")
PROTOCOLS = ("paper", "anew", "consecutive", "code")
UNUSABLE = 0.05  # share of the training files; one may always be

LISTS = """\
lists (UTF-8 text without a header; paths are absolute; CR LF and blank lines do no harm):
  FEATURE_LIST, TEST_LIST   a path per line
  TRAIN_LIST, OUTPUT_LIST   a path, a tab and a class per line
"""
STATUS = """\
exit status: 0 done, 1 refused or failed (the reason is on standard error), 2 wrong arguments.
"""
UNREADABLE = """\
A test file that cannot be read (missing, damaged, silent, shorter than 2.8 s) still gets its line:
the class with most training files. It is named on standard error, and the exit status stays 0.
"""


@as_command
def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the three steps; returns the exit status."""
    arguments = _parser().parse_args(argv)
    steps = {"extractFeatures": extract_features, "Train": train, "Classify": classify}
    steps[arguments.step](arguments)
    return 0


def extract_features(arguments: argparse.Namespace) -> None:
    """Extract the features of a list into the scratch folder, those that are not there yet.

    Raises
    ------
    UsageError
        A wrong list, or none of its files can be read.
    """
    files = mirex_lists.read_files(arguments.features)
    features = _provide(arguments, files)
    if not features.held:
        raise UsageError(f"none of the files of {arguments.features} can be read")


def train(arguments: argparse.Namespace) -> None:
    """Train a network on a list and leave it in the scratch folder.

    Raises
    ------
    UsageError
        A wrong list, one with a single class, or with too many files that cannot be read.
    """
    pairs = mirex_lists.read_pairs(arguments.training)
    classes = dict(pairs)
    if repeated := len(pairs) - len(classes):
        say(f"{repeated} line(s) repeat others and count once")
    if len(set(classes.values())) < 2:
        only = next(iter(classes.values()))
        raise UsageError(f"{arguments.training}: all files are of class {only!r}; two are needed")
    features = _provide(arguments, list(classes))
    if len(features.unusable) > max(1, UNUSABLE * len(classes)):
        raise UsageError(
            f"{len(features.unusable)} of {len(classes)} training files cannot be read, at most "
            f"{UNUSABLE:.0%} may be left out: they are named above"
        )
    usable = {file: classes[file] for file in features.held}
    if lost := sorted(set(classes.values()) - set(usable.values())):
        raise UsageError(f"no training file of {', '.join(lost)} can be read: they are named above")
    # they import TensorFlow, for which mistakes in a list need not wait
    from reproductions.lidy_mirex2016 import mirex_model, mirex_training

    mirex_model.set_up(arguments.threads)
    options = mirex_training.Options(
        arguments.model, arguments.protocol, arguments.epochs, arguments.seed
    )
    described = mirex_training.fit(arguments.scratch, usable, features, options, say)
    say(f"{described['row']}, {len(described['classes'])} classes, {described['segments']} "
         f"segments of {len(usable)} files, {described['epochs']} epochs: "
         f"{arguments.scratch / mirex_model.FOLDER}")  # fmt: skip


def classify(arguments: argparse.Namespace) -> None:
    """Classify a list by the scratch folder's network and write the output list.

    Raises
    ------
    UsageError
        A wrong list, no trained network, or none of the files can be read.
    """
    files = mirex_lists.read_files(arguments.test)
    from reproductions.lidy_mirex2016 import mirex_model

    mirex_model.set_up(arguments.threads)
    network, described = mirex_model.load(arguments.scratch)
    features = _provide(arguments, files, described["recipe"]["recipe"]["name"])
    if not features.held:
        raise UsageError(f"none of the files of {arguments.test} can be read")
    classes = mirex_model.classify(network, described, features, list(features.held))
    if features.unusable:
        # sorted: of classes with as many files the first by name
        usual = max(sorted(described["files"]), key=described["files"].get)
        classes |= dict.fromkeys(features.unusable, usual)
        say(f"{len(features.unusable)} file(s) cannot be read: written as {usual!r}, the class "
             "with most training files")  # fmt: skip
    mirex_lists.write_pairs(arguments.output, files, classes)
    say(f"{len(files)} line(s) in {arguments.output}")


def _provide(arguments: argparse.Namespace, files: list[str], recipe: str = "") -> Features:
    """Extract what is missing, by the recipe of the network if there is one; say what matters."""
    if recipe:
        chosen, why = find_recipe(recipe), "as the network was trained"
    else:
        chosen, why = mirex_features.choose_recipe(arguments.scratch, files)
    say(f"{len(set(files))} file(s), features {chosen.name} ({why})")
    features = mirex_features.provide(arguments.scratch, files, chosen, arguments.threads)
    for file, reason in sorted(features.unusable.items()):
        say(f"cannot be read: {file}: {reason}")
    return features


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("reproductions.lidy_mirex2016.mirex", __doc__.splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    extraction = _step(steps, "extractFeatures", extract_features, f"{LISTS}\n{STATUS}")
    extraction.add_argument("features", type=Path, metavar="FEATURE_LIST")
    training = _step(steps, "Train", train, f"{LISTS}\n{STATUS}")
    training.add_argument("training", type=Path, metavar="TRAIN_LIST")
    add = training.add_argument
    add("-model", choices=MODELS, default=MODELS[0],
        help="network: 1, 2 or 3 of 2016, or that of 2015 (default: %(default)s; the submission "
        "does not say which was used for which task)")  # fmt: skip
    add("-protocol", choices=PROTOCOLS, default=PROTOCOLS[0],
        help="30 random segments per file drawn once (paper), drawn anew every epoch (anew), "
        "consecutive segments (consecutive), standardised by bin × frame (code); default: "
        "%(default)s")  # fmt: skip
    add("-epochs", type=positive, metavar="n",
        help="cap on the protocol's epochs (default and most: 150)")  # fmt: skip
    add("-seed", type=one_seed, default=0, metavar="n",
        help="of the segments, the weights and the order (default: 0)")  # fmt: skip
    testing = _step(steps, "Classify", classify, f"{LISTS}\n{UNREADABLE}\n{STATUS}")
    testing.add_argument("test", type=Path, metavar="TEST_LIST")
    testing.add_argument("output", type=Path, metavar="OUTPUT_LIST")
    return parser


def _step(steps, name: str, function, epilog: str) -> argparse.ArgumentParser:
    summary = function.__doc__.splitlines()[0]
    parser = steps.add_parser(
        name,
        prog=name,
        help=summary,
        description=summary,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-numThreads", dest="threads", type=positive, metavar="n",
                        help="processor cores to use (default: all)")  # fmt: skip
    parser.add_argument("scratch", type=Path, metavar="SCRATCH",
                        help="folder of features and model, one for all three steps")  # fmt: skip
    return parser


def one_seed(text: str) -> int:
    """Read a seed, 0 to 2³² − 1."""
    if "," in text:
        raise argparse.ArgumentTypeError("one seed only")
    return seeds(text)[0]


if __name__ == "__main__":
    sys.exit(main())
