"""Command-line options that several commands share, with the same words and defaults."""

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirkeras.storage.places import cache_home, data_home
from mirkeras.system.errors import UsageError

if TYPE_CHECKING:
    from data_prep.prepare import Prepared
    from mirkeras.system.cluster.words import Words
    from mirkeras.system.jobs import Whose

GIB = 2**30

DATA_SETS = """\
Data sets: a declared name (`mirkeras data list`) or folder:PATH, where PATH holds one sub-folder
of audio files per class, in any format libsndfile reads (--layout split: folders train, test and
perhaps valid that hold those), or csv:FILE, a table with the columns path and label (several tags:
a|b), and perhaps group (an artist: never in both training and test), split (train, validation and
test, or fold numbers) and tempo. mirdata:NAME is a set of the library mirdata (extra mirdata) whose
tracks have a class or tags.
"""


def command_parser(module: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """Make the parser of ``python -m <module>``; the texts keep their lines."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add where data sets and their caches live."""
    add_cache_option(parser)
    add_data_root_option(parser)
    parser.add_argument(
        "--mirror",
        metavar="DIR_OR_URL",
        help="look here for archives before the public addresses",
    )
    parser.add_argument(
        "--layout",
        choices=("classes", "split"),
        help="what the folders of folder:PATH are (default: classes)",
    )
    bad = parser.add_mutually_exclusive_group()
    bad.add_argument(
        "--allow-bad",
        type=portion,
        metavar="SHARE",
        help="go on with up to this share of unusable files, from 0 to 1 (default: 0.05, of "
        "folder:PATH 0.5)",
    )
    bad.add_argument(
        "--strict",
        action="store_true",
        help="go on only if every file is used, and no music left out",
    )


def prepared(
    arguments: argparse.Namespace, *, dataset: str | None = None, offline: bool = False
) -> "Prepared":
    """Prepare the data set that a command line with data options asks for."""
    from data_prep.prepare import prepare

    return prepare(
        dataset or arguments.dataset,
        data_root=arguments.data_root,
        cache_root=arguments.cache_root,
        mirror=arguments.mirror,
        offline=offline,
        layout=arguments.layout,
        allow_bad=0 if arguments.strict else arguments.allow_bad,
        strict=arguments.strict,
    )


def data_words(arguments: argparse.Namespace) -> list[str]:
    """Spell out which data, and where, for a command that this one calls."""
    words = ["--dataset", arguments.dataset, "--strict"][: 3 if arguments.strict else 2]
    for name in ("data_root", "cache_root", "mirror", "layout", "allow_bad"):
        value = getattr(arguments, name)
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return words


def add_data_root_option(parser: argparse.ArgumentParser) -> None:
    """Add where data sets live."""
    parser.add_argument(
        "--data-root",
        type=Path,
        default=data_home(),
        metavar="DIR",
        help="where data sets live, one folder each (MIRKERAS_DATA; default: %(default)s)",
    )


def add_cache_option(parser: argparse.ArgumentParser) -> None:
    """Add where what is derived from data sets lives."""
    parser.add_argument(
        "--cache-root",
        type=Path,
        default=cache_home(),
        metavar="DIR",
        help="where indices and features are kept (MIRKERAS_CACHE; default: %(default)s)",
    )


def add_jobs_option(parser: argparse.ArgumentParser, what: str, default: int | None = 1) -> None:
    """Add how many processes work at once."""
    parser.add_argument(
        "--jobs",
        type=positive,
        default=default,
        metavar="N",
        help=f"{what} (default: {default or 'one per core'}); they share the processor cores",
    )


def add_cluster_option(parser: argparse._ActionsContainer, task: str) -> None:
    """Add which other machines work, if any; `task` is what each of their workers is given."""
    parser.add_argument(
        "--cluster",
        type=_cluster,
        metavar="WHERE",
        help=f"let workers of Dask do it, each {task}, instead of --jobs processes: a scheduler's "
        "address (tcp://host:8786), local[:N] (workers of this machine: one per GPU or core, or N) "
        "or slurm[:jobs=N,cores=N,…] (N jobs; also memory=16GB walltime=1:00:00 queue=Q account=A"
        " gres=gpu:1; what is left out is as in ~/.config/dask/jobqueue.yaml). All machines must "
        "see the same folders, under the same names, and have the same versions: checked first. "
        "Extra: cluster",
    )


def _cluster(text: str) -> "Words":
    from mirkeras.system.cluster import words

    try:
        return words.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


@contextmanager
def hands(arguments: argparse.Namespace) -> Iterator["Whose"]:
    """Give who works for a command: as many processes as --jobs says, or a --cluster.

    Paths of the command line are made absolute for a cluster: its workers stand elsewhere.

    Raises
    ------
    UsageError
        What speaks to clusters is not installed.
    """
    if arguments.cluster is None:
        yield arguments.jobs
        return
    if importlib.util.find_spec("distributed") is None:
        raise UsageError("--cluster needs the extra: pip install 'mirkeras[cluster]'")
    from mirkeras.system.cluster.client import Cluster

    for name, value in vars(arguments).items():
        setattr(arguments, name, _absolute(value))
    with closing(Cluster(arguments.cluster)) as cluster:
        yield cluster


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    return _number(int, text, "a whole number above 0", lambda number: number >= 1)


def count(text: str) -> int:
    """Read a whole number of at least 0."""
    return _number(int, text, "a whole number from 0 on", lambda number: number >= 0)


def _number(kind: type, text: str, what: str, fits: Callable) -> float:
    with suppress(ValueError):
        if fits(number := kind(text)):
            return number
    raise argparse.ArgumentTypeError(f"{text} is not {what}")


def _absolute(value: object) -> object:
    if isinstance(value, list):
        return [_absolute(one) for one in value]
    return value.absolute() if isinstance(value, Path) else value


def share(whose: "Whose", prepared: "Prepared", *folders: Path) -> None:
    """Tell a cluster what its workers must see: where features and `folders` are, and the audio."""
    if whose is not None and not isinstance(whose, int):
        audio = [prepared.root, *(prepared.root / path for path in prepared.index.path[:1])]
        whose.share([prepared.home, *folders], audio)


def numbers(text: str) -> list[int]:
    """Read whole numbers of at least 1, separated by commas."""
    return [positive(word) for word in words(text)]


def portion(text: str) -> float:
    """Read a share from 0 to 1."""
    return _number(float, text, "a share from 0 to 1", lambda number: 0 <= number <= 1)


def gibibytes(text: str) -> int:
    """Read a size in GiB, return it in bytes."""
    return int(GIB * _number(float, text, "a size in GiB", lambda size: 0 <= size < 2**20))


def words(text: str) -> list[str]:
    """Read a list separated by commas."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found:
        raise argparse.ArgumentTypeError("an empty list")
    return found


def seeds(text: str) -> list[int]:
    """Read seeds separated by commas: whole numbers from 0 to 2³² − 1."""
    what = "a seed, a whole number from 0 to 4294967295"
    return [_number(int, word, what, lambda seed: 0 <= seed < 2**32) for word in words(text)]
