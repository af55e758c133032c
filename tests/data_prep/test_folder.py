"""`folder:PATH` and music_speech: any decodable audio, in class folders."""

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import data_prep
from data_prep.declare import DataError
from data_prep.index import read_index
from data_prep.prepare import prepare
from data_prep.sets import folder, music_speech
from mirkeras.audio.formats import audio_extensions
from mirkeras.storage.tables import TableError


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def run(path, tmp_path):
    return prepare(f"folder:{path}", data_root=tmp_path / "data", cache_root=tmp_path / "cache")


@pytest.fixture
def own(tmp_path):
    place = tmp_path / "My audio"
    touch(place / "b" / "1.wav", place / "b" / "deep" / "er" / "2.FLAC", place / "a" / "x.ogg")
    return place


def test_every_class_folder_is_walked(own, tmp_path):
    prepared = run(own, tmp_path)
    assert prepared.index["track"].tolist() == ["a/x", "b/1", "b/deep/er/2"]
    assert prepared.index["path"].tolist() == ["a/x.ogg", "b/1.wav", "b/deep/er/2.FLAC"]
    assert prepared.index["label"].tolist() == ["a", "b", "b"]
    assert prepared.index["group"].tolist() == prepared.index["track"].tolist()
    assert prepared.classes == ("a", "b")
    assert prepared.root == own
    assert not prepared.stand_in
    assert not (tmp_path / "data").exists()


def test_name_tells_folders_of_the_same_name_apart(own, tmp_path):
    digest = hashlib.sha256(str(own.resolve()).encode()).hexdigest()[:8]
    assert data_prep.get(f"folder:{own}").name == f"folder-My audio-{digest}"
    assert run(own, tmp_path).home == tmp_path / "cache" / f"folder-My audio-{digest}"
    touch(tmp_path / "other" / "My audio" / "a" / "1.wav")
    other = data_prep.get(f"folder:{tmp_path / 'other' / 'My audio'}").name
    assert other != f"folder-My audio-{digest}"
    relative = os.path.relpath(own)
    assert data_prep.get(f"folder:{relative}").name == f"folder-My audio-{digest}"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("a\r|\n$x$", "a\\r|\\n$x$"),
        ("x" * 250, "x" * 96),
        ("\u2028" * 80, "\\u2028" * 16),
        (os.fsdecode(b"caf\xe9"), "caf\ufffd"),
    ],
)
def test_the_name_of_a_set_is_one_short_line_of_text(tmp_path, name, called):
    touch(tmp_path / name / "a" / "1.wav", tmp_path / name / "b" / "1.wav")
    prepared = run(tmp_path / name, tmp_path)
    assert prepared.home.name[:-9] == f"folder-{called}"
    assert len(prepared.index) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"track,path,label,group,tempo\na,a.wav,x\xff,a,\n", "line 2: it is not UTF-8"),
        (b"track,path,label,group,tempo\na,a.wav,x,a,fast\n", "line 2: 'fast' in column tempo"),
        (b"track,path,label,group,tempo\na,a.wav\n", "line 2: 2 of 5 columns"),
        (b"", "line 1: it is empty"),
        (b"\x89HDF\r\n", "line 1: it is not UTF-8"),
    ],
)
def test_a_damaged_index_is_named(own, tmp_path, content, message):
    path = run(own, tmp_path).home / "index.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=f"index.csv, {message}.*; delete it"):
        read_index(path)
    run(own, tmp_path)
    assert len(read_index(path)) == 3


def test_dots_hide_no_class_and_leftovers_are_no_tracks(own, tmp_path, capsys):
    touch(own / "...And" / ".1.wav", own / ".Hack" / "cd.1" / "2.mp2", own / "a" / ".3.wav")
    touch(own / "a" / "._x.ogg", own / ".git" / "z.wav", own / "__MACOSX" / "a.wav")
    touch(own / "a" / "@eaDir" / "z.wav", own / ".idea" / "notes.xml", own / ".DS_Store")
    prepared = run(own, tmp_path)
    assert prepared.classes == ("...And", ".Hack", "a", "b")
    assert {"...And/.1", ".Hack/cd.1/2", "a/.3"} < {*prepared.index["track"]}
    assert len(prepared.index) == 6
    said = capsys.readouterr().out
    assert "classes: ...And (1), .Hack (1), a (2), b (2)\n" in said
    assert "5 files left out (3 × folder of the system (" in said


def test_files_that_differ_in_the_suffix_only_keep_it(own, tmp_path):
    touch(own / "b" / "1.mp3")
    assert run(own, tmp_path).index["track"].tolist() == [
        "a/x",
        "b/1.mp3",
        "b/1.wav",
        "b/deep/er/2",
    ]


def test_dots_in_names_are_kept(own, tmp_path):
    touch(own / "a" / "jazz.00001.wav", own / "a" / "jazz.00002.wav")
    assert {"a/jazz.00001", "a/jazz.00002"} <= set(run(own, tmp_path).index["track"])


def test_what_is_left_out_is_said(own, tmp_path, capsys):
    touch(own / "stray.wav", own / "README", own / "a" / "1.txt", own / "a" / "2.txt")
    run(own, tmp_path)
    said = capsys.readouterr().out
    assert "4 files left out" in said
    assert "2 × .txt" in said
    assert "1 × outside any class folder" in said


