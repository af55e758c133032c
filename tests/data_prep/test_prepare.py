"""From a name to a checked, indexed data set: present, downloaded, made, absent, wrong."""

import dataclasses
import hashlib
import os
import shutil
import tarfile
import threading

import numpy as np
import pytest
import soundfile

import data_prep
from data_prep.declare import Archive, DataError, DataSet
from data_prep.fetch import archives
from data_prep.fetch.lists import archive_folder
from data_prep.index import find_layout, make_index
from data_prep.prepare import prepare

COUNTS = {"loud": 2, "soft": 1}
TRACKS = ("loud/1", "loud/2", "soft/1")


def fill(root):
    """The tree of the little data set."""
    for track in TRACKS:
        (root / track).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / f"{track}.wav", np.ones(16, "float32") / 2, 8_000)


def index(root):
    place = find_layout(root, COUNTS)
    files = sorted(place.glob("*/*.wav")) if place else []
    tracks = [(f"{f.parent.name}/{f.stem}", f, f.parent.name, float("nan")) for f in files]
    return make_index(tracks, root)


def pack(path, fill=fill):
    """An archive of the tree below a folder of its own; returns its declaration."""
    tree = path.parent / "tree"
    fill(tree / "Top")
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tree / "Top", "Top")
    shutil.rmtree(tree)
    content = path.read_bytes()
    checksum = "sha256:" + hashlib.sha256(content).hexdigest()
    url = f"http://127.0.0.1:9/{path.name}"  # the discard port: nobody listens
    return Archive(path.name, (url,), checksum, len(content), 10**6)


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "mirror").mkdir()
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache"}


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Declare a data set for the time of the test and return its name."""

    def declare(**changes):
        dataset = DataSet(
            name="little",
            description="A little set.",
            licence="none",
            layout="little/loud, little/soft",
            counts=COUNTS,
            index=index,
        )
        dataset = dataclasses.replace(dataset, **changes)
        monkeypatch.setattr(data_prep, "get", lambda name, layout=None: dataset)
        return dataset.name

    return declare


def test_mirrored_archive_becomes_an_indexed_data_set(tmp_path, places, declare, capsys):
    name = declare(archives=(pack(tmp_path / "mirror" / "little.tar.gz"),))
    prepared = prepare(name, **places, mirror=str(tmp_path / "mirror"))
    assert prepared.index["track"].tolist() == list(TRACKS)
    assert prepared.root == places["data_root"] / "little"
    assert all((prepared.root / path).is_file() for path in prepared.index["path"])
    assert prepared.home == places["cache_root"] / "little"
    assert (prepared.home / "index.csv").read_text().splitlines()[
        0
    ] == "track,path,label,group,tempo"
    assert sorted(p.name for p in prepared.home.iterdir()) == ["index.csv"]
    assert prepared.classes == ("loud", "soft")
    assert not prepared.stand_in
    assert "3 tracks in 2 classes, downloaded" in capsys.readouterr().out


def test_second_call_touches_nothing_and_says_so(tmp_path, places, declare, capsys):
    name = declare(archives=(pack(tmp_path / "mirror" / "little.tar.gz"),))
    first = prepare(name, **places, mirror=str(tmp_path / "mirror"))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    capsys.readouterr()
    second = prepare(name, **places)
    assert second.index.equals(first.index)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    said = capsys.readouterr().out
    assert "present" in said
    assert "up to date" in said


def test_archive_from_a_server_is_kept_where_it_may_be_placed(tmp_path, places, declare, server):
    archive = pack(tmp_path / "mirror" / "little.tar.gz")
    server.files["little.tar.gz"] = (tmp_path / "mirror" / "little.tar.gz").read_bytes()
    prepared = prepare(declare(archives=(archive,)), **places, mirror=server.url)
    assert (archive_folder(prepared.root) / "little.tar.gz").is_file()


def test_archive_placed_by_hand_is_used(tmp_path, places, declare):
    archive = pack(tmp_path / "mirror" / "little.tar.gz")
    place = archive_folder(places["data_root"] / "little")
    place.mkdir(parents=True)
    shutil.move(tmp_path / "mirror" / "little.tar.gz", place)
    assert len(prepare(declare(archives=(archive,)), **places, offline=True).index) == 3


@pytest.mark.parametrize("offline", [True, False])
def test_absent_data_message_says_all_a_newcomer_needs(tmp_path, places, declare, offline):
    archive = pack(tmp_path / "mirror" / "little.tar.gz")
    name = declare(archives=(archive,))
    with pytest.raises(DataError) as caught:
        prepare(name, **places, offline=offline)
    said = str(caught.value)
    root = places["data_root"] / "little"
    for needed in (
        archive.urls[0],
        str(root),
        str(archive_folder(root) / "little.tar.gz"),
        archive.checksum,
        "--mirror DIR_OR_URL",
        "make demo",
        "little/loud, little/soft",
        "offline" if offline else "cannot connect",
    ):
        assert needed in said
    assert not root.exists()


def test_ballroom_absent_and_offline(places):
    with pytest.raises(DataError) as caught:
        prepare("ballroom", **places, offline=True)
    for needed in ("mtg.upf.edu", "make demo", str(places["data_root"] / "ballroom")):
        assert needed in str(caught.value)


def test_wrong_counts_are_listed_class_by_class(tmp_path, places, declare):
    fill(places["data_root"] / "little" / "Top")
    (places["data_root"] / "little" / "Top" / "loud" / "2.wav").unlink()
    with pytest.raises(DataError) as caught:
        prepare(declare(), **places)
    lines = [line.split() for line in str(caught.value).splitlines()]
    assert ["loud", "2", "expected", "1", "found", "<"] in lines
    assert ["soft", "1", "expected", "1", "found"] in lines
    assert "move it away" in str(caught.value)
    assert not (places["cache_root"] / "little").exists()


def test_folder_without_any_track_is_not_overwritten(tmp_path, places, declare):
    name = declare(archives=(pack(tmp_path / "mirror" / "little.tar.gz"),))
    (places["data_root"] / "little").mkdir(parents=True)
    (places["data_root"] / "little" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"2 expected\s+0 found"):
        prepare(name, **places, mirror=str(tmp_path / "mirror"))
    assert [p.name for p in (places["data_root"] / "little").iterdir()] == ["notes.txt"]


def test_empty_folder_and_leftovers_of_a_killed_run_are_no_obstacle(tmp_path, places, declare):
    name = declare(archives=(pack(tmp_path / "mirror" / "little.tar.gz"),))
    (places["data_root"] / "little").mkdir(parents=True)
    leftover = places["data_root"] / ".little.unfinished" / "Top" / "loud"
    leftover.mkdir(parents=True)
    (leftover / "9.wav").write_bytes(b"half")
    assert len(prepare(name, **places, mirror=str(tmp_path / "mirror")).index) == 3
    assert sorted(p.name for p in places["data_root"].iterdir()) == [".little.lock", "little"]


def test_hostile_archive_leaves_no_data_set(tmp_path, places, declare):
    def evil(root):
        fill(root)
        os.mkfifo(root / "pipe")

    name = declare(archives=(pack(tmp_path / "mirror" / "little.tar.gz", evil),))
    with pytest.raises(archives.ArchiveError, match="device or a pipe"):
        prepare(name, **places, mirror=str(tmp_path / "mirror"))
    assert [p.name for p in places["data_root"].iterdir()] == [".little.lock"]


def test_read_only_data_set_is_used_as_it_is(places, declare):
    root = places["data_root"] / "little"
    fill(root)
    folders = [places["data_root"], root, root / "loud", root / "soft"]
    state = {p: p.stat().st_mtime_ns for p in (places["data_root"], *root.rglob("*"), root)}
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert len(prepare(declare(), **places).index) == 3
        # Root may write anywhere, so what counts is that nothing was: times of folders included.
        assert {
            p: p.stat().st_mtime_ns for p in (places["data_root"], *places["data_root"].rglob("*"))
        } == state
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_unwritable_data_root_is_said(tmp_path, places, declare):
    places["data_root"].write_text("a file, so that nothing can be made below it")
    name = declare(archives=(pack(tmp_path / "mirror" / "little.tar.gz"),))
    with pytest.raises(DataError, match=r"data.*--data-root"):
        prepare(name, **places, mirror=str(tmp_path / "mirror"))


def test_file_in_place_of_the_data_set_is_said(places, declare):
    places["data_root"].mkdir()
    (places["data_root"] / "little").write_text("")
    with pytest.raises(DataError, match="is a file where the folder"):
        prepare(declare(), **places)


def test_missing_optional_archive_is_said_and_not_fatal(tmp_path, places, declare, capsys):
    needed = pack(tmp_path / "mirror" / "little.tar.gz")
    extra = Archive("extra.tar.gz", ("http://127.0.0.1:9/extra.tar.gz",), "md5:0", None, 1, True)
    name = declare(archives=(needed, extra))
    assert len(prepare(name, **places, mirror=str(tmp_path / "mirror")).index) == 3
    assert "extra.tar.gz could not be fetched" in capsys.readouterr().out


def test_stand_in_is_remembered(tmp_path, places, declare, capsys):
    archive = pack(tmp_path / "mirror" / "little.tar.gz")
    digest = archive.checksum.removeprefix("sha256:")
    (tmp_path / "mirror" / "little.tar.gz.sha256").write_text(f"{digest}  little.tar.gz\n")
    name = declare(archives=(dataclasses.replace(archive, checksum="md5:" + "0" * 32),))
    for mirror in (str(tmp_path / "mirror"), None):
        assert prepare(name, **places, mirror=mirror).stand_in
        assert "NOT the published archive" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "null", "{}", "[]", "[1]", '[{"a": 1}]', "[" * 10**5, "\xff", "7"]
)
def test_a_damaged_note_of_where_a_set_is_from_is_named(tmp_path, places, declare, text):
    name = declare(archives=(pack(tmp_path / "mirror" / "little.tar.gz"),))
    root = prepare(name, **places, mirror=str(tmp_path / "mirror")).root
    (root / "mirkeras-source.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"mirkeras-source\.json is damaged .*Move .* away"):
        prepare(name, **places)


def test_archive_without_published_checksum_is_recorded_and_no_stand_in(tmp_path, places, declare):
    archive = pack(tmp_path / "mirror" / "little.tar.gz")
    name = declare(archives=(dataclasses.replace(archive, checksum=None),))
    for mirror in (str(tmp_path / "mirror"), None):
        prepared = prepare(name, **places, mirror=mirror)
        assert not prepared.stand_in
    record = archive_folder(prepared.root) / "little.tar.gz.recorded.sha256"
    assert record.read_text().split()[0] == archive.checksum.removeprefix("sha256:")


def test_stand_in_states_its_own_counts(tmp_path, places, declare):
    archive = pack(tmp_path / "mirror" / "little.tar.gz")
    name = declare(
        archives=(dataclasses.replace(archive, checksum="md5:" + "0" * 32),),
        counts={"loud": 200, "soft": 100},
    )
    stated = tmp_path / "mirror" / "stand-in.json"
    stated.write_text('{"tracks": {"loud": 2, "soft": 1}}')
    for mirror in (str(tmp_path / "mirror"), None):
        assert prepare(name, **places, mirror=mirror).stand_in


def test_synthesised_set_is_made_once_and_whole(places, declare):
    calls = []

    def make(root):
        calls.append(root)
        fill(root)
        if len(calls) == 1:
            raise KeyboardInterrupt

    name = declare(make=make)
    with pytest.raises(KeyboardInterrupt):
        prepare(name, **places)
    assert not (places["data_root"] / "little").exists()
    for _ in range(2):
        assert len(prepare(name, **places).index) == 3
    assert len(calls) == 2


def test_two_at_once_make_it_once(places, declare):
    calls, began = [], threading.Event()

    def make(root):
        calls.append(root)
        began.set()
        other_waits.wait(0.3)
        fill(root)

    other_waits = threading.Event()
    name = declare(make=make)
    results = []
    first = threading.Thread(target=lambda: results.append(prepare(name, **places)))
    first.start()
    began.wait(5)
    results.append(prepare(name, **places))
    first.join()
    assert len(calls) == 1
    assert [len(result.index) for result in results] == [3, 3]
