"""Event files for TensorBoard hold what the log does; without TensorBoard that is said."""

from pathlib import Path

import pandas as pd
import pytest

from mirkeras.cli.train import train
from mirkeras.training import events

pytestmark = pytest.mark.usefixtures("in_process")
WORDS = ["--rows", "table1/time-1x60", "--epochs", "2", "--folds", "2", "--tensorboard"]


def test_events_are_the_lines_of_the_log(audio_folder: Path, cached: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached)]
    assert train("pons_cbmi2016", [*data, *WORDS, "--out", str(tmp_path)]) == 0
    for log in tmp_path.rglob("log.csv"):
        read = EventAccumulator(str(log.with_name(events.FOLDER))).Reload()
        for name, values in pd.read_csv(log).set_index("epoch").items():
            found = read.Tensors(name)
            assert [event.step for event in found] == [1, 2]
            kept = [event.tensor_proto.float_val[0] for event in found]
            assert kept == pytest.approx(values.tolist(), rel=1e-6)


def test_without_tensorboard_that_is_said(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(events, "find_spec", lambda name: None)
    assert train("pons_cbmi2016", ["--dataset", "mini_ballroom", *WORDS]) == 1
    assert "--tensorboard needs the extra" in capsys.readouterr().err
