"""Where things are kept does not hang on the folder that one happens to stand in."""

from pathlib import Path

import platformdirs
import pytest

from mirkeras.cli.doctor import report
from mirkeras.storage import places

HOMES = {"MIRKERAS_DATA": places.data_home, "MIRKERAS_CACHE": places.cache_home}
HOMES |= {"MIRKERAS_WEIGHTS": places.weights_home}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in HOMES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(("variable", "home"), HOMES.items())
def test_a_variable_says_where(variable: str, home, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(variable, str(tmp_path))
    assert home() == tmp_path
    assert str(tmp_path) in report()


def test_in_a_checkout_all_lies_there(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "_CHECKOUT", tmp_path)
    (tmp_path / "Makefile").touch()
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    assert (str(places.data_home()), str(places.cache_home())) == ("data", "cache")
    monkeypatch.chdir("deep")
    assert places.cache_home().resolve() == tmp_path / "cache"


def test_elsewhere_the_folder_of_the_day_does_not_count(tmp_path: Path, monkeypatch) -> None:
    found = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        found.add((places.data_home(), places.cache_home(), places.weights_home()))
    assert len(found) == 1
    user = platformdirs.user_data_path("mirkeras"), platformdirs.user_cache_path("mirkeras")
    data, cache, weights = found.pop()
    assert data.is_relative_to(user[0])
    assert cache.is_relative_to(user[1])
    assert weights.is_relative_to(user[1])
    assert cache != weights