def test_linked_class_folders_count_and_loops_end(own, tmp_path):
    touch(tmp_path / "elsewhere" / "far.wav")
    (own / "c").symlink_to(tmp_path / "elsewhere")
    (own / "a" / "loop").symlink_to(own / "a")
    assert run(own, tmp_path).index["track"].tolist() == ["a/x", "b/1", "b/deep/er/2", "c/far"]


@pytest.mark.parametrize("given", ["absent", "file.wav", ""])
def test_no_such_folder_is_said(tmp_path, given):
    touch(tmp_path / "file.wav")
    name = f"folder:{tmp_path / given}" if given else "folder:"
    with pytest.raises(DataError, match="one sub-folder per class"):
        data_prep.get(name)


def test_fewer_than_two_classes_are_refused(tmp_path):
    touch(tmp_path / "flat" / "1.wav", tmp_path / "one" / "only" / "1.wav")
    with pytest.raises(DataError, match="no class folders"):
        run(tmp_path / "flat", tmp_path)
    with pytest.raises(DataError, match="only the class folder 'only'"):
        run(tmp_path / "one", tmp_path)


def test_class_without_audio_is_named_with_what_it_holds(own, tmp_path):
    touch(own / "c" / "song.m4a", own / "c" / "song2.m4a")
    with pytest.raises(DataError, match=r"My audio.c holds no audio.*2 × \.m4a.*ffmpeg -i in"):
        run(own, tmp_path)
    (own / "c" / "song.m4a").unlink()
    (own / "c" / "song2.m4a").unlink()
    with pytest.raises(DataError, match="it is empty"):
        run(own, tmp_path)


def test_what_cannot_be_seen_whole_is_refused(own, tmp_path, monkeypatch):
    (own / "c").symlink_to(tmp_path / "unmounted")
    with pytest.raises(DataError, match=r"My audio/c: broken link; .* move it away"):
        run(own, tmp_path)
    (own / "c").unlink()
    deep, look = own / "b" / "deep", os.scandir

    def refuse(path):
        if Path(path) == deep:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"b/deep: folder that cannot be read; make it readable"):
        run(own, tmp_path)


@pytest.mark.parametrize("stray", ["stray.wav", "a/song.m4a", "a/album"])
def test_strict_leaves_out_no_music(own, tmp_path, stray):
    places = {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache"}
    touch(own / "a" / "cover.jpg")
    prepare(f"folder:{own}", **places, strict=True)
    (own / stray).symlink_to("gone") if stray == "a/album" else touch(own / stray)
    with pytest.raises(DataError, match=r"2 files left out \(1 × .*without --strict"):
        prepare(f"folder:{own}", **places, strict=True)


def test_copies_share_a_group(own, tmp_path, capsys):
    for path, content in (("a/x.ogg", "1"), ("b/1.wav", "1"), ("b/2.wav", "2"), ("b/3.wav", "3")):
        (own / path).write_bytes(b"0" * 2**16 + content.encode())
    (own / "b" / "4.wav").symlink_to("3.wav")
    index = run(own, tmp_path).index.set_index("track")
    assert index["group"].to_dict() == {
        **{"a/x": "a/x", "b/1": "a/x", "b/2": "b/2", "b/3": "b/3", "b/4": "b/3"},
        "b/deep/er/2": "b/deep/er/2",
    }
    said = capsys.readouterr().out
    assert "4 files are copies of one another; protocol clean keeps them in one part" in said
    assert "; 1 of them lie in more than one class (a/x.ogg = b/1.wav)" in said


def test_endings_follow_libsndfile(tmp_path):
    endings = audio_extensions()
    assert {".wav", ".flac", ".ogg", ".aif", ".aiff", ".au", ".caf"} <= endings
    assert (".mp3" in endings) == ("MP3" in soundfile.available_formats())
    assert not {".raw", ".txt", ".csv", ".m4a"} & endings


def test_index_file_reads_back_as_written(own, tmp_path):
    touch(own / "a" / 'comma, "quote" é.wav', own / "b" / "NA.wav")
    prepared = run(own, tmp_path)
    read = pd.read_csv(
        prepared.home / "index.csv", keep_default_na=False, na_values={"tempo": [""]}
    )
    pd.testing.assert_frame_equal(read, prepared.index, check_dtype=False)


def test_music_speech_takes_any_format_in_its_two_folders(tmp_path):
    for path in ("music_speech/music_wav/a.wav", "music_speech/speech_wav/b.ogg"):
        (tmp_path / path).parent.mkdir(parents=True)
        soundfile.write(tmp_path / path, np.zeros(100, "float32"), 22_050)
    touch(tmp_path / "music_speech" / "music_wav" / "notes.txt")
    index = music_speech.index(tmp_path)
    assert index["track"].tolist() == ["music/a", "speech/b"]
    assert index["label"].tolist() == ["music", "speech"]
    assert index["path"].tolist()[1] == "music_speech/speech_wav/b.ogg"
    touch(tmp_path / "music_speech" / "music_wav" / "a.ogg")
    with pytest.raises(DataError, match="two files stand for track 'music/a'"):
        music_speech.index(tmp_path)


def test_left_out_is_empty_for_a_clean_folder(own):
    assert not folder.left_out(own)
