"""`mirkeras tag` as a user calls it, with a tagger that guesses."""

import csv
import errno
import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from mirkeras.cli.app import main
from mirkeras.storage.memory import Stamp
from mirkeras.tagging import command as tagging_command
from tests.mirkeras.tagging.fake_tagger import FakeTagger, guess, install


@pytest.fixture(autouse=True)
def _fake(monkeypatch) -> None:
    install(monkeypatch.setattr)
    monkeypatch.setattr(FakeTagger, "last", None, raising=False)


@pytest.fixture
def music(tmp_path: Path, monkeypatch) -> Path:
    """Three good files, one bad, in a folder of the current one; a link to that folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "music"
    folder.mkdir()
    for name in ("a.wav", "b.mp3", os.fsdecode(b"c\xff,\n.flac")):
        (folder / name).write_text("good")
    (folder / "bad.ogg").write_text("bad")
    Path("linked").symlink_to(folder)
    return folder


def asked() -> list[str]:
    """Name the files that the last command gave to a tagger; fetches the tagger but once."""
    tagger, FakeTagger.last = FakeTagger.last, None
    return [path.name for path in tagger.asked] if tagger else []


def test_text_on_standard_output(music, capsys) -> None:
    assert main(["tag", "music/a.wav", "music/b.mp3", "--top", "1"]) == 0
    out, err = capsys.readouterr()
    first, second = guess(Path("music/a.wav")), guess(Path("music/b.mp3"))
    lines = [f"music/a.wav  ({first.seconds:.1f} s)", f"music/b.mp3  ({second.seconds:.1f} s)"]
    assert out.splitlines()[::2] == lines
    assert first.top(1)[0][0] in out.splitlines()[1]
    assert "2 files, " in err
    assert "× real time" in err


def test_bad_files_are_reported_and_the_others_done(music, capsys) -> None:
    assert main(["tag", "gone.wav", "music", "--format", "json"]) == 1
    out, err = capsys.readouterr()
    assert [entry["path"] for entry in json.loads(out)] == [
        "music/a.wav", "music/b.mp3", os.fsdecode(b"music/c\xff,\n.flac")
    ]  # fmt: skip
    assert "gone.wav: missing\n" in err
    assert "music/bad.ogg: unreadable (no audio)\n" in err
    assert "5 files" in err
    assert "; 2 could not be tagged" in err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("albums", 0, "1 file left out (1 × .m4a); .m4a cannot be decoded: pip install"),
        ("albums --strict", 1, "1 file left out (1 × .m4a)"),
        ("music/a.wav --strict", 0, "1 file, "),
        ("albums music/*.m4a", 1, "music/*.m4a: no audio file there"),
        ("albums/...And broken", 1, "1 file left out (1 × broken link (broken/album))"),
    ],
)
def test_what_is_left_out_is_said_and_counts(music, words, status, said, capsys) -> None:
    album, broken = music.parent / "albums" / "...And", music.parent / "broken"
    album.mkdir(parents=True)
    broken.mkdir()
    (broken / "album").symlink_to("gone")
    for path in (album / "x.wav", album.parent / "y.m4a", broken / "z.wav"):
        path.write_text("good")
    assert main(["tag", *words.split(), "--top", "1"]) == status
    out, err = capsys.readouterr()
    assert said in err
    assert ("albums/...And/x.wav  (" in out) == ("albums" in words)


def test_a_finished_command_does_nothing_and_new_files_only_add(music, capsys) -> None:
    command = ["tag", "music/a.wav", "music/b.mp3", "--format", "csv", "--out", "tags.csv"]
    Path(".tags.0123abcd.part.csv").touch()  # left by a kill
    assert main(command) == 0
    assert not list(Path().glob(".*"))
    assert asked() == ["a.wav", "b.mp3"]
    before = os.stat("tags.csv").st_mtime_ns
    assert main(command) == 0
    assert asked() == []
    assert os.stat("tags.csv").st_mtime_ns == before
    assert "2 of 2 files were tagged before\ntags.csv: complete" in capsys.readouterr().err
    assert main(["tag", "music", *command[3:]]) == 1
    assert asked() == ["bad.ogg", os.fsdecode(b"c\xff,\n.flac")]
    with open("tags.csv", encoding="utf-8", errors="surrogateescape", newline="") as file:
        paths = [row[0] for row in csv.reader(file)]
    assert paths == ["path", "music/a.wav", "music/b.mp3", os.fsdecode(b"music/c\xff,\n.flac")]


def test_another_form_needs_no_tagging(music) -> None:
    command = ["tag", "music/a.wav", "music/b.mp3", "--out", "tags"]
    assert main(command) == 0
    assert asked()
    assert main([*command, "--format", "json", "--plot", "plots"]) == 0
    assert asked() == []
    np.testing.assert_allclose(
        json.loads(Path("tags").read_text())[0]["taggram"], guess(Path("a.wav")).taggram, atol=1e-6
    )
    assert sorted(path.name for path in Path("plots").iterdir()) == ["a.png", "b.png"]


def test_jams_a_file_per_track(music) -> None:
    assert main(["tag", "music", "--format", "jams", "--out", "jams"]) == 1
    names = sorted(os.fsencode(path.name) for path in Path("jams").iterdir())
    assert names == [b"a.jams", b"b.jams", b"c\xff,\n.jams"]
    (Path("jams") / "a.jams").unlink()
    assert main(["tag", "music", "--format", "jams", "--out", "jams"]) == 1
    assert (Path("jams") / "a.jams").exists()


def test_embeddings_go_on_and_print(music, capsys) -> None:
    command = ["tag", "music/a.wav", "--embed", "e.h5", "--feature", "max_pool"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    with h5py.File("e.h5") as file:
        assert file.attrs["feature"] == "max_pool"
        np.testing.assert_array_equal(file["features"], guess(Path("a.wav"), "max_pool").features)
    asked()
    assert main(command) == 0
    assert asked() == []
    assert capsys.readouterr().out == printed


def test_a_figure_of_one_file(music) -> None:
    assert main(["tag", "music/a.wav", "--plot", "a.png"]) == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "which files?"),
        ("a.wav --format jams", "--out FOLDER"),
        ("a.wav --format text --out music", "is a folder, --format text makes one file"),
        ("a.wav --feature max_pool", "--embed FILE.h5"),
        ("a.wav --hop 0", "above 0"),
        ("a.wav --hop nan", "above 0"),
        ("a.wav --hop abc", "abc is not a number of seconds"),
        ("a.wav --plot song.pdf", "ends on .png"),
        ("a.wav --plot music/a.wav", "is a file: name a folder"),
        ("a.wav --format jams --out music/a.wav", "is a file: name a folder"),
        ("a.wav --format jams --out x.json", "which of them?"),
        ("a.wav --out x.mp4", "which format?"),
        ("a.wav --list", "take no files"),
    ],
)
def test_wrong_usage_is_status_2(music, words, message, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["tag", *words.split()])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("music/*.aiff", "no audio file"),
        ("music --embed e.h5 --feature nothing", "there are: penultimate, max_pool"),
        ("music --plot x.png", "name a folder"),
        ("music --format text --out music/a.wav", "would be replaced"),
        ("music --out x --embed x", "are the same file"),
        ("music/a.wav --format text --out x.png --plot x.png", "are the same file"),
        ("music --format text --out linked/a.wav", "would be replaced"),
        ("music/bad.ogg --out x", "no file could be tagged"),
    ],
)
def test_mistakes_are_one_message(music, words, message, capsys) -> None:
    assert main(["tag", *words.split()]) == 1
    assert message in capsys.readouterr().err
    assert (music / "a.wav").read_text() == "good"
    assert sorted(os.listdir()) == ["linked", "music"]


@pytest.mark.parametrize(
    "words", ["--out F", "--embed F", "--plot F.png", "--format jams --out F.jams"]
)
@pytest.mark.parametrize("kind", ["pipe", "link", "dangling link"])
def test_what_is_no_regular_file_is_not_replaced(music, words, kind, capsys) -> None:
    place = Path(words.split()[-1])
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("music/bad.ogg" if kind == "link" else "nowhere")
    before = Stamp.of(place), os.lstat(place).st_ino  # looking at a link changes its other time
    assert main(["tag", "music/a.wav", *words.split()]) == 1
    assert "is no regular file" in capsys.readouterr().err
    assert (Stamp.of(place).look, os.lstat(place).st_ino) == (before[0].look, before[1])
    assert asked() == []
    assert not list(Path().glob("*.job"))


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("--plot music/b.mp3/figures", "music/b.mp3/figures/a.png: Not a directory"),
        ("--plot /proc/figures", "/proc/figures/a.png: No such file"),
        ("--plot new/deep --out music/b.mp3/t", "music/b.mp3/t: Not a directory"),
        ("--format jams --out /proc/tags", "/proc/tags/a.jams: No such file"),
        ("--embed /proc/e.h5", "/proc/e.h5: No such file"),
    ],
)
def test_an_unwritable_place_is_found_before_anything_is_tagged(music, words, place, capsys):
    assert main(["tag", "music/a.wav", *words.split()]) == 1
    assert capsys.readouterr().err.startswith(f"error: {place}")
    assert asked() == []
    assert sorted(os.listdir()) == ["linked", "music"]


class FullDisk:
    """A standard output that takes nothing."""

    def __init__(self, folder: Path) -> None:
        self.file = open(folder / "stdout", "w")  # noqa: SIM115

    def reconfigure(self, **_) -> None:
        pass

    def write(self, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        pass

    def fileno(self) -> int:
        return self.file.fileno()


def test_nothing_is_promised_where_nothing_is_kept(music, capsys, monkeypatch, tmp_path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", FullDisk(tmp_path))
        assert main(["tag", "music/a.wav"]) == 1
    message = capsys.readouterr().err
    assert "error: standard output: No space left on device; make room" in message
    assert "kept" not in message
    patch = monkeypatch.setattr
    patch(FakeTagger, "_outcome", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["tag", "music/a.wav"]) == 130
    assert "stopped; with --out, what is finished is kept" in capsys.readouterr().err


def test_a_job_of_other_versions_is_refused(music, capsys, monkeypatch) -> None:
    command = ["tag", "music/a.wav", "--out", "tags.json", "--format", "json"]
    assert main(command) == 0
    stamped = json.loads(Path("tags.json").read_text())[0]["versions"]
    with monkeypatch.context() as patch:
        patch.setattr(tagging_command, "versions", lambda recipe: stamped | {"keras": "99"})
        assert main(command) == 1
    message = capsys.readouterr().err
    assert f"with versions keras '{stamped['keras']}', now '99'. Delete that folder" in message
    assert main(command) == 0


def test_rests_of_every_output_are_swept(music) -> None:
    Path("plots").mkdir()
    rests = [Path(".t.0123abcd.part"), Path("plots/.a.0123abcd.part.png")]
    others = [Path("plots/.other.0123abcd.part.png"), Path(".t.b.0123abcd.part")]
    for path in [*rests, *others]:
        path.touch()
    assert main(["tag", "music/a.wav", "--out", "t", "--plot", "plots"]) == 0
    assert not any(path.exists() for path in rests)
    assert all(path.exists() for path in others)


def test_a_folder_of_three_names_alike_gets_three_figures(music) -> None:
    for name in ("a.flac", "a.wav.mp3"):
        (music / name).write_text("good")
    assert main(["tag", *map(str, music.glob("a*")), "--plot", "d"]) == 0
    assert sorted(os.listdir("d")) == ["a.flac.png", "a.wav.mp3.png", "a.wav.png"]


def test_jams_beside_the_music(music, monkeypatch) -> None:
    monkeypatch.chdir(music)
    assert main(["tag", "a.wav", "--format", "jams", "--out", "."]) == 0
    assert Path("a.jams").exists()
    assert Path("../music.job").exists()


def test_models_are_listed_and_described(capsys) -> None:
    assert main(["tag", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "fake   nothing     0.5000   –       4     none\n    what a file is called\n" in listed
    assert main(["tag", "--card", "fake"]) == 0
    described = capsys.readouterr().out
    assert "4 tags      guitar, slow, sad, no vocals, techno" in described
    assert "good for    what a file is called" in described
    assert "f" * 64 in described
