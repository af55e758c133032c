"""How much there is to tag and how long it takes, told without tagging or keeping anything."""

from pathlib import Path

import pytest

from mirkeras.cli.app import main
from mirkeras.tagging import command
from mirkeras.tagging.job import foreseen
from mirkeras.tagging.tagger import Tagger
from tests.mirkeras.tagging.test_tagger import network, write  # noqa: F401 - a fixture


@pytest.fixture
def music(tmp_path: Path, monkeypatch) -> Path:
    """Six files of 2 to 12 s, one of them no audio, and a place to stand."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(5):
        write(folder / f"{number}.wav", 2 + 2.5 * number)
    (folder / "2bad.wav").write_text("no audio")
    monkeypatch.chdir(tmp_path)
    return folder


def everything(place: Path) -> set[str]:
    return {str(path) for path in place.rglob("*")}


@pytest.mark.parametrize("output", [[], ["--out", "tags.csv"], ["--embed", "e.h5", "--plot", "p"]])
def test_a_plan_leaves_nothing(music, tmp_path, capsys, output: list[str]) -> None:
    before = everything(tmp_path)
    assert main(["tag", "music", "--plan", *output]) == 0
    said = capsys.readouterr().out
    assert said.startswith("plan: 6 files, about 35 s of audio: about ")
    assert "× real time (3 of 4 that were tried could be tagged)" in said
    assert everything(tmp_path) == before


def test_a_plan_knows_what_was_tagged_before(music, capsys) -> None:
    assert main(["tag", "music/0.wav", "music/1.wav", "--out", "tags.csv"]) == 0
    capsys.readouterr()
    assert main(["tag", "music", "--out", "tags.csv", "--plan"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 of 6 files were tagged before\nplan: 4 files, about 29 s of audio: ")
    assert main(["tag", "music/0.wav", "--out", "tags.csv", "--plan"]) == 0
    assert "plan: nothing is left to tag" in capsys.readouterr().out


def test_where_nothing_can_be_read_that_is_said(music, capsys) -> None:
    assert main(["tag", "music/2bad.wav", "--plan"]) == 0
    said = capsys.readouterr().out
    assert said == (
        "plan: 1 files, of unknown length; none of the 1 that were tried can be tagged\n"
    )


def test_long_files_are_tried_for_a_minute(music, monkeypatch) -> None:
    long = write(music / "long.wav", 300)
    heard = []
    count = Tagger.tag_all

    def tag_all(self: Tagger, files: list[Path]):
        for path, tagged in count(self, files):
            heard.append(tagged.seconds)
            yield path, tagged

    monkeypatch.setattr(Tagger, "tag_all", tag_all)
    tagger = Tagger()
    assert "1 files, about 5 min of audio: about" in foreseen.plan([long], tagger)
    assert len(heard) >= 2
    assert {*heard} == {60.0}
    assert tagger.tag(long).seconds == pytest.approx(300)


def test_many_files_are_counted_before(music, monkeypatch, capsys) -> None:
    assert main(["tag", "music"]) == 1
    assert "of audio\n" not in capsys.readouterr().err
    monkeypatch.setattr(command, "MANY", 6)
    assert main(["tag", "music"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == "6 files, about 35 s of audio"


def test_lengths_go_by_size_beyond_the_headers_read(music, monkeypatch) -> None:
    files = sorted(music.glob("?.wav"))
    whole = foreseen.length(files)
    assert whole == pytest.approx(2 + 4.5 + 7 + 9.5 + 12)
    monkeypatch.setattr(foreseen, "_LOOKED_AT", 2)
    assert foreseen.length(files) == pytest.approx(whole, rel=0.01)
    files[0].unlink()
    assert foreseen.length(files) == pytest.approx(whole - 2, rel=0.01)
