"""mirkeras: the classic music-CNN papers, re-run in Keras and compared row by row."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from mirkeras.face import FinishedRun, Parts, build, dataset, load_run, tag
from mirkeras.system import interrupts
from mirkeras.system.machine import limits

# data_prep, reproductions and results: beside this folder in a checkout, inside where installed
_HERE = Path(__file__).resolve().parent
_SUITE = str(_HERE / "_suite" if (_HERE / "_suite").is_dir() else _HERE.parent)
if _SUITE not in sys.path:
    sys.path.append(_SUITE)

__all__ = ["FinishedRun", "Parts", "build", "dataset", "features", "load_run", "tag"]

if interrupts.is_command():  # else this is a program of the user's
    limits.require_files()
    interrupts.take_over()
    limits.require_address_space(limits.LIGHT)
    limits.require_threads()

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    """Import `mirkeras.features` when it is asked for: a package, and a function of a file."""
    if name == "features":
        return import_module("mirkeras.features")
    raise AttributeError(f"module 'mirkeras' has no attribute {name!r}")
