"""Downloads against a local server: whole, broken off, resumed, wrong, absent, elsewhere."""

import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest

from data_prep.declare import Archive, DataError
from data_prep.fetch import download

BODY = np.random.default_rng(0).bytes(50_000)
OTHER = np.random.default_rng(1).bytes(50_000)
SIZE = len(BODY)
SHA256 = "sha256:" + hashlib.sha256(BODY).hexdigest()


def declared(*urls, size=SIZE, checksum=SHA256):
    return Archive("set.tar.gz", urls, checksum, size, max_unpacked=10**9)


def test_whole_download(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    got = download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path / "new" / "folder")
    assert got.path == tmp_path / "new" / "folder" / "set.tar.gz"
    assert got.path.read_bytes() == BODY
    assert [p.name for p in got.path.parent.iterdir()] == ["set.tar.gz"]
    assert "mirkeras" in server.agents[0]


def test_second_fetch_asks_nobody(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    archive = declared(f"{server.url}/set.tar.gz")
    download.fetch(archive, tmp_path)
    download.fetch(archive, tmp_path)
    assert len(server.asked) == 1


def test_md5_is_verified_too(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    md5 = "md5:" + hashlib.md5(BODY).hexdigest()
    assert download.fetch(declared(f"{server.url}/set.tar.gz", checksum=md5), tmp_path)


@pytest.mark.parametrize("lengths", [True, False])
def test_broken_off_download_continues_where_it_stopped(server, tmp_path, lengths):
    server.files["set.tar.gz"] = BODY
    server.break_after, server.lengths = [20_000], lengths
    got = download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert got.path.read_bytes() == BODY
    assert [asked[1] for asked in server.asked] == [None, "bytes=20000-"]


def test_part_survives_the_run_and_is_resumed_by_the_next(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.files["set.tar.gz"] = BODY
    server.break_after = [12_345]
    archive = declared(f"{server.url}/set.tar.gz")
    with pytest.raises(download.FetchError, match=r"broke off after 12,345 of 50,000.*kept"):
        download.fetch(archive, tmp_path)
    assert not (tmp_path / "set.tar.gz").exists()
    assert (tmp_path / "set.tar.gz.part").read_bytes() == BODY[:12_345]
    assert download.fetch(archive, tmp_path).path.read_bytes() == BODY
    assert server.asked[-1][1] == "bytes=12345-"


def test_part_is_continued_from_another_address(server, tmp_path):
    (tmp_path / "set.tar.gz.part").write_bytes(BODY[:30_000])
    server.files["b/set.tar.gz"] = BODY
    urls = (f"{server.url}/a/set.tar.gz", f"{server.url}/b/set.tar.gz")
    assert download.fetch(declared(*urls), tmp_path).path.read_bytes() == BODY
    assert server.asked == [("/a/set.tar.gz", "bytes=30000-"), ("/b/set.tar.gz", "bytes=30000-")]


def test_attempts_are_few_without_progress(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    server.break_after = [0] * 20
    with pytest.raises(download.FetchError, match="broke off"):
        download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert len(server.asked) == download.ATTEMPTS


def test_progress_earns_new_attempts(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PROGRESS", 1_000)
    server.files["set.tar.gz"] = BODY
    server.break_after = [5_000] * 9
    assert download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path).path.read_bytes() == BODY
    assert len(server.asked) == 10


def test_server_without_ranges_starts_over(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    server.ranges, server.break_after = False, [20_000]
    got = download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert got.path.read_bytes() == BODY
    assert server.asked[1][1] == "bytes=20000-"


def test_complete_part_of_unknown_size_is_accepted(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    (tmp_path / "set.tar.gz.part").write_bytes(BODY)
    archive = declared(f"{server.url}/set.tar.gz", size=None)
    assert download.fetch(archive, tmp_path).path.read_bytes() == BODY
    assert len(server.asked) == 1  # answered 416: nothing left to send


def test_complete_part_of_known_size_needs_no_network(server, tmp_path):
    (tmp_path / "set.tar.gz.part").write_bytes(BODY)
    download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert server.asked == []


@pytest.mark.parametrize("length", [20_000, 50_000, 60_000])
@pytest.mark.parametrize("size", [None, SIZE])
def test_part_of_another_file_is_discarded(server, tmp_path, length, size):
    server.files["set.tar.gz"] = BODY
    (tmp_path / "set.tar.gz.part").write_bytes((OTHER * 2)[:length])
    got = download.fetch(declared(f"{server.url}/set.tar.gz", size=size), tmp_path)
    assert got.path.read_bytes() == BODY


def test_wrong_checksum_names_both_sums_and_leaves_nothing(server, tmp_path):
    server.files["set.tar.gz"] = OTHER
    found = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(download.FetchError, match=f"expected {SHA256}, found sha256:{found}"):
        download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wrong_size_is_refused_before_the_transfer(server, tmp_path):
    server.files["set.tar.gz"] = BODY[:40_000]
    with pytest.raises(download.FetchError, match=r"offers a file of 40,000 bytes, 50,000"):
        download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_404_then_the_next_address(server, tmp_path):
    server.files["here/set.tar.gz"] = BODY
    urls = (f"{server.url}/gone/set.tar.gz", f"{server.url}/here/set.tar.gz")
    assert download.fetch(declared(*urls), tmp_path).address == urls[1]
    assert [asked[0] for asked in server.asked] == ["/gone/set.tar.gz", "/here/set.tar.gz"]


def test_passing_server_fault_is_retried_and_404_is_not(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    server.statuses = [503, 429]
    assert download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert len(server.asked) == 3
    with pytest.raises(download.FetchError, match="HTTP 404"):
        download.fetch(declared(f"{server.url}/no"), tmp_path / "b")
    assert len(server.asked) == 4


def test_redirect_to_a_file_is_not_followed(server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    server.redirect = secret.as_uri()
    with pytest.raises(download.FetchError, match="file://"):
        download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path / "new")


def test_nobody_listening_fails_at_the_first_attempt(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download.time, "sleep", lambda _: pytest.fail("waited"))
    with socket.socket() as taken:  # bound, never listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/set.tar.gz"
        with pytest.raises(download.FetchError, match="cannot connect"):
            download.fetch(declared(url), tmp_path)


def test_url_mirror_comes_first(server, tmp_path):
    server.files["m/set.tar.gz"] = server.files["set.tar.gz"] = BODY
    archive = declared(f"{server.url}/set.tar.gz")
    download.fetch(archive, tmp_path, mirror=f"{server.url}/m/")
    assert [asked[0] for asked in server.asked] == ["/m/set.tar.gz"]


def test_mirror_folder_is_used_in_place(server, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "set.tar.gz").write_bytes(BODY)
    archive = declared(f"{server.url}/set.tar.gz")
    got = download.fetch(archive, tmp_path / "new", mirror=str(tmp_path / "mirror"))
    assert got.path == tmp_path / "mirror" / "set.tar.gz"
    assert server.asked == []
    assert not (tmp_path / "new").exists()


def test_wrong_file_in_the_mirror_is_left_alone_and_passed_over(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    (tmp_path / "set.tar.gz").write_bytes(OTHER)
    archive = declared(f"{server.url}/set.tar.gz")
    got = download.fetch(archive, tmp_path / "new", mirror=str(tmp_path))
    assert got.path.read_bytes() == BODY
    assert (tmp_path / "set.tar.gz").read_bytes() == OTHER


def test_voucher_admits_a_stand_in_from_a_mirror_folder_only(tmp_path):
    digest = hashlib.sha256(OTHER).hexdigest()
    (tmp_path / "set.tar.gz").write_bytes(OTHER)
    (tmp_path / "set.tar.gz.sha256").write_text(f"{digest}  set.tar.gz\n")
    got = download.fetch(declared(), tmp_path / "new", mirror=str(tmp_path))
    assert got.checksum == f"sha256:{digest}" != SHA256
    with pytest.raises(download.FetchError, match="wrong checksum"):  # as a download it is wrong
        download.fetch(declared(), tmp_path)
    (tmp_path / "set.tar.gz").write_bytes(BODY)
    with pytest.raises(download.FetchError, match="wrong checksum"):  # it vouches for one file
        download.fetch(declared(), tmp_path / "new", mirror=str(tmp_path))


def test_impossible_mirror_is_said(tmp_path):
    with pytest.raises(DataError, match="neither a folder nor"):
        download.fetch(declared(), tmp_path, mirror=str(tmp_path / "nowhere"))


def test_offline_asks_nobody_and_lists_the_addresses(server, tmp_path):
    archive = declared(f"{server.url}/set.tar.gz")
    with pytest.raises(download.FetchError) as caught:
        download.fetch(archive, tmp_path, mirror=server.url, offline=True)
    assert server.asked == []
    assert [address for address, _ in caught.value.tried] == [
        str(tmp_path / "set.tar.gz"),
        f"{server.url}/set.tar.gz",
        f"{server.url}/set.tar.gz",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' /dev/full")
def test_full_disk_is_said(server, tmp_path):
    server.files["set.tar.gz"] = BODY
    (tmp_path / "set.tar.gz.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match="No space left"):
        download.fetch(declared(f"{server.url}/set.tar.gz"), tmp_path)
    assert (tmp_path / "set.tar.gz.part").is_symlink()
