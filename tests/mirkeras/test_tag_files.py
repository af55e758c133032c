"""Which files a command line of `mirkeras tag` stands for."""

from pathlib import Path

import pytest

from mirkeras.errors import UsageError
from mirkeras.tagfiles import find_files, targets


def make(root: Path, *names: str) -> list[Path]:
    """Make empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [root / name for name in names]


def test_files_folders_and_patterns(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(
        tmp_path, "b/2.MP3", "b/1.flac", "b/deep/3.ogg", "b/cover.jpg", "b/.4.wav", "c.txt", "d.wav"
    )
    below = ["b/1.flac", "b/2.MP3", "b/deep/3.ogg"]
    assert find_files(["b"])[0] == list(map(Path, below))
    assert find_files(["b/**"])[0] == list(map(Path, ["b/1.flac", "b/2.MP3", "b/deep/3.ogg"]))
    assert find_files(["*"])[0] == list(map(Path, [*below, "d.wav"]))
    # named files are taken as they are, each once, in the order of the words
    words = ["d.wav", "c.txt", "./d.wav", str(tmp_path / "d.wav"), "gone.mp3"]
    assert find_files(words)[0] == list(map(Path, ["d.wav", "c.txt", "gone.mp3"]))


def test_an_existing_file_is_no_pattern(tmp_path: Path) -> None:
    song, _ = make(tmp_path, "take[1].wav", "take1.wav")
    assert find_files([str(song)]) == ([song], [])


def test_what_holds_no_audio_is_said(tmp_path: Path) -> None:
    make(tmp_path, "pictures/a.png", "a.wav")
    empty = str(tmp_path / "pictures")
    assert find_files([empty, str(tmp_path / "a.wav")])[1] == [empty]
    with pytest.raises(UsageError, match=r"no audio file in .*pictures.*\*\.mp3"):
        find_files([empty, str(tmp_path / "*.mp3")])
    with pytest.raises(UsageError, match="empty file name"):
        find_files([""])
    assert find_files(["x" * 5000])[0]  # a name no file system takes: whoever opens it says so


def test_targets_mirror_the_tree_and_never_meet(tmp_path: Path) -> None:
    files = [Path("m/a/1.wav"), Path("m/b/1.wav"), Path("m/b/2.wav"), Path("m/b/2.mp3")]
    files.append(Path("m") / ("é" * 120 + ".mp3"))
    made = list(targets(tmp_path, files, ".jams").values())
    names = ["a/1.jams", "b/1.jams", "b/2.wav.jams", "b/2.mp3.jams"]
    assert made[:4] == [tmp_path / name for name in names]
    assert len(made[4].name.encode("utf-8", "surrogateescape")) < 220


def test_one_target_for_one_file(tmp_path: Path) -> None:
    song = Path("song.mp3")
    assert targets(tmp_path / "x.png", [song], ".png") == {song: tmp_path / "x.png"}
    assert targets(tmp_path / "x", [song], ".png") == {song: tmp_path / "x" / "song.png"}
    with pytest.raises(UsageError, match="name a folder"):
        targets(tmp_path / "x.png", [song, Path("b.mp3")], ".png")
