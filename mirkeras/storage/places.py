"""Where data sets, what is derived from them, and weights are kept, unless a command says."""

import os
from pathlib import Path

import platformdirs

_CHECKOUT = Path(__file__).parents[2]


def data_home() -> Path:
    """Return the folder of data sets: MIRKERAS_DATA, a checkout's ``data``, the user's own."""
    return _place("MIRKERAS_DATA", "data", platformdirs.user_data_path("mirkeras") / "data")


def cache_home() -> Path:
    """Return the folder of indices and features: MIRKERAS_CACHE, a checkout's ``cache``, …"""
    of_user = platformdirs.user_cache_path("mirkeras") / "features"
    return _place("MIRKERAS_CACHE", "cache", of_user)


def weights_home() -> Path:
    """Return the folder where weights are kept: MIRKERAS_WEIGHTS, else the user's cache."""
    if folder := os.environ.get("MIRKERAS_WEIGHTS"):
        return Path(folder).expanduser()
    return platformdirs.user_cache_path("mirkeras") / "weights"


def _place(variable: str, name: str, of_user: Path) -> Path:
    if folder := os.environ.get(variable):
        return Path(folder).expanduser()
    # who works inside a checkout finds all of it there; elsewhere no folder of the day counts,
    # or the same features would be computed again in each
    if (_CHECKOUT / "Makefile").exists() and Path.cwd().is_relative_to(_CHECKOUT):
        return Path(os.path.relpath(_CHECKOUT / name))
    return of_user
