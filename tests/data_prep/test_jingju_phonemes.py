"""Jingju recordings: phonemes of TextGrids as classes, published lists, and what is refused."""

from dataclasses import replace

import pytest

from data_prep.declare import DataError
from data_prep.index import read_index
from data_prep.prepare import prepare
from data_prep.sets import jingju_phonemes as jingju
from tests.data_prep.jingju import grid, record, syllables, tier

DAN = "shiwenhui_tingxiongyan"  # trains in both lists
LEAK = "xixiangji_diyilai"  # tested by one list, trained on by the other
LAOSHENG = "lsxp-Xi_ri_you-Zhu_lian_zhai-qm"


@pytest.fixture
def places(tmp_path):
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


def test_lists_are_the_published_ones():
    lists = jingju._lists()
    sizes = {split: {part: len(names) for part, names in parts.items()}
             for split, parts in lists.items()}  # fmt: skip
    assert sizes == jingju.SPLITS
    for role, tested, leaking in (("dan", 14, 11), ("laosheng", 7, 4)):
        test = set(lists[role]["test"])
        assert len(test) == tested
        assert len(test & set(lists[f"{role}-scores"]["train"])) == leaking
        assert not test & set(lists[role]["train"])
    assert len(jingju.NAMES) == jingju.DATASET.tracks == 65
    assert set(jingju.CLASS_OF.values()) == set(jingju.PHONEMES)
    assert len(jingju.PHONEMES) == 29


def test_index_holds_the_annotation(places):
    root = places["data_root"] / "jingju_phonemes"
    record(root, DAN, [(0.1, 0.25, "f"), (0.25, 0.6, "a"), (0.6, 0.7, ""), (0.7, 1.0, "i")])
    record(root, LEAK, [(0.0625, 0.3, "u")])
    record(root, LAOSHENG, [(0.1, 0.3, "i")])
    (root / "wav" / "dan" / "another.wav").touch()  # in no list
    found = jingju.index(root).set_index("track")
    assert list(found.index) == sorted([DAN, LEAK, LAOSHENG])
    assert found.phonemes[DAN] == "0.1 0.25 nvc;0.25 0.6 a;0.6 0.7 sil;0.7 1.0 i"
    assert found.label[DAN] == "sil|a|i|nvc"  # in the order of the classes
    assert (found.group[DAN], found.path[DAN]) == (DAN, f"wav/dan/{DAN}.wav")
    columns = ["dan", "dan-scores", "laosheng", "laosheng-scores"]
    assert found.loc[DAN, columns].tolist() == ["train", "train", "", ""]
    assert found.loc[LEAK, columns].tolist() == ["test", "train", "", ""]
    assert found.loc[LAOSHENG, columns].tolist() == ["", "", "train", "train"]
    with pytest.raises(DataError, match=r"tracks +65 expected +3 found <"):
        prepare("jingju_phonemes", **places)


def test_the_annotation_comes_back_from_the_file(places, monkeypatch):
    few = replace(jingju.DATASET, tracks=1, splits={})
    monkeypatch.setattr(jingju, "DATASET", few)
    root = places["data_root"] / "jingju_phonemes"
    record(root, DAN, [(1 / 3, 0.7, "a")])
    prepared = prepare("jingju_phonemes", **places)
    table = read_index(prepared.home / "index.csv")
    assert table.phonemes.tolist() == [f"{1 / 3!r} 0.7 a"]
    assert prepared.members == {"a": [DAN]}


def write(tmp_path, *tiers):
    path = tmp_path / f"{DAN}.TextGrid"
    path.write_text(grid(*tiers, seconds=2))
    return path


def test_phonemes_count_in_syllables_with_a_text(tmp_path):
    dian = tier("dian.", [(0, 0.5, " "), (0.5, 1, "san"), (1, 1.5, ""), (1.5, 2, "n")])
    details = [(0, 0.5, "a"), (0.5, 0.7, "s"), (0.7, 0.9, "an"), (0.9, 1, "  "), (1, 1.5, "o")]
    path = write(tmp_path, dian, tier("details", [*details, (1.5, 2, "U^")]))
    found = jingju.read_phonemes(path)
    assert [phoneme.text for phoneme in found] == ["nvc", "an", "sil", "u"]
    assert [phoneme.start for phoneme in found] == [0.5, 0.7, 0.9, 1.5]


def test_unknown_phonemes_and_lost_tiers_are_named(tmp_path):
    details = [(0.5, 1, "a"), (1, 2, "o")]
    with pytest.raises(DataError, match=rf"{DAN}\.TextGrid, line 36: unknown phoneme 'o'"):
        jingju.read_phonemes(write(tmp_path, syllables(details), tier("details", details)))
    with pytest.raises(DataError, match=rf"{DAN}\.TextGrid has no tier 'details'"):
        jingju.read_phonemes(write(tmp_path, syllables(details)))


@pytest.mark.parametrize("count", [0, 2])
def test_each_recording_needs_one_textgrid(tmp_path, count):
    record(tmp_path, DAN, [(0.1, 0.3, "a")])
    published = tmp_path / "dan" / f"{DAN}.TextGrid"
    if count:
        (tmp_path / f"{DAN}.TextGrid").write_bytes(published.read_bytes())
    else:
        published.unlink()
    with pytest.raises(DataError, match=rf"{DAN}\.wav and {count} files {DAN}\.TextGrid"):
        jingju.index(tmp_path)
