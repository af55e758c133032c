"""The notebook of the examples: it is kept without outputs, and runs without a network."""

import os
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"


def code_of(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_no_output_is_kept() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in code_of(notebook))


@pytest.mark.long
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # what it calls is this checkout's, and nothing outside the folder is used
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PATH", os.pathsep.join([f"{sys.prefix}/bin", os.environ["PATH"]]))
    for name in ("DATA", "CACHE", "WEIGHTS"):
        monkeypatch.setenv(f"MIRKERAS_{name}", str(tmp_path / name.lower()))
    for scheme in ("http", "https"):  # whatever asks for something is refused
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=place).execute()
    said = [
        "".join(output.get("text", "") for output in cell.outputs) for cell in code_of(notebook)
    ]
    assert "table1/time-1x60: accuracy" in "".join(said)
    assert said[-1].startswith("<0.wav, 6.0 s, by ")
    figures = [output for cell in code_of(notebook) for output in cell.outputs if "data" in output]
    assert any("image/png" in output.data for output in figures)
