"""Unpacking: good archives come out whole, hostile and damaged ones leave nothing."""

import gzip
import io
import os
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from data_prep.declare import DataError
from data_prep.fetch import archives
from data_prep.fetch.archives import ArchiveError


def extract(archive: Path, target: Path, *, max_bytes: int) -> None:
    """Unpack one archive as a data set's are: the target appears whole or not at all."""
    with archives.staged(target) as staging:
        archives.unpack(archive, staging, max_bytes=max_bytes)


LIMIT = 10**6


def tar_of(path, *members):
    """A tar.gz of (name, content) files and ready-made TarInfo members."""
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name, kind, linkname=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


def zip_of(path, *members, mode=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode is not None:
                info.external_attr = mode << 16
            packed.writestr(info, content)
    return path


def assert_refused(archive, match, limit=LIMIT):
    """Extraction fails with `match` and leaves neither target nor staging nor stray files."""
    before = sorted(archive.parent.parent.rglob("*"))
    with pytest.raises(ArchiveError, match=match):
        extract(archive, archive.parent / "out", max_bytes=limit)
    assert sorted(archive.parent.parent.rglob("*")) == before


@pytest.fixture
def place(tmp_path):
    """A folder one below `tmp_path`, so that an escape by `..` would be seen."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.mark.parametrize("form", ["tar.gz", "tar", "zip"])
def test_good_archive_comes_out_whole(place, form):
    files = (("top/a/1.wav", b"one"), ("top/b.txt", b"two"))
    if form == "zip":
        archive = zip_of(place / "x.zip", *files)
    else:
        archive = place / f"x.{form}"
        with tarfile.open(archive, "w:gz" if form == "tar.gz" else "w") as tar:
            for name, content in files:
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(content), 0o4000  # modes of the packer are ignored
                tar.addfile(info, io.BytesIO(content))
    extract(archive, place / "out", max_bytes=LIMIT)
    found = {p.relative_to(place / "out").as_posix(): p for p in (place / "out").rglob("*.*")}
    assert {name: p.read_bytes() for name, p in found.items()} == dict(files)
    assert not found["top/b.txt"].stat().st_mode & stat.S_ISUID
    assert sorted(p.name for p in place.iterdir()) == ["out", archive.name]


@pytest.mark.parametrize(
    "name",
    ["/etc/evil", "../evil", "a/../../evil", "..\\evil", "C:\\evil", "C:evil", "\\\\h\\s\\x"],
)
@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_names_that_lead_out_are_refused(place, name, make):
    suffix = "x.zip" if make is zip_of else "x.tar.gz"
    assert_refused(make(place / suffix, ("fine", b"1"), (name, b"2")), "leads out of the folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("aim", ["/etc/passwd", "../outside", "d/../../outside", "missing", "."])
def test_tar_links_leading_out_are_refused(place, kind, aim):
    (place / "outside").write_text("secret")
    archive = tar_of(place / "x.tar.gz", ("d/file", b"1"), special("link", kind, aim))
    assert_refused(archive, "the link 'link' leads to")


def test_tar_cannot_write_through_a_link(place):
    archive = tar_of(
        place / "x.tar.gz", special("d", tarfile.SYMTYPE, ".."), ("d/evil", b"written outside")
    )
    assert_refused(archive, "the link 'd' leads to")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_tar_links_to_files_of_the_archive_are_kept(place, kind):
    aim = "file" if kind == tarfile.SYMTYPE else "d/file"
    archive = tar_of(place / "x.tar.gz", ("d/file", b"1"), special("d/link", kind, aim))
    extract(archive, place / "out", max_bytes=LIMIT)
    assert (place / "out/d/link").read_bytes() == b"1"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_tar_devices_and_pipes_are_refused(place, kind):
    assert_refused(tar_of(place / "x.tar.gz", special("dev", kind)), "device or a pipe")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_zip_links_devices_and_pipes_are_refused(place, mode):
    archive = zip_of(place / "x.zip", ("link", b"../outside"), mode=mode | 0o644)
    assert_refused(archive, "a link, a device or a pipe")


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_size_bombs_are_refused(place, make):
    archive = place / ("x.zip" if make is zip_of else "x.tar.gz")
    make(archive, *((f"{i}", bytes(300_000)) for i in range(4)))
    assert archive.stat().st_size < 10_000
    assert_refused(archive, "more than 1,000,000 bytes")


def test_bomb_behind_the_last_tar_member_is_refused(place):
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    (place / "x.tar.gz").write_bytes(gzip.compress(inner.getvalue() + bytes(3_000_000)))
    assert_refused(place / "x.tar.gz", "more than 1,000,000 bytes")


def test_zip_that_lies_about_a_size_is_refused(place):
    archive = zip_of(place / "x.zip", ("big", bytes(300_000)))
    # The directory at the end is what zipfile believes: claim 10 bytes there.
    content = archive.read_bytes()
    at = content.index(b"PK\x01\x02") + 24
    archive.write_bytes(content[:at] + struct.pack("<I", 10) + content[at + 4 :])
    assert_refused(archive, "damaged")


def test_too_many_members_are_refused(place, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    assert_refused(tar_of(place / "x.tar.gz", *((f"{i}", b"") for i in range(6))), "over 5 members")


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_colliding_members_are_refused(place, make):
    archive = place / ("x.zip" if make is zip_of else "x.tar.gz")
    assert_refused(make(archive, ("a", b"1"), ("a/b", b"2")), "collide")


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_archives_are_refused(place, form, share):
    noise = np.random.default_rng(0).bytes(100_000)
    make, archive = (zip_of, place / "x.zip") if form == "zip" else (tar_of, place / "x.tar.gz")
    make(archive, ("a", noise), ("b", noise))
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    assert_refused(archive, "damaged or cut short")


@pytest.mark.parametrize("name", ["x.tar.gz", "x.zip"])
def test_a_web_page_is_no_archive(place, name):
    (place / name).write_text("<html>please log in</html>" * 100)
    assert_refused(place / name, "damaged or cut short")


def header(kind, size):
    """A tar header alone: L, a long name follows; x and g, facts of the next member or of all."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [b"L", b"x", b"g"])
def test_headers_nested_without_end_are_refused(place, kind):
    facts = b"12 path=abc\n"
    packed = (header(kind, len(facts)) + facts.ljust(512, b"\0")) * 2000
    (place / "a.tar").write_bytes(packed + header(b"0", 0) + bytes(1024))
    assert_refused(place / "a.tar", r"a\.tar is damaged .*recursion.*Remove it")


@pytest.mark.parametrize("make", [tar_of, zip_of])
@pytest.mark.parametrize(
    ("name", "match"),
    [
        (".", "a member has no name"),
        ("a/" * 2000 + "x", "'a/a/a.* is too long or too deep a name"),
        ("a" * 300, "'aaa.* is too long or too deep a name"),
        ("é" * 150, "is too long"),
    ],
)
def test_names_that_are_none_or_too_much_are_refused(place, make, name, match):
    assert_refused(make(place / ("a.zip" if make is zip_of else "a.tar.gz"), (name, b"x")), match)


def test_a_member_without_a_name_is_refused(place):
    assert_refused(tar_of(place / "a.tar.gz", special("", tarfile.REGTYPE)), "has no name")
    packed = bytearray(zip_of(place / "a.zip", ("n", b"x")).read_bytes())
    for mark, length, head in ((b"PK\x03\x04", 26, 30), (b"PK\x01\x02", 28, 46)):
        begin = packed.index(mark)
        packed[begin + length] = 0
        del packed[begin + head]
    end = packed.index(b"PK\x05\x06")
    begin = packed.index(b"PK\x01\x02")
    struct.pack_into("<II", packed, end + 12, end - begin, begin)
    (place / "a.zip").write_bytes(packed)
    assert_refused(place / "a.zip", "a member has no name")


@pytest.mark.parametrize(
    ("place_of", "value", "match"),
    [(10, 99, "compression method"), (6, 99, "version 9.9"), (42, 9**5, "header")],
)
def test_zips_of_another_kind_are_refused(place, place_of, value, match):
    packed = bytearray(zip_of(place / "a.zip", ("n", b"x" * 99)).read_bytes())
    struct.pack_into("<H", packed, packed.index(b"PK\x01\x02") + place_of, value % 2**16)
    (place / "a.zip").write_bytes(packed)
    assert_refused(place / "a.zip", f"a.zip is damaged .*{match}")


@pytest.mark.parametrize("form", ["gz", "bz2", "xz"])
def test_damage_within_a_compressed_stream_is_named(place, form):
    with tarfile.open(place / f"a.tar.{form}", f"w:{form}") as tar:
        info = tarfile.TarInfo("x")
        info.size = 200_000
        tar.addfile(info, io.BytesIO(np.random.RandomState(0).bytes(info.size)))
    packed = bytearray((place / f"a.tar.{form}").read_bytes())
    packed[150_000:150_100] = bytes(100)
    (place / f"a.tar.{form}").write_bytes(packed)
    assert_refused(place / f"a.tar.{form}", rf"a\.tar\.{form} is damaged or cut short \(")


def test_full_target_is_never_replaced(place):
    (place / "out").mkdir()
    (place / "out" / "mine").write_text("keep")
    archive = tar_of(place / "x.tar.gz", ("a", b"1"))
    with pytest.raises(OSError, match="not empty"):
        extract(archive, place / "out", max_bytes=LIMIT)
    assert [p.name for p in (place / "out").iterdir()] == ["mine"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_killed_extraction_leaves_no_target_and_the_next_one_succeeds(place):
    archive = tar_of(place / "x.tar.gz", ("top/a", b"1"), ("top/b", b"2"))
    script = (
        "import os, signal, sys, tarfile\n"
        "from pathlib import Path\n"
        "from data_prep.fetch import archives\n"
        "real, done = tarfile.TarFile.extract, []\n"
        "def extract(self, member, *args, **kwargs):\n"
        "    if done: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    done.append(real(self, member, *args, **kwargs))\n"
        "tarfile.TarFile.extract = extract\n"
        "with archives.staged(Path(sys.argv[2])) as staging:\n"
        "    archives.unpack(Path(sys.argv[1]), staging, max_bytes=10**6)\n"
    )
    top = Path(archives.__file__).resolve().parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", script, archive, place / "out"],
        env=os.environ | {"PYTHONPATH": str(top)},
    )
    assert killed.returncode == -signal.SIGKILL
    assert [p.name for p in place.rglob("a")] == ["a"]  # it was half done …
    assert not (place / "out").exists()  # … and does not pass for whole
    extract(archive, place / "out", max_bytes=LIMIT)
    assert sorted(p.name for p in place.iterdir()) == ["out", "x.tar.gz"]
    assert sorted(p.name for p in (place / "out/top").iterdir()) == ["a", "b"]


def test_unpacking_without_the_filter_of_newer_pythons(place, monkeypatch):
    monkeypatch.setattr(archives, "_TAR_FILTER", {})
    extract(tar_of(place / "x.tar.gz", ("a", b"1")), place / "out", max_bytes=LIMIT)
    assert (place / "out/a").read_bytes() == b"1"
    hostile = tar_of(place / "y.tar.gz", special("d", tarfile.SYMTYPE, ".."), ("d/evil", b"2"))
    with pytest.raises(ArchiveError):
        extract(hostile, place / "out2", max_bytes=LIMIT)
    assert not (place / "evil").exists()


def test_unwritable_place_is_said(place, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", "somewhere")

    archive = tar_of(place / "x.tar.gz", ("a", b"1"))
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match=r"cannot be read or written.*--data-root"):
        extract(archive, place / "out", max_bytes=LIMIT)
