"""Commands in the READMEs are commands: their targets, modules, options and rows are there.

They are parsed, not run: most want data sets that are downloaded, or run for hours.
"""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from mirkeras.cli import app
from mirkeras.cli import train as train_command
from mirkeras.experiment import find_experiment
from mirkeras.training.command.preflight import plan_rows

ROOT = Path(__file__).parents[1]
# CONTRIBUTING.md has a test of its own
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "mirkeras" / "README.md",
    *sorted(ROOT.glob("reproductions/*/README.md")),
    *sorted(ROOT.glob("data_prep/*.md")),
    *sorted(ROOT.glob("results/*.md")),
]
TARGETS = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def commands() -> list:
    """The indented commands of every page, without comments and with continued lines joined."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"^ {4}((?:mirkeras|python -m|make) .*)$", text, re.MULTILINE):
            command = re.split(r" {2,}#| # ", line)[0].strip()
            # lists of commands explain themselves behind two blanks
            command = re.split(r" {3,}", command)[0]
            found.append(pytest.param(command, id=f"{page.parent.name}-{command}"[:120]))
    return found


def parsed(paper: str, words: list[str]) -> None:
    """Read a train command, and find its rows."""
    experiment = find_experiment(paper)
    given = train_command._train_parser(experiment).parse_args(words)
    plan_rows(experiment, given.rows, ())


@pytest.mark.parametrize("command", commands())
def test_a_command_of_a_page_is_one(command: str) -> None:
    if re.search(r"[…\[\]|]| PAPER| D\b| RECIPE", command):  # a form, not a command
        return
    program, *words = shlex.split(command)
    if program == "make":
        names = [word for word in words if "=" not in word]
        assert set(names) <= {*TARGETS}, f"no such target: {names}"
    elif program == "python":
        module = words[1]
        assert importlib.util.find_spec(module), f"no module {module}"
        if module.endswith(".train"):
            parsed(module.split(".")[1], words[2:])
    elif words[0] == "train":
        parsed(words[1], words[2:])
    else:
        app._parser().parse_args(words)


def test_there_are_commands_to_look_at() -> None:
    assert len(commands()) > 60
