"""The house keeps its layout: imports go down, and faces stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    **{"system": 0, "storage": 1, "audio": 1},
    **{"layers": 2, "features": 2, "pretrained": 2, "report": 2},
    **{"cache": 3, "pipeline": 4, "experiment": 5},
    **{
        "transfer": 6,
        "evaluation": 6,
        "training": 7,
        "tagging": 8,
        "export": 9,
        "site": 9,
        "cli": 10,
    },
}
DATA_FLOORS = {"declare": 1, "index": 2, "fetch": 3, "synthesis": 3, "sets": 4, "prepare": 5}
GROUND = ("mirkeras.system.", "mirkeras.storage.", "mirkeras.audio.formats.")
LIGHT = ("system", "audio", "features", "cache", "pipeline", "experiment", "cli")
WITHOUT_TABLES = ("features.extraction", "storage.tables", "experiment.published")


def imports(file: Path) -> set[str]:
    """What a file imports, wherever in it, but for type checking: dotted names."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    types = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n)]
    hidden = {inner for block in types for inner in ast.walk(block)}
    found = set()
    for node in set(ast.walk(tree)) - hidden:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def package_of(name: str) -> str:
    return [*name.split("."), ""][1]


def files(*trees: str) -> list[Path]:
    return [file for tree in trees for file in sorted((ROOT / tree).rglob("*.py"))]


@pytest.mark.parametrize("package", FLOORS)
def test_a_package_imports_lower_floors_only(package: str) -> None:
    for file in files(f"mirkeras/{package}"):
        for name in imports(file):
            if name.startswith("mirkeras.") and package_of(name) not in (package, "__version__"):
                assert FLOORS[package_of(name)] < FLOORS[package], f"{file} imports {name}"
            assert not name.startswith("reproductions"), f"{file} imports {name}"


def test_data_prep_imports_the_ground_only_and_downwards() -> None:
    for file in files("data_prep"):
        here = file.relative_to(ROOT / "data_prep").parts[0].removesuffix(".py")
        for name in imports(file):
            if name.startswith("mirkeras"):
                allowed = name.startswith(GROUND)
                assert allowed, f"{file} imports {name}"
            elif name.startswith("data_prep.") and here in DATA_FLOORS:
                there = DATA_FLOORS.get(package_of(name), 0)
                down = package_of(name) == here or there < DATA_FLOORS[here]
                assert down, f"{file} imports {name}"


def test_papers_import_no_other_paper_but_for_a_comparison() -> None:
    compared = {  # one way
        ("pons_ismir2018", "parity"): {"won_smc2020", "pons_eusipco2017"},
        ("pons_icassp2017", "filters"): {"pons_cbmi2016"},  # the same study, longer filters
    }
    for file in files("reproductions"):
        paper = file.relative_to(ROOT / "reproductions").parts[0]
        for name in imports(file):
            if name.startswith("reproductions."):
                allowed = {paper, *compared.get((paper, file.stem), ())}
                assert package_of(name) in allowed, f"{file} imports {name}"


@pytest.mark.parametrize("package", FLOORS)
def test_no_module_is_called_as_something_its_face_exports(package: str) -> None:
    folder = ROOT / "mirkeras" / package
    exported = {name.rpartition(".")[2] for name in imports(folder / "__init__.py")}
    modules = {file.stem for file in folder.glob("*.py")}
    assert not exported & modules


@pytest.mark.parametrize("module", [*LIGHT, *WITHOUT_TABLES])
def test_faces_are_light(module: str) -> None:
    heavy = {"tensorflow", "keras", "librosa", "numba", "scipy.signal"}
    heavy |= {"h5py", "pandas"} if module in WITHOUT_TABLES else set()
    program = f"import sys, mirkeras.{module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert loaded.returncode == 0, loaded.stderr
    assert not heavy & set(loaded.stdout.split())
