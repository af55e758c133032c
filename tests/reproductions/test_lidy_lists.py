"""List files, folds and scores of MIREX's interface: no audio, no network."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mirkeras.system.errors import UsageError
from reproductions.lidy_mirex2016 import mirex_lists, mirex_scores
from reproductions.lidy_mirex2016.mirex_folds import draw_folds

PLAIN = "/a/one.wav\tjazz\n/a/two.wav\trock\n"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        "\n  \n" + PLAIN.replace("\n", "  \n\n"),
        "/a/one.wav \t jazz\t\n/a/two.wav\trock",
    ],
    ids=["plain", "byte order mark", "CR LF", "blank lines and spaces", "fields with spaces"],
)
def test_a_training_list_is_read_whatever_editor_wrote_it(text: str, tmp_path: Path) -> None:
    pairs = mirex_lists.read_pairs(written(tmp_path, text))
    assert pairs == [("/a/one.wav", "jazz"), ("/a/two.wav", "rock")]


def test_names_may_hold_blanks_and_any_letters(tmp_path: Path) -> None:
    path = written(tmp_path, "/a b/Dvořák, op. 9.wav\tHard Rock/Metal\n/x\u2028y.wav\tb\n")
    assert mirex_lists.read_pairs(path) == [
        ("/a b/Dvořák, op. 9.wav", "Hard Rock/Metal"),
        ("/x\u2028y.wav", "b"),
    ]


def test_a_test_list_keeps_its_order_and_repeated_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff/b.wav\r\n\r\n/a.wav \r\n/b.wav")
    assert mirex_lists.read_files(path) == ["/b.wav", "/a.wav", "/b.wav"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/a.wav\tjazz\n/b.wav jazz\n", "line 2: '/b.wav jazz' has no tab"),
        ("/a.wav\tjazz\n\n/b.wav\t\n", "line 3: '/b.wav' has no tab"),
        ("\tjazz\n", "line 1: 'jazz' has no tab"),
        ("/a.wav\tjazz\na.wav\tjazz\n", "line 2: 'a.wav' is not an absolute path"),
        ("/a.wav\tjazz\n/a.wav\trock\n", "line 2: /a.wav is 'rock' here and 'jazz' before"),
        ("", "is empty"),
        ("\ufeff \r\n\r\n", "is empty"),
        ("/\xe9.wav\tjazz\n".encode("latin-1"), "is not UTF-8 text"),
        (PLAIN.encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_a_wrong_training_list_is_refused_by_line(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"list.txt.*{message}"):
        mirex_lists.read_pairs(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/a.wav\n/b.wav\tjazz\n", "line 2: there is a tab"),
        ("/a.wav\nmusic/b.wav\n", "line 2: 'music/b.wav' is not an absolute path"),
    ],
)
def test_a_wrong_test_list_is_refused_by_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        mirex_lists.read_files(written(tmp_path, text))


def test_a_missing_list_is_said_to_be_missing(tmp_path: Path) -> None:
    for read in (mirex_lists.read_files, mirex_lists.read_pairs):
        with pytest.raises(UsageError, match="no such list file"):
            read(tmp_path / "none.txt")


def test_what_is_written_reads_back_in_the_order_given(tmp_path: Path) -> None:
    path, files = tmp_path / "out.txt", ["/b.wav", "/a.wav", "/b.wav"]
    mirex_lists.write_pairs(path, files, {"/a.wav": "jazz", "/b.wav": "hip hop"})
    assert path.read_bytes() == b"/b.wav\thip hop\n/a.wav\tjazz\n/b.wav\thip hop\n"
    assert mirex_lists.is_output_of(path, files)
    assert not mirex_lists.is_output_of(path, files[:2])
    assert not mirex_lists.is_output_of(tmp_path / "none.txt", files)
    mirex_lists.write_files(path, files)
    assert mirex_lists.read_files(path) == files


@pytest.mark.parametrize("name", ["/a\tb.wav", "/a\nb.wav", "/a.wav "])
def test_a_name_that_would_read_back_as_another_is_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot stand in a list"):
        mirex_lists.write_files(tmp_path / "out.txt", [name])
    assert not (tmp_path / "out.txt").exists()


def tracks(artists_per_class: int, each: int) -> tuple[list[str], list[str], list[str]]:
    """Files, classes and artists: two classes, some artists each, `each` files per artist."""
    lines = [
        (f"/{label}/{artist}-{number}.wav", label, f"{label} artist {artist}")
        for label in ("jazz", "rock")
        for artist in range(artists_per_class)
        for number in range(each)
    ]
    return tuple(map(list, zip(*lines, strict=True)))


@pytest.mark.parametrize("seed", range(5))
def test_folds_test_every_file_once_and_divide_no_artist(seed: int) -> None:
    files, classes, artists = tracks(artists_per_class=6, each=2)
    artist_of = dict(zip(files, artists, strict=True))
    folds = draw_folds(files, classes, artists, 3, seed)
    tested = [file for fold in folds for file in fold.test]
    assert sorted(tested) == sorted(files)
    for fold in folds:
        assert {**fold.train, **fold.test} == dict(zip(files, classes, strict=True))
        artists_here = [{artist_of[file] for file in part} for part in (fold.train, fold.test)]
        assert not artists_here[0] & artists_here[1]
        assert sorted(fold.test.values()) == ["jazz"] * 4 + ["rock"] * 4


def test_other_seeds_draw_other_folds_and_the_same_seed_the_same() -> None:
    given = tracks(artists_per_class=6, each=2)
    drawn = [tuple(draw_folds(*given, 3, seed)[0].test) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_too_few_artists_for_the_folds_are_refused() -> None:
    files, classes, artists = tracks(artists_per_class=1, each=4)
    with pytest.raises(UsageError, match="8 files of 2 groups cannot be cut into 3 folds"):
        draw_folds(files, classes, artists, 3, 0)


def test_accuracy_and_confusion_are_of_the_files_tested() -> None:
    truth = {"/1": "a", "/2": "a", "/3": "b", "/4": "c"}
    given = {"/4": "c", "/3": "a", "/2": "a", "/1": "a"}
    assert mirex_scores.accuracy(truth, given) == pytest.approx(75)
    matrix = mirex_scores.confusion(truth, given)
    assert matrix.loc["b", "a"] == 1
    assert matrix.to_numpy().tolist() == [[2, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_systems_are_compared_by_their_ranks_within_folds() -> None:
    table = pd.DataFrame(
        {"best": [90, 80, 70, 95, 85], "middle": [60, 75, 65, 90, 80], "worst": [50, 40, 60, 1, 2]}
    )
    found = mirex_scores.compare(table)
    assert found.p == pytest.approx(stats.chi2.sf(10, 2))  # all ranks in order: n (k - 1) = 10
    # q(0.05, 3, ∞) = 3.314 in tables of the studentised range; sqrt(k (k + 1) / (12 n))
    assert found.critical == pytest.approx(3.314 * np.sqrt(3 * 4 / (12 * 5)), abs=1e-3)
    assert found.pairs.to_numpy().tolist() == [
        ["best", "middle", 1.0, False],
        ["best", "worst", 2.0, True],
        ["middle", "worst", 1.0, False],
    ]


def test_equal_systems_differ_in_nothing_and_two_are_not_compared() -> None:
    table = pd.DataFrame({name: [50.0, 60.0, 70.0] for name in "abc"})
    found = mirex_scores.compare(table)
    assert np.isnan(found.p)
    assert not found.pairs.significant.any()
    assert mirex_scores.compare(table[["a", "b"]]) is None
