"""MIREX's train/test interface where no network is trained: options, refusals, recipes."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirkeras.system.errors import UsageError
from reproductions.lidy_mirex2016 import mirex, mirex_features, mirex_model, mirex_training
from reproductions.lidy_mirex2016.experiments import EPOCHS, EXPERIMENT
from reproductions.lidy_mirex2016.mirex_folds import BIN


def test_every_name_mirex_may_call_is_executable() -> None:
    for name in ("extractFeatures", "Train", "Classify"):
        assert os.access(BIN / name, os.X_OK)
        assert os.access(BIN / f"{name}.sh", os.X_OK)
    assert sum(not path.is_symlink() for path in BIN.iterdir()) == 1  # one text, no copies


def test_a_network_that_is_not_the_described_one_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "model"
    place.mkdir()
    assert_refused(tmp_path, "holds no model: run Train")
    (place / "model.json").write_text("{")
    assert_refused(tmp_path, "holds no model: run Train")
    (place / "model.json").write_text(json.dumps({"status": "finished", "network": "1234"}))
    (place / "model.keras").write_bytes(b"another")
    assert_refused(tmp_path, "is not what Train left there")
    (place / "model.json").write_text(json.dumps({"status": "training"}))
    assert_refused(tmp_path, "was not finished: run the same Train again")


def assert_refused(scratch: Path, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mirex_model.load(scratch)


@pytest.mark.parametrize(
    "words",
    [
        ["Train", "scratch"],
        ["Train", "-model", "4", "scratch", "list"],
        ["Classify", "-numThreads", "0", "scratch", "list", "output"],
        ["Classify", "-mod", "1", "scratch", "list", "output"],
        ["Retrain", "scratch", "list"],
    ],
)
def test_wrong_arguments_are_status_2(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        mirex.main(words)


def test_options_are_the_experiments(capsys) -> None:
    assert tuple(mirex_training.ROWS) == mirex.MODELS
    assert tuple(EXPERIMENT.protocols) == mirex.PROTOCOLS
    assert set(mirex_training.ROWS.values()) <= set(EXPERIMENT.rows)
    with pytest.raises(SystemExit, match="0"):
        mirex.main(["Train", "--help"])
    told = capsys.readouterr().out
    assert "a path, a tab and a class per line" in told
    assert f"(default and most: {EPOCHS})" in " ".join(told.split())


@pytest.mark.parametrize(("asked", "wanted"), [(None, EPOCHS), (2, 2), (10 * EPOCHS, EPOCHS)])
def test_epochs_are_at_most_the_protocols(asked: int | None, wanted: int) -> None:
    assert mirex_training.Options("1", "paper", asked, 0).wanted_epochs == wanted


@pytest.mark.parametrize(
    ("rates", "recipe", "why"),
    [
        ([44_100, 44_100], "lidy2016-44100", "all files at 44100 Hz"),
        ([11_025], "lidy2016-11025", "all files at 11025 Hz"),
        ([48_000], "lidy2016-22050", "resampled: 1 at 48000 Hz"),
        ([44_100, 22_050, 22_050], "lidy2016-22050", "2 at 22050 Hz, 1 at 44100 Hz"),
    ],
)
def test_the_recipe_follows_the_files_rate(
    rates: list[int], recipe: str, why: str, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.wav" for number in range(len(rates))]
    for file, rate in zip(files, rates, strict=True):
        soundfile.write(file, np.zeros(10), rate)
    chosen, reason = mirex_features.choose_recipe(tmp_path, [*map(str, files), "/absent.wav"])
    assert chosen.name == recipe
    assert why in reason
