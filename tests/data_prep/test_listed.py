"""`csv:FILE`: a list of one's own with classes or tags, groups and a split."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from data_prep.declare import DataError
from data_prep.index import WHOLE
from data_prep.prepare import prepare
from mirkeras.cli.train import train
from mirkeras.experiment import find_experiment
from mirkeras.experiment.division import divide, tracks_of
from mirkeras.experiment.records import read_predictions
from mirkeras.pipeline.segments import consecutive
from mirkeras.system.errors import UsageError
from mirkeras.training.command import preflight


def write(folder: Path, *lines: str) -> Path:
    """A list, and an empty file for every path in it that does not begin with "no/"."""
    for line in lines[1:]:
        path = (next(csv.reader([line])) or [""])[0]
        if path and not path.startswith(("no/", "/")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(path.encode())
    file = folder / "My list.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def run(file: Path | str, tmp_path: Path):
    places = {"data_root": tmp_path / "data", "cache_root": tmp_path / "cache"}
    return prepare(f"csv:{file}", **places)


def test_a_list_of_classes(tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "z.wav").write_bytes(b"z")
    file = write(
        tmp_path / "here",
        "\ufeffpath , label,tempo,remark",
        "a.wav,rock,120,",
        '"b, c/d.flac",jazz,,"said, twice"',
        "",
        f"{tmp_path}/away/z.wav,rock,99.5,x",
    )
    prepared = run(file, tmp_path)
    assert prepared.root == tmp_path
    assert prepared.classes == ("jazz", "rock")
    assert not prepared.dataset.tags
    assert prepared.home.name.startswith("csv-My list-")
    assert prepared.index.path.tolist() == ["away/z.wav", "here/a.wav", "here/b, c/d.flac"]
    assert prepared.index.label.tolist() == ["rock", "rock", "jazz"]
    np.testing.assert_array_equal(prepared.index.tempo, [99.5, 120, np.nan])
    assert {WHOLE, "split"}.isdisjoint(prepared.index)
    other = write(tmp_path / "elsewhere", "path,label", "a.wav,x", "b.wav,y")
    assert run(other, tmp_path).home != prepared.home


def test_a_list_of_tags_with_artists_and_a_split(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "path,label,group,split",
        "1.wav,loud|fast,A,train",
        "2.wav,fast,A,Training",
        "3.wav,loud | old,,test",
        "4.wav,old,B,valid",
        "5.wav,old|old,C,",
    )
    prepared = run(file, tmp_path)
    assert prepared.dataset.tags == prepared.classes == ("fast", "loud", "old")
    index = prepared.index.set_index("track")
    assert index.label.tolist() == ["loud|fast", "fast", "loud|old", "old", "old"]
    assert index.split.tolist() == ["train", "train", "test", "validation", ""]
    assert index.group.tolist() == ["A", "A", "3.wav", "B", "C"]
    assert WHOLE in index


def test_copies_share_a_group_where_none_is_named(tmp_path: Path, capsys) -> None:
    file = write(tmp_path, "path,label", "a.wav,x", "b.wav,y", "c.wav,y")
    (tmp_path / "c.wav").write_bytes(b"a.wav")
    index = run(file, tmp_path).index.set_index("track")
    assert index.group.tolist() == ["a.wav", "b.wav", "a.wav"]
    assert "2 files are copies of one another" in capsys.readouterr().out


HEAD = "path,label,group,split"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,tag", "a.wav,x"], "line 1: no column label"),
        (["path,label,label", "a.wav,x,x"], "line 1: a column is there twice"),
        (["path,label"], "lists no track"),
        (["path,label", "a.wav,x", "no/b.wav,y"], "line 3: there is no file .*no/b.wav"),
        (["path,label", "a.wav,x", "b.txt,y"], "line 3: .*b.txt is no audio"),
        (["path,label", "a.wav,x", "", "b.wav,y,z"], "line 4: it has not 2 cells"),
        (["path,label", "a.wav,x", "b.wav"], "line 3: it has not 2 cells"),
        (["path,label", "a.wav,x", "b.wav,y", "a.wav,y"], "line 4: a.wav is already on line 2"),
        (["path,label", "a.wav,x", "b.wav,|"], "line 3: no label"),
        (["path,label", "a.wav,x", 'b.wav,"y'], "line 3: unexpected end of data"),
        (["path,label", "a.wav,x", "b.wav,x"], "only the label 'x'"),
        (["path,label,tempo", "a.wav,x,fast", "b.wav,y,1"], "line 2: the tempo 'fast' is no"),
        ([HEAD, "a.wav,x,,train", "b.wav,y,,later"], "line 3: unknown part 'later'"),
        ([HEAD, "a.wav,x,,1", "b.wav,y,,test"], "line 2: unknown part '1'"),
        ([HEAD, "a.wav,x,,train", "b.wav,y,,train"], "needs train and test"),
        ([HEAD, "a.wav,x,A,train", "b.wav,y,A,test"], "line 3: group 'A' is in test .* line 2"),
        ([HEAD, "a.wav,x,A,1", "b.wav,y,A,2"], "line 3: group 'A' is in 2 here and in 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, lines, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(write(tmp_path, *lines), tmp_path)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'.*none\.csv' is no file\. Give a text file"):
        run(tmp_path / "none.csv", tmp_path)
    with pytest.raises(DataError, match="no file follows the colon"):
        run("", tmp_path)
    (tmp_path / "latin.csv").write_bytes("path,label\nä.wav,x\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.csv is not UTF-8"):
        run(tmp_path / "latin.csv", tmp_path)


@pytest.fixture(scope="module")
def noises(tmp_path_factory) -> Path:
    """Twelve tracks of 3 s with two tags, two to an artist."""
    folder, random = tmp_path_factory.mktemp("noises"), np.random.default_rng(0)
    lines = [HEAD]
    for number in range(12):
        noise = random.uniform(-0.3, 0.3, 3 * 16_000).astype(np.float32)
        soundfile.write(folder / f"{number}.wav", noise, 16_000)
        tags = "|".join(["loud"] * (number % 3 > 0) + ["fast"] * (number % 3 < 2))
        lines.append(f"{number}.wav,{tags},artist {number // 2},{1 + number // 6}")
    (folder / "list.csv").write_text("\n".join(lines))
    return folder / "list.csv"


@pytest.mark.parametrize("protocol", ["paper", "clean"])
@pytest.mark.parametrize("split", ["drawn", "split"])
def test_no_artist_is_in_two_parts_whatever_the_protocol(
    noises: Path, tmp_path: Path, protocol: str, split: str
) -> None:
    prepared = run(noises, tmp_path)

    class Heard:
        tracks = sorted(prepared.index.track)

    tracks = tracks_of(Heard, prepared.home / "index.csv", prepared.dataset.tags)
    segments = consecutive(np.arange(13) * 10, 10)
    for fold in range(2):
        parts = divide(
            find_experiment("lee_samplecnn").protocols[protocol],
            segments, tracks, split=split, folds=2, fold=fold, seed=0,
        )  # fmt: skip
        found = [
            {*tracks.group.iloc[segments.track[part]]}
            for part in (parts.train, parts.validation, parts.test)
        ]
        assert all(found)
        assert sum(map(len, found)) == len(set.union(*found)) == 6


def test_folds_that_divide_artists_are_refused(noises: Path, tmp_path: Path) -> None:
    prepared = run(noises, tmp_path)
    code = find_experiment("pons_icassp2017").protocols["code"]
    with pytest.raises(UsageError, match=r"groups of csv-list-.* must not be divided"):
        preflight.choose_split(prepared, code, "drawn", 3)
    assert preflight.choose_split(prepared, code, None, None) == ("split", 2)


@pytest.mark.long
def test_tags_of_a_list_train_a_network_on_its_own_folds(
    in_process, noises: Path, tmp_path: Path
) -> None:
    words = [
        "--dataset",
        f"csv:{noises}",
        "--rows",
        "tagging/proposed-1",
        "--epochs",
        "1",
        "--jobs",
        "1",
    ]
    words += ["--cache-root", str(tmp_path / "cache"), "--out", str(tmp_path / "runs")]
    assert train("pons_eusipco2017", [*words, "--data-root", str(tmp_path)]) == 0
    places = sorted(path.parent for path in (tmp_path / "runs").rglob("predictions.npz"))
    tested = [set(read_predictions(place)["tracks"]) for place in places]
    listed = pd.read_csv(noises)
    assert tested == [{*listed.path[listed.split == fold]} for fold in (1, 2)]
    assert read_predictions(places[0])["classes"].tolist() == ["fast", "loud"]
