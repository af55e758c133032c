"""Fine-tuning: a body with a tagger's weights, a new head, through the ordinary path."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pytest

from mirkeras.cli.train import train
from mirkeras.experiment.records import read_record
from mirkeras.pretrained import cards
from mirkeras.tagging import Tagger
from mirkeras.transfer.networks import load_network
from reproductions.finetune import experiments
from tests import fake_card
from tests.conftest import make_classes

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both rows of a small tagger, two folds each."""
    home, card = tmp_path_factory.mktemp("tuned"), fake_card.card()
    make_classes(home / "music", tracks=4)
    rows = {row.id: row for row in experiments._rows(card)}
    with pytest.MonkeyPatch.context() as patch:
        fake_card.install(patch)
        patch.setattr(cards, "find_card", lambda name: card)
        patch.setattr("reproductions.finetune.learner.find_card", lambda name: card)
        patch.setattr("mirkeras.system.jobs.apart", lambda set_up, work, *given: None)
        patch.setattr(experiments, "EXPERIMENT", replace(experiments.EXPERIMENT, rows=rows))
        options = {
            "dataset": f"folder:{home / 'music'}",
            "rows": "all",
            "folds": 2,
            "epochs": 3,
            "out": home / "runs",
            "cache-root": home / "cache",
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        assert train("finetune", words) == 0
        yield home


def run_of(home: Path, row: str) -> Path:
    return next((home / "runs" / "finetune").glob(f"*/clean/{row}/seed0/fold01of02"))


@pytest.mark.parametrize(("row", "stays"), [("FAKE_tagger", True), ("FAKE_tagger-all", False)])
def test_the_body_is_the_taggers(trained: Path, row: str, stays: bool) -> None:
    given = fake_card.build()
    network = load_network(run_of(trained, row) / "model.keras")
    before, after = given.get_layer("penultimate"), network.get_layer("body").layers[-1]
    same = np.array_equal(before.get_weights()[0], after.get_weights()[0])
    assert same == stays
    # at a hundredth of the rate it has hardly moved
    np.testing.assert_allclose(before.get_weights()[0], after.get_weights()[0], atol=1e-3)
    record = read_record(run_of(trained, row))
    assert record["parameters"] == (6 + 1) * 3 + (0 if stays else 96 * 6 + 6)
    assert record["tagger"] == "FAKE_tagger"


def test_it_tags(trained: Path) -> None:
    tagged = Tagger(run_of(trained, "FAKE_tagger")).tag(trained / "music" / "slow" / "00.wav")
    assert tagged.tags == ("fast", "medium", "slow")


def test_every_card_has_two_rows_that_fit_its_segments() -> None:
    rows = {row.id: row for card in experiments.CARDS for row in experiments._rows(card)}
    assert len(rows) == 2 * len(experiments.CARDS)
    card = next(card for card in experiments.CARDS if card.name == "MTT_musicnn")
    network = rows["MTT_musicnn"].build(5, "softmax")
    assert network.input_shape == (None, card.frames, 96)
    assert network.output_shape == (None, 5)
    assert not network.get_layer("body").trainable
    assert isinstance(network, keras.Model)
