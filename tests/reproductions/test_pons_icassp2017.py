"""ICASSP 2017: the authors' folds and segments, what filters learned, accuracy by parameters."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirkeras.pipeline.segments import cut
from reproductions.pons_cbmi2016.filters import dominant_bpm
from reproductions.pons_icassp2017 import filters, models, parameters
from reproductions.pons_icassp2017.experiments import PROTOCOLS, Unshuffled

SONGS, FOLDS = 698, 10
TRACKS = pd.DataFrame(index=range(SONGS))


def test_nine_of_ten_folds_validate_on_the_same_songs() -> None:
    parts = [Unshuffled()(TRACKS, FOLDS, fold, 0) for fold in range(FOLDS)]
    order = np.random.default_rng(0).permutation(SONGS)
    assert [len(test) for _, _, test in parts] == [70] * 8 + [69] * 2
    assert {len(held) for _, held, _ in parts} == {69}
    assert set(parts[0][2]) == set(order[:70])
    assert set(parts[0][1]) == set(order[70:139])
    assert all(set(held) == set(order[:69]) for _, held, _ in parts[1:])
    assert sorted(np.concatenate([test for _, _, test in parts])) == list(range(SONGS))
    for part in parts:
        assert sorted(np.concatenate(part)) == list(range(SONGS))
    assert set(Unshuffled()(TRACKS, FOLDS, 3, 1)[2]) != set(parts[3][2])


@pytest.mark.parametrize(
    ("seconds", "frames", "long_hop", "short_hop"),
    [(29, 1250, 4, 12), (30, 1293, 4, 13), (31, 1337, 4, 13)],
)
def test_segments_of_a_song_are_as_many_as_the_code_cuts(
    seconds: int, frames: int, long_hop: int, short_hop: int
) -> None:
    assert -(-44_100 * seconds // 1024) + 1 == frames
    for name, count in (("code", long_hop), ("code-hop80", short_hop)):
        segments = cut(PROTOCOLS[name].cut, np.array([0, frames]), 250, seed=0)
        hop = {"code": 250, "code-hop80": 80}[name]
        # as the code writes it
        assert segments.first.tolist() == list(range(0, int((frames - 250) / hop) * hop, hop))
        assert len(segments) == count
    whole = cut(PROTOCOLS["clean"].cut, np.array([0, frames]), 250, seed=0)
    assert len(whole) == frames // 250


def waves(bpm: np.ndarray, frames: int) -> np.ndarray:
    """Filters (frames, filters) with known periods, in some noise."""
    random = np.random.RandomState(0)
    time = np.arange(frames)[:, None] / filters.frame_rate()
    phase = random.uniform(0, 2 * np.pi, len(bpm))
    return np.cos(2 * np.pi * bpm / 60 * time + phase) + 0.3 * random.randn(frames, len(bpm))


def test_long_filters_tell_tempi_apart_that_short_ones_do_not() -> None:
    bpm = np.linspace(90, 210, 200)
    errors = {
        frames: np.abs(dominant_bpm(waves(bpm, frames), filters.frame_rate()) - bpm)
        for frames in (60, 216)
    }
    assert errors[216].max() < 3
    assert errors[60].max() > 3 * errors[216].max()


def test_filters_are_answered_for_by_their_length() -> None:
    run = [waves(np.full(9, 120.0 if n > 160 else 500.0), n) for n in models.PATTERNS]
    said = filters.by_length([run], np.array([100.0, 140.0]))
    assert "46 to 101 frames 0 %" in said
    assert "161 to 216 frames 100 %" in said


def measured(paper: str, rows: list[str], accuracies: list[float], epochs: int) -> pd.DataFrame:
    setup = {"dataset": paper, "features": "f", "split": "drawn", "protocol": "clean", "folds": 2}
    lines = [
        {"paper": paper, "row": row, "parameters": 1000 * (1 + place), "accuracy": accuracy,
         "seed": 0, "fold": fold}
        for place, row in enumerate(rows)
        for fold, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    return pd.DataFrame(lines).assign(**setup, max_epochs=epochs, capped=True)


def test_accuracy_is_drawn_against_parameters_beside_the_networks_before(tmp_path: Path) -> None:
    group = measured("pons_icassp2017", ["table/o", "table/p"], [40.0, 60.0], 3)
    before = pd.concat(
        measured("pons_cbmi2016", ["table1/time-1x60"], [value], epochs)
        for value, epochs in ((10.0, 5), (90.0, 40))
    )
    table = parameters.rows_beside(group, before)
    assert table.value.tolist() == [90, 50, 50]
    assert table["std"].tolist() == [0, 10, 10]
    elsewhere = before.assign(features="g")
    assert parameters.rows_beside(group, elsewhere).index.tolist() == ["table/o", "table/p"]
    parameters.draw(group, before, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_missing_runs_are_said(tmp_path: Path, capsys) -> None:
    assert filters.main(["--out", str(tmp_path)]) == 0
    assert "no finished run of table/p or table/8o+8p" in capsys.readouterr().out
    assert parameters.main(["--out", str(tmp_path)]) == 1
    assert "evaluate first" in capsys.readouterr().err
