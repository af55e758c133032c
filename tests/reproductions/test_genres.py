"""Taggrams by class: what is said of a class follows from the scores of its tracks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep.prepare import prepare
from mirkeras.cache import open_cache
from reproductions.pons_ismir2018 import genres
from reproductions.pons_ismir2018.genres import TaggedSet
from tests import fake_card

TAGS = ("rock", "classic rock", "piano", "man singing", "no voice")
LABELS = np.array(["rock", "rock", "jazz", "jazz"])
SCORES = np.array(
    [
        [0.9, 0.8, 0.1, 0.2, 0.0],
        [0.3, 0.5, 0.4, 0.6, 0.1],
        [0.2, 0.1, 0.7, 0.1, 0.9],
        [0.4, 0.0, 0.6, 0.3, 0.5],
    ]
)
TAGGED = TaggedSet("four", "FAKE", TAGS, SCORES, LABELS, {})


def test_a_class_is_described_by_its_tracks() -> None:
    jazz, rock = genres.describe(TAGGED)
    assert (jazz["class"], rock["class"], rock["tracks"]) == ("jazz", "rock", 2)
    assert rock["top_tags"].startswith("classic rock 0.65, rock 0.60, man singing 0.40")
    assert (rock["own_in_top1"], rock["own_in_top3"]) == (0.5, 1.0)
    assert rock["own_auc"] == 0.75  # 0.9 above both others, 0.3 above one
    assert np.isnan([jazz["own_in_top1"], jazz["own_in_top3"], jazz["own_auc"]]).all()
    assert (rock["largest"], rock["largest_auc"]) == (pytest.approx(0.75), pytest.approx(0.5))
    assert (rock["voice"], rock["voice_auc"]) == (pytest.approx(0.4), pytest.approx(0.75))
    assert rock["total_auc"] + jazz["total_auc"] == 1


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("rock", {"rock", "classic rock", "genre---rock"}),
        ("hiphop", {"Hip-Hop"}),
        ("classical", {"classical"}),
        ("music", set()),
    ],
)
def test_names_are_found_as_words(name: str, tags: set[str]) -> None:
    known = ("rock", "classic rock", "rockabilly", "Hip-Hop", "classic", "classical")
    known += ("genre---rock",)
    found = genres.named_after(known, name)
    assert {tag for tag, is_own in zip(known, found, strict=True) if is_own} == tags


def test_tags_that_tell_classes_apart_are_kept_class_by_class() -> None:
    means = pd.DataFrame(
        [[0.9, 0.5, 0.1, 0.2], [0.1, 0.5, 0.6, 0.9]], index=["a", "b"], columns=list("wxyz")
    )
    assert genres.telling(means, 3).columns.tolist() == ["w", "z", "y"]


@pytest.fixture
def arguments(audio_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fake_card.install(monkeypatch)
    given = ["--dataset", f"folder:{audio_folder}", "--models", fake_card.NAME]
    given += ["--data-root", str(tmp_path / "data"), "--cache-root", str(tmp_path / "cache")]
    return [*given, "--out", str(tmp_path / "out")]


def test_every_class_gets_a_line_with_its_record(
    arguments: list[str], in_process, tmp_path: Path
) -> None:
    assert genres.main(arguments) == 0
    table = pd.read_csv(tmp_path / "out" / "genres.csv").set_index("class")
    assert table.index.tolist() == ["fast", "medium", "slow"]
    assert (table.segments == 18 * 2).all()  # 4 s, without overlap
    assert table.own_auc.notna().tolist() == [False, True, True]  # no tag is called just "fast"
    assert table.own_in_top3.notna().all()
    record = ["command", "commit", "versions", "weights", "features", "hardware", "finished"]
    assert set(record) <= set(table.columns)
    cache = open_cache(next((tmp_path / "cache").rglob("musicnn.h5")))
    frames = cache.track(cache.tracks[0])[:200].reshape(2, 100, 96)
    scores = np.asarray(fake_card.build()(frames)).mean(axis=0)
    found = genres.tag_all(fake_card.card(), *_prepared(arguments))
    np.testing.assert_allclose(found.scores[0], scores, rtol=1e-5)
    assert len(list((tmp_path / "out").glob("genres-*.png"))) == 1


def _prepared(arguments: list[str]) -> tuple:
    given = genres._parser().parse_args(arguments)
    roots = {"data_root": given.data_root, "cache_root": given.cache_root}
    return prepare(given.dataset[0], **roots), None


def test_tags_cannot_be_averaged_by_class(arguments: list[str], capsys) -> None:
    assert genres.main([*arguments, "--dataset", "mini_tags"]) == 1
    assert "mini_tags has tags, not classes" in capsys.readouterr().err
