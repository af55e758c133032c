"""``import mirkeras as mk``: a few lines for programs of one's own."""

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mirkeras as mk
from mirkeras import face
from mirkeras.audio import AudioError
from mirkeras.cli.train import train
from mirkeras.experiment.records import RunError
from mirkeras.features import RECIPES
from mirkeras.system.errors import UsageError
from tests.conftest import make_classes

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("face")
    make_classes(folder / "music", tracks=5)
    return folder


def test_importing_it_loads_nothing_heavy() -> None:
    program = "import sys, mirkeras as mk; mk.tag, mk.build; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    heavy = {"tensorflow", "keras", "librosa", "pandas", "h5py", "numpy"}
    assert not heavy & set(loaded.stdout.split())


def test_its_examples_hold() -> None:
    assert doctest.testmod(face).failed == 0


def test_features_is_a_package_and_a_function(home: Path) -> None:
    path = home / "music" / "slow" / "00.wav"
    found = mk.features(str(path), "musicnn")
    assert found.shape[1] == mk.features.RECIPES["musicnn"].bands == RECIPES["musicnn"].bands
    with pytest.raises(ValueError, match="unknown recipe 'nope'"):
        mk.features(path, "nope")
    with pytest.raises(AudioError):
        mk.features(home / "none.wav", "musicnn")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mk.nothing


def test_a_data_set_and_a_network_in_four_lines(home: Path) -> None:
    data = mk.dataset(f"folder:{home / 'music'}", "cbmi2016", 80, cache_root=home / "cache")
    network = mk.build("pons_cbmi2016/table1/time-1x60", len(data.classes))
    network.compile("sgd", "sparse_categorical_crossentropy")
    network.fit(data.train, validation_data=data.validation, verbose=0)
    segments, _labels = next(iter(data.test))
    assert segments.shape[1:] == (80, 40)
    assert data.classes == ("fast", "medium", "slow")
    counts = [sum(len(batch) for _, batch in part) for part in data[:3]]
    assert counts[0] > counts[2] > 0
    assert set(np.concatenate([batch for _, batch in data.test])) == {0, 1, 2}


def test_a_finished_run_is_opened(home: Path) -> None:
    options = {
        "dataset": f"folder:{home / 'music'}",
        "rows": "table1/time-1x60",
        "folds": 2,
        "epochs": 1,
        "out": home / "runs",
        "cache-root": home / "cache",
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    assert train("pons_cbmi2016", words) == 0
    place = next((home / "runs").rglob("run.json")).parent
    run = mk.load_run(place)
    assert run.record["row"] == "table1/time-1x60"
    path = home / "music" / "slow" / "00.wav"
    tagged = run.tagger().tag(path)
    assert repr(tagged).startswith("<00.wav, 4.0 s, by ")
    assert tagged.decided == mk.tag(path, place).decided
    scores = run.network().predict(np.zeros((1, 80, 40), np.float32), verbose=0)
    assert scores.shape == (1, len(run.predictions()["classes"]))
    with pytest.raises(RunError, match="holds no finished run"):
        mk.load_run(home)


@pytest.mark.parametrize("row", ["pons_cbmi2016/nope", "pons_icassp2019_random/figures/mfcc-svm"])
def test_a_row_without_a_network_is_refused(row: str) -> None:
    with pytest.raises(UsageError, match="has no network"):
        mk.build(row, 3)
