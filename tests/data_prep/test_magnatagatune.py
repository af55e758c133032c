"""MagnaTagATune from a miniature mirror, and from the published lists where they are at hand."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from data_prep.declare import DataError
from data_prep.fetch.archives import ArchiveError
from data_prep.fetch.download import STAND_IN
from data_prep.fetch.lists import archive_folder
from data_prep.fetch.pickled import read_strings
from data_prep.index import read_index
from data_prep.prepare import prepare
from data_prep.sets import magnatagatune
from tests.data_prep.miniature import LISTS, make_mirror

CLIPS = 24


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    return make_mirror(tmp_path_factory.mktemp("mtat") / "mirror", CLIPS, seconds=0.3)


@pytest.fixture
def places(tmp_path):
    return {
        "data_root": tmp_path / "data",
        "cache_root": tmp_path / "cache",
        "offline": True,
    }


def copy_of(mirror, tmp_path):
    return Path(shutil.copytree(mirror, tmp_path / "mirror"))


def unvouched(mirror, *names):
    for name in names:
        (mirror / f"{name}.sha256").unlink()


def test_miniature_of_the_exact_form_is_prepared(mirror, places, capsys):
    prepared = prepare("magnatagatune", **places, mirror=str(mirror))
    index = prepared.index
    assert prepared.stand_in
    assert prepared.home.name == "magnatagatune-stand-in"
    assert prepared.classes == magnatagatune.TAGS
    assert len(index) == CLIPS
    assert index["mtat-pons"].value_counts().to_dict() == {"train": 12, "validation": 4, "test": 8}
    assert (index["mtat-lee"] == "").sum() == CLIPS // 8
    assert soundfile.info(prepared.root / index["path"][0]).samplerate == 16_000
    assert "24 tracks in 50 tags, downloaded" in capsys.readouterr().out
    again = prepare("magnatagatune", **places)  # all it needs was taken along
    assert again.stand_in
    assert again.index.equals(index)
    pd.testing.assert_frame_equal(
        read_index(again.home / "index.csv"), index, check_dtype=False, check_index_type=False
    )


def test_labels_are_read_by_name_in_the_order_of_the_vocabulary(mirror, places):
    index = prepare("magnatagatune", **places, mirror=str(mirror)).index.set_index("track")
    table = pd.read_csv(mirror / "annotations_final.csv", sep="\t").set_index("mp3_path")
    for track, row in index.iterrows():
        tags = row["label"].split("|") if row["label"] else []
        assert tags == [tag for tag in magnatagatune.TAGS if table.loc[f"{track}.mp3", tag]]
    assert (index["label"] == "").sum() == CLIPS // 8


def test_group_is_the_piece(mirror, places):
    index = prepare("magnatagatune", **places, mirror=str(mirror)).index
    assert index.groupby("group").size().eq(2).all()
    assert magnatagatune.piece("f/lvx_nova-lvx_nova-01-contimune-30-59") == (
        "lvx_nova-lvx_nova-01-contimune"
    )


def test_wrong_counts_stop_it(mirror, tmp_path, places):
    wrong = copy_of(mirror, tmp_path)
    stated = json.loads((wrong / STAND_IN).read_text())
    stated["splits"]["mtat-lee"]["test"] += 1
    (wrong / STAND_IN).write_text(json.dumps(stated))
    with pytest.raises(DataError, match=r"split mtat-lee.*\n.*test +7 expected +6 found <"):
        prepare("magnatagatune", **places, mirror=str(wrong))


def test_without_counts_of_its_own_the_published_ones_apply(mirror, tmp_path, places):
    bare = copy_of(mirror, tmp_path)
    (bare / STAND_IN).unlink()
    with pytest.raises(DataError, match=r"25863 expected +24 found <[\s\S]*stand-in\.json"):
        prepare("magnatagatune", **places, mirror=str(bare))


@pytest.mark.parametrize("text", ["{", "[]", '{"tracks": "24"}', '{"tracks": 24, "splits": 3}'])
def test_counts_of_another_form_are_refused(mirror, tmp_path, places, text):
    odd = copy_of(mirror, tmp_path)
    (odd / STAND_IN).write_text(text)
    with pytest.raises(DataError, match=r"stand-in\.json cannot be read"):
        prepare("magnatagatune", **places, mirror=str(odd))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_shortened_part_is_named_and_leaves_nothing(mirror, tmp_path, places, number):
    short = copy_of(mirror, tmp_path)
    part = short / f"mp3.zip.00{number}"
    part.write_bytes(part.read_bytes()[:-200])
    unvouched(short, part.name)
    with pytest.raises(ArchiveError, match=r"mp3\.zip\.001 \([\d,]+ bytes\).*one part is damaged"):
        prepare("magnatagatune", **places, mirror=str(short))
    assert not (places["data_root"] / "magnatagatune").exists()


def test_missing_part_is_named_with_the_ways_out(mirror, tmp_path, places):
    (part := copy_of(mirror, tmp_path) / "mp3.zip.002").unlink()
    with pytest.raises(DataError, match=r"mp3\.zip\.002 could not be fetched") as caught:
        prepare("magnatagatune", **places, mirror=str(part.parent))
    assert "mirg.city.ac.uk" in str(caught.value)
    assert "no checksum is published" in str(caught.value)


def test_lists_that_cannot_be_had_cost_the_split_only(mirror, tmp_path, places, capsys):
    few = copy_of(mirror, tmp_path)
    archives = archive_folder(places["data_root"] / "magnatagatune")
    archives.mkdir(parents=True)
    (few / "valid_list_pub.cP").rename(archives / "valid_list_pub.cP")  # not the stand-in's
    index = prepare("magnatagatune", **places, mirror=str(few)).index
    assert "mtat-lee" not in index.columns
    assert "mtat-pons" in index.columns


def test_audio_placed_by_hand_does_not_take_a_stand_ins_lists(mirror, places):
    audio = places["data_root"] / "magnatagatune" / "0"
    audio.mkdir(parents=True)
    (audio / "a-b-01-c-0-29.mp3").write_bytes(b"")
    with pytest.raises(DataError, match="belongs to a stand-in"):
        prepare("magnatagatune", **places, mirror=str(mirror))
    with pytest.raises(DataError, match=r"annotations_final\.csv could not be fetched"):
        prepare("magnatagatune", **places)


def published(root):
    """A data set as placed by hand, of the published tables' form but with empty files."""
    paths = [line.split("\t")[1] for line in (root / "index_mtt.tsv").read_text().splitlines()]
    for folder in "0123456789abcdef":
        (root / folder).mkdir()
    for path in paths:
        (root / path).touch()
    header = "\t".join(("clip_id", *magnatagatune.TAGS, "mp3_path"))
    zeros = "\t".join("0" * len(magnatagatune.TAGS))
    rows = [f"{number}\t{zeros}\t{path}" for number, path in enumerate(paths)]
    (root / "annotations_final.csv").write_text("\n".join([header, *rows]) + "\n")


