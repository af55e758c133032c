"""The formats of `mirkeras tag`, with the names that files have in the wild."""

import csv
import json
import os
import resource
from dataclasses import replace
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import pytest

from mirkeras.tagging.job import figure, output
from tests.mirkeras.tagging.fake_tagger import CARD, LENGTH, MODEL, guess

NAMES = [
    "plain.mp3",
    'a, "b"\nc.mp3',
    "Ünïcode 音楽.mp3",
    os.fsdecode(b"latin-\xe9\xff.mp3"),
    "$x^2.mp3",
    "\x1b[31mred\x1b[0m\u2028.mp3",
]


@pytest.fixture
def tracks():
    return [guess(Path("music") / name, features="penultimate") for name in NAMES]


def document(form: str, tracks, folder: Path) -> str:
    """Write a document as the command does and read it back."""
    path = folder / "out"
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(output.DOCUMENTS[form](tracks, MODEL, 2))
    return path.read_bytes().decode("utf-8", "surrogateescape")


def test_csv_holds_every_score_under_every_name(tracks, tmp_path: Path) -> None:
    document("csv", tracks, tmp_path)
    with open(tmp_path / "out", encoding="utf-8", errors="surrogateescape", newline="") as file:
        header, *rows = csv.reader(file, strict=True)
    assert header == ["path", "seconds", "repeated", *CARD.tags]
    assert [row[0] for row in rows] == [str(track.path) for track in tracks]
    scores = np.array([row[3:] for row in rows], float)
    np.testing.assert_allclose(scores, [track.scores for track in tracks], atol=1e-6)


def test_parquet_is_the_table_of_csv(tracks, tmp_path: Path, monkeypatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="extra parquet is not installed")
    monkeypatch.setattr(output, "_MOST_ROWS", 4)  # two groups of rows
    output.write_parquet(tmp_path / "a.parquet", tracks, MODEL)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["path", "seconds", "repeated", *CARD.tags]
    paths = table["path"].to_pylist()
    assert paths[:3] == [f"music/{name}" for name in NAMES[:3]]
    assert paths[3] == r"music/latin-\xe9\xff.mp3"
    scores = np.array([table[tag].to_pylist() for tag in CARD.tags]).T
    np.testing.assert_allclose(scores, [track.scores for track in tracks], atol=1e-6)
    seven = replace(MODEL, aggregate="maj", runs=("a", "b"))
    spread = np.ones(len(CARD.tags), np.float32)
    judged = [replace(track, decided="rock", spread=spread) for track in tracks]
    output.write_parquet(tmp_path / "b.parquet", judged, seven)
    table = parquet.read_table(tmp_path / "b.parquet")
    assert set(table["decided"].to_pylist()) == {"rock"}
    assert table[f"{CARD.tags[0]} (std of 2 runs)"].to_pylist() == [1.0] * len(tracks)


def test_json_holds_the_taggram(tracks, tmp_path: Path) -> None:
    found = json.loads(document("json", tracks, tmp_path))
    for track, entry in zip(tracks, found, strict=True):
        assert entry["path"] == str(track.path)
        assert entry["tags"] == list(CARD.tags)
        np.testing.assert_allclose(entry["taggram"], track.taggram, atol=1e-6)
        np.testing.assert_allclose(np.mean(entry["taggram"], 0), entry["scores"], atol=2e-6)
        assert entry["starts"] == track.starts.tolist()
        assert entry["versions"]["mirkeras"]
    assert json.loads(document("json", [], tmp_path)) == []


def test_text_is_one_line_per_fact(tracks, tmp_path: Path) -> None:
    lines = document("text", tracks, tmp_path).split("\n")
    assert len(lines) == 3 * len(tracks) + 1
    assert lines[0] == f"music/plain.mp3  ({tracks[0].seconds:.1f} s)"
    tag, score = tracks[0].top(1)[0]
    assert lines[1] == f"  {score:.3f}  {tag}"
    assert lines[9].startswith("music/" + NAMES[3])
    assert lines[15].startswith(r"music/\x1b[31mred\x1b[0m\u2028.mp3")


