"""Which files a command line of `mirkeras tag` stands for."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from mirkeras.audio.formats import tell_left_out
from mirkeras.system.errors import UsageError
from mirkeras.tagging.job.inputs import find_files, output_paths


def make(root: Path, *names: str) -> list[Path]:
    """Make empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [root / name for name in names]


def forbid(monkeypatch, folder: str) -> None:
    """Let nobody look into a folder; a mode would not keep root out."""

    def refuse(look, path="."):
        if os.path.realpath(path) == os.path.realpath(folder):
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return look(path)

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, partial(refuse, getattr(os, name)))


def test_files_folders_and_patterns(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(
        tmp_path,
        "b/2.MP3",
        "b/1.flac",
        "b/deep/3.ogg",
        "b/cover.jpg",
        "b/._4.wav",
        "c.txt",
        "d.wav",
    )
    below = ["b/1.flac", "b/2.MP3", "b/deep/3.ogg"]
    assert find_files(["b"])[0] == list(map(Path, below))
    assert find_files(["b/**"])[0] == list(map(Path, ["b/1.flac", "b/2.MP3", "b/deep/3.ogg"]))
    assert find_files(["*"])[0] == list(map(Path, [*below, "d.wav"]))
    # named files are taken as they are, each once, in the order of the words
    words = ["d.wav", "c.txt", "./d.wav", str(tmp_path / "d.wav"), "gone.mp3"]
    assert find_files(words)[0] == list(map(Path, ["d.wav", "c.txt", "gone.mp3"]))


def test_patterns_do_not_follow_links_in_circles(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "a/1.wav", "a/b/2.wav", "a/b/3.mp3", "a/b.wav/4.mp3", "a/.git/5.wav")
    for name in ("loop", "again", "b/up"):
        (tmp_path / "a" / name).symlink_to(tmp_path / "a")
    below = ["a/1.wav", "a/b/2.wav", "a/b.wav/4.mp3"]
    for pattern in ("a/**/*.wav", "**/*.wav", f"{tmp_path}/**/*.wav", "./**/a/**/*.wav"):
        found, _, _ = find_files([pattern])
        assert sorted(path.resolve() for path in found) == sorted(
            map(Path.absolute, map(Path, below))
        )
    assert find_files(["a/**/b/*"])[0] == [Path("a/b/2.wav"), Path("a/b/3.mp3")]
    assert find_files(["a/**/b"])[0] == [Path("a/b/2.wav"), Path("a/b/3.mp3")]
    assert find_files(["[a]/**/3.*"])[0] == [Path("a/b/3.mp3")]


def test_an_existing_file_is_no_pattern(tmp_path: Path) -> None:
    song, _ = make(tmp_path, "take[1].wav", "take1.wav")
    assert find_files([str(song)]) == ([song], [], {})


@pytest.mark.parametrize(
    "pattern",
    [
        "*.flac",
        "**/*.flac",
        "../Album [[]2003] [[]FLAC]/*.flac",
        "../*/*.flac",
        "../**/Album [2003] [FLAC]/*.flac",
    ],
)
def test_folders_with_brackets_are_found_as_they_are_written(tmp_path: Path, pattern) -> None:
    (song,) = make(tmp_path, "Album [2003] [FLAC]/a.flac")
    make(tmp_path, "Album 2 F/b.mp3")
    found, _, _ = find_files([f"{song.parent}/{pattern}"])
    assert [path.resolve() for path in found] == [song]


@pytest.mark.parametrize(
    "words",
    [
        ["m"],
        ["m/*"],
        ["m/**"],
        ["m/**/*.mp3"],
        ["m/*/*.mp3", "m/.Hack"],
        ["m/...And/...x.mp3", "m/*k"],
    ],
)
def test_dots_hide_no_music(tmp_path: Path, monkeypatch, words) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "m/...And/...x.mp3", "m/.Hack/1.mp3")
    make(tmp_path, "m/...And/._x.mp3", "m/.Trash-1000/2.mp3", "m/@eaDir/3.mp3", "m/.git/4.mp3")
    assert find_files(words)[0] == [Path("m/...And/...x.mp3"), Path("m/.Hack/1.mp3")]


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(
        tmp_path, "m/a.mp3", "m/b.MP2", "m/c.m4a", "m/d.M4A", "m/e.wma", "m/cover.jpg", "m/g. Nice"
    )
    make(tmp_path, "m/._a.mp3", "m/.DS_Store", "m/@eaDir/a.mp3", "m/private/f.mp3")
    Path("m/album").symlink_to("gone")
    Path("m/loop").symlink_to(".")
    forbid(monkeypatch, "m/private")
    found = find_files(["m", "m/*.m4a", "m/**"])
    assert found.files == [Path("m/a.mp3"), Path("m/b.MP2")]
    assert found.empty == ["m/*.m4a"]
    assert tell_left_out(found.left_out) == (
        "10 files left out (2 × .m4a, 1 × .wma, 1 × broken link (m/album), "
        "1 × companion file of macOS (m/._a.mp3), 1 × folder met again by a link (m/loop), "
        "1 × folder of the system (m/@eaDir), 1 × folder that cannot be read (m/private), "
        "1 × without an ending (m/g. Nice), 1 × other); .m4a, .wma cannot be decoded: pip "
        "install 'mirkeras[formats]', or convert to .flac or .wav first, for example "
        "ffmpeg -i in.m4a out.flac"
    )
    assert found.undone(strict=False) == 3  # the folder, the link, the pattern
    assert found.undone(strict=True) == 6