@pytest.mark.skipif(LISTS is None, reason="the published split lists are not at hand")
def test_published_lists_have_the_declared_counts(places):
    root = places["data_root"] / "magnatagatune"
    root.mkdir(parents=True)
    for name in ("mtat-lee", "mtat-pons"):
        for file in (LISTS / name).iterdir():
            if any(file.name == archive.filename for archive in magnatagatune.ARCHIVES):
                shutil.copyfile(file, root / file.name)
    published(root)
    index = prepare("magnatagatune", **places).index  # which checks the counts
    assert not index.loc[index["track"].isin(magnatagatune.KNOWN_BAD), "mtat-pons"].any()
    parts = index[index["mtat-lee"] != ""].groupby("group")["mtat-lee"].nunique()
    assert parts.max() == 1
    lines = (LISTS / "mtat-lee" / "train_list_pub.txt").read_text().split()
    assert read_strings(root / "train_list_pub.cP") == lines
    (root / "train_list_pub.cP").write_bytes(b"(lp1\n.")
    with pytest.raises(DataError, match=r"train_list_pub\.cP is not the published file"):
        prepare("magnatagatune", **places)
    (root / "train_list_pub.cP").unlink()
    (root / index["path"][index["mtat-lee"] == "test"].iloc[0]).unlink()
    with pytest.raises(DataError, match=r"25863 expected +25862 found"):
        prepare("magnatagatune", **places)
    assert not archive_folder(root).exists()