def test_jams_is_what_its_schema_wants(tracks) -> None:
    """The schema of JAMS 0.3.5, by hand: sparse observations, non-negative times, all keys."""
    for track in tracks:
        content = json.loads(output.jams(track, MODEL, 2))
        assert set(content) == {"annotations", "file_metadata", "sandbox"}
        assert content["file_metadata"]["duration"] == track.seconds
        assert content["sandbox"]["path"] == str(track.path)
        whole, parts = content["annotations"]
        assert [len(whole["data"]), len(parts["data"])] == [2, 2 * len(track.starts)]
        assert [(o["value"], round(o["confidence"], 4)) for o in whole["data"]] == [
            (tag, round(score, 4)) for tag, score in track.top(2)
        ]
        for annotation in (whole, parts):
            assert annotation["namespace"] == "tag_open"
            assert {"name", "email"} <= set(annotation["annotation_metadata"]["curator"])
            for observation in annotation["data"]:
                assert set(observation) == {"time", "duration", "value", "confidence"}
                end = observation["time"] + observation["duration"]
                assert 0 <= observation["time"] <= end <= track.seconds


def test_jams_is_read_by_its_own_library(tracks, tmp_path: Path) -> None:
    library = pytest.importorskip("jams", reason="jams is not installed")
    (tmp_path / "a.jams").write_text(output.jams(tracks[0], MODEL, 2))
    read = library.load(str(tmp_path / "a.jams"), validate=True, strict=True)
    assert read.validate(strict=True)
    whole, _ = read.annotations
    assert [one.value for one in whole.data] == [tag for tag, _ in tracks[0].top(2)]


def test_embeddings_are_found_by_track(tracks, tmp_path: Path) -> None:
    path = tmp_path / "e.h5"
    output.write_embeddings(path, tracks, MODEL, "penultimate")
    with h5py.File(path) as file:
        offsets = file["offsets"][()]
        assert file["features"].shape == (offsets[-1], 5)
        means = [track.features.mean(axis=0) for track in tracks]
        np.testing.assert_allclose(file["means"], means, rtol=1e-6)
        assert list(map(os.fsdecode, file["paths"][()])) == [str(track.path) for track in tracks]
        for i, track in enumerate(tracks):
            place = slice(*offsets[i : i + 2])
            np.testing.assert_array_equal(file["features"][place], track.features)
            np.testing.assert_array_equal(file["starts"][place], track.starts)
        assert file.attrs["feature"] == "penultimate"
        assert (file.attrs["hop"], file.attrs["length"]) == (LENGTH, LENGTH)


def test_embeddings_lie_in_pieces_of_many_rows_whatever_the_first_track_is(tmp_path: Path) -> None:
    path, track = tmp_path / "e.h5", guess(Path("a.wav"))
    for dimensions in (5, 100_000):
        features = np.zeros((1, dimensions), np.float32)
        short = replace(track, starts=track.starts[:1], features=features)
        output.write_embeddings(path, [short] * 3, MODEL, "penultimate")
        with h5py.File(path) as file:
            assert len(file["features"]) == 3
            rows, columns = file["features"].chunks
            assert columns == dimensions
            assert rows == (1 if dimensions == 100_000 else 4096)
            assert np.isnan(file.attrs["hop"])  # no second segment says what it is


def test_versions_name_all_between_file_and_score() -> None:
    found = " ".join(f"{name} {value}" for name, value in output.versions(CARD.recipe).items())
    for word in ("mirkeras", "keras", "backend", "librosa", "soundfile", "libsndfile", "soxr"):
        assert f"{word} " in found


def test_the_taggram_shows_when(tmp_path: Path, recwarn) -> None:
    for number, name in enumerate(NAMES):
        track = guess(Path(name))
        figure.draw(track, tmp_path / f"{number}.png", top=3)
        assert matplotlib.image.imread(tmp_path / f"{number}.png").std() > 0.1
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    track = replace(guess(Path("a.wav")), starts=np.array([0.0, 1.0]), seconds=4.5)
    assert figure.edges(track).tolist() == [0, 1, 4]


@pytest.mark.parametrize("room", [0, 512, 2049, 30_000, 270_000])
def test_a_full_disk_under_embeddings_is_an_error(tmp_path: Path, room: int) -> None:
    """Without care HDF5 ends the process: SIGSEGV."""
    track = guess(Path("a.wav"))
    wide = replace(track, features=np.ones((len(track.starts), 1000), np.float32))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            output.write_embeddings(tmp_path / "e.h5", [wide] * 3, MODEL, "penultimate")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
    output.write_embeddings(tmp_path / "e.h5", [wide] * 3, MODEL, "penultimate")