@pytest.mark.parametrize("word", ["m", "m/*", "m/**", "m/*.m4a", "**/*.m4a", "m/inner/*/*"])
def test_music_that_is_not_decoded_is_no_empty_folder(tmp_path: Path, monkeypatch, word) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "m/1.m4a", "m/inner/2/3.m4a")
    with pytest.raises(UsageError, match=r"no audio file in .* × \.m4a.*ffmpeg -i in\.m4a"):
        find_files([word])


@pytest.mark.parametrize("word", ["m", "m/*", "m/*/*", "m/**/*.mp3"])
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch, word) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "m/a/1.mp3", "m/b/2.mp3")
    forbid(monkeypatch, "m/b")
    found = find_files([word])
    assert found.files == [Path("m/a/1.mp3")]
    assert found.left_out == {Path("m/b"): "folder that cannot be read"}
    assert found.undone(strict=False) == 1


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
    made = list(output_paths(tmp_path, files, ".jams").values())
    names = ["a/1.jams", "b/1.jams", "b/2.wav.jams", "b/2.mp3.jams"]
    assert made[:4] == [tmp_path / name for name in names]
    assert len(made[4].name.encode("utf-8", "surrogateescape")) < 220


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (["s.mp3", "s.flac", "s.mp3.wav"], ["s.mp3", "s.flac", "s.mp3.wav"]),
        (["s.mp3", "s.mp3.wav"], ["s", "s.mp3.wav"]),
        (["s", "s.wav", "s.wav.mp3"], ["s", "s.wav", "s.wav.mp3"]),
        (["s.mp3", "S.wav"], ["s.mp3", "S.wav"]),
        (["s.mp3", "S.mp3"], None),  # one file where the file system ignores case
        (["a/s.mp3", "A/s.mp3"], None),
        (["é" * 120 + ".mp3", "é" * 120 + ".wav"], None),
    ],
)
def test_two_files_are_never_one_target(names, made) -> None:
    found = [
        path.name
        for path in output_paths(Path("x"), [Path(name) for name in names], ".png").values()
    ]
    assert len({name.casefold() for name in found}) == len(names)
    if made:
        assert found == [f"{name}.png" for name in made]


def test_one_target_for_one_file(tmp_path: Path) -> None:
    song = Path("song.mp3")
    assert output_paths(tmp_path / "x.png", [song], ".png") == {song: tmp_path / "x.png"}
    assert output_paths(tmp_path / "x", [song], ".png") == {song: tmp_path / "x" / "song.png"}
    with pytest.raises(UsageError, match="name a folder"):
        output_paths(tmp_path / "x.png", [song, Path("b.mp3")], ".png")
