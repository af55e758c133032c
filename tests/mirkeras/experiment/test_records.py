"""Records and predictions: read as they were written, or refused with what to delete."""

import json
from pathlib import Path

import numpy as np
import pytest

from mirkeras.evaluation.results import collect
from mirkeras.experiment.records import (
    RunError,
    finish,
    read_predictions,
    read_record,
    start,
    write_predictions,
)
from mirkeras.experiment.runs import Run

RUN = Run("some_paper", "table/row", "data", "paper", 0, 0, 2, 5)
KNOWN = vars(RUN) | {"origin": "a-b", "threads": 2, "hardware": "made", "capped": False}
ARRAYS = {
    "scores": np.eye(2, dtype=np.float32),
    "tracks": np.array(["a/1", "b/ü"]),
    "labels": np.array([0, 1]),
}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """Give the directory of a finished run."""
    directory = RUN.directory(tmp_path)
    directory.mkdir(parents=True)
    record = start(directory, KNOWN)
    write_predictions(directory, **ARRAYS)
    finish(directory, record | {"sizes": {"test": {"segments": 2, "tracks": 2}}})
    return directory


def older(directory: Path, **changes) -> None:
    """Turn a record into one without digests; None takes a field away."""
    record = read_record(directory) | {"starts": None, "files": None} | changes
    kept = {name: value for name, value in record.items() if value is not None}
    (directory / "run.json").write_text(json.dumps(kept))


def collected(directory: Path) -> list:
    out = directory.parents[len(directory.parts) - 1 - directory.parts.index("some_paper")]
    return collect(out, "some_paper", lambda predictions, record: {"sum": len(predictions)})


def test_a_record_comes_back_and_the_order_of_its_fields_is_free(finished: Path) -> None:
    record = read_record(finished)
    assert record["status"] == "finished"
    assert record["files"].keys() == {"predictions.npz"}
    assert record.items() >= KNOWN.items()
    path = finished / "run.json"
    written = json.loads(path.read_text())
    assert list(written)[-1] == "digest"
    path.write_text(json.dumps(dict(reversed(written.items()))))
    assert read_record(finished) == record
    assert collected(finished)["sum"].tolist() == [3]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"run"',
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        bytes(500),
        b"\xff\xfe{}",
        '{"row": "é"}'.encode("latin-1"),
        b'{"paper": 1, "row": 2, "status": 3, "versions": 4}',
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_record_is_named(finished: Path, content: bytes) -> None:
    (finished / "run.json").write_bytes(content)
    for read in (read_record, read_predictions, collected):
        with pytest.raises(RunError, match=r"run\.json is damaged \(.*\); delete its folder"):
            read(finished)


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("seed", "fold", "max_epochs", "dataset", "sizes", "versions")),
        *({"seed": "0"}, {"seed": None, "sizes": []}, {"versions": []}, {"status": {}}),
        *({"sizes": {"test": 3}}, {"sizes": {"test": {"tracks": 3}}}, {"folds": 2.5}),
    ],
    ids=str,
)
def test_an_older_record_that_lacks_what_is_needed_is_named(finished: Path, changes: dict) -> None:
    older(finished)
    assert len(collected(finished)) == 1
    older(finished, **changes)
    with pytest.raises(RunError, match=r"run\.json is damaged \(.*\); delete its folder"):
        collected(finished)


@pytest.mark.parametrize(
    "changes",
    [
        *({"origin": "a-c"}, {"versions": {"keras": "2"}}, {"commit": "other"}, {"seed": 1}),
        *({"threads": 1}, {"files": {}}, {"starts": []}, {"digest": ""}, {"more": 1}),
    ],
    ids=str,
)
def test_an_edited_record_is_noticed(finished: Path, changes: dict) -> None:
    path = finished / "run.json"
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"is damaged \(it was changed after it was written\)"):
        read_record(finished)


def test_predictions_of_another_run_or_none_are_noticed(finished: Path) -> None:
    assert read_predictions(finished)["tracks"].tolist() == ["a/1", "b/ü"]
    write_predictions(finished, **ARRAYS | {"scores": np.zeros((2, 2), np.float32)})
    with pytest.raises(RunError, match=r"predictions\.npz is damaged \(it was changed"):
        read_predictions(finished)
    (finished / "predictions.npz").unlink()
    with pytest.raises(RunError, match=r"predictions\.npz is missing; delete its folder"):
        read_predictions(finished)


def test_older_predictions_are_read_as_they_are(finished: Path) -> None:
    older(finished)
    write_predictions(finished, scores=ARRAYS["scores"])
    found = read_predictions(finished)
    with pytest.raises(RunError, match=r"predictions\.npz is damaged \(it lacks labels\)"):
        found["labels"]
    (finished / "predictions.npz").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(RunError, match=r"predictions\.npz cannot be read \(.*; delete its folder"):
        read_predictions(finished)


def test_every_start_stays_in_the_record_and_changes_are_said(finished: Path, monkeypatch) -> None:
    from mirkeras.experiment import records

    older(finished, status="started")
    monkeypatch.setattr(records, "commit", lambda: "abc")
    again = start(finished, KNOWN | {"threads": 1})
    monkeypatch.setattr(records, "commit", lambda: "def")
    last = start(finished, KNOWN)
    finish(finished, last | {"sizes": {}})
    record = read_record(finished)
    assert len(record["starts"]) == 3
    assert [line["commit"] for line in record["starts"][1:]] == ["abc", "def"]
    assert again["starts"] == record["starts"][:2]
    assert record["started"] == record["starts"][0]["time"] == again["started"]
    (changed,) = collected(finished)["changed"]
    assert changed.endswith("abc, def; threads 1, 2")
