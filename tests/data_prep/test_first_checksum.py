"""Archives without a published checksum: the first one's sum is recorded and then binding."""

import hashlib

import pytest

from data_prep.declare import Archive
from data_prep.fetch.download import STAND_IN, FetchError, fetch

BODY, OTHER = b"published" * 100, b"another!!" * 100
SUM = hashlib.sha256(BODY).hexdigest()


def declared(server, reported=None):
    return Archive("set.zip", (f"{server.url}/set.zip",), None, None, 10**6, reported=reported)


def test_first_download_is_recorded_and_later_ones_must_match(server, tmp_path):
    server.files["set.zip"] = BODY
    got = fetch(declared(server), tmp_path)
    assert got.checksum == f"sha256:{SUM}"
    assert got.genuine
    assert (tmp_path / "set.zip.recorded.sha256").read_text() == f"{SUM}  set.zip\n"
    (tmp_path / "set.zip").unlink()
    assert fetch(declared(server), tmp_path).path.read_bytes() == BODY
    (tmp_path / "set.zip").unlink()
    server.files["set.zip"] = OTHER
    with pytest.raises(
        FetchError, match=r"another file than the first time: .*set\.zip\.recorded\.sha256"
    ):
        fetch(declared(server), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["set.zip.recorded.sha256"]


def test_changed_archive_on_disk_is_noticed(server, tmp_path):
    server.files["set.zip"] = BODY
    fetch(declared(server), tmp_path)
    (tmp_path / "set.zip").write_bytes(OTHER)
    assert fetch(declared(server), tmp_path).path.read_bytes() == BODY  # fetched anew


def test_archive_placed_by_hand_and_mirror_folder_are_recorded_too(server, tmp_path):
    (tmp_path / "hand").mkdir()
    (tmp_path / "hand" / "set.zip").write_bytes(BODY)
    fetch(declared(server), tmp_path / "hand", offline=True)
    assert (tmp_path / "hand" / "set.zip.recorded.sha256").is_file()
    assert fetch(declared(server), tmp_path / "new", mirror=str(tmp_path / "hand")).genuine
    (tmp_path / "hand" / "set.zip").write_bytes(OTHER)
    with pytest.raises(FetchError, match="another file than the first time"):
        fetch(declared(server), tmp_path / "new", mirror=str(tmp_path / "hand"), offline=True)


def test_interrupted_download_of_another_file_starts_afresh(server, tmp_path):
    server.files["set.zip"] = BODY
    fetch(declared(server), tmp_path)
    (tmp_path / "set.zip").rename(tmp_path / "set.zip.part")
    (tmp_path / "set.zip.part").write_bytes(OTHER[:100])
    assert fetch(declared(server), tmp_path).path.read_bytes() == BODY


def test_reported_sum_tells_a_stand_in(server, tmp_path):
    server.files["set.zip"] = BODY
    md5 = "md5:" + hashlib.md5(BODY).hexdigest()
    assert fetch(declared(server, md5), tmp_path / "a").genuine
    other = declared(server, "md5:" + "0" * 32)
    assert not fetch(other, tmp_path / "b").genuine
    assert not fetch(other, tmp_path / "c", mirror=str(tmp_path / "a")).genuine
    assert not (tmp_path / "c").exists()  # a mirror's other file does not bind the real one


def test_mirrors_stand_ins_are_not_recorded(server, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "set.zip").write_bytes(OTHER)
    (mirror / STAND_IN).write_text("{}")
    assert not fetch(declared(server), tmp_path / "new", mirror=str(mirror)).genuine
    (mirror / STAND_IN).unlink()
    digest = hashlib.sha256(OTHER).hexdigest()
    (mirror / "set.zip.sha256").write_text(f"{digest}  set.zip\n")
    assert not fetch(declared(server), tmp_path / "new", mirror=str(mirror)).genuine
    assert not (tmp_path / "new").exists()
    md5 = "md5:" + hashlib.md5(OTHER).hexdigest()
    assert fetch(declared(server, md5), tmp_path / "new", mirror=str(mirror)).genuine
