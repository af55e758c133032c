"""Zips in parts: unpacked as one file would be, with all its safety."""

import io
import zipfile

import numpy as np
import pytest

from data_prep.declare import DataError
from data_prep.fetch import archives, parts
from data_prep.fetch.archives import ArchiveError

FILES = {f"{n}/{n}.bin": np.random.default_rng(n).bytes(3_000) for n in range(6)}


def cut(folder, content, *lengths):
    """Write `content` as parts of these lengths, the rest as the last."""
    paths = []
    for number, length in enumerate((*lengths, None), 1):
        paths.append(folder / f"x.zip.{number:03d}")
        paths[-1].write_bytes(content[:length])
        content = content[length:] if length is not None else b""
    return paths


def zipped(files=FILES):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def unpack(paths, limit=10**6):
    target = paths[0].parent / "out"
    with archives.staged(target) as staging:
        archives.unpack(paths[0], staging, max_bytes=limit, further=paths[1:])
    return target


@pytest.mark.parametrize("lengths", [(), (5_000, 7_000), (1, 2, 3, 0, 4), (18_000, 500)])
def test_parts_unpack_as_the_whole(tmp_path, lengths):
    target = unpack(cut(tmp_path, zipped(), *lengths))
    assert {p.relative_to(target).as_posix(): p.read_bytes() for p in target.glob("*/*")} == FILES
    assert not (tmp_path / "x.zip").exists()  # nothing was copied together


def test_joined_reads_and_seeks_like_one_file(tmp_path):
    content = np.random.default_rng(0).bytes(1_000)
    paths = cut(tmp_path, content, 10, 0, 300, 333)
    with io.BufferedReader(parts.Joined(paths), 64) as joined:
        whole = io.BytesIO(content)
        for offset, whence, length in (
            (0, 0, -1),
            (-40, 2, 50),
            (5, 0, 10),
            (3, 1, 700),
            (2, 1, 9),
        ):
            assert joined.seek(offset, whence) == whole.seek(offset, whence)
            assert joined.read(length) == whole.read(length)
        assert joined.seek(5_000) == 5_000
        assert joined.read() == b""


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("lost", [1, 100, 5_000])
def test_cut_short_parts_are_refused_with_their_lengths(tmp_path, number, lost):
    paths = cut(tmp_path, zipped(), 6_000, 6_000)
    paths[number].write_bytes(paths[number].read_bytes()[:-lost])
    with pytest.raises(ArchiveError, match=r"x\.zip\.002 \([\d,]+ bytes\).*damaged or cut short"):
        unpack(paths)
    assert sorted(tmp_path.iterdir()) == paths


def test_flipped_byte_is_found_by_the_sums_of_the_members(tmp_path):
    content = bytearray(zipped())
    content[7_000] ^= 1
    with pytest.raises(ArchiveError, match="CRC"):
        unpack(cut(tmp_path, bytes(content), 6_000, 6_000))


def test_parts_missing_or_out_of_order_are_refused(tmp_path):
    one, two, three = cut(tmp_path, zipped(), 6_000, 6_000)
    for wrong in ([one, three], [two, three], [one, three, two]):
        with pytest.raises(DataError, match=r"x\.zip\.001, x\.zip\.002.* in this order"):
            unpack(wrong)


def test_hostile_members_are_refused_across_parts(tmp_path):
    content = zipped({"fine": b"1", "../evil": b"2" * 500})
    with pytest.raises(ArchiveError, match="leads out of the folder"):
        unpack(cut(tmp_path, content, 60, 60))
    with pytest.raises(ArchiveError, match="more than 1,000 bytes"):
        unpack(cut(tmp_path, zipped(), 6_000), limit=1_000)
    assert not (tmp_path / "out").exists()
