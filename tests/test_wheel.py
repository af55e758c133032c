"""What `pip install .` leaves: all that the code reads, and no general name beside it."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("mirkeras", "data_prep", "reproductions", "results")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not importlib.util.find_spec("setuptools"):  # imported, it would want to replace distutils
        pytest.skip("setuptools is not installed: nothing to build a wheel with")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for tree in TREES:
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / tree, source / tree, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", out, source], check=True, capture_output=True)
    (made,) = out.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        archive.extractall(out / "site")
    return out / "site"


def test_nothing_stands_beside_mirkeras(wheel: Path) -> None:
    names = {path.name for path in wheel.iterdir()}
    about = {name for name in names if name.endswith(".dist-info")}
    assert names == {"mirkeras", *about}
    (about,) = about
    text = (wheel / about / "METADATA").read_text(encoding="utf-8")
    assert "\nAuthor: mirkeras developers\n" in text
    assert "\nLicense: MIT\n" in text or "\nLicense-Expression: MIT\n" in text
    assert list((wheel / about).rglob("LICENSE"))


@pytest.mark.parametrize("tree", TREES)
def test_every_file_is_there(wheel: Path, tree: str) -> None:
    place = wheel / tree if tree == "mirkeras" else wheel / "mirkeras" / "_suite" / tree
    inside = {path.relative_to(place) for path in place.rglob("*") if path.is_file()}
    here = {
        path.relative_to(ROOT / tree)
        for path in (ROOT / tree).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(here) > 20
    assert not sorted(map(str, here - inside))


def test_the_command_finds_what_lies_inside(wheel: Path, tmp_path: Path) -> None:
    program = "import sys, mirkeras, results; from mirkeras.cli.app import main; "
    program += "print(mirkeras.__file__, results.__file__); sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", program, "data", "list"]
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    places, *sets = done.stdout.splitlines()
    assert all(Path(place).is_relative_to(wheel) for place in places.split())
    assert any(line.startswith("mini_ballroom") for line in sets)
