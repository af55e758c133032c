"""After --plan, whatever command it was given to, nothing follows."""

import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from mirkeras.cli.app import main

PAPERS = (
    "lee_samplecnn",
    "lidy_mirex2016",
    "pons_eusipco2017",
    "pons_icassp2017",
    "pons_icassp2019_fewdata",
    "pons_icassp2019_random",
    "schindler_gtzan",
)


def refuse(*_, **__) -> int:
    raise AssertionError("nothing was trained: there is nothing to evaluate")


def let_planned(monkeypatch: pytest.MonkeyPatch, module) -> list[list[str]]:
    """Let training be planned only, and refuse whatever would come after it."""
    given: list[list[str]] = []
    for name in ("evaluate", "timing", "parameters", "filters", "curve", "front_ends", "_look"):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(module, "train", lambda paper, words: given.append(words) or 0)
    return given


@pytest.mark.parametrize("paper", PAPERS)
def test_nothing_follows_a_plan(paper: str, tmp_path: Path, monkeypatch) -> None:
    module = import_module(f"reproductions.{paper}.reproduce")
    given = let_planned(monkeypatch, module)
    words = ["--dataset", "mini_ballroom", "--out", str(tmp_path), "--plan"]
    assert module.main([*words, *(["--timing"] if paper == "lee_samplecnn" else [])]) == 0
    assert given
    assert all("--plan" in words for words in given)


def test_nothing_follows_the_plan_of_a_demo(monkeypatch) -> None:
    module = import_module("reproductions.pons_cbmi2016.demo")
    given = let_planned(monkeypatch, module)
    assert module.main(["--plan"]) == 0
    assert "--plan" in given[0]


@pytest.mark.parametrize(
    "target", ["ballroom", "scale", "transfer", "random", "fewdata", "mtat", "gtzan", "mirex"]
)
def test_targets_hand_the_plan_on(target: str) -> None:
    # The words on entered folders come from a make around this one, as in `make test`.
    words = ["-n", "--no-print-directory", f"reproduce-{target}", "EXTRA=--plan", "READY="]
    printed = subprocess.run(["make", *words], capture_output=True, text=True, check=True).stdout
    commands = [line for line in printed.splitlines() if line.strip()]
    assert "--plan" in commands[0]
    assert [line for line in commands[1:] if line != "true"] == []


def test_features_are_planned_and_not_extracted(audio_folder: Path, tmp_path, capsys) -> None:
    places = ["--data-root", str(tmp_path / "data"), "--cache-root", str(tmp_path / "cache")]
    words = ["features", f"folder:{audio_folder}", "cbmi2016,waveform-8000", *places]
    words += ["--jobs", "1"]
    assert main([*words, "--plan"]) == 0
    said = capsys.readouterr().out
    assert "features: 18 tracks, 0.0 h of audio, 2 recipes: about" in said
    assert [path.name for path in tmp_path.rglob("*.*")] == ["index.csv"]
    assert main(words) == 0
    capsys.readouterr()
    assert main([*words, "--plan"]) == 0
    assert "features: 2 recipe(s), all here" in capsys.readouterr().out
    assert main(["features", "gtzan", "musicnn", *places, "--plan"]) == 0
    said = capsys.readouterr().out
    assert "gtzan: not in" in said
    assert "features: 1,000 tracks, 8.3 h of audio, 1 recipe: about" in said
