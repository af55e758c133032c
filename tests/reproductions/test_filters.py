"""What the filters learned: the measure finds known periods and no others."""

from pathlib import Path

import numpy as np
import pytest

from reproductions.pons_cbmi2016 import filters

RATE = 44_100 / 1024  # frames per second


def waves(bpm: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """Temporal filters (60 frames, filters) with known periods."""
    random = np.random.RandomState(0)
    time = np.arange(60)[:, None] / RATE
    phase = random.uniform(0, 2 * np.pi, len(bpm))
    return np.cos(2 * np.pi * bpm / 60 * time + phase) + noise * random.randn(60, len(bpm))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_known_period_is_found(noise: float) -> None:
    bpm = np.linspace(100, 500, 40)
    assert np.abs(filters.dominant_bpm(waves(bpm, noise), RATE) - bpm).max() < 10


def test_filters_with_the_beat_differ_from_random_ones() -> None:
    tempi = np.linspace(90, 210, 50)
    found = filters.answer([[waves(np.linspace(100, 200, 32), 0.3)]], tempi, RATE)
    assert found.inside.tolist() == [1]
    assert found.inside_by_chance < 0.4


def test_random_filters_are_not_taken_for_learned_ones() -> None:
    tempi = np.linspace(90, 210, 50)
    found = filters.answer([[np.random.RandomState(5).randn(60, 2000)]], tempi, RATE)
    assert found.inside[0] == pytest.approx(found.inside_by_chance, abs=0.05)


def test_figures_are_drawn(tmp_path: Path) -> None:
    kernel = waves(np.linspace(100, 200, 32), 0.3)
    time, _ = filters.directions()
    filters.draw_filters({"fold 1": kernel}, time, "title", tmp_path / "filters.png")
    found = filters.answer([[kernel]], np.linspace(90, 210, 50), RATE)
    filters.draw_answer(found, "Time", "title", tmp_path / "tempo.png")
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")


def test_spectra_are_in_periods_of_the_step() -> None:
    periods, magnitudes = filters.spectra(waves(np.array([120.0, 240.0])), 1 / RATE, 4096)
    assert periods[magnitudes.argmax(axis=0)] * 60 == pytest.approx([120, 240], abs=6)


def test_missing_runs_and_indices_are_said(tmp_path: Path, capsys) -> None:
    assert filters.main(["--out", str(tmp_path)]) == 0
    assert "no finished run" in capsys.readouterr().out
