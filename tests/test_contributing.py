"""The code of CONTRIBUTING.md, as a package outside the checkout."""

import ast
import re
import sys
from importlib import invalidate_caches
from pathlib import Path

import pytest

from mirkeras.cli.app import main
from mirkeras.features import RECIPES
from mirkeras.training.learners import LEARNERS
from tests.conftest import make_classes

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install what the page shows: three files, and the entry points of its `setup.py`."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    *files, points = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    for name, code in zip(("models", "paper", "songs"), files, strict=True):
        (tmp_path / "mine" / f"{name}.py").write_text(code, encoding="utf-8")
    groups = ast.literal_eval(points.partition("=")[2].strip().rstrip(","))
    lines = [f"[{group}]\n" + "\n".join(names) for group, names in groups.items()]
    installed = tmp_path / "mine-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
        del sys.modules[name]
    RECIPES.pop("mine-mel", None)
    LEARNERS.pop("mine-nearest-mean", None)


def test_a_package_of_ones_own_is_trained_listed_evaluated_and_tags(package, capsys) -> None:
    make_classes(package / "data" / "songs", tracks=6)
    place = ["--out", str(package / "runs")]
    data = ["--data-root", str(package / "data"), "--cache-root", str(package / "cache")]
    chosen = ["--rows", "all", "--epochs", "2", "--folds", "2", "--split", "stratified"]
    assert main(["train", "mine", "--dataset", "songs", *chosen, *place, *data]) == 0
    said = capsys.readouterr().out
    assert "table1/small: accuracy" in said
    assert "table1/nearest: accuracy" in said
    assert "tag with it:   mirkeras tag FILE… --model" in said

    assert main(["list", "mine", "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("mine/table1/small,Small,1698,,")
    assert lines[2].startswith("mine/table1/nearest,Nearest mean,,,")

    assert main(["evaluate", "mine", *place]) == 0
    assert capsys.readouterr().out.count("| not published |") == 2

    runs = next((package / "runs" / "mine").glob("songs*/clean/table1/small/seed0"))
    song = package / "data" / "songs" / "slow" / "00.wav"
    assert main(["tag", str(song), "--model", str(runs)]) == 0
    assert "slow" in capsys.readouterr().out
    other = runs.parents[1] / "nearest" / "seed0"
    assert main(["tag", str(song), "--model", str(other)]) == 1
    assert "are not about whole tracks of audio" in capsys.readouterr().err


def test_a_module_by_its_name_and_what_is_none(package: Path, capsys) -> None:
    own = package / "mine" / "paper.py"
    text = own.read_text(encoding="utf-8")
    own.write_text(text.replace('paper="mine"', 'paper="mine.paper"'), encoding="utf-8")
    assert main(["list", "mine.paper", "--csv"]) == 0
    assert "mine.paper/table1/small,Small" in capsys.readouterr().out
    for name, message in {
        "mine.other": "there is no module mine.other",
        "nowhere.paper": "there is no module nowhere",
        "mine.models": "declares no EXPERIMENT",
        "mine": "declares no EXPERIMENT of the paper 'mine'",
        "not-a.module": "unknown paper 'not-a.module'",
    }.items():
        assert main(["list", name]) == 1
        assert message in capsys.readouterr().err
