"""What `mirkeras tag` costs before it hears anything, and where the time of one song goes.

    python -m tests.benchmarks.startup --before TREE --weights DIR --song FILE [--repeats 5]

TREE is a checkout of the commit to compare with (``git worktree add TREE COMMIT``), DIR holds the
wheel of musicnn 0.1.0. Both are run in turn: the list of models, a card, a job that is complete,
the imports of the command (its cards, its network's and its first mel spectrum included), then a
whole song. A number is the least user time of all repeats in seconds,
which other programs on the machine disturb less than the clock; a ratio is before by after.

The table is of this tree: user time of decoding the song, of its frames and of their scores, warm
and one after the other, the mean of `TIMES`.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mirkeras import audio

MODEL, TIMES = "MTT_musicnn", 5
JOB = "<output of a job>"

# As the command begins: what it leaves out of Keras goes by how Python was called.
IMPORTS = """
import sys
sys.orig_argv[1:] = ["-m", "mirkeras", "tag"]
from mirkeras.pretrained import cards
from mirkeras.pretrained import inference
from mirkeras.system.machine import device
from mirkeras.tagging import command
[card.build for card in cards.all_cards().values()]
from reproductions.pons_ismir2018 import musicnn
import numpy
from mirkeras.features import find_recipe
find_recipe("musicnn").extract(numpy.ones(8000))  # imports what it needs
"""


def user_seconds(command: Sequence[str], tree: Path) -> float:
    """Run a command with the packages of a tree; return its user time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def compare(trees: dict[str, Path], weights: Path, song: Path, repeats: int, folder: Path) -> None:
    """Print the user times of both trees and their ratios."""
    begin = [sys.executable, "-m", "mirkeras", "tag"]
    tag = [*begin, str(song), "--weights", str(weights)]
    commands = {
        "list": [*begin, "--list"],
        "card": [*begin, "--card", MODEL],
        "complete job": [*tag, "--out", JOB],  # the first repeat does it
        "imports": [sys.executable, "-c", IMPORTS],
        "one song": tag,
    }
    for what, command in commands.items():
        times: dict[str, list[float]] = {name: [] for name in trees}
        for repeat in range(repeats):
            for name in list(trees)[:: -1 if repeat % 2 else 1]:
                job = str(folder / f"{name}.csv")
                words = [job if word == JOB else word for word in command]
                times[name].append(user_seconds(words, trees[name]))
        before, after = (min(found) for found in times.values())
        print(f"{what}: before {before:.2f} s, after {after:.2f} s of user time, "
              f"ratio {before / after:.2f}", flush=True)  # fmt: skip


def parts(weights: Path, song: Path) -> None:
    """Print the user time of each step of tagging, per minute of audio."""
    from mirkeras.features.stream import frames
    from mirkeras.tagging import Tagger

    tagger = Tagger(MODEL, weights=weights, offline=True)
    recipe = tagger.model.recipe
    samples = audio.load(song, sample_rate=recipe.sample_rate)
    found = next(iter(frames([samples], recipe)))
    length = tagger.model.frames
    segments = found[: len(found) // length * length].reshape(-1, length, recipe.bands)
    steps = {
        "decode and resample": lambda: audio.load(song, sample_rate=recipe.sample_rate),
        "mel": lambda: list(frames([samples], recipe)),
        "network": lambda: [tagger._score(segments[i : i + 2]) for i in range(0, len(segments), 2)],
    }
    spent = {name: _repeated(step) for name, step in steps.items()}
    minutes, total = len(samples) / recipe.sample_rate / 60, sum(spent.values())
    print("| step | user s per minute of audio | share |\n|---|---:|---:|")
    for name, seconds in spent.items():
        print(f"| {name} | {seconds / minutes:.3f} | {100 * seconds / total:.0f} % |")


def _repeated(step) -> float:
    """Seconds of user time that a step takes once it is warm."""
    step()
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for _ in range(TIMES):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_utime - begin) / TIMES


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, metavar="TREE")
    parser.add_argument("--weights", type=Path, required=True, metavar="DIR")
    parser.add_argument("--song", type=Path, required=True, metavar="FILE")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    here, weights, song = Path(__file__).parents[2], arguments.weights.resolve(), arguments.song
    trees = {"before": arguments.before.resolve(), "after": here}
    with tempfile.TemporaryDirectory() as folder:
        compare(trees, weights, song.resolve(), arguments.repeats, Path(folder))
    parts(weights, song)


if __name__ == "__main__":
    main()
