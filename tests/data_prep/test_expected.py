"""A set that is not here has, for estimates, the tracks that its declaration counts."""

from pathlib import Path

import pytest

import data_prep
from data_prep.declare import DataError
from data_prep.expected import expect, is_absent, said

#: Their declarations do not say how much audio they hold.
UNSAID = {"extended_ballroom", "jingju_phonemes"}


@pytest.mark.parametrize("name", data_prep.names())
def test_every_declared_set_is_expected_as_it_is_counted(name: str, tmp_path: Path) -> None:
    dataset = data_prep.get(name)
    assert is_absent(name, tmp_path)
    if name in UNSAID:
        with pytest.raises(DataError, match=f"mirkeras data get {name}"):
            expect(name, tmp_path, tmp_path)
        return
    found = expect(name, tmp_path, tmp_path)
    assert found.index.track.is_unique
    if counts := {label: n for label, n in dataset.counts.items() if n}:
        assert found.index.label.value_counts().to_dict() == counts
    else:
        assert len(found.index) >= (dataset.tracks or 1)
    for split, parts in dataset.splits.items():
        if parts:
            counted = found.index[split].value_counts().to_dict()
            assert {part: n for part, n in counted.items() if part} == dict(parts)
    assert f"{len(found.index):,} declared tracks of about {dataset.seconds:g} s" in said(found)
    assert not any(tmp_path.iterdir())


def test_audio_of_ones_own_is_never_absent(tmp_path: Path) -> None:
    for name in (f"folder:{tmp_path / 'none'}", f"csv:{tmp_path / 'none.csv'}", "mirdata:none"):
        assert not is_absent(name, tmp_path)


def test_a_set_is_here_as_soon_as_it_holds_something(tmp_path: Path) -> None:
    (tmp_path / "ballroom").mkdir()
    assert is_absent("ballroom", tmp_path)
    (tmp_path / "ballroom" / "Waltz").mkdir()
    assert not is_absent("ballroom", tmp_path)
