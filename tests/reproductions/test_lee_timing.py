"""Timing of Table 5: rounds, records and the table; the clock is replaced, nothing is trained."""

from pathlib import Path

import pytest

from mirkeras.experiment.runs import find_runs
from reproductions.lee_samplecnn import timing

SECONDS = dict(zip(timing.RATES, (0.5, 0.8, 1.1, 1.4, 1.6, 1.8, 2.0), strict=True))


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace training by known times; lists the networks in the order they are timed."""
    order: list[str] = []

    def trainer(name: str) -> timing.Step:
        def train(steps: int) -> float:
            order.append(name)
            return steps * SECONDS[name]

        return train

    monkeypatch.setattr(timing, "trainer", trainer)
    # threads cannot be set any more once another test has used TensorFlow
    monkeypatch.setattr(timing.device, "configure", lambda **options: None)
    return order


def time_table_5(out: Path, repeats: int, steps: int = 2) -> int:
    """Run the command."""
    return timing.main(["--out", str(out), "--repeats", str(repeats), "--steps", str(steps)])


def test_every_round_times_each_network_once_and_begins_with_another(called, tmp_path) -> None:
    assert time_table_5(tmp_path, repeats=2) == 0
    first, second = called[:7], called[7:]
    assert first == list(timing.RATES)
    assert second == [*timing.RATES[1:], timing.RATES[0]]


def test_records_are_runs_with_the_ratio_to_the_same_round(called, tmp_path) -> None:
    time_table_5(tmp_path, repeats=2)
    found = [record for _, record in find_runs(tmp_path, "lee_samplecnn")]
    assert len(found) == 14
    assert {record["seed"] for record in found} == {0, 1}
    for record in found:
        ratio = SECONDS[record["row"]] / 2
        assert record["measurements"]["time_ratio"] == pytest.approx(ratio)
        assert record["measurements"]["seconds_per_batch"] == pytest.approx(2 * ratio)
    assert {r["parameters"] for r in found if r["row"] == "table5/8000"} == {2_067_250}


def test_recorded_rounds_are_not_timed_again(called, tmp_path, capsys) -> None:
    time_table_5(tmp_path, repeats=1)
    time_table_5(tmp_path, repeats=2)
    assert len(called) == 14
    table = capsys.readouterr().out
    assert "0.550      0.550       0.000" in table  # 8,000 Hz: ours, published, difference


def test_rounds_of_another_setting_are_not_mixed_in(called, tmp_path, capsys) -> None:
    time_table_5(tmp_path, repeats=1)
    assert time_table_5(tmp_path, repeats=2, steps=3) == 1
    assert "choose another --out" in capsys.readouterr().err
    assert len(called) == 7
