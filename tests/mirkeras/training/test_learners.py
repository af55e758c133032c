"""The table of learners: each answers, and a new kind of row is one entry."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mirkeras.cli.train import train
from mirkeras.experiment import Experiment, Protocol, Row, find_experiment
from mirkeras.experiment.published import papers
from mirkeras.experiment.records import read_predictions, read_record
from mirkeras.pipeline.labels import read_labels
from mirkeras.pipeline.segments import consecutive
from mirkeras.system import jobs
from mirkeras.system.errors import UsageError
from mirkeras.training.learner import Learned, Network
from mirkeras.training.learners import LEARNERS
from mirkeras.training.plan import divide_run

PAPER = "package.nearest_paper"


class NearestMean(Network):
    """Decides for the class whose mean frame is nearest to a segment's."""

    def fits(self, protocol) -> bool:
        return protocol.rule is None

    def learn(self, run, experiment, cache, tracks, setting, report) -> Learned:
        protocol = experiment.protocol_of(run.protocol, run.row)
        row = experiment.rows[run.row]
        segments = consecutive(cache.offsets, row.frames)
        labels = read_labels(tracks[tracks.heard], ())
        parts = divide_run(run, protocol, segments, tracks)
        means = cache.segments(segments.first, row.frames).mean(axis=1)
        known = labels.values[segments.track[parts.train]]
        centres = [means[parts.train][known == n].mean(axis=0) for n in range(len(labels.names))]
        far = np.linalg.norm(means[parts.test][:, None] - np.stack(centres), axis=2)
        facts = {"parameters": None, "capped": False}
        return Learned(-far, segments, parts, labels, facts, used=("train", "test"))


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("nearest", "nearest mean", frames=80, recipe="cbmi2016", learner="nearest")
    protocol = Protocol(
        name="paper",
        summary="",
        normalise_on="training tracks",
        validate_by="test",
        keep_groups=False,
        drop_incomplete=False,
        select_by="last",
        folds=2,
    )
    module = ModuleType("experiments")
    module.EXPERIMENT = Experiment(PAPER, {"nearest": row}, ("nearest",), {"paper": protocol}, 1)
    monkeypatch.setitem(sys.modules, "package", ModuleType("package"))
    monkeypatch.setitem(sys.modules, PAPER, module)
    monkeypatch.setitem(LEARNERS, "nearest", NearestMean())


def test_a_new_kind_of_row_is_one_entry(
    paper, in_process, audio_folder: Path, cached: Path, tmp_path: Path, capsys
) -> None:
    words = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached)]
    words += ["--data-root", str(tmp_path / "data"), "--out", str(tmp_path / "runs")]
    assert train(PAPER, words) == 0
    places = sorted(path.parent for path in tmp_path.rglob("run.json"))
    assert len(places) == 2
    for place in places:
        record, predictions = read_record(place), read_predictions(place)
        assert record["status"] == "finished"
        assert record["sizes"].keys() == {"train", "test"}
        assert predictions["scores"].shape == (2 * len(predictions["tracks"]), 3)
        assert not (place / "log.csv").exists()
    assert train(PAPER, words) == 0
    assert "2 run(s) already finished, skipped" in capsys.readouterr().out


class Quick(NearestMean):
    """The same, several runs to a process; one of them cannot learn."""

    def is_quick(self, row) -> bool:
        return True

    def learn(self, run, *others) -> Learned:
        if run.seed == 1 and run.fold == 0:
            raise UsageError("nothing is near")
        return super().learn(run, *others)


def test_quick_runs_share_a_process_and_a_failure_takes_none_with_it(
    paper, in_process, audio_folder: Path, cached: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    started = []

    def run_all(work: list, *_, **__) -> list:
        started.extend(work)
        failed = []
        for job in work:
            try:
                job.function(*job.arguments, lambda line: None)
            except UsageError as error:
                failed.append((job, str(error)))
        return failed

    monkeypatch.setattr(jobs, "run_all", run_all)
    words = ["--dataset", f"folder:{audio_folder}", "--cache-root", str(cached), "--jobs", "2"]
    words += ["--data-root", str(tmp_path / "data"), "--seeds", "0,1,2"]
    assert train(PAPER, [*words, "--out", str(tmp_path / "alone")]) == 0
    assert [job.runs for job in started] == [1] * 6
    monkeypatch.setitem(LEARNERS, "nearest", Quick())
    started.clear()
    assert train(PAPER, [*words, "--out", str(tmp_path / "together")]) == 1
    assert [job.runs for job in started] == [3, 3]
    said = capsys.readouterr().err
    assert said.count("nothing is near") == 1
    alone, together = (
        {
            path.parent.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("predictions.npz")
        }
        for name in ("alone", "together")
    )
    assert len(together) == 5
    assert together.items() <= alone.items()


@pytest.mark.parametrize("name", papers())
def test_every_row_has_a_learner_and_a_protocol(name: str) -> None:
    experiment = find_experiment(name)
    for row in experiment.rows.values():
        fitting = [
            protocol
            for protocol in experiment.protocols.values()
            if LEARNERS[experiment.learner_of(protocol.name, row.id)].fits(protocol)
        ]
        assert fitting, row.id
        # a protocol that trains no network has nothing of a training to fill in
        if row.build is not None:
            assert all(protocol.rule is not None for protocol in fitting), row.id
        for protocol in fitting:
            assert (protocol.optimizer is not None) == (protocol.rule is not None)


def test_a_protocol_may_put_another_learner_in_the_place_of_heads() -> None:
    lee = find_experiment("lee_samplecnn")
    kinds = {
        name: type(LEARNERS[lee.learner_of(name, "table6/last-3")]).__name__
        for name in lee.protocols
    }
    assert kinds == {"paper": "Head", "code": "LinearSVM", "clean": "Head"}
    assert type(LEARNERS[lee.learner_of("code", "table5/8000")]).__name__ == "Network"
