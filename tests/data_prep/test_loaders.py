"""`mirdata:NAME`: the loaders of mirdata as data sets, on an index and audio of the test's own."""

import json
from pathlib import Path

import numpy as np
import pytest

import data_prep
from data_prep.declare import DataError
from data_prep.index import WHOLE
from data_prep.prepare import prepare
from data_prep.sets import loaders


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"mirdata:gtzan_genre .*pip install 'mirkeras\[mirdata\]'"):
        data_prep.get("mirdata:gtzan_genre")


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("rock", ("rock",)),
        (" rock ", ("rock",)),
        (["b", "a", "b"], ("b", "a")),
        ({"genres": ["house"], "sub_genres": ["deep"]}, ("house",)),
        (None, ()),
        ("", ()),
        ([None], ()),
    ],
)
def test_labels_of_every_form(value: object, labels: tuple[str, ...]) -> None:
    assert loaders._labels(value) == labels


@pytest.fixture
def mirdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The library, its data sets below the test's folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return pytest.importorskip("mirdata", reason="mirdata is not installed (the extra mirdata)")


def lay(monkeypatch, tmp_path: Path, loader: str, version: str, index: dict | None) -> Path:
    """Write an index of a loader into a folder of the test's own; the set's home."""
    import importlib

    entry = importlib.import_module(f"mirdata.datasets.{loader}").INDEXES[version]
    monkeypatch.setattr(entry, "indexes_dir", str(tmp_path))
    if index is not None:
        (tmp_path / entry.filename).write_text(json.dumps({"version": version, "tracks": index}))
    home = tmp_path / "mir_datasets" / loader
    home.mkdir(parents=True)
    return home


def gtzan_index(*tracks: str) -> dict:
    lists = {"beats": [None, None], "tempo": [None, None]}
    return {
        track: {"audio": [f"genres/{track.split('.')[0]}/{track}.wav", "0" * 32]} | lists
        for track in tracks
    }


def put(home: Path, *files: str) -> None:
    for file in files:
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_bytes(file.encode())


def run(name: str, tmp_path: Path):
    return prepare(name, data_root=tmp_path / "data", cache_root=tmp_path / "cache")


def test_a_loader_of_classes(mirdata, tmp_path: Path, monkeypatch, capsys) -> None:
    index = gtzan_index("rock.00000", "hiphop.00000", "hiphop.00001", "rock.00001")
    home = lay(monkeypatch, tmp_path, "gtzan_genre", "mini", index)
    files = [entry["audio"][0] for entry in index.values()]
    put(home, *files[:3])
    (home / files[2]).write_bytes((home / files[1]).read_bytes())
    prepared = run("mirdata:gtzan_genre:mini", tmp_path)
    assert prepared.dataset.name == "mirdata-gtzan_genre-mini"
    assert prepared.root == home
    assert prepared.classes == ("hip-hop", "rock")
    table = prepared.index.set_index("track")
    assert table.label.to_dict() == {
        "hiphop.00000": "hip-hop",
        "hiphop.00001": "hip-hop",
        "rock.00000": "rock",
    }
    assert table.path["rock.00000"] == "genres/rock/rock.00000.wav"
    assert table.group["hiphop.00001"] == "hiphop.00000"  # a copy
    assert np.isnan(table.tempo).all()
    assert "mirdata:gtzan_genre:mini: 1 tracks left out, no audio" in capsys.readouterr().err


def test_a_loader_of_tags_with_artists(mirdata, tmp_path: Path, monkeypatch) -> None:
    from mirdata.datasets import mtg_jamendo_autotagging_moodtheme as jamendo

    facts = {
        "track_1": {"ARTIST_ID": "artist_1", "TAGS": ["mood/theme---happy", "mood/theme---film"]},
        "track_2": {"ARTIST_ID": "artist_1", "TAGS": ["mood/theme---film"]},
        "track_3": {"ARTIST_ID": "artist_2", "TAGS": []},
    }
    monkeypatch.setattr(jamendo.Dataset, "_metadata", facts)
    index = {track: {"audio": [f"audios/{track}.mp3", "0" * 32]} for track in facts}
    name = "mtg_jamendo_autotagging_moodtheme"
    version = jamendo.INDEXES["default"]
    home = lay(monkeypatch, tmp_path, name, version, index)
    put(home, *(entry["audio"][0] for entry in index.values()))
    prepared = run(f"mirdata:{name}", tmp_path)
    assert prepared.dataset.tags == ("film", "happy")
    table = prepared.index.set_index("track")
    assert table.label.to_dict() == {"track_1": "happy|film", "track_2": "film"}
    assert table.group.tolist() == ["artist_1", "artist_1"]
    assert WHOLE in table


def test_every_loader_of_the_table_has_what_the_table_says(mirdata) -> None:
    import importlib

    for loader, (label, group) in loaders.LABELS.items():
        assert loader in mirdata.list_datasets()
        track = importlib.import_module(f"mirdata.datasets.{loader}").Track
        for attribute in filter(None, (label, group, "audio_path")):
            made = track.__init__.__code__.co_names
            assert hasattr(track, attribute) or attribute in made, f"{loader}.{attribute}"


def test_what_is_missing_is_said_with_mirdatas_own_command(
    mirdata, tmp_path: Path, monkeypatch
) -> None:
    command = r"initialize\('gtzan_genre', version='mini'\)\.download\(\)"
    lay(monkeypatch, tmp_path, "gtzan_genre", "mini", None)
    with pytest.raises(DataError, match=f"index must be downloaded.*{command}"):
        data_prep.get("mirdata:gtzan_genre:mini")
    (tmp_path / "gtzan_genre_1.0_mini_index.json").write_text(
        json.dumps({"tracks": gtzan_index("rock.00000", "pop.00000")})
    )
    with pytest.raises(DataError, match=f"no audio in {tmp_path}.*{command}"):
        data_prep.get("mirdata:gtzan_genre:mini")
    put(tmp_path / "mir_datasets" / "gtzan_genre", "genres/rock/rock.00000.wav")
    with pytest.raises(DataError, match="only the label 'rock'"):
        data_prep.get("mirdata:gtzan_genre:mini")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mirdata:gtzan", "mirdata has no 'gtzan'; with labels: ballroom, .*gtzan_genre"),
        ("mirdata:", "mirdata has no ''"),
        ("mirdata:beatles", "tracks of beatles have no class and no tags; with labels"),
        ("mirdata:gtzan_genre:2.0", "no version '2.0' of gtzan_genre; there are: .*mini"),
    ],
)
def test_unknown_names_are_answered_with_known_ones(mirdata, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data_prep.get(name)
