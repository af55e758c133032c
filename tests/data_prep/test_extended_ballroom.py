"""The index of Extended Ballroom on empty files, with and without the authors' table."""

import math

import pytest

from data_prep.declare import DataError
from data_prep.prepare import prepare
from data_prep.sets import extended_ballroom

XML = """<?xml version="1.0"?>
<ballroom>
  <Chacha>
    <song id="100" bpm="120" title="A"/><song id="101" bpm="122.5" exact="100"/>
  </Chacha>
  <Waltz>
    <song id="200" bpm="" version="202"/><song id="201" karaoke="200"/><song id="202" bpm="90"/>
    <song id="203" bpm="91" time="999"/>
  </Waltz>
</ballroom>
"""


@pytest.fixture
def places(tmp_path):
    return {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache", "offline": True}


@pytest.fixture
def folder(places):
    folder = places["data_root"] / "extended_ballroom" / "extendedballroom_v1.1"
    for name in ("Chacha/100", "Chacha/101", "Waltz/200", "Waltz/201", "Waltz/202", "Waltz/203"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.mp3").touch()
    return folder


def test_repetitions_share_a_group(places, folder):
    (folder / extended_ballroom.TABLE).write_text(XML)
    index = prepare("extended_ballroom", **places).index.set_index("track")
    assert index["group"].to_dict() == {
        **dict.fromkeys(("Chacha/100", "Chacha/101"), "Chacha/100"),
        **dict.fromkeys(("Waltz/200", "Waltz/201", "Waltz/202"), "Waltz/200"),
        "Waltz/203": "Waltz/203",
    }
    tempi = index["tempo"]
    assert (tempi["Chacha/101"], tempi["Waltz/202"]) == (122.5, 90)
    assert math.isnan(tempi["Waltz/200"])
    assert set(index["label"]) == {"Chacha", "Waltz"}


def test_without_the_table_nothing_is_known_of_them(places, folder):
    index = prepare("extended_ballroom", **places).index
    assert (index["group"] == index["track"]).all()
    assert index["tempo"].isna().all()


def test_a_damaged_table_is_said(places, folder):
    table = folder / extended_ballroom.TABLE
    for text in (XML[:200], XML.replace('id="203"', "")):
        table.write_text(text)
        with pytest.raises(DataError, match=r"is not the published table .*get it again"):
            prepare("extended_ballroom", **places)


def test_the_audio_is_the_users_own(places):
    with pytest.raises(DataError, match="bring your own"):
        prepare("extended_ballroom", **places)
